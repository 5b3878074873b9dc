//! `/elevation`, `/profile`, `/stats`, `/sight`, against the library.

use super::data::{PLACE, opened, options, server, start};
use crate::http::{Client, escaped, get, post};
use hypso::heights::{HeightQueries, Interpolation, Sampling, Seen, Sight, Spacing};
use hypso::tile::{Area, LonLat, LonLatBox};
use serde_json::{Value, json};

/// Places in and around the hills: on heights, in voids and outside.
pub fn places(count: usize) -> Vec<LonLat> {
    let mut random = crate::common::Random(5);
    let mut near = |middle: f64, width: f64| ((middle + (random.unit() - 0.5) * width) * 1e7).round() / 1e7;
    (0..count).map(|_| LonLat::new(near(PLACE[0], 10.0), near(PLACE[1], 9.0)).unwrap()).collect()
}

/// A height as the server tells it.
fn told(height: Option<hypso::heights::Height>) -> Value {
    height.map_or(Value::Null, |height| json!((height.metres * 1000.0).round() / 1000.0))
}

#[test]
fn one_place_has_the_height_the_library_gives() {
    let (heights, address) = (opened(), server());
    let mut client = Client::new(address);
    let (mut known, mut filled, mut voids) = (0, 0, 0);
    for point in places(400) {
        let url = format!("/elevation/hills?lon={}&lat={}", point.lon(), point.lat());
        let found = client.request("GET", &url, &[], b"").ok();
        let want = heights.sample(point, &Sampling::default()).unwrap();
        assert_eq!(found["elevation"], told(want), "{url}");
        assert_eq!((&found["lon"], &found["lat"]), (&json!(point.lon()), &json!(point.lat())));
        match want {
            Some(height) => {
                known += 1;
                assert_eq!(found["zoom"], height.zoom);
                let pixel = heights.shape().pixel_size(height.zoom, point.lat());
                assert!((found["resolution"].as_f64().unwrap() - pixel).abs() < 0.001);
                let name = heights.sources().unwrap()[usize::from(height.source.unwrap())].clone();
                assert_eq!(found["source"], name);
                assert_eq!(found["interpolated"], name == "interpolated");
                filled += usize::from(name == "interpolated");
            }
            None => {
                voids += 1;
                let nothing = [&found["source"], &found["zoom"], &found["resolution"]];
                assert!(nothing.iter().all(|value| value.is_null()) && found["interpolated"] == false, "{found}");
            }
        }
        // Tiles that are decoded say the same, but know no sources.
        let decoded = client.request("GET", &url.replace("hills", "pixels"), &[], b"").ok();
        assert_eq!((&decoded["elevation"], &decoded["zoom"]), (&found["elevation"], &found["zoom"]), "{url}");
        assert!(decoded["source"].is_null());
    }
    assert!(known > 100 && filled > 10 && voids > 20, "{known} {filled} {voids}");
    let nearest = get(address, "/elevation/hills?lon=138.7&lat=35.3&interpolation=nearest").ok();
    let how = Sampling::default().interpolation(Interpolation::Nearest);
    assert_eq!(nearest["elevation"], told(heights.sample(LonLat::new(138.7, 35.3).unwrap(), &how).unwrap()));
    let coarse = get(address, "/elevation/hills?lon=138.7&lat=35.3&max_zoom=7").ok();
    assert_eq!(coarse["zoom"], 7);
}

#[test]
fn what_is_no_place_says_why() {
    let address = server();
    for (query, words) in [
        ("lon=35.3&lat=138.7", "swapped"),
        ("lon=138.7", "lat=DEGREES"),
        ("lon=138.7&lat=", "lat=DEGREES"),
        ("lon=x&lat=1", "expected a number"),
        ("lon=NaN&lat=1", "finite"),
        ("lon=1&lon=2&lat=1", "more than once"),
        ("lon=1000&lat=1", "longitude 1000"),
        ("lon=1&lat=1&interpolation=cubic", "bilinear or nearest"),
        ("lon=1&lat=1&max_zoom=32", "from 0 to 31"),
        ("lon=%ff&lat=1", "UTF-8"),
    ] {
        get(address, &format!("/elevation/hills?{query}")).refused(400, words);
    }
    get(address, "/elevation/nowhere?lon=1&lat=1").refused(404, "/catalog");
    assert!(get(address, "/elevation/hills?lon=1&lat=1").ok()["elevation"].is_null());
    assert!(get(address, "/elevation/hills?lon=1&lat=89.9").ok()["elevation"].is_null());
}

