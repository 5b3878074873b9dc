//! Files that are replaced while a server answers from them: no error, and no answer of two versions.

use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hypso::archive::{self, ArchiveMetadata};
use hypso::serve::{Input, Options, Running, Server};
use hypso::tile::TileCoord;

use crate::http::Client;

/// How often a file is replaced; 1000 were tried with `HYPSO_REPLACEMENTS=1000`.
fn replacements() -> u64 {
    std::env::var("HYPSO_REPLACEMENTS").ok().and_then(|count| count.parse().ok()).unwrap_or(150)
}

/// The content of a tile of a version, of a length that depends on both.
fn tile_of(version: u64, tile: TileCoord) -> Vec<u8> {
    let text = format!("version {version} tile {tile} ");
    text.repeat(3 + (version % 7) as usize + tile.x() as usize % 5).into_bytes()
}

fn write(path: &Path, version: u64) {
    let metadata = ArchiveMetadata { name: format!("version {version}"), ..ArchiveMetadata::default() };
    let mut sink = archive::create(path, &metadata, true).unwrap();
    let mut tiles: Vec<TileCoord> =
        (0..16).flat_map(|x| (0..16).filter_map(move |y| TileCoord::new(4, x, y))).collect();
    tiles.sort_by_key(|tile| hypso::tile::TileId::from(*tile));
    for tile in tiles {
        sink.put(tile, &tile_of(version, tile)).unwrap();
    }
    sink.finish().unwrap();
}

