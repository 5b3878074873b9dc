//! Archives on other servers, given out as those on this machine are.
#![cfg(feature = "remote")]

use std::time::{Duration, Instant};

use hypso::archive::{self, ArchiveMetadata};
use hypso::serve::{Input, Options, Running, Server};
use hypso::tile::{TileCoord, TileId};

use crate::common::ranges::{Faults, Ranges};
use crate::http::get;

/// An archive of all tiles of zooms 0 to 7, whose contents say which these are and how they were made: 21,845 tiles, some directories.
fn archive(mark: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pmtiles");
    let metadata = ArchiveMetadata { name: mark.into(), ..ArchiveMetadata::default() };
    let mut sink = archive::create(&path, &metadata, false).unwrap();
    for id in 0..TileId::first(8).0 {
        sink.put(TileId(id).coord().unwrap(), content_of(mark, TileId(id)).as_bytes()).unwrap();
    }
    sink.finish().unwrap();
    std::fs::read(path).unwrap()
}

fn served(url: &str) -> Running {
    let mut options = Options::default();
    (options.listen, options.look_every) = ("127.0.0.1:0".into(), 20);
    options.inputs.push(Input::parse(&format!("far={url}")).unwrap());
    Server::new(options).unwrap().start().unwrap()
}

/// Long enough that most tiles do not come with the beginning of the archive.
fn content_of(mark: &str, tile: TileId) -> String {
    format!("{mark} {} {}", tile.0, "~".repeat(200))
}

fn content(mark: &str, (z, x, y): (u8, u32, u32)) -> String {
    content_of(mark, TileCoord::new(z, x, y).unwrap().into())
}

#[test]
fn tiles_of_a_url_are_given_out_with_a_request_each_and_a_new_object_is_followed() {
    let origin = Ranges::new();
    let url = origin.put("a.pmtiles", archive("old"));
    let server = served(&url);
    let address = server.address();
    for tile in [(0, 0, 0), (7, 3, 100), (7, 127, 127), (5, 9, 9)] {
        let (z, x, y) = tile;
        let reply = get(address, &format!("/tiles/far/{z}/{x}/{y}"));
        assert_eq!((reply.status, reply.text()), (200, content("old", tile)));
    }
    assert_eq!(get(address, "/tiles/far/8/0/0").status, 404);
    assert_eq!(get(address, "/far.json").ok()["name"], "old");
    get(address, "/elevation/far?lon=1&lat=1").refused(404, "heights");
    // Its directory is known now.
    let gets = |origin: &Ranges| origin.asked().iter().filter(|asked| asked.method == "GET").count();
    origin.fail(Faults::default());
    assert_eq!(get(address, "/tiles/far/7/127/126").text(), content("old", (7, 127, 126)));
    assert_eq!(gets(&origin), 1);
    // Replaced: never a mix, and the new one within some looks.
    origin.put("a.pmtiles", archive("new"));
    let begun = Instant::now();
    loop {
        let reply = get(address, "/tiles/far/7/3/100");
        match reply.status {
            200 if reply.text() == content("new", (7, 3, 100)) => break,
            200 => assert_eq!(reply.text(), content("old", (7, 3, 100))),
            _ => reply.refused(503, "ask again"),
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{}", reply.text());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(get(address, "/far.json").ok()["name"], "new");
    // Refused and gone: 502. It comes back by itself.
    for (status, text) in [(403, "<Error><Code>AccessDenied</Code></Error>"), (404, "")] {
        origin.fail(Faults { status: Some((status, text.into())), ..Faults::default() });
        get(address, "/tiles/far/7/90/20").refused(502, "refuses it");
    }
    origin.fail(Faults { busy: (1000, 0), ..Faults::default() });
    let reply = get(address, "/tiles/far/7/90/20");
    reply.refused(503, "ask again");
    assert_eq!(reply.header("retry-after"), "5");
    origin.fail(Faults::default());
    assert_eq!(get(address, "/tiles/far/7/90/20").text(), content("new", (7, 90, 20)));
}

#[test]
fn a_url_that_can_not_be_served_is_refused_at_the_start() {
    let origin = Ranges::new();
    let url = origin.put("a.pmtiles", b"<html>".to_vec());
    for (name, words) in [(url.clone(), "magic"), (format!("{url}x"), "there is no such object")] {
        let mut options = Options::default();
        (options.listen, options.inputs) = ("127.0.0.1:0".into(), vec![Input::parse(&format!("far={name}")).unwrap()]);
        let error = Server::new(options).map(drop).unwrap_err().to_string();
        assert!(error.contains(&name) && error.contains(words), "{error}");
    }
}
