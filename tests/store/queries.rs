//! Every query of a store against a look at each of its records, on a round world.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::common::{catalogue, store_bytes};
use hypso::query::{Answers, Order, Place};
use hypso::store::{RecordInput, RowId, Store};
use hypso::tile::web_mercator::{self, HALF_WORLD, WORLD};
use hypso::tile::{Bounds, LonLat, LonLatBox, MAX_ZOOM, TileCoord};
use proptest::prelude::*;

/// Records of these footprints; every third is of another source and pixel size.
fn store_of(footprints: &[Bounds]) -> Store {
    let (sources, template) = catalogue(3, 1);
    let record = |(i, &bounds): (usize, &Bounds)| RecordInput {
        path: format!("{i}.tif"),
        bounds,
        pixel_size: 2000.0 + 100.0 * (i * 7 % 11) as f64,
        ..template[i % 3].clone()
    };
    let records: Vec<RecordInput> = footprints.iter().enumerate().map(record).collect();
    Store::from_bytes(store_bytes(&sources, &records)).expect("the store opens")
}

/// A footprint in the world, often at its rim.
fn footprint() -> impl Strategy<Value = Bounds> {
    let side = prop_oneof![1.0..1e4, 1e5..4e6];
    let place =
        prop_oneof![4 => -HALF_WORLD..HALF_WORLD, 1 => Just(-HALF_WORLD), 1 => Just(HALF_WORLD), 1 => 2e7..HALF_WORLD];
    (place.clone(), place, side.clone(), side).prop_map(|(x, y, width, height)| {
        let (x, y) = (x.min(HALF_WORLD - width), y.min(HALF_WORLD - height));
        let edge = |low: f64, length: f64| if low + length > HALF_WORLD - 1.0 { HALF_WORLD } else { low + length };
        Bounds::new(x, y, edge(x, width), edge(y, height))
    })
}

fn degrees() -> impl Strategy<Value = (f64, f64)> {
    let lon =
        prop_oneof![4 => -180.0..180.0, 1 => Just(180.0), 1 => Just(-180.0), 1 => -360.0..360.0, 2 => 179.0..181.0];
    let lat = prop_oneof![4 => -90.0..90.0, 1 => Just(90.0), 1 => Just(-90.0)];
    (lon, lat)
}

fn place() -> impl Strategy<Value = Place> {
    let metres = || -2.2e7..2.2e7f64;
    prop_oneof![
        (metres(), metres()).prop_map(|(x, y)| Place::Point { x, y }),
        degrees().prop_map(|(lon, lat)| LonLat::new(lon, lat).unwrap().into()),
        (metres(), metres(), 0.0..5e6, 0.0..5e6f64).prop_map(|(x, y, w, h)| Bounds::new(x, y, x + w, y + h).into()),
        (degrees(), 0.001..300.0, 0.001..60.0f64).prop_filter_map("a box in the world", |((west, south), w, h)| {
            let west = web_mercator::wrapped(west);
            Some(LonLatBox::new(west, south, web_mercator::wrapped(west + w), (south + h).min(90.0)).ok()?.into())
        }),
        (degrees(), 0..20u8)
            .prop_map(|((lon, lat), z)| TileCoord::at_lon_lat(LonLat::new(lon, lat).unwrap(), z).into()),
        Just(Place::Point { x: f64::NAN, y: 0.0 }),
        Just(Bounds::new(0.0, f64::NAN, 1.0, 1.0).into()),
    ]
}

/// The place on each turn of the world on which it may be met.
fn turns(place: Place) -> Vec<Bounds> {
    let point = |x: f64, y: f64| Bounds::new(x, y, x, y);
    let (bounds, round) = match place {
        Place::Point { x, y } => (point(x, y), false),
        Place::LonLat(p) => (point(p.metres().0, p.metres().1), true),
        Place::Bounds(b) => (b, false),
        Place::LonLatBox(b) => (b.unrolled(), true),
        Place::Tile(t) => (t.bounds(), false),
        _ => unreachable!("a new kind of place needs a definition here"),
    };
    let turns: &[f64] = if round { &[-WORLD, 0.0, WORLD] } else { &[0.0] };
    turns.iter().map(|t| Bounds::new(bounds.min_x + t, bounds.min_y, bounds.max_x + t, bounds.max_y)).collect()
}

