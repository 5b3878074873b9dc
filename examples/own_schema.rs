//! Another schema in the same kind of file: weather stations with ids, names, classes, positions and neighbours, written
//! and read back. Nothing of it has to do with rasters.
//!
//! ```text
//! cargo run --no-default-features --example own_schema -- /tmp/stations.hypso
//! ```

use hypso::container::{Container, write_container};
use hypso::index::grid;
use hypso::store::RowId;
use hypso::tile::{Bounds, web_mercator};

/// What the sections of this file mean; up to 16 bytes.
const SCHEMA: &str = "weather-stations";
/// Stations this near to one another are neighbours, EPSG:3857 metres.
const NEAR: f64 = 40_000.0;

struct Station {
    id: u64,
    name: String,
    class: &'static str,
    position: (f64, f64),
    height: f32,
}

fn main() -> hypso::Result<()> {
    let Some(path) = std::env::args().nth(1) else {
        return Err(hypso::Error::argument("usage", "own_schema FILE"));
    };
    write(&path, stations())?;

    // A service would keep the container in an `Arc` and take views from it for each request.
    let file = Container::open(&path)?;
    file.expect_schema(SCHEMA)?;
    let (names, classes) = (file.ragged("station.name")?, file.dictionary("station.class")?);
    let (boxes, near) = (file.boxes("station")?, file.list::<RowId>("station.near")?);
    let (ids, heights) = (file.direct_ids("station.id")?, file.column::<f32>("station.height")?);
    println!("{} stations, {}", boxes.len(), file.json("about")?);

    // By id: one look into an array.
    if let Some(row) = ids.row(40_123) {
        println!("station 40123 is {}, {} m", names.text(row as usize)?, heights[row as usize]);
        for &other in near.get(row as usize)? {
            println!("  near {}", names.text(other as usize)?);
        }
    }

    // By box: stations on mountains around Mount Fuji. The dictionary's number stands for the text.
    let mountain = classes.code("mountain")?;
    let mut found = Vec::new();
    boxes.search(&Bounds::from_lon_lat(137.5, 34.6, 140.0, 36.0), |row| found.push(row));
    let total = found.len();
    found.retain(|&row| classes.codes().get(row as usize).copied() == mountain);
    println!("{total} stations around Mount Fuji, {} of them on mountains", found.len());

    // A column is a slice of the mapped file.
    let highest = heights.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    if let Some((row, height)) = highest {
        println!("the highest is {} ({}), {height} m", names.text(row)?, classes.text(row)?);
    }
    assert_eq!(file.verify_checksums(), [], "the file is as it was written");
    Ok(())
}

fn write(path: &str, mut stations: Vec<Station>) -> hypso::Result<()> {
    // What lies together goes together: searches then touch few pages.
    let point = |s: &Station| Bounds::new(s.position.0, s.position.1, s.position.0, s.position.1);
    stations.sort_by_cached_key(|s| (grid::hilbert_of(&point(s)), s.id));
    let rows = stations.iter().map(|a| {
        let near = |b: &Station| (a.position.0 - b.position.0).hypot(a.position.1 - b.position.1) <= NEAR;
        (0..).zip(&stations).filter(|(_, b)| b.id != a.id && near(b)).map(|(row, _)| row).collect::<Vec<RowId>>()
    });
    write_container(path, SCHEMA, |out| {
        out.json("about", r#"{"source":"made up","crs":"EPSG:3857"}"#)?;
        out.boxes("station", &stations.iter().map(point).collect::<Vec<_>>())?;
        out.direct_ids("station.id", &stations.iter().map(|s| s.id).collect::<Vec<_>>())?;
        out.ragged("station.name", stations.iter().map(|s| &s.name), false)?;
        out.dictionary("station.class", &stations.iter().map(|s| s.class).collect::<Vec<_>>())?;
        out.column("station.height", &stations.iter().map(|s| s.height).collect::<Vec<_>>())?;
        out.list("station.near", rows)
    })
}

/// Stations all over some islands, from a small generator of fixed numbers.
fn stations() -> Vec<Station> {
    let mut state = 1u64;
    let mut unit = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let station = |number: u64| {
        let height = (unit().powi(4) * 3776.0) as f32;
        Station {
            id: 40_000 + number,
            name: format!("Station {number}"),
            class: if height > 800.0 { "mountain" } else { ["coast", "city", "plain"][(unit() * 3.0) as usize] },
            position: web_mercator::from_lon_lat(131.0 + unit() * 10.0, 32.0 + unit() * 5.0),
            height,
        }
    };
    (0..1300).map(station).collect()
}
