//! Plans: every tile once, finest first, nothing left out.

use crate::common;
use std::collections::BTreeSet;
use std::sync::Arc;

use hypso::plan::{Coverage, Plan, PlanOptions};
use hypso::tile::{Bounds, TileCoord, TileRange};

fn tiles(plan: &Plan, store: &hypso::Store) -> Vec<TileCoord> {
    let units = plan.groups.iter().flat_map(|g| &g.steps).flat_map(|s| &s.units);
    units.flat_map(|u| u.zooms.iter().flat_map(|z| plan.extent.tiles(store, u.block, z)).collect::<Vec<_>>()).collect()
}

#[test]
fn every_pattern_plans_the_same_tiles_once() {
    let store = common::store(300, 1);
    let expected: u64 = (0..=22).map(|z| store.tiles().count(z)).sum();
    for pattern in ["single", "balanced", "safe", "fast", "incremental", "0-3,4-12,13-22"] {
        let plan =
            Plan::new(&store, &PlanOptions { pattern: pattern.parse().unwrap(), ..PlanOptions::default() }).unwrap();
        assert_eq!(plan.tiles(), expected);
        let all = tiles(&plan, &store);
        assert_eq!(all.len() as u64, expected);
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len() as u64, expected, "{pattern}");
        let zooms: Vec<u8> = plan.groups.iter().flat_map(|g| &g.steps).map(|s| s.zooms.max).collect();
        assert!(zooms.windows(2).all(|w| w[0] > w[1]), "finest first");
        assert!(plan.groups.iter().flat_map(|g| &g.steps).flat_map(|s| &s.units).all(|u| u.tiles <= 85));
    }
}

#[test]
fn zooms_and_boxes_only_remove_tiles_and_keep_what_others_are_means_of() {
    let store = common::store(300, 2);
    let some = store.record(0).unwrap().bounds();
    let bounds = Bounds::new(some.min_x, some.min_y, some.min_x + 5000.0, some.min_y + 5000.0);
    let plan = Plan::new(
        &store,
        &PlanOptions {
            min_zoom: Some(8),
            max_zoom: Some(11),
            area: Some(Arc::new(bounds.into())),
            ..PlanOptions::default()
        },
    )
    .unwrap();
    let planned: BTreeSet<TileCoord> = tiles(&plan, &store).into_iter().collect();
    for z in 8..=14 {
        let world = TileCoord::new(0, 0, 0).unwrap();
        for tile in store.tiles().iter_subtree(world, z) {
            let up = tile.ancestor(8).unwrap();
            assert_eq!(planned.contains(&tile), up.bounds().overlaps(&bounds), "{tile}");
        }
    }
    assert!(planned.iter().all(|t| t.z() >= 8));
    let wanted = planned.iter().filter(|&&t| plan.extent.wants(t)).count() as u64;
    let expected: u64 = (8..=11)
        .map(|z| TileRange::covering(&bounds, z).unwrap().iter().filter(|&t| store.tiles().contains(t)).count() as u64)
        .sum();
    assert_eq!(wanted, expected);
    assert_eq!(plan.intermediate_tiles(&store), planned.len() as u64 - wanted);
}

#[test]
fn full_coverage_reaches_the_last_zoom_everywhere() {
    let store = common::store(60, 3);
    let (native, full) = (Coverage::Native, Coverage::Full);
    let plan =
        |coverage, max_zoom| Plan::new(&store, &PlanOptions { coverage, max_zoom, ..PlanOptions::default() }).unwrap();
    let all = tiles(&plan(full, Some(13)), &store);
    for z in 0..=13u8 {
        let expected: BTreeSet<TileCoord> = store
            .records()
            .iter()
            .flat_map(|r| TileRange::covering(&r.bounds(), z).unwrap().iter().collect::<Vec<_>>())
            .collect();
        let found: BTreeSet<TileCoord> = all.iter().copied().filter(|t| t.z() == z).collect();
        assert_eq!(found, expected, "zoom {z}");
    }
    assert!(plan(native, None).tiles() <= plan(full, None).tiles());
}

#[test]
fn impossible_wishes_are_refused_with_a_reason() {
    let store = common::store(30, 4);
    let fails = |o: PlanOptions| Plan::new(&store, &o).unwrap_err().to_string();
    assert!(
        fails(PlanOptions { min_zoom: Some(9), max_zoom: Some(3), ..PlanOptions::default() }).contains("impossible")
    );
    assert!(fails(PlanOptions { min_zoom: Some(22), ..PlanOptions::default() }).contains("22"));
    assert!(fails(PlanOptions { max_zoom: Some(40), ..PlanOptions::default() }).contains("22"));
    assert!(
        fails(PlanOptions {
            min_zoom: Some(5),
            area: Some(Arc::new(Bounds::from_lon_lat(0.0, 0.0, 1.0, 1.0).into())),
            ..PlanOptions::default()
        })
        .starts_with("area: no record")
    );
}
