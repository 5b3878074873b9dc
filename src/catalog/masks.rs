//! Files that come in the same folder as the heights of a source and are no heights: masks and quality layers.
//!
//! Where the heights have a void, such a file would give the pixel: 1 m where a mask says "water". So bytes that lie over files
//! of another type are refused, and so are files whose names say that they hold something else (`_MSK`, `_HEM`).

use std::collections::HashMap;

use super::{Reason, Rejected};
use crate::error::Result;
use crate::store::{DataType, RecordInput};
use crate::tile::Bounds;

/// Last parts of the names of files that come with elevation models and hold no heights, in lower case.
const LAYERS: [&str; 34] = [
    "msk",
    "mask",
    "bitmask",
    "stk",
    "hem",
    "edm",
    "flm",
    "wbm",
    "num",
    "err",
    "error",
    "uncertainty",
    "qa",
    "qc",
    "quality",
    "conf",
    "confidence",
    "count",
    "lsm",
    "amp",
    "am2",
    "cov",
    "com",
    "wam",
    "swb",
    "tid",
    "mad",
    "matchtag",
    "mindate",
    "maxdate",
    "ortho",
    "hillshade",
    "slope",
    "aspect",
];

/// Passes on the records of one source. Those that may be no heights are held back until all others are known.
pub(super) struct Source {
    /// The user named the band of heights, so the files hold some.
    meant: bool,
    held: Vec<RecordInput>,
    others: Vec<(Bounds, String)>,
}

impl Source {
    pub(super) fn new(meant: bool) -> Self {
        Self { meant, held: Vec::new(), others: Vec::new() }
    }

    /// Passes a record on, or holds it back.
    pub(super) fn add(&mut self, record: RecordInput, keep: &mut dyn FnMut(RecordInput) -> Result<()>) -> Result<()> {
        if self.meant {
            return keep(record);
        }
        if record.data_type == DataType::U8 || is_layer(&record.path) {
            self.held.push(record);
            return Ok(());
        }
        self.others.push((record.bounds, record.path.clone()));
        keep(record)
    }

    /// Passes on what was held back and lies over nothing else; gives the rest.
    pub(super) fn finish(self, keep: &mut dyn FnMut(RecordInput) -> Result<()>) -> Result<Vec<Rejected>> {
        let places = Places::new(&self.others);
        let mut rejected = Vec::new();
        for record in self.held {
            let Some(over) = places.over(&record.bounds) else {
                keep(record)?;
                continue;
            };
            let kind = if record.data_type == DataType::U8 { "it holds bytes" } else { "its name is that of a mask" };
            let pattern = pattern(over).map_or(String::new(), |p| format!("; the pattern '{p}' leaves it out"));
            let detail = format!("{kind}, and it lies over {over}, whose voids it would fill{pattern}");
            rejected.push(Rejected { source: record.source, path: record.path, reason: Reason::Mask, detail });
        }
        Ok(rejected)
    }
}

/// True where the name says that the file holds no heights.
fn is_layer(path: &str) -> bool {
    last_part(path).is_some_and(|(_, part)| LAYERS.contains(&part.to_lowercase().as_str()))
}

/// The last part of a file's name before its extension, with the character before it.
fn last_part(path: &str) -> Option<(char, &str)> {
    let name = path.rsplit('/').next()?;
    let stem = name.rsplit_once('.')?.0;
    let at = stem.rfind(['_', '-', '.'])?;
    Some((stem[at..].chars().next()?, &stem[at + 1..]))
}

/// The pattern of files that are called as this one is.
fn pattern(path: &str) -> Option<String> {
    let extension = path.rsplit_once('.')?.1;
    let (before, part) = last_part(path)?;
    part.chars().any(char::is_alphabetic).then(|| format!("*{before}{part}.{extension}"))
}

/// Boxes by the square that their lower left corner lies in; no box is larger than a square.
struct Places<'a> {
    side: f64,
    squares: HashMap<(i64, i64), Vec<&'a (Bounds, String)>>,
}

