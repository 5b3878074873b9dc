//! The interfaces of other services, with the requests of their documentation. Places are moved to where there are data.

use super::data::{PLACE, opened, options, server, start};
use super::elevation::places;
use crate::http::{Client, Reply, escaped, get, post};
use hypso::heights::{HeightQueries, Interpolation, Sampling, Spacing, distance};
use hypso::tile::LonLat;
use hypso::track::encode_polyline;
use serde_json::{Value, json};

fn height(point: LonLat) -> Value {
    let height = opened().sample(point, &Sampling::default()).unwrap();
    height.map_or(Value::Null, |height| json!((height.metres * 1000.0).round() / 1000.0))
}

/// `LAT,LNG|LAT,LNG`.
fn list(points: &[LonLat]) -> String {
    points.iter().map(|p| format!("{},{}", p.lat(), p.lon())).collect::<Vec<_>>().join("|")
}

fn line() -> [LonLat; 3] {
    [[138.3, 35.0], PLACE, [139.0, 35.6]].map(|[lon, lat]| LonLat::new(lon, lat).unwrap())
}

/// An error in the form of Open Topo Data.
fn invalid(reply: &Reply, words: &str) {
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert_eq!(reply.json()["status"], "INVALID_REQUEST");
    assert!(reply.json()["error"].as_str().unwrap().contains(words), "{}", reply.text());
    assert_eq!(reply.header("access-control-allow-origin"), "*");
}

#[test]
fn opentopodata_answers_places_in_order() {
    let points = places(60);
    let url = format!("/v1/hills?locations={}", list(&points));
    let results = |results: &Value| {
        assert_eq!(results["status"], "OK");
        let results = results["results"].as_array().unwrap().clone();
        assert_eq!(results.len(), points.len());
        for (found, point) in results.iter().zip(&points) {
            let want = json!({"elevation": height(*point), "location": {"lat": point.lat(), "lng": point.lon()}, "dataset": "hills"});
            assert_eq!(found, &want);
        }
    };
    results(&get(server(), &url).ok());
    results(&get(server(), &url.replace('|', "%7C")).ok());
    results(
        &post(server(), "/v1/hills", &json!({"locations": list(&points), "interpolation": "bilinear"}).to_string())
            .ok(),
    );
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let body = format!("locations={}", escaped(&list(&points)));
    results(&Client::new(server()).request("POST", "/v1/hills", &form, body.as_bytes()).ok());
    // The example of the documentation: a polyline of one place.
    let one = get(server(), "/v1/hills?locations=gfo}EtohhU").ok();
    assert_eq!(one["results"][0]["location"], json!({"lat": 36.45556, "lng": -116.86667}));
    assert!(one["results"][0]["elevation"].is_null());
}

#[test]
fn opentopodata_takes_all_its_options() {
    let (point, nowhere) = (line()[1], LonLat::new(10.0, 10.0).unwrap());
    let url = |more: &str| format!("/v1/hills?locations={}{more}", list(&[point, nowhere]));
    let how = Sampling::default().interpolation(Interpolation::Nearest);
    let near = opened().sample(point, &how).unwrap().unwrap().metres;
    let found = get(server(), &url("&interpolation=nearest")).ok();
    assert!((found["results"][0]["elevation"].as_f64().unwrap() - near).abs() < 0.001);
    // Without data: null, or what is asked for.
    assert!(get(server(), &url("&nodata_value=null")).ok()["results"][1]["elevation"].is_null());
    assert_eq!(get(server(), &url("&nodata_value=-9999")).ok()["results"][1]["elevation"], -9999);
    let nan = get(server(), &url("&nodata_value=nan")).text();
    assert!(nan.contains("{\"elevation\":NaN,\"location\":{\"lat\":10.0,\"lng\":10.0}"), "{nan}");
    let collection = get(server(), &url("&format=geojson"));
    assert_eq!(collection.header("content-type"), "application/geo+json");
    let features = collection.ok()["features"].clone();
    assert_eq!(features[0]["geometry"]["coordinates"], json!([point.lon(), point.lat(), height(point)]));
    assert_eq!(features[0]["properties"], json!({"elevation": height(point), "dataset": "hills"}));
    assert_eq!(features[1]["geometry"]["coordinates"], json!([10.0, 10.0]));
    // Samples at equal distances along the path.
    let want = opened().along(&line(), Spacing::Count(9), &Sampling::default()).unwrap();
    let found = get(server(), &format!("/v1/hills?locations={}&samples=9", list(&line()))).ok();
    let heights: Vec<Value> = want.points.iter().map(|sample| height(sample.point)).collect();
    assert_eq!(
        heights,
        found["results"].as_array().unwrap().iter().map(|r| r["elevation"].clone()).collect::<Vec<_>>()
    );
}

