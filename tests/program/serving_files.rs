//! The files of `examples/serving/` against the server: keys, defaults, names of metrics.

#![cfg(unix)]

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use hypso::serve::{Input, Options, Running, Server};

use crate::http;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/serving").join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap()
}

/// Words that begin like the names of metrics.
fn metrics(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("hypso_") || word.starts_with("process_")).map(String::from).collect()
}

/// A server of one archive with one tile.
fn server_in(folder: &Path) -> Running {
    let archive = folder.join("x.pmtiles");
    let mut sink = hypso::archive::create(&archive, &hypso::archive::ArchiveMetadata::default(), false).unwrap();
    sink.put(hypso::tile::TileCoord::new(0, 0, 0).unwrap(), b"tile").unwrap();
    sink.finish().unwrap();
    let mut options = Options::default();
    (options.listen, options.admin) = ("127.0.0.1:0".into(), Some("127.0.0.1:0".into()));
    options.inputs.push(Input::parse(archive.to_str().unwrap()).unwrap());
    Server::new(options).unwrap().start().unwrap()
}

/// Whether a program is there; says so where it is not.
fn has(program: &str) -> bool {
    let there =
        Command::new(program).arg("--version").output().is_ok() || Command::new(program).arg("-v").output().is_ok();
    if !there {
        eprintln!("SKIPPED: {program} is not installed");
    }
    there
}

/// What a program says that ends with success.
fn passes(command: &mut Command) -> String {
    let out = command.output().unwrap();
    let said = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
    assert!(out.status.success(), "{command:?}: {said}");
    said
}

/// A process that is asked to end, with its own children, when the test does.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

#[test]
fn units_and_rules_are_taken_by_the_programs_that_they_are_for() {
    if has("systemd-analyze") {
        let folder = tempfile::tempdir().unwrap();
        for name in ["hypso-serve.service", "hypso-serve.socket"] {
            let here = text(name).replace("/usr/local/bin/hypso", env!("CARGO_BIN_EXE_hypso"));
            std::fs::write(folder.path().join(name), here).unwrap();
        }
        let units = ["hypso-serve.service", "hypso-serve.socket"].map(|name| folder.path().join(name));
        let said = passes(Command::new("systemd-analyze").arg("verify").args(units));
        assert!(!said.contains("hypso-serve"), "{said}");
    }
    if has("promtool") {
        assert!(passes(Command::new("promtool").args(["check", "rules"]).arg(file("alerts.yml"))).contains("SUCCESS"));
    }
}

#[test]
fn behind_nginx_tiles_are_cached_and_ranges_and_errors_come_through() {
    if !has("nginx") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // nginx reads as another user.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let server = server_in(folder.path());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let at = SocketAddr::from(([127, 0, 0, 1], port));
    let root = folder.path().display();
    let recipe = text("nginx.conf")
        .replace("listen 80;", &format!("listen {at};"))
        .replace("127.0.0.1:8080", &server.address().to_string())
        .replace("/var/cache/nginx/terrain", &format!("{root}/cache"));
    let whole =
        format!("daemon off; pid {root}/pid; error_log {root}/log; events {{}}\nhttp {{ access_log off;\n{recipe}}}\n");
    let config = folder.path().join("nginx.conf");
    std::fs::write(&config, whole).unwrap();
    passes(Command::new("nginx").arg("-t").arg("-c").arg(&config));
    let nginx = Ended(Command::new("nginx").arg("-c").arg(&config).spawn().unwrap());
    let begun = Instant::now();
    while TcpStream::connect(at).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", std::fs::read_to_string(folder.path().join("log")));
        std::thread::sleep(Duration::from_millis(10));
    }
    let direct = http::get(server.address(), "/tiles/x/0/0/0");
    let mut client = http::Client::new(at);
    let tile = client.get("/tiles/x/0/0/0");
    assert_eq!((tile.status, &tile.body), (200, &direct.body));
    for name in ["etag", "cache-control", "access-control-allow-origin"] {
        assert_eq!(tile.header(name), direct.header(name), "{name}");
    }
    let etag = tile.header("etag").to_owned();
    assert_eq!(client.request("GET", "/tiles/x/0/0/0", &[("If-None-Match", &etag)], b"").status, 304);
    let part = client.request("GET", "/archives/x.pmtiles", &[("Range", "bytes=0-6")], b"");
    assert_eq!((part.status, part.body.as_slice()), (206, b"PMTiles".as_slice()));
    client.get("/tiles/x/1/0/9").refused(400, "");
    server.stop().unwrap();
    assert_eq!(client.get("/tiles/x/0/0/0").body, direct.body, "out of the cache while the server is away");
    assert_eq!(client.get("/catalog").status, 502);
    drop(nginx);
}

#[test]
fn the_configuration_shows_every_default() {
    let mut shown = Options::read(&file("serve.toml")).unwrap();
    // What has no default that makes sense is shown with a value all the same.
    assert_eq!(shown.admin.take().as_deref(), Some("127.0.0.1:9090"));
    assert_eq!(shown.inputs, [Input::parse("/srv/terrain").unwrap()]);
    shown.inputs.clear();
    assert_eq!(format!("{shown:?}"), format!("{:?}", Options::default()));
    let text = text("serve.toml");
    for key in ["access_log", "key_file", "datasets", "files", "encoding"] {
        assert!(text.contains(key), "{key}");
    }
    // Every field of the options stands in the file.
    for field in
        format!("{shown:?}").split([',', '{']).filter_map(|part| part.trim().split_once(':').map(|(name, _)| name))
    {
        assert!(text.contains(field), "{field}");
    }
}

#[test]
fn alerts_and_dashboard_ask_for_metrics_that_exist() {
    let folder = tempfile::tempdir().unwrap();
    let server = server_in(folder.path());
    http::get(server.address(), "/tiles/x/0/0/0");
    let known = metrics(&http::get(server.admin().unwrap(), "/metrics").text());
    server.stop().unwrap();
    for name in ["alerts.yml", "dashboard.json"] {
        let asked = metrics(&text(name));
        assert!(asked.len() > 4, "{name}: {asked:?}");
        let missing: Vec<_> = asked.difference(&known).collect();
        assert!(missing.is_empty(), "{name} asks for {missing:?}; there are {known:?}");
    }
    let panels: serde_json::Value = serde_json::from_str(&text("dashboard.json")).unwrap();
    assert!(panels["panels"].as_array().unwrap().len() > 8);
}
