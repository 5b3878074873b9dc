//! Asking a road network.

use hypso::column::List;
use hypso::container::{Boxes, Container};
use hypso::index::dense::{Bitmap, Signed};
use hypso::store::RowId;
use hypso::tile::Bounds;
use hypso::{Error, Result};

/// What the sections of these files mean; up to 16 bytes.
pub const SCHEMA: &str = "road-network";

/// The views of an open file; made in microseconds, and free to copy.
///
/// An *edge* is a road in one direction: `id` along its line, `!id` back. Ids are for the world outside; inside, everything
/// goes by row, so that a walk looks nothing up.
#[derive(Debug, Clone, Copy)]
pub struct Network<'a> {
    ids: Signed<Bitmap<'a>>,
    id_of: &'a [i32],
    road_of: &'a [u32],
    next: List<'a, u32>,
    next_turn: &'a [f32],
    previous: List<'a, u32>,
    previous_turn: &'a [f32],
    boxes: Boxes<'a>,
    lines: List<'a, f32>,
    length: &'a [f32],
    class: &'a [u8],
    nodes: &'a [u32],
}

impl<'a> Network<'a> {
    /// The network in a file.
    pub fn new(file: &'a Container) -> Result<Self> {
        file.expect_schema(SCHEMA)?;
        let network = Self {
            ids: file.signed_bitmap_ids("edge.id")?,
            id_of: file.column("edge.id")?,
            road_of: file.column("edge.road")?,
            next: file.list("edge.next")?,
            next_turn: file.column("edge.next_turn")?,
            previous: file.list("edge.previous")?,
            previous_turn: file.column("edge.previous_turn")?,
            boxes: file.boxes("road")?,
            lines: file.list("road.line")?,
            length: file.column("road.length")?,
            class: file.column("road.class")?,
            nodes: file.column("road.nodes")?,
        };
        let (edges, roads) = (network.id_of.len(), network.length.len());
        let fits = [network.ids.len() as usize, network.road_of.len(), network.next.len(), network.previous.len()]
            == [edges; 4]
            && [network.boxes.len(), network.lines.len(), network.class.len()] == [roads; 3]
            && network.nodes.len() == roads * 2
            && network.next_turn.len() == network.next.values().len()
            && network.previous_turn.len() == network.previous.values().len();
        if fits {
            Ok(network)
        } else {
            Err(Error::invalid("columns", "do not fit one another", "build the road network again"))
        }
    }

    /// How many roads.
    pub fn roads(&self) -> usize {
        self.length.len()
    }

    /// How many edges: roads, and those that may be driven back once more.
    pub fn edges(&self) -> usize {
        self.id_of.len()
    }

    /// How many transitions from an edge to another.
    pub fn transitions(&self) -> usize {
        self.next_turn.len()
    }

    /// The row of an edge.
    pub fn row(&self, id: i32) -> Option<RowId> {
        self.ids.row(i64::from(id))
    }

    /// The id of an edge.
    pub fn id(&self, edge: RowId) -> Option<i32> {
        self.id_of.get(edge as usize).copied()
    }