#[test]
fn cubic_is_nearest_at_centres_and_differs_between_them() {
    let heights = opened();
    let pixel = heights.shape().pixel_size(9, 0.0);
    let (x, y) = line()[1].metres();
    let at = |dx: f64| {
        let x = ((x / pixel).floor() + 0.5 + dx) * pixel;
        let (lon, lat) = hypso::tile::web_mercator::to_lon_lat(x, ((y / pixel).floor() + 0.5) * pixel);
        LonLat::new(lon, lat).unwrap()
    };
    let ask = |point: LonLat, how: &str| {
        let found = get(server(), &format!("/v1/hills?locations={}&interpolation={how}", list(&[point]))).ok();
        found["results"][0]["elevation"].as_f64().unwrap()
    };
    assert!((ask(at(0.0), "cubic") - ask(at(0.0), "nearest")).abs() < 0.01);
    assert!((ask(at(0.4), "cubic") - ask(at(0.4), "bilinear")).abs() > 0.1);
    // Over a level world all are the same, at its rim too.
    for place in ["0,179.9", "84.9,-179.9", "-60,20"] {
        let found = get(server(), &format!("/v1/world?locations={place}&interpolation=cubic")).ok();
        assert_eq!(found["results"][0]["elevation"], 100.0);
    }
}

#[test]
fn opentopodata_falls_back_from_dataset_to_dataset() {
    let points = places(80);
    let found = get(server(), &format!("/v1/hills,world?locations={}", list(&points))).ok();
    let (mut first, mut second) = (0, 0);
    for (found, point) in found["results"].as_array().unwrap().iter().zip(&points) {
        match height(*point) {
            Value::Null => {
                second += 1;
                assert_eq!((&found["elevation"], &found["dataset"]), (&json!(100.0), &json!("world")));
            }
            metres => {
                first += 1;
                assert_eq!((&found["elevation"], &found["dataset"]), (&metres, &json!("hills")));
            }
        }
    }
    assert!(first > 20 && second > 5, "{first} {second}");
    let other = get(server(), &format!("/v1/world,hills?locations={}", list(&points))).ok();
    assert!(other["results"].as_array().unwrap().iter().all(|found| found["dataset"] == "world"));
    let none = get(server(), "/v1/hills,pixels?locations=10,10").ok();
    assert_eq!((&none["results"][0]["elevation"], &none["results"][0]["dataset"]), (&Value::Null, &json!("pixels")));
}

#[test]
fn opentopodata_says_what_is_wrong_in_its_own_form() {
    for (url, words) in [
        ("/v1/nowhere?locations=1,1", "no dataset"),
        ("/v1/hills,nowhere?locations=1,1", "no dataset"),
        ("/v1/hills", "no locations"),
        ("/v1/hills?locations=1", "decimals"),
        ("/v1/hills?locations=1,x", "LAT,LNG"),
        ("/v1/hills?locations=138.7,35.3", "swapped"),
        ("/v1/hills?locations=1,1|", "LAT,LNG"),
        ("/v1/hills?locations=1,1&interpolation=spline", "nearest, bilinear or cubic"),
        ("/v1/hills?locations=1,1&nodata_value=zero", "null, nan or a whole number"),
        ("/v1/hills?locations=1,1&format=xml", "json or geojson"),
        ("/v1/hills?locations=1,1&samples=5", "two or more"),
        ("/v1/hills?locations=1,1|2,2&samples=99999", "from 1 to 10000"),
        ("/v1/hills?locations=%ff", "UTF-8"),
    ] {
        invalid(&get(server(), url), words);
    }
    let many = json!({"locations": vec!["1,1"; 1001].join("|")}).to_string();
    invalid(&post(server(), "/v1/hills", &many), "at most 1000");
    invalid(&post(server(), "/v1/hills", "[1]"), "the body");
    let plain = [("Content-Type", "text/plain")];
    let reply = Client::new(server()).request("POST", "/v1/hills", &plain, b"1");
    assert_eq!((reply.status, &reply.json()["status"]), (415, &json!("INVALID_REQUEST")));
}

