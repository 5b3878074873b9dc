//! Heights straight from the rasters of a store.
#![cfg(feature = "gdal")]

use std::path::Path;

use super::data::start;
use crate::http::{get, post};
use crate::program::small_sample;
use hypso::Store;
use hypso::render::{GdalOpener, HeightSampler, Resampling};
use hypso::serve::{Input, Options, Running};
use hypso::tile::LonLat;
use serde_json::{Value, json};

fn serve(store: &Path) -> Running {
    let mut options = Options::default();
    options.listen = "127.0.0.1:0".into();
    options.inputs.push(Input::parse(store.to_str().unwrap()).unwrap());
    start(options)
}

#[test]
fn a_store_gives_heights_before_tiles_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    small_sample(&at("s"));
    let mut build = std::process::Command::new(env!("CARGO_BIN_EXE_hypso"));
    build.args(["build", "-o", "x.hypso", "--config", "s/hypso.toml"]).current_dir(folder.path());
    assert!(build.output().unwrap().status.success());
    let server = serve(&at("x.hypso"));
    let address = server.address();
    assert_eq!(get(address, "/catalog").ok()["datasets"][0]["elevation"]["from"], "rasters");

    let store = Store::open(at("x.hypso")).unwrap();
    let mut by =
        [Resampling::Bilinear, Resampling::Nearest].map(|by| HeightSampler::new(&store, &GdalOpener, by).unwrap());
    let [west, south, east, north] = store.tree().extent().unwrap().to_lon_lat();
    let mut random = crate::common::Random(3);
    let mut place =
        || LonLat::new(west + random.unit() * (east - west), south + random.unit() * (north - south)).unwrap();
    let points: Vec<LonLat> = (0..300).map(|_| place()).collect();
    let millimetres = |metres: f32| json!((f64::from(metres) * 1000.0).round() / 1000.0);
    let mut known = 0;
    for (way, sampler) in ["bilinear", "nearest"].into_iter().zip(&mut by) {
        let body = json!({"points": points.iter().map(|p| [p.lon(), p.lat()]).collect::<Vec<_>>()});
        let found = post(address, &format!("/elevation/x?interpolation={way}"), &body.to_string()).ok();
        for (&point, found) in points.iter().zip(found["elevations"].as_array().unwrap()) {
            let Some(want) = sampler.at(point).unwrap() else {
                assert!(found["elevation"].is_null() && found["zoom"].is_null(), "{found}");
                continue;
            };
            let record = store.record(want.row).unwrap();
            assert_eq!(found["elevation"], millimetres(want.metres), "{way} {point:?}");
            assert_eq!(
                (&found["zoom"], &found["source"]),
                (&record.native_zoom().into(), &record.source().unwrap().name().unwrap().into())
            );
            known += 1;
        }
    }
    assert!(known > 200, "{known}");
    let line = format!(
        "/profile/x?line={},{};{},{}&samples=50",
        points[0].lon(),
        points[0].lat(),
        points[1].lon(),
        points[1].lat()
    );
    let profile = get(address, &line).ok();
    let samples = profile["points"].as_array().unwrap();
    assert_eq!(samples.len(), 50);
    let first = by[0].at(points[0]).unwrap().map_or(Value::Null, |height| millimetres(height.metres));
    assert_eq!(samples[0]["elevation"], first);
    assert!(get(address, "/elevation/x?lon=0&lat=89").ok()["elevation"].is_null());
    // What needs pixels is refused with what to do instead.
    get(address, "/stats/x?bbox=139,34,139.1,34.1").refused(404, "serve tiles or a file of heights");
    get(address, "/elevation/x?lon=139&lat=34&max_zoom=5").refused(400, "max_zoom");
    server.stop().unwrap();

    // A raster that is gone is an error of the server, whose files clients are not told of.
    std::fs::rename(at("s"), at("away")).unwrap();
    let server = serve(&at("x.hypso"));
    let url = format!("/elevation/x?lon={}&lat={}", (west + east) / 2.0, (south + north) / 2.0);
    let reply = get(server.address(), &url);
    reply.refused(500, "the server's log");
    assert!(!reply.text().contains("/s/"));
    std::fs::rename(at("away"), at("s")).unwrap();
    get(server.address(), &url).ok();
    server.stop().unwrap();
}
