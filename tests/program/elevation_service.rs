//! `examples/elevation_service.rs` over TCP, against the library.

#[path = "../../examples/elevation_service.rs"]
#[allow(dead_code, reason = "its main is not called")]
mod example;

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use hypso::container::Handle;
use hypso::heights::{HeightQueries, Heights, Sampling, Spacing};
use hypso::tile::LonLat;
use serde_json::{Value, json};

use crate::http::{Client, escaped, get};
use crate::serve::data;
use crate::serve::elevation::places;

/// The example on a free port, for as long as the tests run. Its file is a copy, which can be replaced.
fn start(file: &Path) -> (Handle<Heights>, SocketAddr) {
    let handle = Handle::open(file).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let service = example::service(handle.clone());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), service).await.unwrap();
        });
    });
    (handle, address)
}

#[test]
fn the_example_gives_the_heights_of_the_library() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.heights");
    std::fs::copy(data::path("hills.heights"), &file).unwrap();
    let (_handle, address) = start(&file);
    let (heights, mut client) = (data::opened(), Client::new(address));
    let (sources, mut kinds) = (heights.sources().unwrap(), [0; 2]);
    let mut check = |found: &Value, point: LonLat| {
        let want = heights.sample(point, &Sampling::default()).unwrap();
        let metres = want.map(|height| height.metres);
        assert_eq!((&found["height"], &found["zoom"]), (&json!(metres), &json!(want.map(|h| h.zoom))), "{point:?}");
        assert_eq!(found["source"], json!(want.and_then(|h| sources.get(usize::from(h.source?)))), "{point:?}");
        kinds[usize::from(want.is_none())] += 1;
    };
    for point in places(100) {
        check(&client.get(&format!("/height?lon={}&lat={}", point.lon(), point.lat())).ok(), point);
    }
    let line = places(4);
    let text: Vec<String> = line.iter().map(|p| format!("{},{}", p.lon(), p.lat())).collect();
    let found = client.get(&format!("/profile?line={}&samples=300", escaped(&text.join(";")))).ok();
    let want = heights.along(&line, Spacing::Count(300), &Sampling::default()).unwrap();
    assert_eq!((&found["length"], &found["climb"]), (&json!(want.length), &json!(want.climb)));
    assert_eq!(found["samples"].as_array().unwrap().len(), 300);
    for (sample, p) in found["samples"].as_array().unwrap().iter().zip(&want.points) {
        assert_eq!((&sample["lon"], &sample["lat"]), (&json!(p.point.lon()), &json!(p.point.lat())));
        check(sample, p.point);
    }
    assert!(kinds[0] > 100 && kinds[1] > 5, "{kinds:?}");
    for (url, words) in [
        ("/height?lon=35.3&lat=138.7", "latitude"),
        ("/height?lon=NaN&lat=35", "longitude"),
        ("/height?lon=138.7", "lat"),
        ("/profile?line=138.7,35.3", "two places"),
        ("/profile?line=138.7,35.3;35.3,138.7", "swapped"),
        ("/profile?line=138.7,35.3;138.8,35.3&samples=10001", "10000"),
    ] {
        let reply = client.get(url);
        assert!(reply.status == 400 && reply.text().contains(words), "{url}: {} {}", reply.status, reply.text());
    }
}

#[test]
fn the_example_follows_a_file_that_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (file, next) = (folder.path().join("a.heights"), folder.path().join("next"));
    std::fs::copy(data::path("hills.heights"), &file).unwrap();
    let (handle, address) = start(&file);
    let _watcher = handle.watch(Duration::from_millis(10), |_| {}).unwrap();
    let ask = || get(address, "/height?lon=138.7&lat=35.3").ok()["height"].as_f64().unwrap();
    assert_ne!(ask(), 100.0);
    std::fs::copy(data::path("world.heights"), &next).unwrap();
    std::fs::rename(&next, &file).unwrap();
    let begin = Instant::now();
    while ask() != 100.0 {
        assert!(begin.elapsed() < Duration::from_secs(20), "the old version stays");
    }
}
