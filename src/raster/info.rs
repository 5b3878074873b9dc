//! What is known about a raster without reading its cells, and the traits that GDAL is behind.

use std::path::PathBuf;

use super::{Block, Cells, GeoTransform};
use crate::data_type::DataType;
use crate::error::Result;

/// The header of a raster.
#[derive(Debug, Clone, PartialEq)]
pub struct RasterInfo {
    /// The file.
    pub path: PathBuf,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// From fractional cells to coordinates of `crs`.
    pub transform: GeoTransform,
    /// `EPSG:n` where the CRS has a code, else WKT. Axes are x, y (longitude, latitude) whatever the authority says.
    pub crs: String,
    /// The declared nodata value, as stored in the file (before scale and offset).
    pub nodata: Option<f64>,
    /// The type of the cells; bytes are `int8` where the file says that they have a sign.
    pub data_type: DataType,
    /// Elevation in metres = cell * scale + offset; the unit of the file is part of both.
    pub scale: f64,
    /// See `scale`.
    pub offset: f64,
    /// More cell values that mean no value, as stored in the file.
    pub more_nodata: Vec<f64>,
    /// For a CRS that goes around the world, geographic or cylindrical, its units in a full turn (360 for degrees); else `None`.
    /// Positions whose x differ by it are the same place.
    pub turn: Option<f64>,
    /// The y of 85.06 degrees south and north in a CRS that goes around the world: beyond them nothing is in Web Mercator.
    pub limits: Option<(f64, f64)>,
}

/// What is done to the values of a raster beyond what its header says.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adjustment {
    /// Metres added to every elevation.
    pub offset: f64,
    /// Cell values, as stored in the file, that mean no value besides the declared one.
    pub nodata: Vec<f64>,
    /// The band that holds the heights, from 1 on; 0 for the only one.
    #[serde(skip_serializing_if = "is_zero")]
    pub band: u32,
    /// Metres of one unit of the heights; 0 where the file says.
    #[serde(skip_serializing_if = "is_zero")]
    pub unit: f64,
    /// What cells are multiplied by; 0 where the file says.
    #[serde(skip_serializing_if = "is_zero")]
    pub scale: f64,
}

fn is_zero<T: PartialEq + Default>(value: &T) -> bool {
    *value == T::default()
}

/// Why a file can't serve as an elevation raster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unusable {
    /// GDAL does not open it; its words.
    NotARaster(String),
    /// It has no raster band, or only subdatasets, which are named.
    NoBand(String),
    /// It does not say where it lies; what it says instead.
    NoGeoreference(String),
    /// It does not say in which coordinates, and none were assumed; what it says instead.
    NoCrs(String),
    /// Its values are no heights, or it is not clear which of them are.
    NoHeights(String),
    /// Its heights are in a unit that is no length.
    Unit(String),
    /// It is made from signed bytes in a way that loses their sign.
    SignedBytes(String),
    /// A part of it can't be read.
    Damaged(String),
    /// It would be fetched from the network, which is not allowed; what it names.
    Remote(String),
}

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotARaster(words) => write!(f, "not a raster that GDAL can read: {words}"),
            Self::NoHeights(words) => {
                write!(f, "no elevation: {words}; say `band = N` for its source in hypso.toml if it is")
            }
            Self::Unit(words) => {
                write!(f, "no length: {words}; say `unit = \"m\"` for its source in hypso.toml if they are metres")
            }
            Self::SignedBytes(words) => write!(f, "{words}; give the source itself, or use GDAL 3.7 or later"),
            Self::Damaged(words) => f.write_str(words),
            Self::Remote(words) => {
                write!(f, "{words}; fetch it first, or say `allow_remote` to let requests be sent there")
            }
            Self::NoBand(_) => f.write_str(
                "no band: the file holds no raster, or only subdatasets; convert the one you need to GeoTIFF",
            ),
            Self::NoGeoreference(_) => f.write_str(
                "no georeference: the file does not say where it lies; add a world file, or run gdal_translate -a_ullr",
            ),
            Self::NoCrs(_) => f.write_str(
                "no CRS: the file does not say which coordinates it uses; give one with `assume_crs = EPSG:n`",
            ),
        }
    }
}