#[test]
fn open_elevation_looks_up_by_get_and_post() {
    let mut options = options();
    options.default_dataset = Some("hills".into());
    let server = start(options);
    let points = places(40);
    let want: Vec<Value> =
        points.iter().map(|&p| json!({"latitude": p.lat(), "longitude": p.lon(), "elevation": height(p)})).collect();
    let want = json!({"results": want});
    assert_eq!(get(server.address(), &format!("/api/v1/lookup?locations={}", list(&points))).ok(), want);
    let locations: Vec<Value> = points.iter().map(|p| json!({"latitude": p.lat(), "longitude": p.lon()})).collect();
    assert_eq!(post(server.address(), "/api/v1/lookup", &json!({"locations": locations}).to_string()).ok(), want);
    assert!(want["results"].as_array().unwrap().iter().any(|found| found["elevation"].is_null()));
    // The example of the documentation.
    let found = get(server.address(), "/api/v1/lookup?locations=10,10|20,20|41.161758,-8.583933").ok();
    assert_eq!(found["results"][2], json!({"latitude": 41.161758, "longitude": -8.583933, "elevation": null}));
    for (reply, words) in [
        (get(server.address(), "/api/v1/lookup"), "locations="),
        (get(server.address(), "/api/v1/lookup?locations=95,1"), "latitude within"),
        (post(server.address(), "/api/v1/lookup", "{\"locations\":[{\"latitude\":1}]}"), "longitude"),
        (post(server.address(), "/api/v1/lookup", "{\"locations\":[]}"), "no place"),
        (post(server.address(), "/api/v1/lookup", ""), "the body"),
    ] {
        assert_eq!(reply.status, 400);
        assert!(reply.json()["error"].as_str().unwrap().contains(words), "{}", reply.text());
    }
    server.stop().unwrap();
}

#[test]
fn the_dataset_of_no_name_is_the_first_with_heights_unless_one_is_chosen() {
    let ask = |address| get(address, "/api/v1/lookup?locations=10,10");
    assert!(ask(server()).ok()["results"][0]["elevation"].is_null(), "hills come first");
    for (name, want) in [("world", Some(json!(100.0))), ("gone", None)] {
        let mut options = options();
        options.default_dataset = Some(name.into());
        let server = start(options);
        match want {
            Some(want) => assert_eq!(ask(server.address()).ok()["results"][0]["elevation"], want),
            None => assert_eq!(ask(server.address()).status, 404),
        }
        server.stop().unwrap();
    }
}

#[test]
fn valhalla_gives_heights_and_ranges() {
    let points = line();
    let shape: Vec<Value> = points.iter().map(|p| json!({"lat": p.lat(), "lon": p.lon()})).collect();
    let exact: Vec<f64> = points.iter().map(|&p| height(p).as_f64().unwrap()).collect();
    let ask = |body: &Value| {
        let posted = post(server(), "/height", &body.to_string()).ok();
        let got = get(server(), &format!("/height?json={}", escaped(&body.to_string()))).ok();
        assert_eq!(got, posted);
        posted
    };
    let whole: Vec<Value> = exact.iter().map(|h| json!(h.round() as i64)).collect();
    assert_eq!(ask(&json!({"shape": shape})), json!({"shape": shape, "height": whole}));
    for (precision, scale) in [(1, 10.0), (2, 100.0)] {
        let found = ask(&json!({"shape": shape, "height_precision": precision}));
        for (found, exact) in found["height"].as_array().unwrap().iter().zip(&exact) {
            assert!((found.as_f64().unwrap() - exact).abs() <= 0.5001 / scale, "{found} {exact}");
        }
    }
    assert_eq!(ask(&json!({"shape": shape, "height_precision": 7}))["height"], json!(whole));
    // The request of the documentation as a browser sends it: quotation marks escaped, braces not, the name behind.
    let text = json!({"range": true, "shape": shape}).to_string().replace('"', "%22");
    let found = get(server(), &format!("/height?json={text}&id=Pottsville")).ok();
    let ranges = [0.0, distance(points[0], points[1]), distance(points[0], points[1]) + distance(points[1], points[2])];
    let pairs: Vec<Value> = ranges.iter().zip(&whole).map(|(r, h)| json!([r.round() as i64, h])).collect();
    assert_eq!(found, json!({"shape": shape, "range_height": pairs, "id": "Pottsville"}));
    assert_eq!(ask(&json!({"shape": shape, "id": "a"}))["id"], "a");
    // Without data: null.
    assert_eq!(ask(&json!({"shape": [{"lat": 10, "lon": 10}]}))["height"], json!([null]));
}

