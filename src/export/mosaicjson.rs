//! MosaicJSON 0.0.3: for each tile of one zoom, named by its quadkey, the rasters to look at, in candidate order.
//!
//! The specification is <https://github.com/developmentseed/mosaicjson-spec>. A tiler that is asked for a coarser tile joins the
//! lists of all tiles below it, so that the order of candidates is lost. So `minzoom` is the zoom of the lists.

use std::io::Write;
use std::path::Path;

use serde::{Serialize, Serializer};

use super::geojson::degrees;
use super::rows::Rows;
use crate::error::{Error, Result};
use crate::store::{DataType, RecordRef};
use crate::tile::{Bounds, Degrees, TileId, TileRange, web_mercator};

/// The pixels of a tile's side where a tiler is not told otherwise.
const TILE_SIZE: u32 = 256;
/// Half of the records stand in the lists of at most so many tiles.
const FEW_TILES: u64 = 4;
/// How many names of rasters all lists together hold at most: so many for each record, and some for records of the whole world.
const NAMES_A_RECORD: u64 = 16;
const MORE_NAMES: u64 = 1 << 16;

/// The document. What the store does not know is left out.
#[derive(Serialize)]
struct Document<'a> {
    mosaicjson: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    attribution: String,
    minzoom: u8,
    maxzoom: u8,
    quadkey_zoom: u8,
    bounds: Degrees,
    center: (f64, f64, u8),
    #[serde(skip_serializing_if = "Option::is_none")]
    data_type: Option<&'static str>,
    tiles: Tiles<'a>,
}

/// That a raster stands in the list of a tile. Sorted, they are the lists, each in candidate order.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    tile: TileId,
    rank: u32,
    /// The position of its name.
    name: u32,
}

/// The lists of all tiles.
struct Tiles<'a> {
    entries: &'a [Entry],
    names: &'a [Box<str>],
}

impl Serialize for Tiles<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        let lists = self.entries.chunk_by(|a, b| a.tile == b.tile);
        to.collect_map(lists.filter_map(|entries| {
            let key = entries.first()?.tile.coord()?.quadkey();
            Some((key, Assets(Tiles { entries, names: self.names })))
        }))
    }
}

/// The names of one tile.
struct Assets<'a>(Tiles<'a>);

impl Serialize for Assets<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.collect_seq(self.0.entries.iter().filter_map(|entry| self.0.names.get(entry.name as usize)))
    }
}

/// Writes the document. Memory holds the name of each record once, and 16 bytes for each time that it stands in a list. Messages name
/// `target`.
///
/// # Errors
/// Where the output can't be written, the store is damaged, or no record lies where tiles are.
pub(super) fn write(rows: &Rows, out: impl Write, target: &Path) -> Result<()> {
    let finest = rows.records().map(|r| r.pixel_size()).fold(f64::INFINITY, f64::min);
    // A quadkey has a digit at least.
    let maxzoom = web_mercator::native_zoom(finest, TILE_SIZE).max(1);
    let zoom = quadkey_zoom(|| rows.records().map(|r| r.bounds()), maxzoom);
    let (mut names, mut entries) = (Vec::new(), Vec::new());
    rows.for_each(|row| {
        let (name, rank) = (names.len() as u32, row.record.rank());
        let tiles = TileRange::covering(&row.record.bounds(), zoom);
        entries.extend(tiles.iter().flat_map(TileRange::iter).map(|tile| Entry { tile: tile.into(), rank, name }));
        names.push(Box::from(row.location));
        Ok(())
    })?;
    let first = rows.records().min_by_key(RecordRef::rank).filter(|_| !entries.is_empty()).ok_or_else(|| {
        let problem =
            "no record that was asked for lies where Web Mercator has tiles (to 85.0511 degrees); nothing is written";
        Error::not_found(problem)
    })?;
    let extent = rows.records().map(|r| r.bounds()).reduce(|a, b| a.union(&b)).unwrap_or_default();
    rows.finish("sorting and writing", || {
        entries.sort_unstable();
        // The bounds must not wrap, so across the 180th meridian they go around the world, and their centre may be far from all
        // records. That of the first one is not.
        let (lon, lat) = web_mercator::to_lon_lat(first.bounds().center().0, first.bounds().center().1);
        let document = Document {
            mosaicjson: "0.0.3",
            attribution: rows.attribution(),
            minzoom: zoom,
            maxzoom,
            quadkey_zoom: zoom,
            bounds: degrees(&extent),
            center: (lon, lat, zoom),
            data_type: data_type(rows.records().map(|r| r.data_type())),
            tiles: Tiles { entries: &entries, names: &names },
        };
        serde_json::to_writer(out, &document).map_err(|e| Error::io("write", target)(e.into()))
    })
}

