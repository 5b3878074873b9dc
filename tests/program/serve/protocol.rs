//! HTTP itself: methods, headers of all answers, conditional requests, odd URLs; and the document of all paths.

use super::data::{options, server, start};
use crate::http::{Client, get, post};
use serde_json::Value;

const POINT: &str = "/elevation/hills?lon=138.7&lat=35.3";

#[test]
fn every_answer_may_be_read_by_every_page() {
    let mut client = Client::new(server());
    let etag = client.request("GET", POINT, &[], b"").header("etag").to_owned();
    let origin = ("Origin", "https://example.org");
    for (method, url, more, status) in [
        ("GET", POINT, ("X", "y"), 200),
        ("GET", POINT, ("If-None-Match", etag.as_str()), 304),
        ("GET", "/nothing/here", ("X", "y"), 404),
        ("GET", "/elevation/nowhere?lon=1&lat=1", ("X", "y"), 404),
        ("GET", "/elevation/hills", ("X", "y"), 400),
        ("PUT", POINT, ("X", "y"), 405),
        ("GET", "/v1/nowhere?locations=1,1", ("X", "y"), 400),
        ("GET", "/height", ("X", "y"), 400),
        ("GET", "/maps/api/elevation/json", ("X", "y"), 400),
        ("GET", "/api/v1/lookup", ("X", "y"), 400),
    ] {
        let reply = client.request(method, url, &[origin, more], b"");
        assert_eq!(reply.status, status, "{method} {url}: {}", reply.text());
        assert_eq!(reply.header("access-control-allow-origin"), "*", "{method} {url}");
        assert!(reply.header("access-control-expose-headers").contains("etag"), "{method} {url}");
    }
    let asks = [origin, ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "content-type")];
    for url in ["/elevation/hills", "/v1/hills", "/nothing/here"] {
        let reply = client.request("OPTIONS", url, &asks, b"");
        assert!(matches!(reply.status, 200 | 204), "{url}: {}", reply.status);
        assert!(reply.header("access-control-allow-methods").contains("POST"), "{url}");
        assert_eq!(reply.header("access-control-allow-headers"), "*");
    }
}

#[test]
fn answers_have_tags_and_heads() {
    let mut client = Client::new(server());
    for url in [
        POINT,
        "/profile/hills?line=138.5,35.2;138.9,35.4",
        "/stats/hills?bbox=138.6,35.2,138.8,35.4",
        "/sight/hills?from=138.6,35.2&to=138.8,35.4",
        "/v1/hills?locations=35.3,138.7",
        "/api/v1/lookup?locations=35.3,138.7",
        "/maps/api/elevation/json?locations=35.3,138.7",
        "/openapi.json",
    ] {
        let whole = client.request("GET", url, &[], b"");
        let head = client.request("HEAD", url, &[], b"");
        assert_eq!((head.status, head.body.len()), (200, 0), "{url}");
        for name in ["content-length", "content-type", "etag", "cache-control", "vary"] {
            assert_eq!(head.header(name), whole.header(name), "{url} {name}");
            assert!(!head.header(name).is_empty(), "{url} {name}");
        }
        assert_eq!(head.header("content-length"), whole.body.len().to_string(), "{url}");
        let etag = whole.header("etag").to_owned();
        for list in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".into()] {
            let known = client.request("GET", url, &[("If-None-Match", &list)], b"");
            assert_eq!((known.status, known.header("etag"), known.body.len()), (304, etag.as_str(), 0), "{url}");
        }
        assert_eq!(client.request("GET", url, &[("If-None-Match", "\"other\"")], b"").status, 200);
    }
    // What is long comes packed, with a tag of its own.
    let packed = client.request("GET", "/openapi.json", &[("Accept-Encoding", "gzip")], b"");
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert!(packed.body.starts_with(&[0x1f, 0x8b]) && packed.header("etag").contains("gzip"));
}

