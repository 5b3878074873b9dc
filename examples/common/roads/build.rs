//! Writing a road network: two passes over the roads, and about 50 bytes a road in memory between them.

use std::path::Path;

use hypso::container::write_container;
use hypso::tile::Bounds;
use hypso::{Error, Result};

use super::{CLASSES, Country, Road, SCHEMA};

/// Where roads come from, by ascending id; read twice.
pub trait Roads {
    fn for_each(&self, each: &mut dyn FnMut(&Road) -> Result<()>) -> Result<()>;
}

impl Roads for Country {
    fn for_each(&self, each: &mut dyn FnMut(&Road) -> Result<()>) -> Result<()> {
        Country::for_each(self, each)
    }
}

impl Roads for Vec<Road> {
    fn for_each(&self, each: &mut dyn FnMut(&Road) -> Result<()>) -> Result<()> {
        self.iter().try_for_each(each)
    }
}

/// What the first pass keeps of all roads.
#[derive(Default)]
struct Topology {
    ids: Vec<i32>,
    /// Start and end.
    nodes: Vec<[u32; 2]>,
    one_way: Vec<bool>,
    /// Directions in which the road leaves its start and arrives at its end, degrees from east, anticlockwise.
    headings: Vec<[f32; 2]>,
    points: u64,
    node_count: u32,
}

impl Topology {
    fn of(roads: &impl Roads) -> Result<Self> {
        let mut all = Self::default();
        roads.for_each(&mut |road| {
            let bad = |problem: &str| Err(Error::argument(format!("road {}", road.id), problem));
            if road.id < 0 || all.ids.last().is_some_and(|&last| last >= road.id) {
                return bad("its id is negative or not above the one before it");
            }
            let ([a, b, ..], [.., y, z]) = (&road.line[..], &road.line[..]) else {
                return bad("has less than two points");
            };
            let heading = |a: &(f64, f64), b: &(f64, f64)| (b.1 - a.1).atan2(b.0 - a.0).to_degrees() as f32;
            all.ids.push(road.id);
            all.nodes.push([road.start, road.end]);
            all.one_way.push(road.one_way);
            all.headings.push([heading(a, b), heading(y, z)]);
            all.points += road.line.len() as u64;
            all.node_count = all.node_count.max(road.start + 1).max(road.end + 1);
            Ok(())
        })?;
        Ok(all)
    }

    /// Both directions of all roads by ascending id: the road's place, and whether it is driven backwards. `!id` is the id of
    /// the way back, so ways back come first, from the last road to the first.
    fn edges(&self) -> impl Iterator<Item = (u32, bool)> + '_ {
        let roads = 0..self.ids.len() as u32;
        let back = roads.clone().rev().filter(|&road| !self.one_way[road as usize]).map(|road| (road, true));
        back.chain(roads.map(|road| (road, false)))
    }

    /// The node where an edge begins or ends.
    fn node(&self, (road, backwards): (u32, bool), end: bool) -> u32 {
        self.nodes[road as usize][usize::from(end != backwards)]
    }

    /// The direction in which an edge begins or ends.
    fn heading(&self, (road, backwards): (u32, bool), end: bool) -> f32 {
        let along = self.headings[road as usize][usize::from(end != backwards)];
        if backwards { along + 180.0 } else { along }
    }

    /// The edges that begin or end at each node, by row: offsets and rows.
    fn at_nodes(&self, end: bool) -> (Vec<u32>, Vec<u32>) {
        let mut offsets = vec![0u32; self.node_count as usize + 1];
        self.edges().for_each(|edge| offsets[self.node(edge, end) as usize + 1] += 1);
        for node in 1..offsets.len() {
            offsets[node] += offsets[node - 1];
        }
        let mut rows = vec![0; offsets.last().map_or(0, |&last| last as usize)];
        let mut next = offsets.clone();
        for (row, edge) in (0..).zip(self.edges()) {
            let place = &mut next[self.node(edge, end) as usize];
            rows[*place as usize] = row;
            *place += 1;
        }
        (offsets, rows)
    }
}

