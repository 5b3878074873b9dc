//! Asking for heights on the command line: `height`, `profile`, `stats`, `sight`, against the library.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use crate::common::Random;
use crate::program::{HYPSO, World, fails, ok, peak, printed, scratch, stderr};
use hypso::heights::{HeightQueries, Heights, Sampling, Seen, Sight, Spacing};
use hypso::tile::{Area, LonLat, LonLatBox};

/// A file of heights with lineage, made of the sample's archive; and the box that it covers, degrees.
fn made() -> &'static (String, [f64; 4]) {
    static MADE: OnceLock<(String, [f64; 4])> = OnceLock::new();
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    MADE.get_or_init(|| {
        let w = World::get();
        let folder = FOLDER.get_or_init(|| tempfile::tempdir().unwrap());
        let file = folder.path().join("asked.heights").to_str().unwrap().to_owned();
        ok(&["convert", &w.path("s.pmtiles"), "-o", &file, "--lineage", &w.path("s-lineage.pmtiles")]);
        let bounds =
            hypso::archive::open(std::path::Path::new(&w.path("s.pmtiles"))).unwrap().metadata().bounds.unwrap();
        (file, bounds)
    })
}

/// Points in and around the box.
fn points(count: usize) -> Vec<LonLat> {
    let [west, south, east, north] = made().1;
    let mut random = Random(3);
    let mut within = |low: f64, high: f64| {
        let value = low + (high - low) * (random.unit() * 1.1 - 0.05);
        (value * 1e7).round() / 1e7
    };
    (0..count).map(|_| LonLat::new(within(west, east), within(south, north)).unwrap()).collect()
}

fn piped(arguments: &[&str], input: &[u8]) -> Output {
    let mut program = Command::new(HYPSO)
        .args(arguments)
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = program.stdin.take().unwrap();
    let input = input.to_vec();
    // It may end before it has read all.
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = program.wait_with_output().unwrap();
    feeder.join().unwrap();
    output
}

fn answered(arguments: &[&str], input: &str) -> String {
    let output = piped(arguments, input.as_bytes());
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// The height as the program writes it; empty in a void.
fn text(heights: &dyn HeightQueries, point: LonLat) -> String {
    let height = heights.sample(point, &Sampling::default()).unwrap();
    height.map_or(String::new(), |h| format!("{:.2}", h.metres))
}

#[test]
fn heights_of_points_are_those_of_the_library_however_points_come() {
    let (file, _) = made();
    let heights = Heights::open(file).unwrap();
    let points = points(3000);
    let known: Vec<String> = points.iter().map(|&p| text(&heights, p)).collect();
    assert!(known.iter().any(String::is_empty) && known.iter().filter(|k| !k.is_empty()).count() > 1000);
    // The last digit may differ where a height lies between two of them.
    let same = |found: &str, want: &str| match (found.parse::<f64>(), want.parse::<f64>()) {
        (Ok(a), Ok(b)) => (a - b).abs() < 0.011,
        _ => found == want,
    };
    let plain: String = points.iter().map(|p| format!("{} {}\n", p.lon(), p.lat())).collect();
    let lines = answered(&["height", file], &plain);
    for ((line, p), want) in lines.lines().zip(&points).zip(&known) {
        let (place, height) = line.rsplit_once(' ').unwrap();
        assert!(place == format!("{} {}", p.lon(), p.lat()) && same(height, want), "{line}: {want}");
    }
    assert_eq!(lines.lines().count(), points.len());
    // CSV: what is there stays, a column is added; a PMTiles archive answers the same.
    let csv: String =
        points.iter().enumerate().map(|(n, p)| format!("\"a\n{n}\";{};{}\r\n", p.lat(), p.lon())).collect();
    let csv = format!("name;Lat;Lon\r\n{csv}");
    let found = answered(&["height", file], &csv);
    assert!(found.starts_with("name;Lat;Lon;height\n\"a\n0\";"), "{}", &found[..60]);
    assert_eq!(answered(&["height", &World::get().path("s.pmtiles"), "--from", "-"], &csv), found);
    let added: Vec<&str> = found.lines().skip(2).step_by(2).map(|line| line.rsplit_once(';').unwrap().1).collect();
    assert!(added.len() == known.len() && added.iter().zip(&known).all(|(a, b)| same(a, b)));
    // JSON and GeoJSON.
    let json: serde_json::Value = serde_json::from_str(&answered(&["height", file, "--format", "json"], &csv)).unwrap();
    for (object, want) in json.as_array().unwrap().iter().zip(&known) {
        assert!(same(&object["height"].as_f64().map_or(String::new(), |h| h.to_string()), want));
    }
    let collection = answered(&["height", file, "--format", "geojson"], &plain);
    let again = answered(&["height", file], &collection);
    let [made, again]: [serde_json::Value; 2] = [&collection, &again].map(|t| serde_json::from_str(t).unwrap());
    assert_eq!(made, again, "heights of GeoJSON are replaced by the same ones");
    assert_eq!(made["features"].as_array().unwrap().len(), points.len());
}

#[test]
fn points_of_arguments_are_told_with_zoom_and_source() {
    let (file, [west, south, east, north]) = made();
    let heights = Heights::open(file).unwrap();
    let middle = format!("{},{}", (west + east) / 2.0, (south + north) / 2.0);
    let table = printed(&["height", file, &middle, "-120.5,-33.25", "--details"]);
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].contains("pixel_size") && lines.len() == 4, "{table}");
    assert!(lines[3].contains("-120.5") && lines[3].contains("no data"), "{table}");
    let json = printed(&["height", file, &middle, "--details", "--format", "json"]);
    let found: serde_json::Value = serde_json::from_str(&json).unwrap();
    let point: LonLat = middle.parse().unwrap();
    let want = heights.sample(point, &Sampling::default()).unwrap().expect("the middle of the sample has a height");
    assert_eq!(found[0]["zoom"], want.zoom);
    let name = &heights.sources().unwrap()[usize::from(want.source.expect("a source"))];
    assert_eq!(found[0]["source"], name.as_str());
    let nearest = printed(&["height", file, &middle, "--nearest", "--max-zoom", "8", "--format", "csv"]);
    assert!(nearest.starts_with("lon,lat,height\n"), "{nearest}");
}