#[test]
fn valhalla_reads_polylines_and_resamples() {
    let points = line();
    let six = encode_polyline(&points, 6).unwrap();
    let five = encode_polyline(&points, 5).unwrap();
    let whole: Vec<Value> = points.iter().map(|&p| json!(height(p).as_f64().unwrap().round() as i64)).collect();
    let ask = |body: Value| post(server(), "/height", &body.to_string());
    assert_eq!(ask(json!({"encoded_polyline": six})).ok(), json!({"encoded_polyline": six, "height": whole}));
    let found = ask(json!({"encoded_polyline": five, "shape_format": "polyline5"})).ok();
    assert_eq!(found, json!({"encoded_polyline": five, "height": whole}));
    let found = ask(json!({"encoded_polyline": six, "resample_distance": 5000, "range": true})).ok();
    let want = opened().along(&points, Spacing::Every(5000.0), &Sampling::default()).unwrap();
    let pairs = found["range_height"].as_array().unwrap();
    assert_eq!(pairs.len(), want.points.len());
    assert_eq!((&pairs[1][0], &pairs[2][0]), (&json!(5000), &json!(10_000)));
    let places: Vec<LonLat> = want.points.iter().map(|sample| sample.point).collect();
    assert_eq!(found["encoded_polyline"], encode_polyline(&places, 6).unwrap());
    // One place stays one.
    let one = ask(json!({"shape": [{"lat": 10, "lon": 10}], "resample_distance": 10})).ok();
    assert_eq!(one["height"], json!([null]));
    for (body, code, words) in [
        (json!({}), 312, "shape"),
        (json!({"shape": []}), 312, "shape"),
        (json!([1]), 100, "the body"),
        (json!({"shape": [{"lat": 138.7, "lon": 35.3}]}), 134, "swapped"),
        (json!({"encoded_polyline": "\u{7f}"}), 134, "decimals"),
        (json!({"encoded_polyline": six, "shape_format": "geojson"}), 164, "polyline5"),
        (json!({"encoded_polyline": six, "resample_distance": 0.01}), 314, "too many samples"),
        (json!({"encoded_polyline": six, "resample_distance": -1}), 313, "above 0"),
        (json!({"shape": vec![json!({"lat": 1, "lon": 1}); 1001]}), 314, "at most 1000"),
    ] {
        let reply = ask(body);
        let error = reply.json();
        assert_eq!((reply.status, &error["status_code"], &error["status"]), (400, &json!(400), &json!("Bad Request")));
        assert_eq!(error["error_code"], code, "{error}");
        assert!(error["error"].as_str().unwrap().contains(words), "{error}");
    }
    assert_eq!(get(server(), "/height").json()["error_code"], 100);
    assert_eq!(get(server(), "/height?json={").json()["error_code"], 100);
}

#[test]
fn google_answers_locations_and_paths() {
    let points = line();
    let result = |p: LonLat| {
        let found = opened().sample(p, &Sampling::default()).unwrap().unwrap();
        let resolution = opened().shape().pixel_size(found.zoom, p.lat());
        json!({
            "elevation": height(p), "location": {"lat": p.lat(), "lng": p.lon()},
            "resolution": (resolution * 1000.0).round() / 1000.0,
        })
    };
    let want = json!({"status": "OK", "results": points.map(result)});
    let ask = |query: &str| get(server(), &format!("/maps/api/elevation/json?{query}"));
    assert_eq!(ask(&format!("locations={}&key=YOUR_API_KEY", list(&points))).ok(), want);
    let encoded = escaped(&encode_polyline(&points, 5).unwrap());
    assert_eq!(ask(&format!("locations=enc:{encoded}&key=YOUR_API_KEY")).ok(), want);
    let along = opened().along(&points, Spacing::Count(5), &Sampling::default()).unwrap();
    for path in [list(&points), format!("enc:{encoded}")] {
        let found = ask(&format!("path={path}&samples=5&key=YOUR_API_KEY")).ok();
        let found: Vec<&Value> = found["results"].as_array().unwrap().iter().map(|r| &r["elevation"]).collect();
        assert_eq!(found, along.points.iter().map(|s| height(s.point)).collect::<Vec<_>>().iter().collect::<Vec<_>>());
    }
    // Nothing known anywhere has a status of its own; among others it is null, without a resolution.
    assert_eq!(ask("locations=10,10").ok(), json!({"results": [], "status": "DATA_NOT_AVAILABLE"}));
    let mixed = ask(&format!("locations=10,10|{}", list(&points))).ok();
    assert_eq!(mixed["results"][0], json!({"elevation": null, "location": {"lat": 10.0, "lng": 10.0}}));
    for (query, words) in [
        ("", "locations="),
        ("locations=1,1&path=1,1", "one of"),
        ("path=1,1|2,2", "samples=N"),
        ("path=1,1|2,2&samples=1", "two or more"),
        ("locations=138.7,35.3", "swapped"),
        ("locations=enc:%7f", "decimals"),
        ("locations=", "locations="),
    ] {
        let reply = ask(query);
        assert_eq!((reply.status, &reply.json()["status"]), (400, &json!("INVALID_REQUEST")), "{query}");
        assert!(reply.json()["error_message"].as_str().unwrap().contains(words), "{query}: {}", reply.text());
        assert_eq!(reply.json()["results"], json!([]));
    }
}
