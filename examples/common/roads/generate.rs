//! A country of any size, made up town by town: streets in towns, highways between them. The same seed gives the same one.

use hypso::tile::TileId;

use super::Random;

/// Where the country lies, EPSG:3857 metres: its south-western corner.
const ORIGIN: (f64, f64) = (1.40e7, 3.6e6);
/// The side of the square that each town has to itself, metres.
const CELL: f64 = 4_000.0;

pub const CLASSES: [&str; 4] = ["highway", "main street", "street", "lane"];

/// One road between two nodes. Its id is not negative; driven from end to start it has the id `!id`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Road {
    pub id: i32,
    /// Nodes are numbered over the whole country.
    pub start: u32,
    pub end: u32,
    /// A place in [`CLASSES`].
    pub class: u8,
    pub one_way: bool,
    /// At least two points, EPSG:3857 metres.
    pub line: Vec<(f64, f64)>,
}

impl Road {
    /// Metres of the projection, along the line.
    pub fn length(&self) -> f64 {
        self.line.windows(2).map(|p| (p[1].0 - p[0].0).hypot(p[1].1 - p[0].1)).sum()
    }
}

/// What has to be known of a town before others can be made.
#[derive(Debug, Clone, Copy)]
struct Town {
    first_node: u32,
    first_id: i32,
    /// Nodes of its square grid of streets, along one side.
    side: u32,
    hub: (f64, f64),
}

/// A country; holds some numbers for each town, and makes one town at a time.
#[derive(Debug)]
pub struct Country {
    seed: u64,
    towns: Vec<Town>,
    roads: usize,
}

/// Towns lie on a grid of 2^ZOOM cells a side, along a Hilbert curve, so that near towns have near numbers.
const ZOOM: u8 = 9;

impl Country {
    /// A country of at least so many roads, at most some hundreds more (and some highways). Makes all towns once, to count.
    pub fn new(roads: usize, seed: u64) -> Self {
        let mut country = Self { seed, towns: Vec::new(), roads: 0 };
        let (mut first_node, mut first_id, mut count) = (0, 0, 0);
        while count < roads && country.towns.len() < 1 << (2 * ZOOM) {
            let town = country.found(country.towns.len() as u64);
            country.towns.push(Town { first_node, first_id, ..town });
            (first_node, first_id) = country.streets(country.towns.len() - 1, &mut |_| count += 1);
        }
        country.highways(&mut |_| count += 1);
        country.roads = count;
        country
    }

    /// How many roads.
    pub fn len(&self) -> usize {
        self.roads
    }

    /// Calls `each` with all roads by ascending id.
    pub fn for_each<E>(&self, mut each: impl FnMut(&Road) -> Result<(), E>) -> Result<(), E> {
        let mut result = Ok(());
        let mut pass = |road: &Road| {
            if result.is_ok() {
                result = each(road);
            }
        };
        for k in 0..self.towns.len() {
            self.streets(k, &mut pass);
        }
        self.highways(&mut pass);
        result
    }

    fn random(&self, town: u64, what: u64) -> Random {
        Random(Random(self.seed ^ town.wrapping_mul(0x2545_f491_4f6c_dd1d)).next() ^ what)
    }

    fn cell(&self, k: u64) -> (f64, f64) {
        let (x, y) = TileId(TileId::first(ZOOM).0 + k).coord().map_or((0, 0), |tile| (tile.x(), tile.y()));
        (ORIGIN.0 + f64::from(x) * CELL, ORIGIN.1 - f64::from(y) * CELL)
    }

    /// The site of a town.
    fn found(&self, k: u64) -> Town {
        let mut random = self.random(k, 1);
        let (x, y) = self.cell(k);
        // Some towns are large, most are small.
        let side = 8 + (random.unit().powi(2) * 28.0) as u32;
        let hub = (x + random.between(0.1, 0.2) * CELL, y + random.between(0.1, 0.2) * CELL);
        Town { first_node: 0, first_id: 0, side, hub }
    }