impl<'a> Places<'a> {
    fn new(all: &'a [(Bounds, String)]) -> Self {
        let side = all.iter().map(|(b, _)| b.width().max(b.height())).fold(1.0, f64::max);
        let mut places = Self { side, squares: HashMap::new() };
        for entry in all {
            let square = places.square(entry.0.min_x, entry.0.min_y);
            places.squares.entry(square).or_default().push(entry);
        }
        places
    }

    fn square(&self, x: f64, y: f64) -> (i64, i64) {
        ((x / self.side).floor() as i64, (y / self.side).floor() as i64)
    }

    /// The path of a box that holds the middle of another one, or whose own middle lies in it.
    fn over(&self, bounds: &Bounds) -> Option<&'a str> {
        let middle = |b: &Bounds| (f64::midpoint(b.min_x, b.max_x), f64::midpoint(b.min_y, b.max_y));
        let center = middle(bounds);
        let inside = |b: &Bounds, (x, y): (f64, f64)| b.contains_point(x, y);
        let (low, high) = (self.square(bounds.min_x, bounds.min_y), self.square(bounds.max_x, bounds.max_y));
        let fits = |entry: &&&(Bounds, String)| inside(&entry.0, center) || inside(bounds, middle(&entry.0));
        let span = (high.0 - low.0 + 2).saturating_mul(high.1 - low.1 + 2);
        if span > self.squares.len() as i64 {
            return self.squares.values().flatten().filter(fits).map(|e| e.1.as_str()).min();
        }
        let near = (low.0 - 1..=high.0).flat_map(|x| (low.1 - 1..=high.1).map(move |y| (x, y)));
        near.filter_map(|square| self.squares.get(&square)).flatten().filter(fits).map(|e| e.1.as_str()).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(path: &str, west: f64, side: f64, data_type: DataType) -> RecordInput {
        let bounds = Bounds::new(west, 0.0, west + side, side);
        RecordInput { path: path.into(), bounds, data_type, ..RecordInput::default() }
    }

    fn rejected(meant: bool, records: Vec<RecordInput>) -> (Vec<String>, Vec<String>) {
        let (mut source, mut kept) = (Source::new(meant), Vec::new());
        let mut keep = |r: RecordInput| {
            kept.push(r.path);
            Ok(())
        };
        for record in records {
            source.add(record, &mut keep).unwrap();
        }
        let rejected = source.finish(&mut keep).unwrap();
        kept.sort();
        (kept, rejected.into_iter().map(|r| format!("{}: {}", r.path, r.detail)).collect())
    }

    #[test]
    fn masks_over_heights_are_told_from_heights_in_bytes() {
        use DataType::{F32, I16, U8};
        let set = || {
            vec![
                record("N35_DSM.tif", 0.0, 100.0, I16),
                record("N35_MSK.tif", 0.0, 100.0, U8),
                record("N36_DSM.tif", 100.0, 100.0, I16),
                record("N36_HEM.tif", 100.0, 100.0, F32),
                record("flat.tif", 500.0, 10.0, U8),
                record("whole_water.tif", -1000.0, 3000.0, U8),
            ]
        };
        let (kept, refused) = rejected(false, set());
        assert_eq!(kept, ["N35_DSM.tif", "N36_DSM.tif", "flat.tif"]);
        assert_eq!(refused.len(), 3);
        assert!(
            refused[0].contains("N35_MSK.tif: it holds bytes") && refused[0].contains("'*_DSM.tif'"),
            "{refused:?}"
        );
        assert_eq!(rejected(true, set()).0.len(), 6);
        // Bytes that lie over nothing else are heights.
        let alone = vec![record("a_1.tif", 0.0, 100.0, U8), record("b_mask.tif", 0.0, 100.0, U8)];
        assert_eq!(rejected(false, alone).1.len(), 0);
    }
}
