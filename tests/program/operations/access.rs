//! Who may read what.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hypso::store::{self, Parameters, RecordInput, SourceInput};
use hypso::tile::Bounds;

use super::{clean, works};
use crate::program::{HYPSO, run, scratch, surveyed};

fn mode(path: impl AsRef<Path>) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn outputs_take_the_umask_also_where_they_replace() {
    let (folder, at) = scratch();
    surveyed(folder.path());
    for (umask, expected) in [("022", 0o644), ("027", 0o640), ("077", 0o600)] {
        let script = format!("umask {umask}; exec \"$0\" \"$@\"");
        let (tiles, store, export) = (at("t.pmtiles"), at("n.hypso"), at("x.geojson"));
        let config = at("s/hypso.toml");
        run("sh", &["-c", &script, HYPSO, "build", "-o", &store, "--config", &config, "--overwrite"]);
        run("sh", &["-c", &script, HYPSO, "aggregate", &store, "-o", &tiles, "--jobs", "2", "--overwrite"]);
        run("sh", &["-c", &script, HYPSO, "export", &store, "-o", &export, "--overwrite"]);
        for path in [&tiles, &store, &export, &at("t.report.json"), &at("t.pmtiles.inputs")] {
            assert_eq!(mode(path), expected, "{path}");
        }
    }
}

#[test]
fn work_folders_are_private() {
    let (folder, at) = scratch();
    surveyed(folder.path());
    let mut command = Command::new(HYPSO);
    clean(&mut command);
    command.args([
        "aggregate",
        &at("s.hypso"),
        "-o",
        &at("t.pmtiles"),
        "--coverage",
        "full",
        "--max-zoom",
        "17",
        "--tmpdir",
        &at("tmp/x"),
    ]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    let found = loop {
        let work = std::fs::read_dir(at("tmp/x")).into_iter().flatten().flatten().next();
        if let Some(work) = work {
            break mode(work.path());
        }
        assert!(Instant::now() < until, "no work folder");
        std::thread::sleep(Duration::from_millis(5));
    };
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(found, 0o700);
}

/// A store whose rasters have names that open doors.
fn secret_store(path: &str) {
    let source =
        SourceInput { name: "far".into(), root: "https://me:hunter2@h.example/dem".into(), ..SourceInput::default() };
    let record = RecordInput {
        path: "https://h.example/a.tif?sig=hunter3".into(),
        bounds: Bounds::new(15_000_000.0, 4_000_000.0, 15_005_120.0, 4_005_120.0),
        pixel_size: 5.0,
        width: 1024,
        height: 1024,
        crs: "EPSG:3857".into(),
        ..RecordInput::default()
    };
    store::write_file(path, &[source], &[record], &Parameters::default()).unwrap();
}

#[test]
fn secrets_stand_in_private_files_alone() {
    let (_folder, at) = scratch();
    let store = at("far.hypso");
    secret_store(&store);
    let transport = format!(r#"{{"type": "file", "log_file_path": "{}", "append": true}}"#, at("events"));
    let variables = [
        ("OPENLINEAGE__TRANSPORT", transport.as_str()),
        ("HYPSO_AUDIT_LOG", &at("audit")),
        ("HYPSO_METRICS_FILE", &at("m.prom")),
    ]
    .map(|(name, value)| (name, value.to_owned()));
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let log = ["--log-file", &at("log"), "--log-file-level", "trace"].map(str::to_owned);
    let log: Vec<&str> = log.iter().map(String::as_str).collect();
    let mut said = String::new();
    for format in ["geojson", "fgb", "gti.gpkg"] {
        said += &works(&variables, &[&["export", &store, "-o", &at(&format!("x.{format}"))][..], &log].concat());
    }
    said += &works(
        &variables,
        &[&["plan", &store, "-o", &at("t.pmtiles"), "--export", &at("plan.json")][..], &log].concat(),
    );
    // It can't be read, which is said without the secret.
    let failed = super::with(&variables, &[&["aggregate", &store, "-o", &at("t.pmtiles")][..], &log].concat());
    assert!(!failed.status.success());
    said += &crate::program::stderr(&failed);
    said += &String::from_utf8_lossy(
        &super::with(&[], &["query", &store, "--format", "json", "--point", "134.77,33.79"]).stdout,
    );
    assert!(!said.contains("hunter"), "{said}");
    let mut seen = Vec::new();
    look(Path::new(&at("")), &mut |path| {
        let bytes = std::fs::read(path).unwrap();
        let secret = bytes.windows(6).any(|part| part == b"hunter");
        assert!(
            !secret
                || mode(path) == 0o600
                || mode(path.parent().unwrap()) == 0o700
                || path.starts_with(at("t.pmtiles.work")),
            "{path:?} {:o}",
            mode(path)
        );
        if secret {
            seen.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    });
    // These need it; events, audit log, metrics and logs do not have it.
    for name in ["far.hypso", "x.geojson", "x.fgb", "x.gti.gpkg"] {
        assert!(seen.contains(&name.to_owned()), "{name}: {seen:?}");
    }
    for name in ["events", "audit", "m.prom", "log"] {
        assert!(Path::new(&at(name)).exists() && !seen.contains(&name.to_owned()), "{name}: {seen:?}");
    }
}

fn look(folder: &Path, each: &mut dyn FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() { look(&entry.path(), each) } else { each(&entry.path()) }
    }
}

#[cfg(feature = "serve")]
#[test]
fn a_server_does_not_tell_them() {
    use hypso::serve::{Input, Options, Server};
    let (_folder, at) = scratch();
    let store = at("far.hypso");
    secret_store(&store);
    let mut options = Options::default();
    options.inputs.push(Input::parse(&store).unwrap());
    options.listen = "127.0.0.1:0".into();
    let running = Server::new(options).unwrap().start().unwrap();
    let reply = crate::http::get(running.address(), "/stores/far/records?point=134.77,33.79").text();
    assert!(reply.contains("https://h.example/a.tif?***") && !reply.contains("hunter"), "{reply}");
}