fn serve(folder: &Path) -> Running {
    let mut options = Options::default();
    (options.listen, options.admin) = ("127.0.0.1:0".into(), Some("127.0.0.1:0".into()));
    options.look_every = 10;
    options.inputs.push(Input::parse(folder.to_str().unwrap()).unwrap());
    Server::new(options).unwrap().start().unwrap()
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The version that a tile's bytes belong to; all of them have to.
fn version_of(body: &[u8], tile: TileCoord) -> u64 {
    let text = std::str::from_utf8(body).unwrap();
    let version = text.split(' ').nth(1).unwrap().parse().unwrap();
    assert_eq!(body, tile_of(version, tile), "one answer of one version");
    version
}

/// Reads the archive by ranges as a map in a browser does: each further range only of the file that the first came from.
fn read_by_ranges(client: &mut Client) -> bool {
    let first = client.request("GET", "/archives/x.pmtiles", &[("Range", "bytes=0-126")], b"");
    assert_eq!((first.status, first.body.len()), (206, 127));
    let number = |at: usize| u64::from_le_bytes(first.body[at..at + 8].try_into().unwrap());
    let (metadata, length) = (number(24), number(32));
    let range = format!("bytes={metadata}-{}", metadata + length - 1);
    let headers = [("Range", range.as_str()), ("If-Match", first.header("etag"))];
    let second = client.request("GET", "/archives/x.pmtiles", &headers, b"");
    match second.status {
        206 => {
            // A part of another version would not be a whole document.
            let mut text = String::new();
            let read = flate2_read(&second.body, &mut text);
            assert!(read && text.contains("version "), "{:?}", second.body);
            true
        }
        412 => false,
        other => panic!("status {other}"),
    }
}

fn flate2_read(packed: &[u8], text: &mut String) -> bool {
    flate2::read::GzDecoder::new(packed).read_to_string(text).is_ok()
}

#[test]
fn files_are_replaced_under_load_and_no_answer_fails_or_mixes_versions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.pmtiles");
    write(&path, 0);
    let server = serve(folder.path());
    let address = server.address();
    let over = AtomicBool::new(false);
    let (answers, parts) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for seed in 0..3u32 {
            let (over, answers) = (&over, &answers);
            scope.spawn(move || {
                let mut client = Client::new(address);
                let (mut newest, mut n) = (0, seed);
                while !over.load(Ordering::Relaxed) {
                    n = n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let tile = TileCoord::new(4, (n >> 8) % 16, (n >> 16) % 16).unwrap();
                    let reply = client.get(&format!("/tiles/x/{tile}"));
                    assert_eq!(reply.status, 200);
                    let version = version_of(&reply.body, tile);
                    assert!(version >= newest, "version {version} after {newest}");
                    newest = version;
                    answers.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let (over, parts) = (&over, &parts);
        scope.spawn(move || {
            let mut client = Client::new(address);
            while !over.load(Ordering::Relaxed) {
                parts.fetch_add(u64::from(read_by_ranges(&mut client)), Ordering::Relaxed);
            }
        });
        let mut client = Client::new(address);
        let tile = TileCoord::new(4, 5, 6).unwrap();
        for version in 1..=replacements() {
            write(&path, version);
            wait_for("a new version is in use", || {
                version_of(&client.get(&format!("/tiles/x/{tile}")).body, tile) == version
            });
        }
        over.store(true, Ordering::Relaxed);
    });
    assert!(answers.into_inner() > replacements() && parts.into_inner() > 0);
    server.stop().unwrap();
}

#[test]
fn a_broken_file_is_refused_and_counted_and_files_come_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.pmtiles");
    write(&path, 1);
    let server = serve(folder.path());
    let mut client = Client::new(server.address());
    let mut admin = Client::new(server.admin().unwrap());
    let tile = TileCoord::new(4, 1, 1).unwrap();
    let mut metric = |name: &str| {
        let text = admin.get("/metrics").text();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name} in {text}"));
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    let refused = "hypso_file_looks_total{outcome=\"refused\"}";
    assert_eq!(metric(refused), 0.0);
    let broken = folder.path().join("broken");
    std::fs::write(&broken, b"PMTiles\x03 and then nothing").unwrap();
    std::fs::rename(&broken, &path).unwrap();
    wait_for("the broken file is refused", || metric(refused) == 1.0);
    std::thread::sleep(Duration::from_millis(60));
    assert_eq!(metric(refused), 1.0, "it is said once");
    assert_eq!(version_of(&client.get("/tiles/x/4/1/1").body, tile), 1, "the old version stays");
    write(&path, 2);
    wait_for("a whole file takes its place", || version_of(&client.get("/tiles/x/4/1/1").body, tile) == 2);
    // A second file comes, and goes.
    write(&folder.path().join("y.pmtiles"), 5);
    wait_for("a new file is served", || client.get("/tiles/y/4/1/1").status == 200);
    let page = client.get("/catalog?limit=1").ok();
    let next = format!("/catalog?limit=1&cursor={}", page["next"].as_str().unwrap());
    let last = client.get(&next).ok();
    assert_eq!((&last["datasets"][0]["id"], &last["next"]), (&"y".into(), &serde_json::Value::Null));
    std::fs::remove_file(folder.path().join("y.pmtiles")).unwrap();
    wait_for("it is gone", || client.get("/tiles/y/4/1/1").status == 404);
    assert_eq!(client.get(&next).status, 410, "a page of a catalogue that is no more");
    server.stop().unwrap();
}

#[test]
fn a_folder_that_is_away_for_a_moment_takes_nothing_out_of_service() {
    let place = tempfile::tempdir().unwrap();
    let (folder, away) = (place.path().join("terrain"), place.path().join("away"));
    std::fs::create_dir(&folder).unwrap();
    write(&folder.join("x.pmtiles"), 1);
    let server = serve(&folder);
    let mut client = Client::new(server.address());
    let mut admin = Client::new(server.admin().unwrap());
    let mut refused = || {
        let text = admin.get("/metrics").text();
        let line = text.lines().find(|line| line.starts_with("hypso_file_looks_total{outcome=\"refused\"}")).unwrap();
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    std::fs::rename(&folder, &away).unwrap();
    wait_for("a look finds that it is away", || refused() == 1.0);
    std::thread::sleep(Duration::from_millis(60));
    assert_eq!(refused(), 1.0, "it is said once");
    assert_eq!(client.get("/tiles/x/4/1/1").status, 200);
    write(&away.join("x.pmtiles"), 2);
    std::fs::rename(&away, &folder).unwrap();
    let tile = TileCoord::new(4, 1, 1).unwrap();
    wait_for("it is followed again", || version_of(&client.get("/tiles/x/4/1/1").body, tile) == 2);
    std::fs::remove_file(folder.join("x.pmtiles")).unwrap();
    wait_for("a file that was removed is gone", || client.get("/tiles/x/4/1/1").status == 404);
    server.stop().unwrap();
}