/// A raster that windows can be read from.
pub trait Raster {
    /// The header.
    fn info(&self) -> &RasterInfo;

    /// Reads the part of `cells.window` that lies inside the raster into the cells that are not
    /// [`State::VALID`](super::State::VALID) so far. Scale and offset are applied; nodata, NaN and masked cells
    /// become [`State::NODATA`](super::State::NODATA).
    ///
    /// # Errors
    /// Where the file can't be read or decoded.
    fn read_into(&mut self, cells: &mut Cells) -> Result<()>;

    /// The unit that heights are converted from; empty for metres.
    fn unit(&self) -> &str {
        ""
    }

    /// Looks whether the end of the file is there, so that one that was cut short is found before a run.
    ///
    /// # Errors
    /// Where its last block can't be read or ends beyond the file.
    fn probe_end(&mut self) -> Result<()> {
        Ok(())
    }

    /// The largest block that may have to be decoded to read one cell; [`Block::default`] where that is not known.
    fn block(&self) -> Block {
        Block::default()
    }
}

/// A map between EPSG:3857 points and the coordinates of another CRS.
pub trait Projector {
    /// Turns EPSG:3857 metres into coordinates of the CRS, in place; points that have none become NaN.
    ///
    /// # Errors
    /// Where the transformation as a whole is impossible.
    fn to_crs(&self, xs: &mut [f64], ys: &mut [f64]) -> Result<()>;

    /// The other way: coordinates of the CRS to EPSG:3857 metres, in place; points that have none become NaN.
    ///
    /// # Errors
    /// As [`Projector::to_crs`].
    fn to_mercator(&self, xs: &mut [f64], ys: &mut [f64]) -> Result<()>;
}

/// A map from heights over one vertical datum to heights over another.
pub trait VerticalShift {
    /// What must be added to a height at each point, metres; points are in EPSG:3857 metres.
    ///
    /// # Errors
    /// Where the map has no value for a point.
    fn shifts(&self, xs: &[f64], ys: &[f64]) -> Result<Vec<f64>>;
}

/// How far a raster's grid may be off another's, in cells, and still count as the same lattice.
const LATTICE_TOLERANCE: f64 = 1e-3;

/// Where `other` lies on the lattice of `base`: the column and row of `base` that `other`'s cell (0, 0) falls on.
///
/// `None` unless both have the same CRS, the same cell size and rotation, and origins that are a whole number of cells
/// apart, to a thousandth of a cell over their extents. `turns` moves `other` by so many turns around the world; only rasters whose
/// CRS goes around it can be moved.
#[must_use]
pub fn lattice_offset(base: &RasterInfo, other: &RasterInfo, turns: i8) -> Option<(i64, i64)> {
    if base.crs != other.crs {
        return None;
    }
    let moved = match (turns, base.turn) {
        (0, _) => 0.0,
        (_, turn) => f64::from(turns) * turn?,
    };
    let back = base.transform.invert()?;
    let place = |col: f64, row: f64| {
        let (x, y) = other.transform.apply(col, row);
        back.apply(x + moved, y)
    };
    let (col, row) = place(0.0, 0.0);
    let (dc, dr) = (col.round(), row.round());
    if dc.abs() >= 1e15 || dr.abs() >= 1e15 {
        return None;
    }
    let (w, h) = (f64::from(other.width), f64::from(other.height));
    let aligned = [(0.0, 0.0), (w, 0.0), (0.0, h), (w, h)].into_iter().all(|(col, row)| {
        let (c, r) = place(col, row);
        (c - dc - col).abs() <= LATTICE_TOLERANCE && (r - dr - row).abs() <= LATTICE_TOLERANCE
    });
    aligned.then_some((dc as i64, dr as i64))
}