#[test]
fn long_inputs_pass_in_little_memory() {
    let (file, [west, south, east, north]) = made();
    let (_folder, path) = scratch();
    let write = |name: &str, count: usize| {
        let mut text = String::from("id,lon,lat\n");
        for n in 0..count {
            let share = (n as f64 * 0.618_033_988_75).fract();
            text +=
                &format!("{n},{:.7},{:.7}\n", west + (east - west) * share, south + (north - south) * (1.0 - share));
        }
        std::fs::write(path(name), text).unwrap();
        path(name)
    };
    let (short, long) = (write("a.csv", 1000), write("b.csv", 1_000_000));
    let [(least, ..), (most, code, said)] = [short, long].map(|input| peak(&["height", file, "--from", &input]));
    assert_eq!(code, Some(0), "{said}");
    // 27 MB of text; what is held are some chunks of a megabyte for each thread, and pages of the mapped file.
    let mapped = std::fs::metadata(file).unwrap().len() >> 20;
    assert!(most < least + 40 + mapped, "{least} MB for a thousand points, {most} MB for a million");
}

#[test]
fn what_is_no_point_and_no_line_is_named_with_its_line() {
    let (file, _) = made();
    let refused = |arguments: &[&str], input: &[u8], words: &[&str]| {
        let output = piped(&[&[arguments[0], file.as_str()], &arguments[1..]].concat(), input);
        let said = stderr(&output);
        assert!(matches!(output.status.code(), Some(1 | 2)), "{arguments:?}: {said}");
        assert!(words.iter().all(|word| said.contains(word)), "{arguments:?}: {said}");
    };
    for (input, words) in [
        (&b"138.5,35.1\n138.6,35.\x00\n"[..], &["line 2", "latitude"][..]),
        (b"lon,lat\n138.5,35.1\n138.6\n", &["line 3", "138.6", "has no latitude"]),
        (b"35.1,138.5\n", &["line 1", "latitude 138.5", "swapped"]),
        (b"1,2\nNaN,1\n", &["line 2", "NaN"]),
        (b"", &["is empty"]),
        (b"lon,lat\n", &["holds no record"]),
        (b"a,b\n1,2\n", &["no column for the longitude", "a, b"]),
        (b"{\"type\":\"Point\",\"coordinates\":[35.1,138.5]}", &["[35.1, 138.5]", "swapped"]),
        (b"{\"type\":\"Point\",", &["no JSON"]),
    ] {
        refused(&["height"], input, words);
    }
    refused(&["height", "35.1,138.5"], b"", &["latitude 138.5"]);
    refused(&["height", "--format", "table"], b"1,2\n", &["--format", "csv"]);
    refused(&["profile"], b"138.5,35.1\n", &["1 place"]);
    refused(&["profile", "138.5,35.1"], b"", &["1 place"]);
    refused(&["profile", "138.5,35.1", "138.5,35.1"], b"", &["no length"]);
    refused(&["profile", "138.5,35.1", "138.5,35.1", "--spacing", "5"], b"", &["no length"]);
    refused(&["profile", "138.5,35.1", "138.6,35.1", "--spacing", "0"], b"", &["above 0"]);
    refused(&["profile", "--polyline", "\u{1}"], b"", &["polyline"]);
    refused(&["sight", "138.5,35.1"], b"", &["two places"]);
    refused(&["sight"], b"138.5,35.1,138.6\n", &["second latitude"]);
    refused(&["stats", "--bbox", "10,10,11,11"], b"", &["no height in the area"]);
    let (_folder, path) = scratch();
    std::fs::create_dir(path("tiles")).unwrap();
    std::fs::write(path("text"), "no heights").unwrap();
    fails(1, &["hypso convert"], &["height", &path("tiles"), "1,2"]);
    fails(1, &["text"], &["height", &path("text"), "1,2"]);
    fails(1, &["none"], &["height", &path("none"), "1,2"]);
}

