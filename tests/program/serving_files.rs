//! The files of `examples/serving/` against the server: keys, defaults, names of metrics.

use std::collections::BTreeSet;
use std::path::PathBuf;

use hypso::serve::{Input, Options, Server};

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
    let archive = folder.path().join("x.pmtiles");
    let mut sink = hypso::archive::create(&archive, &hypso::archive::ArchiveMetadata::default(), false).unwrap();
    sink.put(hypso::tile::TileCoord::new(0, 0, 0).unwrap(), b"tile").unwrap();
    sink.finish().unwrap();
    let mut options = Options::default();
    (options.listen, options.admin) = ("127.0.0.1:0".into(), Some("127.0.0.1:0".into()));
    options.inputs.push(Input::parse(archive.to_str().unwrap()).unwrap());
    let server = Server::new(options).unwrap().start().unwrap();
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