#[test]
fn many_places_are_answered_in_their_order() {
    let heights = opened();
    for (count, dataset) in [(1, "hills"), (7, "hills"), (1000, "hills"), (300, "pixels")] {
        let points = places(count);
        let body = json!({"points": points.iter().map(|p| [p.lon(), p.lat()]).collect::<Vec<_>>()});
        let found = post(server(), &format!("/elevation/{dataset}"), &body.to_string()).ok();
        let found = found["elevations"].as_array().unwrap();
        assert_eq!(found.len(), count);
        for (point, found) in points.iter().zip(found) {
            assert_eq!(found["elevation"], told(heights.sample(*point, &Sampling::default()).unwrap()));
            assert!(found.get("lon").is_none());
        }
    }
    let many = json!({"points": vec![[1.0, 1.0]; 1001]}).to_string();
    post(server(), "/elevation/hills", &many).refused(400, "at most 1000");
    for (body, words) in [
        ("{\"points\":[]}", "no place"),
        ("{\"points\":[[35.3,138.7]]}", "swapped"),
        ("{\"points\":[[1]]}", "length 2"),
        ("{\"points\":[[1,\"2\"]]}", "the body"),
        ("{}", "expected"),
        ("", "the body"),
        ("[1,2]", "the body"),
        ("{\"points\":[[1,2]]", "the body"),
    ] {
        post(server(), "/elevation/hills", body).refused(400, words);
    }
}

#[test]
fn geojson_comes_back_with_heights() {
    let (heights, inside) = (opened(), PLACE);
    let document = json!({
        "type": "FeatureCollection",
        "name": "kept",
        "features": [
            {"type": "Feature", "properties": {"a": [1, 2]}, "geometry": {"type": "Point", "coordinates": inside}},
            {"type": "Feature", "properties": null, "geometry": {"type": "LineString", "coordinates": [[10.0, 10.0, 5.0], inside]}},
        ],
    });
    for dataset in ["hills", "pixels"] {
        let url = format!("/elevation/{dataset}");
        let kind = [("Content-Type", "application/geo+json")];
        let reply = Client::new(server()).request("POST", &url, &kind, document.to_string().as_bytes());
        assert_eq!(reply.header("content-type"), "application/geo+json");
        let height = told(heights.at(inside[0], inside[1]).unwrap());
        let mut want = document.clone();
        want["features"][0]["geometry"]["coordinates"] = json!([inside[0], inside[1], height]);
        // A place without a height keeps none.
        want["features"][1]["geometry"]["coordinates"] = json!([[10.0, 10.0], [inside[0], inside[1], height]]);
        assert_eq!(reply.ok(), want);
    }
    for (body, words) in [
        ("{\"type\":\"Point\",\"coordinates\":[35.3,138.7]}", "swapped"),
        ("{\"type\":\"Point\",\"coordinates\":[1]}", "no latitude"),
    ] {
        post(server(), "/elevation/hills", body).refused(400, words);
    }
    let empty = "{\"type\":\"FeatureCollection\",\"features\":[]}";
    assert_eq!(post(server(), "/elevation/hills", empty).text().trim_end(), empty);
    let long = json!({"type": "MultiPoint", "coordinates": vec![[1, 1]; 1001]}).to_string();
    post(server(), "/elevation/hills", &long).refused(400, "at most 1000");
    post(server(), "/elevation/nowhere", "{\"type\":\"Point\",\"coordinates\":[1,1]}").refused(404, "/catalog");
}