#[test]
fn photographs_have_no_heights() {
    let (_folder, path) = scratch();
    std::fs::create_dir_all(path("photos/0/0")).unwrap();
    let mut photo = png::Encoder::new(std::fs::File::create(path("photos/0/0/0.png")).unwrap(), 256, 256);
    photo.set_color(png::ColorType::Rgb);
    let pixels: Vec<u8> = (0..256 * 256 * 3u32).map(|i| (i * 7 + i / 768 * 5) as u8).collect();
    photo.write_header().unwrap().write_image_data(&pixels).unwrap();
    ok(&["convert", &path("photos"), "-o", &path("photos.pmtiles")]);
    let words = ["encoding", "is not said by the metadata", "hypso convert", "--set encoding=terrarium"];
    fails(1, &words, &["height", &path("photos.pmtiles"), "1,2"]);
    fails(1, &words, &["convert", &path("photos.pmtiles"), "-o", &path("photos.heights")]);
}

/// The line through the sample, and a way to write it.
fn diagonal() -> (Vec<LonLat>, [f64; 4]) {
    let [west, south, east, north] = made().1;
    let at = |share: f64| {
        let round = |v: f64| (v * 1e5).round() / 1e5;
        LonLat::new(round(west + (east - west) * share), round(south + (north - south) * share)).unwrap()
    };
    ((0..=4).map(|n| at(0.1 + 0.2 * f64::from(n))).collect(), made().1)
}