/// Fills from `neighbour` the cells that have no value so far: `cells` is a window in columns and rows of `base`. A
/// neighbour whose CRS goes around the world may lie some turns around it away.
/// Returns whether the two share a lattice; where they do not, nothing is read.
///
/// # Errors
/// As [`Raster::read_into`].
pub fn read_neighbour(base: &RasterInfo, neighbour: &mut dyn Raster, cells: &mut Cells) -> Result<bool> {
    let turns = turns_to(base, neighbour.info());
    read_turned(base, neighbour, cells, &turns)
}

/// True where [`read_neighbour`] reads.
#[must_use]
pub fn shares_lattice(base: &RasterInfo, other: &RasterInfo) -> bool {
    turns_to(base, other).into_iter().any(|turns| lattice_offset(base, other, turns).is_some())
}

/// Fills the cells beyond the edges of a raster around the world from its other edge. Returns whether these are on its lattice:
/// they are not where a turn is no whole number of cells, and then nothing is read.
///
/// # Errors
/// As [`Raster::read_into`].
pub fn read_around(raster: &mut dyn Raster, cells: &mut Cells) -> Result<bool> {
    let info = raster.info().clone();
    read_turned(&info, raster, cells, &[-1, 1])
}

/// The turns that may bring `other` beside `base`.
fn turns_to(base: &RasterInfo, other: &RasterInfo) -> Vec<i8> {
    let Some(turn) = base.turn else { return vec![0] };
    let middle = |info: &RasterInfo| info.transform.apply(f64::from(info.width) / 2.0, f64::from(info.height) / 2.0).0;
    let nearest = ((middle(base) - middle(other)) / turn).round().clamp(-100.0, 100.0) as i8;
    let mut turns = vec![nearest, nearest - 1, nearest + 1];
    turns.sort_by_key(|turns| turns.unsigned_abs());
    turns
}

fn read_turned(base: &RasterInfo, neighbour: &mut dyn Raster, cells: &mut Cells, turns: &[i8]) -> Result<bool> {
    let mut shared = false;
    for &turns in turns {
        let Some((dc, dr)) = lattice_offset(base, neighbour.info(), turns) else { continue };
        shared = true;
        cells.window.col -= dc;
        cells.window.row -= dr;
        let outcome = neighbour.read_into(cells);
        cells.window.col += dc;
        cells.window.row += dr;
        outcome?;
    }
    Ok(shared)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A header for tests.
    pub fn info(transform: GeoTransform, width: u32, height: u32) -> RasterInfo {
        RasterInfo {
            path: "test.tif".into(),
            width,
            height,
            transform,
            crs: "EPSG:4326".into(),
            nodata: None,
            more_nodata: Vec::new(),
            data_type: DataType::F32,
            scale: 1.0,
            offset: 0.0,
            turn: None,
            limits: None,
        }
    }

    #[test]
    fn neighbours_share_a_lattice_only_when_aligned() {
        let cell = 0.2 / 3600.0;
        let base = info(GeoTransform::north_up(124.0750, 24.3250, cell, cell), 225, 150);
        let at = |west: f64, north: f64, size: f64| info(GeoTransform::north_up(west, north, size, size), 225, 150);
        assert_eq!(lattice_offset(&base, &at(124.0875, 24.3250, cell), 0), Some((225, 0)));
        assert_eq!(lattice_offset(&base, &at(124.0625, 24.3333333333, cell), 0), Some((-225, -150)));
        assert_eq!(lattice_offset(&base, &at(124.0875 + cell / 4.0, 24.3250, cell), 0), None);
        assert_eq!(lattice_offset(&base, &at(124.0875, 24.3250, cell * 2.0), 0), None);
        let other = RasterInfo { crs: "EPSG:6668".into(), ..base.clone() };
        assert_eq!(lattice_offset(&base, &other, 0), None);
    }
}