#[test]
fn a_profile_is_that_of_the_library() {
    let heights = opened();
    let line = [[134.0, 35.0], [138.7, 35.3], [139.4, 36.0]].map(|[lon, lat]| LonLat::new(lon, lat).unwrap());
    let text = "134.0,35.0;138.7,35.3;139.4,36.0";
    let geojson = "{\"type\":\"LineString\",\"coordinates\":[[134.0,35.0],[138.7,35.3],[139.4,36.0]]}";
    let five = hypso::track::encode_polyline(&line, 5).unwrap();
    let six = hypso::track::encode_polyline(&line, 6).unwrap();
    for (query, spacing) in
        [("samples=77", Spacing::Count(77)), ("spacing=2500", Spacing::Metres(2500.0)), ("", Spacing::Count(200))]
    {
        let want = heights.along(&line, spacing, &Sampling::default()).unwrap();
        let urls = [
            format!("/profile/hills?line={text}&{query}"),
            format!("/profile/pixels?line={text}&{query}"),
            format!("/profile/hills?polyline={}&{query}", escaped(&five)),
            format!("/profile/hills?polyline={}&precision=6&{query}", escaped(&six)),
        ];
        let mut found: Vec<Value> = urls.iter().map(|url| get(server(), url).ok()).collect();
        found.push(post(server(), &format!("/profile/hills?{query}"), geojson).ok());
        for found in found {
            assert!((found["length"].as_f64().unwrap() - want.length).abs() < 0.01);
            assert!((found["climb"].as_f64().unwrap() - want.climb).abs() < 0.01);
            assert!((found["descent"].as_f64().unwrap() - want.descent).abs() < 0.01);
            assert!((found["greatest"].as_f64().unwrap() - want.greatest.unwrap()).abs() < 0.01);
            let points = found["points"].as_array().unwrap();
            assert_eq!(points.len(), want.points.len());
            for (found, want) in points.iter().zip(&want.points) {
                assert_eq!(found["elevation"], told(want.height));
                assert_eq!(found["zoom"], json!(want.height.map(|height| height.zoom)));
                assert!((found["distance"].as_f64().unwrap() - want.distance).abs() < 0.01);
                assert!((found["lon"].as_f64().unwrap() - want.point.lon()).abs() < 1e-8);
            }
            assert!(points.iter().any(|point| point["elevation"].is_null()), "a void is null");
        }
        let swiss = get(server(), &format!("/profile/hills?line={text}&{query}&format=swisstopo")).ok();
        for (found, want) in swiss.as_array().unwrap().iter().zip(&want.points) {
            let height = want.height.map(|height| (height.metres * 10.0).round() / 10.0);
            assert_eq!(found["alts"]["COMB"], json!(height));
            assert!((found["dist"].as_f64().unwrap() - want.distance).abs() < 0.1);
            assert!((found["easting"].as_f64().unwrap() - want.point.lon()).abs() < 1e-6);
        }
    }
    for (query, words) in [
        ("", "line=LON,LAT"),
        ("line=1,2", "two places"),
        ("line=1,2;1,2", "no length"),
        ("line=35,138;36,138", "swapped"),
        ("line=1,2;2,2&polyline=abc", "one of"),
        ("line=1,2;2,2&samples=10001", "from 1 to 10000"),
        ("line=1,2;2,2&samples=1", "two or more"),
        ("line=1,2;2,2&spacing=0.001", "wider spacing"),
        ("line=1,2;2,2&spacing=0", "above 0"),
        ("line=1,2;2,2&spacing=-5", "above 0"),
        ("line=1,2;2,2&spacing=5&samples=5", "one of samples"),
        ("line=1,2;2,2&format=csv", "json or swisstopo"),
        ("polyline=%7f", "polyline"),
        ("polyline=_p~iF~ps|U_ulLnnqC&precision=7", "5 or 6"),
    ] {
        get(server(), &format!("/profile/hills?{query}")).refused(400, words);
    }
    post(server(), "/profile/hills", "{\"type\":\"Point\",\"coordinates\":[1,1]}").refused(400, "no LineString");
    post(server(), "/profile/hills", "1,2\n3,4").refused(400, "expected GeoJSON");
    for url in ["/elevation/hills", "/profile/hills", "/stats/hills"] {
        let kind = [("Content-Type", "application/json")];
        let body = b"{\"type\":\"LineString\",\"\xff\":[]}";
        Client::new(server()).request("POST", url, &kind, body).refused(400, "not UTF-8");
    }
}