#[test]
fn profiles_are_those_of_the_library_however_lines_are_written() {
    let (file, _) = made();
    let heights = Heights::open(file).unwrap();
    let (line, _) = diagonal();
    let (_folder, path) = scratch();
    let pairs: Vec<String> = line.iter().map(|p| format!("{},{}", p.lon(), p.lat())).collect();
    let arguments: Vec<&str> = pairs.iter().map(String::as_str).collect();
    let csv = printed(&[&["profile", file, "--samples", "500", "--format", "csv"], &arguments[..]].concat());
    let want = heights.along(&line, Spacing::Count(500), &Sampling::default()).unwrap();
    assert_eq!(csv.lines().count(), 501);
    for (row, sample) in csv.lines().skip(1).zip(&want.points) {
        let fields: Vec<&str> = row.split(',').collect();
        assert!((fields[0].parse::<f64>().unwrap() - sample.distance).abs() < 0.006, "{row}");
        match sample.height {
            Some(height) => assert!((fields[3].parse::<f64>().unwrap() - height.metres).abs() < 0.011, "{row}"),
            None => assert_eq!(fields[3], ""),
        }
    }
    let positions: Vec<[f64; 2]> = line.iter().map(|p| [p.lon(), p.lat()]).collect();
    let gpx: String = line.iter().map(|p| format!("<trkpt lon=\"{}\" lat=\"{}\"/>", p.lon(), p.lat())).collect();
    for (name, text) in [
        ("line.txt", pairs.join("\n")),
        ("line.geojson", serde_json::json!({"type": "LineString", "coordinates": positions}).to_string()),
        ("line.gpx", format!("<gpx><trk><trkseg>{gpx}</trkseg></trk></gpx>")),
    ] {
        std::fs::write(path(name), &text).unwrap();
        let options = ["profile", file, "--samples", "500", "--format", "csv"];
        assert_eq!(printed(&[&options[..], &["--from", &path(name)]].concat()), csv, "{name}");
        assert_eq!(answered(&options, &text), csv, "{name} through a pipe");
    }
    // With a spacing, corners are samples; the sums are those of the library.
    let json = printed(&[&["profile", file, "--spacing", "30", "--format", "json"], &arguments[..]].concat());
    let found: serde_json::Value = serde_json::from_str(&json).unwrap();
    let want = heights.along(&line, Spacing::Metres(30.0), &Sampling::default()).unwrap();
    assert_eq!(found["samples"].as_array().unwrap().len(), want.points.len());
    let near = |name: &str, value: f64| assert!((found[name].as_f64().unwrap() - value).abs() < 0.011, "{name}");
    near("length", want.length);
    near("climb", want.climb);
    near("descent", want.descent);
    near("least", want.least.unwrap());
    near("greatest", want.greatest.unwrap());
}

#[test]
fn a_long_line_with_a_spacing_is_sampled_in_pieces_without_a_seam() {
    let (file, [west, south, east, north]) = made();
    let heights = Heights::open(file).unwrap();
    let corner = |n: usize| {
        let share = n as f64 / 2000.0;
        let wave = 0.5 + 0.3 * (n as f64 / 50.0).sin();
        LonLat::new(west + (east - west) * share, south + (north - south) * wave).unwrap()
    };
    let line: Vec<LonLat> = (0..=2000).map(corner).collect();
    let text: String = line.iter().map(|p| format!("{},{}\n", p.lon(), p.lat())).collect();
    let found = answered(&["profile", file, "--spacing", "200", "--format", "csv"], &text);
    let want = heights.along(&line, Spacing::Metres(200.0), &Sampling::default()).unwrap();
    assert_eq!(found.lines().count() - 1, want.points.len());
    for (row, sample) in found.lines().skip(1).zip(&want.points) {
        assert!((row.split(',').next().unwrap().parse::<f64>().unwrap() - sample.distance).abs() < 0.02, "{row}");
    }
}

#[test]
fn a_picture_of_a_profile_shows_the_ground_in_the_colours_of_its_sources() {
    let (file, _) = made();
    let (line, _) = diagonal();
    let (_folder, path) = scratch();
    let pairs: Vec<String> = line.iter().map(|p| format!("{},{}", p.lon(), p.lat())).collect();
    let arguments: Vec<&str> = pairs.iter().map(String::as_str).collect();
    let picture = path("walk.png");
    let table = printed(&[&["profile", file, "--picture", &picture, "--samples", "2000"], &arguments[..]].concat());
    assert!(table.lines().count() > 2000, "the samples are printed too");
    let decoder = png::Decoder::new(std::io::BufReader::new(std::fs::File::open(&picture).unwrap()));
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert!(info.width >= 1000 && info.height >= 400);
    let heights = Heights::open(file).unwrap();
    let profile = heights.along(&line, Spacing::Count(2000), &Sampling::default()).unwrap();
    let sources: std::collections::BTreeSet<u8> =
        profile.points.iter().filter_map(|p| p.height).filter_map(|h| h.source).collect();
    assert!(!sources.is_empty());
    let colors: std::collections::BTreeSet<[u8; 3]> =
        pixels.chunks_exact(3).map(|p| [p[0], p[1], p[2]]).filter(|p| p.iter().max() > p.iter().min()).collect();
    assert!(colors.len() >= sources.len(), "{colors:?}");
    fails(1, &["exists"], &[&["profile", file, "--picture", &picture], &arguments[..]].concat());
}