fn by_definition(store: &Store, place: Place) -> Vec<RowId> {
    let turns = turns(place);
    let point = matches!(place, Place::Point { .. } | Place::LonLat(_));
    let there = |footprint: Bounds, p: &Bounds| {
        if point { footprint.contains_point(p.min_x, p.min_y) } else { footprint.overlaps(p) }
    };
    (0..store.len()).filter(|&row| turns.iter().any(|p| there(store.records().bounds(row), p))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn every_query_about_a_place_equals_its_definition(
        footprints in prop::collection::vec(footprint(), 0..200),
        places in prop::collection::vec(place(), 1..50),
    ) {
        let store = store_of(&footprints);
        let rank = |row: &RowId| store.records().rank[*row as usize];
        let mut rows = Vec::new();
        let mut expected = Vec::new();
        for &place in &places {
            let found = by_definition(&store, place);
            store.rows_overlapping(place, Order::Row, &mut rows);
            prop_assert_eq!(&rows, &found, "{:?}", place);
            prop_assert_eq!(store.count_overlapping(place), found.len());
            prop_assert_eq!(store.any_overlapping(place), !found.is_empty());
            let mut best = found.clone();
            best.sort_by_key(rank);
            prop_assert_eq!(store.overlapping(place).map(|r| r.row()).collect::<Vec<_>>(), best.clone());
            prop_assert_eq!(store.first_overlapping(place).map(|r| r.row()), best.first().copied());
            for count in [0, 1, 2, 10, best.len(), best.len() + 1] {
                let first: Vec<RowId> = store.best_overlapping(place, count).map(|r| r.row()).collect();
                prop_assert_eq!(&first[..], &best[..count.min(best.len())]);
            }
            let mut visited = Vec::new();
            let end = store.visit_overlapping(place, |row| {
                visited.push(row);
                ControlFlow::<()>::Continue(())
            });
            prop_assert!(end.is_continue() && visited.len() == found.len());
            prop_assert_eq!(visited.iter().copied().collect::<BTreeSet<_>>(), found.iter().copied().collect());
            for enough in 1..=visited.len().min(3) {
                let mut seen = Vec::new();
                let end = store.visit_overlapping(place, |row| {
                    seen.push(row);
                    if seen.len() == enough { ControlFlow::Break(row) } else { ControlFlow::Continue(()) }
                });
                prop_assert_eq!((end, &seen[..]), (ControlFlow::Break(visited[enough - 1]), &visited[..enough]));
            }
            expected.push((found, best));
        }
        let mut answers = Answers::new();
        store.rows_overlapping_batch(&places, Order::Row, &mut answers);
        prop_assert!(answers.iter().eq(expected.iter().map(|(found, _)| found.as_slice())));
        store.rows_overlapping_batch(&places, Order::Candidate, &mut answers);
        prop_assert!(answers.iter().eq(expected.iter().map(|(_, best)| best.as_slice())));
    }

    #[test]
    fn neighbours_come_by_their_distance_the_shorter_way_around(
        footprints in prop::collection::vec(footprint(), 0..100),
        place in place(),
    ) {
        let store = store_of(&footprints);
        let gap = |a: f64, b: f64, c: f64, d: f64| if c > b { c - b } else if a > d { a - d } else { 0.0 };
        let turns = turns(place);
        let nowhere = turns.iter().any(|t| [t.min_x, t.min_y].iter().any(|v| v.is_nan()));
        let mut expected: Vec<(f64, u32)> = store.records().iter().filter(|_| !nowhere).map(|r| {
            let b = r.bounds();
            let distance = |t: &Bounds| {
                gap(t.min_x, t.max_x, b.min_x, b.max_x).hypot(gap(t.min_y, t.max_y, b.min_y, b.max_y))
            };
            (turns.iter().map(distance).fold(f64::INFINITY, f64::min), r.rank())
        }).collect();
        expected.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let found: Vec<(f64, u32)> = store.by_distance(place).map(|n| (n.distance, n.record.rank())).collect();
        prop_assert_eq!(found, expected.clone());
        for count in [0, 1, 3, 10, expected.len(), expected.len() + 5] {
            let found: Vec<(f64, u32)> = store.nearest(place, count).iter().map(|n| (n.distance, n.record.rank())).collect();
            prop_assert_eq!(&found[..], &expected[..count.min(expected.len())]);
        }
    }
}

/// Of a mapped file the pages are asked for first.
#[test]
fn batches_on_a_mapped_file_are_the_single_answers() {
    let footprints: Vec<Bounds> = (0..3000u32)
        .map(|i| {
            let (x, y) = (f64::from(i % 60) * 1000.0, f64::from(i / 60) * 1000.0);
            Bounds::new(x, y, x + 1500.0, y + 1500.0)
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.hypso");
    std::fs::write(&path, store_of(&footprints).bytes()).unwrap();
    let store = Store::open(&path).unwrap();
    let box_of = |i: usize| Bounds::new(footprints[i].min_x, footprints[i].min_y, 6e4, 5e4);
    let places: Vec<Bounds> = (0..3000).step_by(100).map(box_of).collect();
    let (mut answers, mut rows) = (Answers::new(), Vec::new());
    for order in [Order::Row, Order::Candidate] {
        store.rows_overlapping_batch(&places, order, &mut answers);
        for (&place, answer) in places.iter().zip(answers.iter()) {
            store.rows_overlapping(place, order, &mut rows);
            assert_eq!(answer, rows);
            let mut expected = by_definition(&store, place.into());
            if order == Order::Candidate {
                expected.sort_by_key(|&row| store.records().rank[row as usize]);
            }
            assert_eq!(rows, expected);
        }
    }
}

#[test]
fn a_pole_is_held_by_what_reaches_the_rim_on_its_meridian() {
    let box_of = |west, south, east, north| Bounds::from_lon_lat(west, south, east, north);
    let store = store_of(&[
        box_of(-180.0, 80.0, 180.0, 90.0),
        box_of(0.0, 84.0, 10.0, 85.06),
        box_of(20.0, 84.0, 30.0, 85.05),
        box_of(-180.0, -90.0, 180.0, -85.0),
    ]);
    let names = |lon, lat| {
        let found = store.overlapping(LonLat::new(lon, lat).unwrap());
        found.map(|r| r.path().unwrap().replace(".tif", "")).collect::<BTreeSet<_>>().into_iter().collect::<String>()
    };
    assert_eq!((names(5.0, 90.0), names(25.0, 90.0), names(180.0, 90.0)), ("01".into(), "0".into(), "0".into()));
    assert_eq!((names(25.0, 85.0), names(25.0, -90.0), names(25.0, -84.0)), ("02".into(), "3".into(), String::new()));
    // A box up to the pole ends at the rim, one beyond it is no box of this map.
    let count = |text: &str| store.count_overlapping(text.parse::<LonLatBox>().unwrap());
    assert_eq!((count("0,84.5,40,90"), count("-180,-90,180,90")), (3, 4));
    assert!("0,86,40,90".parse::<LonLatBox>().is_err());
    for lat in [90.0, -90.0] {
        let rim = TileCoord::at_lon_lat(LonLat::new(-180.0, lat).unwrap(), 3);
        assert_eq!((rim.x(), rim.y()), (0, if lat > 0.0 { 0 } else { 7 }));
    }
}

#[test]
fn a_tile_is_asked_about_at_every_zoom_that_has_an_address() {
    let store = store_of(&[Bounds::new(0.0, 0.0, 10.0, 10.0)]);
    for z in 0..=MAX_ZOOM {
        assert_eq!(store.count_overlapping(TileCoord::at(5.0, 5.0, z)), 1, "zoom {z}");
        assert_eq!(store.count_overlapping(TileCoord::at(-5.0, 5.0, z)), usize::from(z == 0), "zoom {z}");
    }
}
