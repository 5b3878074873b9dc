//! A box for each row and a tree over them, in a container of any schema.

use super::Container;
use crate::error::{Error, Result};
use crate::format::{ElementType, Kind, Origin};
use crate::index::RowId;
use crate::index::rtree::{self, RTree};
use crate::tile::Bounds;

const REBUILD: &str = "build the file again from its sources";

/// Boxes of rows in EPSG:3857 metres, which may be points, and a packed R-tree over them.
#[derive(Debug, Clone, Copy)]
pub struct Boxes<'a> {
    origin: &'a Origin,
    /// The name of the tree's section.
    name: &'a str,
    tree: RTree<'a>,
    edges: [&'a [f64]; 4],
}

/// The columns of the edges, behind the prefix.
pub(super) const EDGES: [&str; 4] = ["min_x", "min_y", "max_x", "max_y"];

impl<'a> Boxes<'a> {
    pub(super) fn find(container: &'a Container, prefix: &str) -> Result<Self> {
        let mut edges = [&[][..]; 4];
        for (place, edge) in edges.iter_mut().zip(EDGES) {
            *place = container.column::<f64>(&format!("{prefix}.{edge}"))?;
        }
        let rows = edges[0].len();
        let name = format!("{prefix}.tree");
        let origin = container.sections().origin();
        let bad = |problem: String| origin.name(Error::invalid(format!("section {name:?}"), problem, REBUILD));
        if edges.iter().any(|edge| edge.len() != rows) || rows >= u32::MAX as usize {
            return Err(bad("belongs to columns of different lengths, or of too many rows".into()));
        }
        let values = container.sections().raw(&name, Kind::Tree, ElementType::U32, Some(rtree::length(rows) as u64))?;
        let fan_out = container.sections().find(&name, Kind::Tree).map_or(0, |e| e.parameter());
        if fan_out as usize != rtree::FAN_OUT {
            return Err(bad(format!("has nodes of {fan_out} boxes; {} expected", rtree::FAN_OUT)));
        }
        let label = container.sections().find(&name, Kind::Tree).map_or("?", |e| e.label());
        let tree = RTree::new(crate::column::view(container.bytes(), &values), rows).map_err(|e| origin.name(e))?;
        Ok(Self { origin, name: label, tree, edges })
    }

    /// How many rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.edges[0].len()
    }

    /// True without rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Checks that no box is turned inside out and that the tree is exactly the one that the boxes give.
    ///
    /// # Errors
    /// Where that does not hold. Reads all of it.
    pub fn verify(&self) -> Result<()> {
        let all = || (0..self.len() as RowId).filter_map(|row| self.get(row));
        let good = |b: &Bounds| {
            let finite = [b.min_x, b.min_y, b.max_x, b.max_y].iter().all(|edge| edge.is_finite());
            finite && b.min_x <= b.max_x && b.min_y <= b.max_y
        };
        if let Some(row) = all().position(|b| !good(&b)) {
            return Err(self.bad(format!("row {row} of its boxes is no box")));
        }
        let boxes: Vec<Bounds> = all().collect();
        self.tree.verify(boxes.into_iter()).map_err(|_| self.bad("its boxes are not those of the rows"))
    }

    fn bad(&self, problem: impl Into<String>) -> Error {
        self.origin.name(Error::invalid(format!("section {:?}", self.name), problem, REBUILD))
    }

    /// The box of a row.
    #[must_use]
    pub fn get(&self, row: RowId) -> Option<Bounds> {
        let at = |edge: usize| self.edges[edge].get(row as usize).copied();
        Some(Bounds::new(at(0)?, at(1)?, at(2)?, at(3)?))
    }

    /// Calls `each` with every row whose box has a point in common with `query`, edges included, in row order; so
    /// points are found too. O(log n + answer) where rows lie in Hilbert order, see
    /// [`ContainerBuilder::boxes`](super::ContainerBuilder::boxes).
    pub fn search(&self, query: &Bounds, mut each: impl FnMut(RowId)) {
        let q = query;
        if [q.min_x, q.min_y, q.max_x, q.max_y].iter().any(|edge| edge.is_nan()) {
            return;
        }
        let touches = |b: Bounds| b.min_x <= q.max_x && b.max_x >= q.min_x && b.min_y <= q.max_y && b.max_y >= q.min_y;
        let mut rows = Vec::new();
        self.tree.search(q, |found| {
            rows.clear();
            found.add_to(&mut rows, |row| self.get(row).is_some_and(touches));
            rows.iter().copied().for_each(&mut each);
        });
    }

    /// Rows by their distance from a point, nearest first, one by one: `distance` gives the distance (metres) of what a
    /// row's box holds, a line for instance, which must not be nearer than its box. It is asked for the rows of the nodes
    /// that the search comes to, sixteen at a time. O(log n) for the first row where rows lie in Hilbert order.
    pub fn nearest<D: FnMut(RowId) -> f64>(
        &self,
        x: f64,
        y: f64,
        mut distance: D,
    ) -> impl Iterator<Item = (RowId, f64)> + use<'a, D> {
        let point = Bounds::new(x, y, x, y);
        let found = self.tree.nearest(move |b: &Bounds| point.distance(b), move |row| (distance(row), row));
        // Nothing has a distance from a point that is none.
        found.take_while(move |_| x.is_finite() && y.is_finite())
    }

    /// The tree, to search it yourself.
    #[must_use]
    pub fn tree(&self) -> RTree<'a> {
        self.tree
    }
}