#[test]
fn odd_urls_get_the_right_code() {
    let long = format!("{POINT}&x={}", "1".repeat(9000));
    get(server(), &long).refused(414, "8192 bytes");
    let longest = format!("{POINT}&x={}", "1".repeat(8192 - POINT.len() - 3));
    assert_eq!((longest.len(), get(server(), &longest).status), (8192, 200));
    for (url, status) in [
        ("/assets/none.js", 404),
        ("/elevation", 404),
        ("/elevation/", 404),
        ("/elevation/hills/", 404),
        ("//elevation/hills", 404),
        ("/elevation/%ff?lon=1&lat=1", 400),
        ("/elevation/%00?lon=1&lat=1", 404),
        ("/elevation/hills%2f..?lon=1&lat=1", 404),
        ("/elevation/%zz?lon=1&lat=1", 404),
        ("/elevation/hills?lon=%", 400),
        ("/elevation/hills?lon=%E2%82&lat=1", 400),
        ("/%66oo.json", 404),
    ] {
        let reply = get(server(), url);
        assert_eq!(reply.status, status, "{url}: {}", reply.text());
        reply.refused(status, "");
    }
    // A name may be escaped.
    assert_eq!(get(server(), "/elevation/%68ills?lon=138.7&lat=35.3").status, 200);
    let many = format!("/elevation/hills?{}", "a=1&".repeat(101));
    get(server(), &many).refused(400, "100 parameters");
    post(server(), "/sight/hills", "{}").refused(405, "/openapi.json");
}

#[test]
fn the_document_has_the_methods_that_are_answered() {
    let document = get(server(), "/openapi.json").ok();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    for (path, operations) in document["paths"].as_object().unwrap() {
        let url = path.replace("{id}", "hills").replace("{dataset}", "hills");
        let url = url.replace("{z}", "0").replace("{x}", "0").replace("{y}", "0");
        let reply = Client::new(server()).request("DELETE", &url, &[], b"");
        reply.refused(405, "/openapi.json");
        let mut allowed: Vec<String> = reply.header("allow").split(',').map(|m| m.trim().to_lowercase()).collect();
        allowed.retain(|method| method != "head");
        allowed.sort();
        let mut described: Vec<&String> = operations.as_object().unwrap().keys().collect();
        described.sort();
        assert_eq!(allowed.iter().collect::<Vec<_>>(), described, "{path}");
    }
    let mut options = options();
    options.public_url = "https://terrain.example.org/v1/".into();
    let server = start(options);
    let document = get(server.address(), "/openapi.json").ok();
    assert_eq!(document["servers"][0]["url"], "https://terrain.example.org/v1");
    server.stop().unwrap();
}

#[test]
fn answers_are_what_the_document_says() {
    let document = get(server(), "/openapi.json").ok();
    let required = |name: &str| -> Vec<String> {
        let all = document["components"]["schemas"][name]["required"].as_array().unwrap();
        all.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    let members = |value: &Value| -> Vec<String> {
        let mut names: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        names.sort();
        names
    };
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    let place = get(server(), POINT).ok();
    assert_eq!(members(&place), sorted([required("Height"), vec!["lat".into(), "lon".into()]].concat()));
    let profile = get(server(), "/profile/hills?line=138.5,35.2;138.9,35.4").ok();
    assert_eq!(members(&profile), sorted(required("Profile")));
    let statistics = get(server(), "/stats/hills?bbox=138.6,35.2,138.8,35.4").ok();
    assert_eq!(members(&statistics), sorted(required("Statistics")));
    let seen = get(server(), "/sight/hills?from=138.6,35.2&to=138.8,35.4").ok();
    assert_eq!(members(&seen), sorted(required("Seen")));
    let catalog = get(server(), "/catalog").ok();
    assert_eq!(members(&catalog), sorted(required("Catalog")));
    assert_eq!(members(&get(server(), "/no").json()), sorted(required("Problem")));
}