/// The turn from one direction into another: degrees, above 0 to the left, 180 back.
fn turn(from: f32, to: f32) -> f32 {
    let turn = (to - from).rem_euclid(360.0);
    if turn > 180.0 { turn - 360.0 } else { turn }
}

/// Writes the file whole or not at all.
pub fn write(path: impl AsRef<Path>, roads: &impl Roads, about: &str) -> Result<()> {
    let all = Topology::of(roads)?;
    let count = all.ids.len() as u64;
    write_container(path, SCHEMA, |out| {
        out.json("about", about)?;
        out.ragged("class.name", CLASSES, false)?;

        // Roads: what is asked by row, in the order of ids.
        let mut boxes = out.begin_boxes("road", all.ids.len())?;
        let mut lines = out.begin_list::<f32>("road.line", count, all.points * 2)?;
        let mut length = out.begin_column::<f32>("road.length", count)?;
        let mut class = out.begin_column::<u8>("road.class", count)?;
        let mut nodes = out.begin_column::<u32>("road.nodes", count * 2)?;
        let mut flat = Vec::new();
        roads.for_each(&mut |road| {
            let mut b = Bounds::new(f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY);
            for &(x, y) in &road.line {
                b = Bounds::new(b.min_x.min(x), b.min_y.min(y), b.max_x.max(x), b.max_y.max(y));
            }
            // From the box's corner, where 32 bits are millimetres.
            flat.clear();
            flat.extend(road.line.iter().flat_map(|&(x, y)| [(x - b.min_x) as f32, (y - b.min_y) as f32]));
            boxes.push(out, &b)?;
            lines.push(out, &flat)?;
            length.push(out, &[road.length() as f32])?;
            class.push(out, &[road.class])?;
            nodes.push(out, &[road.start, road.end])
        })?;
        boxes.end(out)?;
        lines.end(out)?;
        length.end(out)?;
        class.end(out)?;
        nodes.end(out)?;

        // Edges: a road in one direction. The bitmap turns ids into rows.
        let id = |(road, backwards): (u32, bool)| {
            let id = all.ids[road as usize];
            if backwards { !id } else { id }
        };
        let edges: Vec<(u32, bool)> = all.edges().collect();
        out.signed_bitmap_ids("edge.id", &edges.iter().map(|&edge| i64::from(id(edge))).collect::<Vec<_>>())?;
        let mut ids = out.begin_column::<i32>("edge.id", edges.len() as u64)?;
        let mut road = out.begin_column::<u32>("edge.road", edges.len() as u64)?;
        for &edge in &edges {
            ids.push(out, &[id(edge)])?;
            road.push(out, &[edge.0])?;
        }
        ids.end(out)?;
        road.end(out)?;

        // Transitions: the edges that begin where each one ends, and the other way round.
        let (begin, finish) = (all.at_nodes(false), all.at_nodes(true));
        let transitions =
            |node: usize| u64::from(begin.0[node + 1] - begin.0[node]) * u64::from(finish.0[node + 1] - finish.0[node]);
        let count: u64 = (0..all.node_count as usize).map(transitions).sum();
        for (name, turn_name, (offsets, rows), forwards) in
            [("edge.next", "edge.next_turn", &begin, true), ("edge.previous", "edge.previous_turn", &finish, false)]
        {
            let mut list = out.begin_list::<u32>(name, edges.len() as u64, count)?;
            let mut turns = out.begin_column::<f32>(turn_name, count)?;
            let mut angles = Vec::new();
            for &edge in &edges {
                let node = all.node(edge, forwards) as usize;
                let others = &rows[offsets[node] as usize..offsets[node + 1] as usize];
                angles.clear();
                angles.extend(others.iter().map(|&other| {
                    let (a, b) = if forwards { (edge, edges[other as usize]) } else { (edges[other as usize], edge) };
                    turn(all.heading(a, true), all.heading(b, false))
                }));
                list.push(out, others)?;
                turns.push(out, &angles)?;
            }
            list.end(out)?;
            turns.end(out)?;
        }
        Ok(())
    })
}
