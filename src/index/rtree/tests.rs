use super::levels::Levels;
use super::node::{Engine, Node, Plain};
use super::*;
use crate::index::grid::Steps;
use proptest::prelude::*;
use std::ops::ControlFlow;

fn brute(boxes: &[Bounds], q: &Bounds) -> Vec<u32> {
    (0..boxes.len() as u32).filter(|&i| boxes[i as usize].overlaps(q)).collect()
}

fn search<E: Engine>(tree: &RTree<'_>, boxes: &[Bounds], q: &Bounds) -> Vec<u32> {
    let mut rows = Vec::new();
    let _ = tree.walk::<(), E, ()>(&[Steps::from(q)], &[()], |(), f| {
        take(&mut rows, boxes, q, f);
        ControlFlow::Continue(())
    });
    rows
}

fn take(rows: &mut Vec<u32>, boxes: &[Bounds], q: &Bounds, found: Found) {
    found.add_to(rows, |row| boxes[row as usize].overlaps(q));
}

proptest! {
    #[test]
    fn the_extent_is_that_of_all_boxes(boxes in prop::collection::vec(a_box(), 0..300)) {
        let values = build(boxes.iter().copied());
        let found = RTree::new(&values, boxes.len()).unwrap().extent();
        let half = web_mercator::HALF_WORLD;
        // What lies outside of the world is kept at its rim.
        let kept = |at: f64| at.clamp(-half, half);
        let all = boxes.iter().copied().reduce(|all, one| all.union(&one));
        let all = all.map(|b| Bounds::new(kept(b.min_x), kept(b.min_y), kept(b.max_x), kept(b.max_y)));
        prop_assert_eq!(found.is_some(), all.is_some());
        if let (Some(found), Some(all)) = (found, all) {
            let off = |a: f64, b: f64| (a - b).abs() < 0.02;
            let near = off(found.min_x, all.min_x) && off(found.min_y, all.min_y) && off(found.max_x, all.max_x) && off(found.max_y, all.max_y);
            prop_assert!(near, "{:?} {:?}", found, all);
        }
    }
}

prop_compose! {
    /// Boxes of any size; many share edges with others and with queries.
    fn a_box()(x in -2.1e7f64..2.1e7, y in -2.1e7f64..2.1e7, w in 0.001f64..3e6, h in 0.001f64..3e6, coarse in any::<bool>())
        -> Bounds
    {
        let cut = |v: f64| if coarse { (v / 1e6).round() * 1e6 } else { v };
        Bounds::new(cut(x), cut(y), cut(x) + cut(w).max(1.0), cut(y) + cut(h).max(1.0))
    }
}

proptest! {
    #[test]
    fn finds_what_a_scan_finds(
        boxes in prop::collection::vec(a_box(), 0..1500),
        queries in prop::collection::vec(a_box(), 1..20),
    ) {
        let values = build(boxes.iter().copied());
        let tree = RTree::new(&values, boxes.len()).unwrap();
        tree.verify(boxes.iter().copied()).unwrap();
        for q in &queries {
            let expected = brute(&boxes, q);
            let mut rows = Vec::new();
            tree.search(q, |f| take(&mut rows, &boxes, q, f));
            prop_assert_eq!(&rows, &expected);
            prop_assert_eq!(&search::<Plain>(&tree, &boxes, q), &expected);
            #[cfg(target_arch = "x86_64")]
            prop_assert_eq!(&search::<super::node::Sse2>(&tree, &boxes, q), &expected);
        }
        let mut answers = vec![Vec::new(); queries.len()];
        let batch = queries.len().min(BATCH);
        tree.search_batch(&queries, |i, f| take(&mut answers[i], &boxes, &queries[i], f));
        for (q, rows) in queries[..batch].iter().zip(&answers) {
            prop_assert_eq!(rows, &brute(&boxes, q));
        }
    }

    #[test]
    fn engines_agree_on_any_node(values in prop::collection::vec(0u32..8, 64), edges in prop::array::uniform4(0u32..8), high in any::<bool>()) {
        // Both ends of the range: comparison must be unsigned.
        let far = |v: u32| if high { v.wrapping_sub(4) } else { v };
        let mut node: Node = [[0; FAN_OUT]; 4];
        values.iter().enumerate().for_each(|(i, &v)| node[i / FAN_OUT][i % FAN_OUT] = far(v));
        let [a, b, c, d] = edges.map(far);
        let q = Steps { min_x: a.min(c), min_y: b.min(d), max_x: a.max(c), max_y: b.max(d) };
        let masked = |(first, second): (u32, u32)| (first, first & second);
        let (inner, leaf) = (masked(Plain::inner(&node, &q)), masked(Plain::leaf(&node, &q)));
        #[cfg(target_arch = "x86_64")]
        {
            use super::node::{Avx2, Sse2};
            prop_assert_eq!((masked(Sse2::inner(&node, &q)), masked(Sse2::leaf(&node, &q))), (inner, leaf));
            if std::arch::is_x86_feature_detected!("avx2") {
                prop_assert_eq!((masked(Avx2::inner(&node, &q)), masked(Avx2::leaf(&node, &q))), (inner, leaf));
            }
        }
        #[cfg(target_arch = "aarch64")]
        prop_assert_eq!((masked(super::node::Neon::inner(&node, &q)), masked(super::node::Neon::leaf(&node, &q))), (inner, leaf));
        let _ = (inner, leaf);
    }

    #[test]
    fn nearest_gives_rows_by_distance(boxes in prop::collection::vec(a_box(), 0..300), x in -2.1e7f64..2.1e7, y in -2.1e7f64..2.1e7) {
        let values = build(boxes.iter().copied());
        let tree = RTree::new(&values, boxes.len()).unwrap();
        let distance = |row: u32| {
            let b = &boxes[row as usize];
            (b.min_x - x).max(x - b.max_x).max(0.0).hypot((b.min_y - y).max(y - b.max_y).max(0.0))
        };
        let found: Vec<(u32, f64)> = tree.nearest(|b| Bounds::new(x, y, x, y).distance(b), |row| (distance(row), row)).collect();
        let mut expected: Vec<(u32, f64)> = (0..boxes.len() as u32).map(|row| (row, distance(row))).collect();
        expected.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
        prop_assert_eq!(found, expected);
    }
}