    /// The ids of the edges that can be driven after this one, with the angle of the turn in degrees: above 0 to the left,
    /// 180 for a U-turn.
    pub fn successors(&self, id: i32) -> Result<impl Iterator<Item = (i32, f32)> + use<'a>> {
        self.neighbours(id, self.next, self.next_turn)
    }

    /// The ids of the edges that this one can be driven after.
    pub fn predecessors(&self, id: i32) -> Result<impl Iterator<Item = (i32, f32)> + use<'a>> {
        self.neighbours(id, self.previous, self.previous_turn)
    }

    fn neighbours(
        &self,
        id: i32,
        list: List<'a, u32>,
        turns: &'a [f32],
    ) -> Result<impl Iterator<Item = (i32, f32)> + use<'a>> {
        let row = self.row(id).ok_or_else(|| Error::not_found(format!("there is no edge {id}")))? as usize;
        let (rows, turns) = (list.get(row)?, turns.get(list.range(row)?).unwrap_or(&[]));
        let ids = self.id_of;
        Ok(rows.iter().zip(turns).filter_map(move |(&row, &turn)| Some((*ids.get(row as usize)?, turn))))
    }

    /// The rows of the edges after this one.
    pub fn next(&self, edge: RowId) -> Result<&'a [RowId]> {
        self.next.get(edge as usize)
    }

    /// The angles of the turns to them.
    pub fn next_turns(&self, edge: RowId) -> Result<&'a [f32]> {
        Ok(self.next_turn.get(self.next.range(edge as usize)?).unwrap_or(&[]))
    }

    /// The rows of the edges before this one.
    pub fn previous(&self, edge: RowId) -> Result<&'a [RowId]> {
        self.previous.get(edge as usize)
    }

    /// The row of an edge's road.
    pub fn road(&self, edge: RowId) -> Option<RowId> {
        self.road_of.get(edge as usize).copied()
    }

    /// The length of an edge, metres of the projection.
    pub fn length(&self, edge: RowId) -> f32 {
        self.road(edge).and_then(|road| self.length.get(road as usize).copied()).unwrap_or(f32::NAN)
    }

    /// The class of an edge, a row of `class.name`.
    pub fn class(&self, edge: RowId) -> Option<u8> {
        self.class.get(self.road(edge)? as usize).copied()
    }

    /// The length of a road and its class: who needs both looks the road of an edge up once.
    pub fn length_and_class(&self, road: RowId) -> Option<(f32, u8)> {
        Some((*self.length.get(road as usize)?, *self.class.get(road as usize)?))
    }

    /// The nodes where an edge begins and ends.
    pub fn nodes(&self, edge: RowId) -> Option<[u32; 2]> {
        let road = self.road(edge)? as usize;
        let &[start, end] = self.nodes.get(road * 2..road * 2 + 2)? else { return None };
        Some(if self.is_backwards(edge) { [end, start] } else { [start, end] })
    }

    /// True where the edge runs against the line of its road.
    pub fn is_backwards(&self, edge: RowId) -> bool {
        self.id_of.get(edge as usize).is_some_and(|&id| id < 0)
    }

    /// The edges of a road: along its line, and back where that may be driven.
    pub fn edges_of(&self, road: RowId) -> impl Iterator<Item = RowId> + use<'a> {
        let forwards = (self.edges() - self.roads()) as u32 + road;
        let id = self.id(forwards);
        let back = id.and_then(|id| self.row(!id));
        id.map(|_| forwards).into_iter().chain(back)
    }

    /// The points of a road, EPSG:3857 metres.
    pub fn line(&self, road: RowId) -> Result<impl ExactSizeIterator<Item = (f64, f64)> + use<'a>> {
        let line = self.lines.get(road as usize)?;
        let (x, y) = self.boxes.get(road).map_or((f64::NAN, f64::NAN), |b| (b.min_x, b.min_y));
        Ok(line.as_chunks::<2>().0.iter().map(move |p| (x + f64::from(p[0]), y + f64::from(p[1]))))
    }

    /// Where a road comes nearest to a point: metres along its line, and from it.
    pub fn project(&self, road: RowId, x: f64, y: f64) -> Result<(f64, f64)> {
        let (mut best, mut along, mut last) = ((0.0, f64::INFINITY), 0.0, None);
        for (bx, by) in self.line(road)? {
            if let Some((ax, ay)) = last.replace((bx, by)) {
                let (dx, dy) = (bx - ax, by - ay);
                let square = dx * dx + dy * dy;
                let t = if square > 0.0 { (((x - ax) * dx + (y - ay) * dy) / square).clamp(0.0, 1.0) } else { 0.0 };
                let (distance, length) = ((ax + t * dx - x).hypot(ay + t * dy - y), square.sqrt());
                if distance < best.1 {
                    best = (along + t * length, distance);
                }
                along += length;
            }
        }
        Ok(best)
    }

    /// The road nearest to a point and its distance in metres.
    pub fn nearest(&self, x: f64, y: f64) -> Option<(RowId, f64)> {
        self.by_distance(x, y).next()
    }

    /// Roads by their distance from a point.
    pub fn by_distance(&self, x: f64, y: f64) -> impl Iterator<Item = (RowId, f64)> + use<'a> {
        let network = *self;
        // A damaged line is at no distance at all; others are found.
        self.boxes
            .nearest(x, y, move |road| network.project(road, x, y).map_or(f64::INFINITY, |(_, distance)| distance))
    }

    /// Calls `each` with the roads whose boxes come this near to a point.
    pub fn around(&self, x: f64, y: f64, metres: f64, each: impl FnMut(RowId)) {
        self.boxes.search(&Bounds::new(x - metres, y - metres, x + metres, y + metres), each);
    }
}