#[test]
fn statistics_and_sight_are_those_of_the_library() {
    let heights = opened();
    let area = "138.2,35.0,139.1,35.7";
    let want = heights.statistics(&Area::from(area.parse::<LonLatBox>().unwrap()), None).unwrap();
    let ring = "[[[138.2,35.0],[139.1,35.0],[139.1,35.7],[138.2,35.7],[138.2,35.0]]]";
    let polygon = format!("{{\"type\":\"Polygon\",\"coordinates\":{ring}}}");
    for dataset in ["hills", "pixels"] {
        let found = get(server(), &format!("/stats/{dataset}?bbox={area}")).ok();
        assert!((found["mean"].as_f64().unwrap() - want.mean.unwrap()).abs() < 0.001);
        assert_eq!((found["valid"].as_f64(), found["void"].as_f64()), (Some(want.valid), Some(want.void)));
        assert_eq!(found["zoom"], want.zoom);
        assert_eq!(post(server(), &format!("/stats/{dataset}"), &polygon).ok(), found);
    }
    let nothing = get(server(), "/stats/hills?bbox=1,1,2,2").ok();
    assert!(nothing["least"].is_null() && nothing["mean"].is_null() && nothing["valid"] == 0.0, "{nothing}");
    get(server(), "/stats/hills").refused(400, "bbox=W,S,E,N");
    get(server(), "/stats/hills?bbox=35,138,36,139").refused(400, "the order is west");
    post(server(), "/stats/hills", "{\"type\":\"Point\",\"coordinates\":[1,1]}").refused(400, "expected polygons");
    let mut seen = [0; 3];
    for pair in places(120).chunks(2) {
        let sight = Sight::new(pair[0], pair[1]).above_ground(20.0, 1.0).refraction(0.25);
        let url =
            format!("/sight/hills?from={},{}&to={},{}", pair[0].lon(), pair[0].lat(), pair[1].lon(), pair[1].lat());
        let found = get(server(), &format!("{url}&eye=20&target=1&refraction=0.25")).ok();
        match heights.sees(&sight, &Sampling::default()).unwrap() {
            Seen::Clear => {
                assert_eq!(found, json!({"visible": true, "blocked": null}));
                seen[0] += 1;
            }
            Seen::Unknown => {
                assert_eq!(found, json!({"visible": null, "blocked": null}));
                seen[1] += 1;
            }
            Seen::Blocked { distance, above, .. } => {
                assert_eq!(found["visible"], false);
                assert!((found["blocked"]["distance"].as_f64().unwrap() - distance).abs() < 0.01);
                assert!((found["blocked"]["above"].as_f64().unwrap() - above).abs() < 0.01);
                seen[2] += 1;
            }
            other => panic!("{other:?} is new"),
        }
    }
    assert!(seen[1] > 0 && seen[2] > 0, "{seen:?}");
    get(server(), "/sight/hills?from=1,2").refused(400, "to=LON,LAT");
    get(server(), "/sight/hills?from=1,2&to=3,4&eye=inf").refused(400, "finite");
    get(server(), "/sight/hills?from=35,138&to=3,4").refused(400, "swapped");
}

#[test]
fn limits_are_those_of_the_options() {
    let mut options = options();
    (options.limits.locations, options.limits.samples, options.limits.body_bytes) = (3, 10, 200);
    let server = start(options);
    let address = server.address();
    post(address, "/elevation/hills", "{\"points\":[[1,1],[1,1],[1,1],[1,1]]}").refused(400, "at most 3");
    get(address, "/profile/hills?line=1,1;2,2&samples=11").refused(400, "from 1 to 10");
    get(address, "/profile/hills?line=1,1;2,2;3,3;4,4").refused(400, "at most 3");
    assert_eq!(get(address, "/profile/hills?line=1,1;2,2").ok()["points"].as_array().unwrap().len(), 10);
    post(address, "/elevation/hills", &format!("{{\"points\":[[1,1]]{}}}", " ".repeat(200))).refused(413, "200 bytes");
    let chunked = "POST /elevation/hills HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n12c\r\n";
    let mut client = Client::new(address);
    client.send([chunked.as_bytes(), &[b' '; 300], b"\r\n0\r\n\r\n"].concat().as_slice()).unwrap();
    client.read(false).unwrap().refused(413, "200 bytes");
    let plain = [("Content-Type", "text/plain")];
    Client::new(address).request("POST", "/elevation/hills", &plain, b"1").refused(415, "application/json");
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    Client::new(address).request("POST", "/elevation/hills", &form, b"a=1").refused(415, "application/json");
    server.stop().unwrap();
}