    /// Makes the streets of a town; gives the first node and the first id that are left for others.
    fn streets(&self, k: usize, each: &mut impl FnMut(&Road)) -> (u32, i32) {
        let town = &self.towns[k];
        let mut random = self.random(k as u64, 2);
        let spacing = random.between(70.0, 90.0);
        let turn = random.between(-0.2, 0.2);
        let side = town.side;
        let mut place = |i: u32, j: u32| {
            let (i, j) = (f64::from(i) * spacing, f64::from(j) * spacing);
            let jitter = 0.18 * spacing;
            let (i, j) = (i + random.between(-jitter, jitter), j + random.between(-jitter, jitter));
            (town.hub.0 + i * turn.cos() - j * turn.sin(), town.hub.1 + i * turn.sin() + j * turn.cos())
        };
        let mut nodes: Vec<(f64, f64)> = (0..side * side).map(|n| place(n % side, n / side)).collect();
        // The hub is the first node, exactly.
        nodes[0] = town.hub;
        let (mut next_node, mut id) = (town.first_node + side * side, town.first_id);
        let mut random = self.random(k as u64, 3);
        let mut road = Road::default();
        let mut put = |random: &mut Random, ends: [(u32, (f64, f64)); 2], class: u8| {
            road.id = id;
            // Every fourth id or so is not in use.
            id += 1 + i32::from(random.chance(0.25));
            (road.start, road.end, road.class) = (ends[0].0, ends[1].0, class);
            road.one_way = class > 0 && random.chance(0.077);
            bend(&mut road.line, ends[0].1, ends[1].1, if class < 2 { 0.02 } else { 0.08 }, random);
            each(&road);
        };
        for n in 0..side * side {
            let (i, j) = (n % side, n / side);
            for (there, along) in [((i + 1 < side).then_some(n + 1), j), ((j + 1 < side).then_some(n + side), i)] {
                let Some(other) = there else { continue };
                let main = along % 8 == 0;
                if !main && random.chance(0.20) {
                    continue;
                }
                let class = if main { 1 } else { 2 };
                let a = (town.first_node + n, nodes[n as usize]);
                let b = (town.first_node + other, nodes[other as usize]);
                // Many streets have a node between crossings, where a lane may start.
                if random.chance(0.36) {
                    let share = random.between(0.35, 0.65);
                    let middle = (a.1.0 + (b.1.0 - a.1.0) * share, a.1.1 + (b.1.1 - a.1.1) * share);
                    let m = (next_node, middle);
                    next_node += 1;
                    put(&mut random, [a, m], class);
                    put(&mut random, [m, b], class);
                    if random.chance(0.18) {
                        let end = (b.1.1 - a.1.1, a.1.0 - b.1.0);
                        let length = random.between(0.25, 0.4);
                        let end = (next_node, (middle.0 + end.0 * length, middle.1 + end.1 * length));
                        next_node += 1;
                        put(&mut random, [m, end], 3);
                    }
                } else {
                    put(&mut random, [a, b], class);
                }
            }
        }
        (next_node, id)
    }

    /// Makes the roads from each town's hub to the next one's along the curve, and to another. Their ids and nodes lie
    /// behind those of all towns.
    fn highways(&self, each: &mut impl FnMut(&Road)) {
        let Some(last) = self.towns.len().checked_sub(1) else { return };
        let mut random = self.random(last as u64, 4);
        let (mut next_node, mut id) = self.streets(last, &mut |_| {});
        let mut road = Road::default();
        for k in 0..last {
            let others = [Some(k + 1), Some(k + 3).filter(|&other| other <= last && k % 4 == 0)];
            for other in others.into_iter().flatten() {
                let (a, b) = (self.towns[k].hub, self.towns[other].hub);
                let distance = (b.0 - a.0).hypot(b.1 - a.1);
                let parts = (distance / 900.0).ceil().max(1.0) as u32;
                let mut from = (self.towns[k].first_node, a);
                for part in 1..=parts {
                    let to = if part == parts {
                        (self.towns[other].first_node, b)
                    } else {
                        next_node += 1;
                        let share = f64::from(part) / f64::from(parts);
                        let sway = random.between(-60.0, 60.0);
                        (next_node - 1, (a.0 + (b.0 - a.0) * share + sway, a.1 + (b.1 - a.1) * share - sway))
                    };
                    (road.id, road.start, road.end) = (id, from.0, to.0);
                    (road.class, road.one_way) = (0, false);
                    id += 1;
                    bend(&mut road.line, from.1, to.1, 0.03, &mut random);
                    each(&road);
                    from = to;
                }
            }
        }
    }
}

/// A line between two points with some in between, the more the longer it is.
fn bend(line: &mut Vec<(f64, f64)>, a: (f64, f64), b: (f64, f64), sway: f64, random: &mut Random) {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let between = (dx.hypot(dy) / 60.0) as u32 + u32::from(random.chance(0.6)) + u32::from(random.chance(0.4));
    let sway = random.between(-sway, sway);
    line.clear();
    line.push(a);
    for i in 1..=between {
        let t = f64::from(i) / f64::from(between + 1);
        let off = sway * 4.0 * t * (1.0 - t);
        line.push((a.0 + dx * t - dy * off, a.1 + dy * t + dx * off));
    }
    line.push(b);
}