#[test]
fn statistics_are_those_of_the_library() {
    let (file, [west, south, east, north]) = made();
    let heights = Heights::open(file).unwrap();
    let (w, s) = (west + (east - west) * 0.3, south + (north - south) * 0.2);
    let (e, n) = (west + (east - west) * 0.8, south + (north - south) * 0.6);
    let (_folder, path) = scratch();
    let ring = [[w, s], [e, s], [e, n], [w, s]];
    std::fs::write(path("c.geojson"), serde_json::json!({"type": "Polygon", "coordinates": [ring]}).to_string())
        .unwrap();
    let bbox = LonLatBox::new(w, s, e, n).unwrap();
    let outline = hypso::tile::Polygons::read(path("c.geojson").as_ref()).unwrap();
    let text = format!("{w},{s},{e},{n}");
    let json = |options: &[&str]| -> serde_json::Value {
        serde_json::from_str(&printed(&[&["stats", file, "--format", "json"], options].concat())).unwrap()
    };
    let world = LonLatBox::new(-180.0, -90.0, 180.0, 90.0).unwrap();
    for (found, area) in [
        (json(&["--bbox", &text]), Area::from(bbox)),
        (json(&["--clip", &path("c.geojson")]), Area::from(outline)),
        (json(&[]), Area::from(world)),
    ] {
        let want = heights.statistics(&area, None).unwrap();
        for (name, value) in [("least", want.least), ("greatest", want.greatest), ("mean", want.mean)] {
            assert!((found[name].as_f64().unwrap() - value.unwrap()).abs() < 0.002, "{name}");
        }
        assert_eq!(
            (found["valid_pixels"].as_f64(), found["zoom"].as_u64()),
            (Some(want.valid), Some(want.zoom.into()))
        );
    }
    let table = printed(&["stats", file, "--bbox", &text, "--max-zoom", "9"]);
    assert!(table.contains("least") && table.contains("zoom 9"), "{table}");
}

#[test]
fn sights_are_those_of_the_library() {
    let (file, _) = made();
    let heights = Heights::open(file).unwrap();
    let points = points(40);
    let mut kinds = [0; 3];
    let mut csv = String::from("name,lon1,lat1,lon2,lat2\n");
    let mut want = Vec::new();
    for pair in points.chunks_exact(2) {
        let sight = Sight::new(pair[0], pair[1]).above_ground(30.0, 2.0);
        let seen = heights.sees(&sight, &Sampling::default()).unwrap();
        let (kind, text) = match seen {
            Seen::Clear => (0, "true"),
            Seen::Blocked { .. } => (1, "false"),
            Seen::Unknown => (2, ""),
            other => panic!("{other:?}"),
        };
        kinds[kind] += 1;
        want.push(text);
        csv += &format!("x,{},{},{},{}\n", pair[0].lon(), pair[0].lat(), pair[1].lon(), pair[1].lat());
    }
    assert!(kinds[0] + kinds[1] > 10 && kinds[1] > 0, "{kinds:?}");
    let found = answered(&["sight", file, "--eye", "30", "--target", "2"], &csv);
    assert!(found.starts_with("name,lon1,lat1,lon2,lat2,seen,blocked_distance,blocked_lon"), "{found}");
    let seen: Vec<&str> = found.lines().skip(1).map(|line| line.split(',').nth(5).unwrap()).collect();
    assert_eq!(seen, want);
    let blocked = want.iter().position(|w| *w == "false").unwrap();
    let [a, b] = [0, 1].map(|n| points[2 * blocked + n]).map(|p| format!("{},{}", p.lon(), p.lat()));
    let one = printed(&["sight", file, &a, &b, "--eye", "30", "--target", "2"]);
    assert!(one.starts_with("blocked at ") && one.contains("above the line of sight"), "{one}");
    let json = printed(&["sight", file, &a, &b, "--eye", "30", "--target", "2", "--format", "json"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["seen"], false);
}