proptest! {
    #[test]
    fn the_closest_are_the_first_of_a_scan(
        boxes in prop::collection::vec(a_box(), 0..1500),
        // Places inside the world, some of them on the edges of boxes and at its rim.
        places in prop::collection::vec((-2.0e7f64..2.0e7, -2.0e7f64..2.0e7, 0.0f64..4e5, any::<bool>(), any::<bool>()), 1..8),
        count in 0usize..40,
    ) {
        let values = build(boxes.iter().copied());
        let tree = RTree::new(&values, boxes.len()).unwrap();
        // Ranks that are not the order of rows.
        let rank = |row: u32| row.wrapping_mul(2_654_435_761);
        for (x, y, size, coarse, around) in places {
            let size = if size < 1e5 { 0.0 } else { size };
            let rim = web_mercator::HALF_WORLD;
            let cut = |v: f64| if coarse && v > 1.9e7 { rim - size } else if coarse { (v / 1e6).round() * 1e6 } else { v };
            let (x, y) = (cut(x).min(rim - size), cut(y).min(rim - size));
            // A sum may lie a hair behind the rim.
            let place = Bounds::new(x, y, (x + size).min(rim), (y + size).min(rim));
            let distance = |row: u32| {
                let b = &boxes[row as usize];
                if around { place.distance_around(b) } else { place.distance(b) }
            };
            let mut expected: Vec<(u32, f64)> = (0..boxes.len() as u32).map(|row| (row, distance(row))).collect();
            expected.sort_by(|a, b| a.1.total_cmp(&b.1).then(rank(a.0).cmp(&rank(b.0))));
            let target = Target::new(&place, around).unwrap();
            for count in [count, boxes.len()] {
                let found = tree.closest(&target, count, distance, rank);
                prop_assert_eq!(&found[..], &expected[..count.min(expected.len())], "{:?}", place);
            }
        }
    }
}

#[test]
fn what_is_no_box_in_the_world_is_no_target() {
    let target = |a: f64, b: f64| Target::new(&Bounds::new(a, 0.0, b, 0.0), true);
    assert!(target(0.0, 0.0).is_some() && target(-web_mercator::HALF_WORLD, web_mercator::HALF_WORLD).is_some());
    for (a, b) in [(1.0, 0.0), (f64::NAN, 0.0), (0.0, f64::NAN), (0.0, 2.1e7), (f64::NEG_INFINITY, 0.0)] {
        assert!(target(a, b).is_none(), "{a} {b}");
    }
}

#[test]
fn large_answers_come_in_row_order() {
    // More nodes on a level than are looked at together.
    let boxes: Vec<Bounds> = (0..60_000u32)
        .map(|i| {
            let (x, y) = (f64::from(i % 245) * 1000.0, f64::from(i / 245) * 1000.0);
            Bounds::new(x, y, x + 1000.0, y + 1000.0)
        })
        .collect();
    let values = build(boxes.iter().copied());
    let tree = RTree::new(&values, boxes.len()).unwrap();
    for q in [
        Bounds::new(500.0, 500.0, 200_500.0, 200_500.0),
        Bounds::new(1000.0, 1000.0, 244_000.0, 2000.0),
        Bounds::new(-1e7, -1e7, 1e7, 1e7),
        Bounds::new(3000.0, -1e7, 4000.0, 1e7),
    ] {
        let mut rows = Vec::new();
        tree.search(&q, |f| take(&mut rows, &boxes, &q, f));
        assert_eq!(rows, brute(&boxes, &q));
    }
}

#[test]
fn levels_of_any_number_of_rows() {
    assert_eq!(Levels::of(0).total, 0);
    assert_eq!(
        (Levels::of(257).nodes, Levels::of(257).first[..3].to_vec()),
        ([1, 2, 17, 0, 0, 0, 0, 0], vec![0, 1, 3])
    );
    let most = Levels::of(u32::MAX as usize);
    assert_eq!((most.depth, most.nodes[0], most.nodes[7]), (8, 1, 1 << 28));
}

#[test]
fn survives_values_that_are_noise() {
    let values: Vec<u32> = (0..length(5000) as u32).map(|i| i.wrapping_mul(2_654_435_761)).collect();
    let tree = RTree::new(&values, 5000).unwrap();
    let everywhere = Bounds::new(-1e7, -1e7, 1e7, 1e7);
    let mut rows = Vec::new();
    tree.search(&everywhere, |f| f.add_to(&mut rows, |row| row < 5000));
    assert!(rows.iter().all(|&row| row < 5000));
    assert_eq!(tree.nearest(|_| 0.0, |_| (f64::NAN, 0)).count(), 5000);
    assert_eq!(tree.nearest(|_| f64::NAN, |_| (0.0, 0)).count(), 0);
    let target = Target::new(&Bounds::new(0.0, 0.0, 1e6, 1e6), true).unwrap();
    assert_eq!(
        tree.closest(&target, 10_000, |_| f64::NAN, |_| 0).iter().filter(|(_, distance)| *distance != 0.0).count(),
        0
    );
    assert!(tree.closest(&target, 7, |_| 1.0, |row| row).len() <= 7);
    assert!(RTree::new(&values[1..], 5000).is_err());
}