/// The finest zoom, from 1 to `maxzoom`, at which lists are short and the document is still small.
fn quadkey_zoom<B: Iterator<Item = Bounds>>(records: impl Fn() -> B, maxzoom: u8) -> u8 {
    let small = |&zoom: &u8| {
        let (mut all, mut few, mut names) = (0u64, 0u64, 0u64);
        for bounds in records() {
            let tiles = TileRange::covering(&bounds, zoom).map_or(0, |range| range.count());
            (all, few, names) = (all + 1, few + u64::from(tiles <= FEW_TILES), names.saturating_add(tiles));
        }
        few * 2 >= all && names <= all * NAMES_A_RECORD + MORE_NAMES
    };
    (2..=maxzoom).take_while(small).last().unwrap_or(1)
}

/// The type of all cells, where they have one.
fn data_type(mut types: impl Iterator<Item = DataType>) -> Option<&'static str> {
    let first = types.next().filter(|&first| first != DataType::Unknown)?;
    types.all(|other| other == first).then(|| first.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tile::TileCoord;

    #[test]
    fn lists_are_of_the_zoom_whose_tiles_are_about_as_large_as_most_records() {
        let tile = |z: u8, i: u32| TileCoord::new(z, 1000 + i % 10, 700 + i / 10).unwrap().bounds();
        let zoom = |boxes: &[Bounds], most: u8| quadkey_zoom(|| boxes.iter().copied(), most);
        // On the edges of tiles: four at the next zoom, 16 at the one after.
        let aligned: Vec<Bounds> = (0..100).map(|i| tile(12, i)).collect();
        assert_eq!((zoom(&aligned, 16), zoom(&aligned, 12), zoom(&aligned, 1)), (13, 12, 1));
        // Across edges: four at their own zoom, nine at the next.
        let across: Vec<Bounds> = aligned.iter().map(|b| b.buffered(-1.0)).map(|b| moved(&b, 100.0)).collect();
        assert_eq!(zoom(&across, 16), 12);
        let world = tile(12, 0).union(&Bounds::new(-2e7, -2e7, 2e7, 2e7));
        // One record of the whole world does not make the lists of the others long, nor the document large: 4^8 names.
        assert_eq!(zoom(&[&across[..], &[world]].concat(), 16), 8);
        let many: Vec<Bounds> = (0..100).flat_map(|_| across.clone()).chain([world]).collect();
        assert_eq!(zoom(&many, 16), 8);
        assert_eq!((zoom(&[world], 16), zoom(&[tile(12, 0)], 22)), (1, 13));
        // Beyond the tiles' world there is nothing to list.
        assert_eq!(zoom(&[Bounds::new(3e7, 0.0, 4e7, 1e7)], 5), 5);
    }

    fn moved(bounds: &Bounds, by: f64) -> Bounds {
        Bounds::new(bounds.min_x + by, bounds.min_y + by, bounds.max_x + by, bounds.max_y + by)
    }

    #[test]
    fn a_type_is_named_where_all_records_have_it() {
        let name = |types: &[DataType]| data_type(types.iter().copied());
        assert_eq!(name(&[DataType::F32, DataType::F32]), Some("float32"));
        assert_eq!((name(&[DataType::F32, DataType::I16]), name(&[DataType::Unknown]), name(&[])), (None, None, None));
    }
}
