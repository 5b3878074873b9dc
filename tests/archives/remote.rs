//! Archives behind URLs: read by ranges as files are read, with few requests, and named where a server fails.
#![cfg(all(feature = "remote", feature = "cli"))]

use std::path::Path;
use std::process::{Command, Output};

use hypso::archive::pmtiles::PmtilesReader;
use hypso::archive::{self, ArchiveMetadata, TileFormat};
use hypso::tile::{TileCoord, TileId};

use super::common::Random;
use super::common::ranges::{Faults, Ranges};

/// Runs hypso in `folder`, with nothing of the environment's buckets and proxies.
fn hypso(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hypso"));
    command.args(args).current_dir(folder).env("NO_COLOR", "1").env("NO_PROXY", "127.0.0.1");
    command.output().unwrap()
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// What must work; gives stdout and stderr.
fn ok(folder: &Path, args: &[&str]) -> (String, String) {
    let output = hypso(folder, args);
    assert!(output.status.success(), "{args:?}: {}", said(&output));
    (String::from_utf8(output.stdout.clone()).unwrap(), said(&output))
}

/// What must fail with all of these words, and leave nothing behind.
fn fails(folder: &Path, words: &[&str], args: &[&str]) {
    let before = names(folder);
    let output = hypso(folder, args);
    let said = said(&output);
    assert!(matches!(output.status.code(), Some(1 | 2)), "{args:?}: {said}");
    for word in words {
        assert!(said.contains(word), "{args:?}: no {word:?} in: {said}");
    }
    assert!(!said.contains("panicked") && !said.contains("secret"), "{said}");
    assert_eq!(names(folder), before, "{args:?}");
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// An archive of noise: all tiles of zooms 0 to `zoom`, of `bytes` bytes and up to twice as many; each 50th is that of the sea.
pub(crate) fn noise(path: &Path, zoom: u8, bytes: u64) {
    let metadata =
        ArchiveMetadata { name: "noise".into(), format: TileFormat::Other("bin".into()), ..ArchiveMetadata::default() };
    let mut sink = archive::create(path, &metadata, false).unwrap();
    let mut random = Random(7);
    for id in 0..TileId::first(zoom + 1).0 {
        let mut content = vec![9; bytes as usize];
        if id % 50 != 7 {
            let length = bytes + random.next() % bytes;
            content = (0..length).map(|_| random.next() as u8).collect();
        }
        sink.put(TileId(id).coord().unwrap(), &content).unwrap();
    }
    sink.finish().unwrap();
}

/// A folder with `a.pmtiles` (5461 tiles of some hundred bytes), and a server that has it.
fn served() -> (tempfile::TempDir, Ranges, String, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    noise(&folder.path().join("a.pmtiles"), 6, 300);
    let bytes = std::fs::read(folder.path().join("a.pmtiles")).unwrap();
    let server = Ranges::new();
    let url = server.put("a.pmtiles", bytes.clone());
    (folder, server, url, bytes)
}

const CITY: &str = "138.6,35.2,138.9,35.5";

#[test]
fn every_command_reads_a_url_as_it_reads_the_file() {
    let (folder, server, url, bytes) = served();
    let at = folder.path();
    for weak in [false, true] {
        server.fail(Faults { weak, ..Faults::default() });
        let (_, said) = ok(at, &["convert", &url, "-o", "whole.pmtiles", "--overwrite"]);
        assert!(said.contains("requests") && said.contains("read"), "{said}");
        assert_eq!(std::fs::read(at.join("whole.pmtiles")).unwrap(), bytes);
    }
    let both = |args: &[&str]| {
        let run = |archive: &str| {
            let args: Vec<&str> = args.iter().map(|arg| if *arg == "A" { archive } else { arg }).collect();
            ok(at, &args).0.replace(&url, "a.pmtiles")
        };
        assert_eq!(run(&url), run("a.pmtiles"), "{args:?}");
    };
    both(&["inspect", "A", "--format", "json"]);
    both(&["verify", "A", "--format", "json"]);
    both(&["verify", "A", "--sample", "100", "--format", "json"]);
    ok(at, &["diff", &url, "a.pmtiles"]);
    for part in [&["--bbox", CITY][..], &["--bbox", "176,-20,-178,-15"], &["--min-zoom", "2", "--max-zoom", "4"]] {
        let extract = |from: &str, to: &str| ok(at, &[&["extract", from, "-o", to], part].concat());
        extract(&url, "remote.pmtiles");
        extract("a.pmtiles", "local.pmtiles");
        let read = |name: &str| std::fs::read(at.join(name)).unwrap();
        assert_eq!(read("remote.pmtiles"), read("local.pmtiles"), "{part:?}");
        for name in ["remote.pmtiles", "local.pmtiles"] {
            std::fs::remove_file(at.join(name)).unwrap();
        }
    }
}

#[test]
fn a_city_of_a_large_archive_costs_a_few_requests_and_says_them_before() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    // 349,525 tiles: 85 leaf directories, 1.3 MB of them.
    noise(&at.join("large.pmtiles"), 9, 100);
    let server = Ranges::new();
    let bytes = std::fs::read(at.join("large.pmtiles")).unwrap();
    let size = bytes.len() as u64;
    let data = PmtilesReader::open(&at.join("large.pmtiles")).unwrap().header().data_offset;
    let url = server.put("large.pmtiles", bytes);
    let count = || {
        let asked = server.asked();
        let bytes: u64 =
            asked.iter().map(|asked| asked.range.map_or(size, |(from, to)| to.min(size - 1) + 1 - from)).sum();
        (asked.len(), bytes)
    };
    let (told, _) = ok(at, &["extract", &url, "--bbox", CITY, "--dry-run"]);
    assert!(told.starts_with("12 tiles"), "{told}");
    let (dry, _) = count();
    server.fail(Faults::default());
    let (_, said) = ok(at, &["extract", &url, "--bbox", CITY, "-o", "city.pmtiles"]);
    let (requests, read) = count();
    // Each zoom lies elsewhere in the file.
    let directories = server.asked().iter().filter(|asked| asked.range.is_some_and(|(from, _)| from < data)).count();
    assert!(directories <= 11 && requests <= 12 + 10, "{directories} of {requests}");
    assert!(dry < requests && told.contains(&format!("{requests} requests")), "{told}: {requests}");
    assert!(said.contains(&format!("{requests} requests")), "{said}: {requests}");
    assert!(read < size / 10, "{read} of {size}");
    // A third of the world.
    server.fail(Faults::default());
    let (_, said) = ok(at, &["extract", &url, "--bbox", "0,-60,120,60", "-o", "third.pmtiles"]);
    let (requests, read) = count();
    assert!(requests < 200 && read < size * 2 / 3, "{requests} {read} of {size}: {said}");
    // All of it.
    server.fail(Faults::default());
    ok(at, &["verify", &url, "--parents", "none"]);
    let (requests, read) = count();
    assert!(requests < 60 && read < size * 6 / 5, "{requests} {read} of {size}");
}

#[test]
fn a_server_that_stumbles_is_asked_again() {
    let (folder, server, url, bytes) = served();
    let at = folder.path();
    for faults in [
        Faults { busy: (2, 0), ..Faults::default() },
        Faults { busy: (3, 3), ..Faults::default() },
        Faults { cut: (1, 0), ..Faults::default() },
        Faults { cut: (2, 2), ..Faults::default() },
        Faults { cut: (2, 2), no_etag: true, ..Faults::default() },
    ] {
        server.fail(faults.clone());
        ok(at, &["convert", &url, "-o", "out.pmtiles", "--overwrite"]);
        assert_eq!(std::fs::read(at.join("out.pmtiles")).unwrap(), bytes, "{faults:?}");
    }
}

#[test]
fn what_a_server_refuses_is_named_with_what_to_do_and_nothing_is_left() {
    let (folder, server, url, bytes) = served();
    let at = folder.path();
    let convert = |url: &str, faults: Faults, words: &[&str]| {
        server.fail(faults);
        fails(at, words, &["convert", url, "-o", "out.pmtiles"]);
        fails(at, words, &["inspect", url]);
        fails(at, words, &["verify", url]);
    };
    let status = |status, text: &str| Faults { status: Some((status, text.to_owned())), ..Faults::default() };
    let name = url.clone();
    convert(
        &format!("{url}?sig=secret"),
        status(403, "<Error><Code>AccessDenied</Code></Error>"),
        &[&format!("{name}?***: can't read: HTTP 403 Forbidden: AccessDenied; check the credentials")],
    );
    convert(
        &url.replace("//", "//me:secret@"),
        status(400, "<Code>ExpiredToken</Code>"),
        &[
            &format!("{}: can't read", name.replace("//", "//***@")),
            "ExpiredToken; the credentials or the signed URL have expired",
        ],
    );
    convert(&format!("{url}x?sig=secret"), Faults::default(), &[&format!("{name}x?***: there is no such object")]);
    convert(&url, Faults { whole: true, ..Faults::default() }, &["does not answer requests for ranges", "download"]);
    let dead = "http://127.0.0.1:9/a.pmtiles?sig=secret";
    fails(
        at,
        &["http://127.0.0.1:9/a.pmtiles?***: can't read", "refused", "run the same command again"],
        &["inspect", dead],
    );
    // MBTiles, an empty object, and what is none of both.
    ok(at, &["convert", "a.pmtiles", "-o", "a.mbtiles"]);
    for (name, bytes, words) in [
        ("a.mbtiles", std::fs::read(at.join("a.mbtiles")).unwrap(), "is MBTiles"),
        ("b.pmtiles", vec![], "is empty"),
        ("c.pmtiles", b"<html>".to_vec(), "expected the magic"),
        ("d.pmtiles", bytes[..bytes.len() / 2].to_vec(), "the file is truncated or damaged"),
    ] {
        server.fail(Faults::default());
        let url = server.put(name, bytes);
        fails(at, &[&url, words], &["convert", &url, "-o", "out.pmtiles"]);
        fails(at, &[&url, words], &["inspect", &url]);
    }
}

#[test]
fn an_object_that_is_replaced_while_it_is_read_ends_the_work() {
    let (folder, server, url, bytes) = served();
    let mut other = bytes.clone();
    *other.last_mut().unwrap() ^= 1;
    for faults in [
        Faults::default(),
        // Servers that ignore If-Match, compare weakly, or have no ETag but another size.
        Faults { careless: true, ..Faults::default() },
        Faults { careless: true, weak: true, ..Faults::default() },
    ] {
        for after in [1, 3] {
            server.put("a.pmtiles", bytes.clone());
            server.fail(Faults { replace: Some((after, other.clone())), ..faults.clone() });
            fails(
                folder.path(),
                &[&url, "was replaced while it was in use", "run the same command again"],
                &["convert", &url, "-o", "out.pmtiles"],
            );
        }
    }
    server.put("a.pmtiles", bytes.clone());
    server.fail(Faults { replace: Some((2, [&bytes[..], b"x"].concat())), no_etag: true, ..Faults::default() });
    fails(folder.path(), &["was replaced"], &["convert", &url, "-o", "out.pmtiles"]);
}

#[test]
fn a_server_that_always_fails_is_given_up() {
    let (folder, server, url, _) = served();
    for (faults, words) in [
        (Faults { busy: (1000, 3), ..Faults::default() }, "HTTP 503"),
        (Faults { cut: (1000, 3), ..Faults::default() }, "can't read"),
    ] {
        server.fail(faults);
        fails(folder.path(), &[&url, words, "run the same command again"], &["convert", &url, "-o", "out.pmtiles"]);
    }
}

#[test]
fn a_tile_that_is_in_the_archive_is_the_one_that_is_asked_for() {
    let (_folder, _server, url, _) = served();
    let options = archive::OpenOptions { remote: true, ..archive::OpenOptions::default() };
    let source = archive::open_with(url.as_ref(), options).unwrap();
    let file = archive::open(&_folder.path().join("a.pmtiles")).unwrap();
    for (z, x, y) in [(0, 0, 0), (6, 63, 63), (5, 3, 9)] {
        let tile = TileCoord::new(z, x, y).unwrap();
        assert_eq!(source.tile(tile).unwrap(), file.tile(tile).unwrap());
    }
    // A path that stands in a file makes no request.
    assert!(archive::open(url.as_ref()).is_err_and(|error| error.to_string().contains("looks like a URL")));
}
