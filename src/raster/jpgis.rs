//! Elevation models of Japan's Geospatial Information Authority (GSI) as it gives them out: JPGIS (GML), one XML file a mesh.
//!
//! The format is that of the Fundamental Geospatial Data (`FGD_GMLSchema`), <https://service.gsi.go.jp/kiban/>. A `DEM` has a box in
//! latitude and longitude, the size of its grid, and a list of tuples `type,height`, row by row from the north-west
//! (`sequenceRule` `+x-y`). The list begins at `startPoint` and may end early; all other cells have no value, and neither
//! has one whose type is データなし or whose height is -9999.
//!
//! The list is parsed whole, so the cells of some grids are kept, whoever asks for them.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use roxmltree::{Document, Node, ParsingOptions};

use super::turn::LATITUDE;
use super::{Adjustment, Block, Cells, FileStamp, GeoTransform, Raster, RasterInfo, Unusable, zipped};
use crate::data_type::DataType;
use crate::error::{Error, Result};
use crate::local;
use crate::text::one_line;

/// The height of a cell without a value.
const NODATA: f32 = -9999.0;
/// データなし ("no data") in UTF-8, Shift_JIS and EUC-JP.
const NO_DATA: [&[u8]; 3] =
    ["データなし".as_bytes(), b"\x83\x66\x81\x5b\x83\x5e\x82\xc8\x82\xb5", b"\xa5\xc7\xa1\xbc\xa5\xbf\xa4\xca\xa4\xb7"];
/// A longer file is none of GSI's, bytes: the largest ones have 1125 x 750 cells and some 17 MB.
const LARGEST: u64 = 128 << 20;
/// Cells of a grid at most.
const MOST_CELLS: u64 = 1 << 24;
/// What a file may hold besides its tuples, bytes, and in how many nodes.
const LONGEST_FRAME: usize = 1 << 20;
const MOST_NODES: u32 = 10_000;
/// How much of a file is looked at to tell what it is, bytes.
const START: u64 = 2048;
/// What a cell takes while its file is parsed, bytes: its text and its height.
const CELL: u32 = 24;

/// The coordinate systems, by what an envelope calls them. Places of JGD2024 are those of JGD2011; only heights changed.
const SYSTEMS: [(&str, &str); 3] =
    [("fguuid:jgd2000.bl", "EPSG:4612"), ("fguuid:jgd2011.bl", "EPSG:6668"), ("fguuid:jgd2024.bl", "EPSG:6668")];

/// True where a file has the name that GSI gives elevation models, such as `FG-GML-5339-45-00-DEM5A-20161001.xml`.
#[must_use]
pub fn is_named(name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    name.starts_with("fg-gml-") && name.contains("-dem") && name.ends_with(".xml")
}

/// True for an elevation model by its name; for a file of another name that is XML, by its first bytes.
#[must_use]
pub fn is_one(path: &Path) -> bool {
    if !path.extension().is_some_and(|e| e.eq_ignore_ascii_case("xml")) {
        return false;
    }
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    if is_named(name) || zipped::is_member(path) {
        return true;
    }
    if name.to_ascii_lowercase().ends_with(".aux.xml") {
        return false;
    }
    let start = local::start(path, START);
    let start = String::from_utf8_lossy(&start);
    start.contains("FGD_GMLSchema") && start.contains("<DEM")
}

/// Opens a file, or a member of a zip, and reads all of it. 3 ms for 225 x 150 cells, some tens for 1125 x 750.
///
/// # Errors
/// Where it can't be read, is no elevation model of GSI, or has a coordinate system that is not known, and none is assumed.
pub fn open(path: &Path, assume_crs: Option<&str>, by: &Adjustment) -> std::result::Result<JpgisRaster, Unusable> {
    let damaged = Unusable::Damaged;
    // Stamped before it is read: what changes from here on shows.
    let stamp = FileStamp::of(path).map_err(|e| damaged(e.to_string()))?;
    let grid = Arc::new(read(path).map_err(damaged)?);
    if by.band > 1 {
        return Err(Unusable::NoHeights(format!("band {} is asked for, but it has 1", by.band)));
    }
    let name = grid.frame.system.as_str();
    let known = SYSTEMS.iter().find(|(system, _)| *system == name).map(|(_, code)| *code);
    // Any system of the schema is one of latitude and longitude.
    let Some(crs) = known.or(assume_crs) else {
        return Err(Unusable::NoCrs(format!("its srsName is {:?}, which is not known here", one_line(name, 60))));
    };
    let given = |value: f64| if value == 0.0 { 1.0 } else { value };
    let info = RasterInfo {
        path: path.to_path_buf(),
        width: grid.frame.width,
        height: grid.frame.height,
        transform: grid.frame.transform,
        crs: crs.to_string(),
        nodata: Some(f64::from(NODATA)),
        more_nodata: by.nodata.clone(),
        data_type: DataType::F32,
        scale: given(by.scale) * given(by.unit),
        offset: by.offset,
        turn: Some(360.0),
        limits: Some((-LATITUDE, LATITUDE)),
    };
    let unit = if by.unit == 0.0 || by.unit == 1.0 { String::new() } else { format!("{} m", by.unit) };
    let key = Key { path: path.to_path_buf(), stamp: (stamp.size, stamp.modified_ns, stamp.changed_ns) };
    grids().insert(key.clone(), grid);
    Ok(JpgisRaster { info, unit, key })
}

/// An elevation model that was opened.
#[derive(Debug)]
pub struct JpgisRaster {
    info: RasterInfo,
    unit: String,
    key: Key,
}

impl Raster for JpgisRaster {
    fn info(&self) -> &RasterInfo {
        &self.info
    }

    fn unit(&self) -> &str {
        &self.unit
    }

    fn block(&self) -> Block {
        Block { width: self.info.width, height: self.info.height, cell: CELL }
    }

    fn read_into(&mut self, cells: &mut Cells) -> Result<()> {
        let info = &self.info;
        let Some(part) = cells.window.clip(info.width, info.height) else { return Ok(()) };
        let grid = grids().get_or_insert_with(&self.key, || self.read_again())?;
        let plain = info.scale == 1.0 && info.offset == 0.0;
        let (col, row, width) = (part.col as usize, part.row as usize, info.width as usize);
        cells.fill(part, |i| {
            let value = grid.at((row + i / part.width) * width + col + i % part.width)?;
            let none = info.more_nodata.iter().any(|&n| n as f32 == value);
            (!none).then(|| if plain { value } else { (f64::from(value) * info.scale + info.offset) as f32 })
        });
        Ok(())
    }
}

impl JpgisRaster {
    /// The cells once more, where they are kept no longer.
    fn read_again(&self) -> Result<Arc<Grid>> {
        let path = &self.info.path;
        let grid = read(path).map_err(|problem| Error::raster(path, problem))?;
        let now = FileStamp::of(path)?;
        let same = (now.size, now.modified_ns, now.changed_ns) == self.key.stamp;
        let fits = (grid.frame.width, grid.frame.height) == (self.info.width, self.info.height);
        if same && fits { Ok(Arc::new(grid)) } else { Err(Error::Changed { path: path.clone(), in_use: true }) }
    }
}

/// A file in one state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    path: PathBuf,
    stamp: (u64, i64, i64),
}

/// What a grid takes in memory.
#[derive(Debug, Clone)]
struct Bytes;

impl Weighter<Key, Arc<Grid>> for Bytes {
    fn weight(&self, key: &Key, grid: &Arc<Grid>) -> u64 {
        (grid.values.len() * size_of::<f32>() + key.path.as_os_str().len() + 128) as u64
    }
}

/// What grids may take in memory, where nothing else is said, and at most, bytes.
static LIMIT: AtomicU64 = AtomicU64::new(32 << 20);

/// Bounds what is kept of cells, bytes. Call it before the first raster is read.
pub(super) fn limit(bytes: u64) {
    LIMIT.fetch_min(bytes, Ordering::Relaxed);
}

/// The cells that are kept.
fn grids() -> &'static Cache<Key, Arc<Grid>, Bytes> {
    static GRIDS: OnceLock<Cache<Key, Arc<Grid>, Bytes>> = OnceLock::new();
    GRIDS.get_or_init(|| {
        let limit = LIMIT.load(Ordering::Relaxed);
        // A grid of 225 x 150 cells takes 135 kB.
        Cache::with_weighter((limit >> 17).max(16) as usize, limit, Bytes)
    })
}

/// The cells of a file.
#[derive(Debug, PartialEq)]
struct Grid {
    frame: Frame,
    /// From the cell `frame.start` on, row by row; NaN where there is none.
    values: Vec<f32>,
}

impl Grid {
    /// The height of a cell, counted row by row.
    fn at(&self, cell: usize) -> Option<f32> {
        let value = *self.values.get(cell.checked_sub(self.frame.start)?)?;
        (value.is_finite() && value != NODATA).then_some(value)
    }
}

/// What a file says besides its tuples.
#[derive(Debug, PartialEq)]
struct Frame {
    width: u32,
    height: u32,
    transform: GeoTransform,
    /// What it calls its coordinate system.
    system: String,
    /// The cell of the first tuple, counted row by row.
    start: usize,
}

/// Reads a file or a member of a zip; says what is wrong with it.
fn read(path: &Path) -> std::result::Result<Grid, String> {
    let bytes = if zipped::is_member(path) {
        zipped::read(path, LARGEST)?
    } else {
        local::read(path, LARGEST).map_err(|error| error.to_string())?
    };
    parse(&bytes)
}

/// Reads the bytes of a file; says what is wrong with them. Memory: four bytes a tuple, whatever the file says of its size.
fn parse(bytes: &[u8]) -> std::result::Result<Grid, String> {
    let [before, tuples, after] = cut(bytes)?;
    if before.len() + after.len() > LONGEST_FRAME {
        return Err(format!(
            "has more than {LONGEST_FRAME} bytes besides its heights, and is no elevation model of GSI"
        ));
    }
    // Whatever the encoding is, what counts is ASCII.
    let text = String::from_utf8_lossy(before).into_owned() + &String::from_utf8_lossy(after);
    let frame = frame(text.trim_start_matches('\u{feff}'))?;
    let cells = frame.width as usize * frame.height as usize;
    let mut values = Vec::with_capacity((cells - frame.start).min(tuples.len() / 4));
    for (number, tuple) in tuples.split(u8::is_ascii_whitespace).filter(|tuple| !tuple.is_empty()).enumerate() {
        if frame.start + number >= cells {
            return Err(format!(
                "lists more heights than its {} x {} cells from startPoint on; it is damaged, or no elevation model of GSI",
                frame.width, frame.height
            ));
        }
        let wrong = || {
            let shown = one_line(&String::from_utf8_lossy(&tuple[..tuple.len().min(80)]), 40);
            format!("its tuple {} is {shown:?} instead of a type, a comma and a height in metres", number + 1)
        };
        let comma = tuple.iter().rposition(|&b| b == b',').ok_or_else(wrong)?;
        let height = std::str::from_utf8(&tuple[comma + 1..]).ok().and_then(|text| text.parse::<f32>().ok());
        let height = height.filter(|height| height.is_finite()).ok_or_else(wrong)?;
        values.push(if NO_DATA.contains(&&tuple[..comma]) { f32::NAN } else { height });
    }
    Ok(Grid { frame, values })
}

/// The bytes before the text of the list of tuples, that text, and the bytes behind it.
fn cut(bytes: &[u8]) -> std::result::Result<[&[u8]; 3], String> {
    const LIST: &[u8] = b"tupleList";
    let missing = || "has no list of heights (tupleList), and is no elevation model of GSI".to_string();
    // It begins with the first tag of that name.
    let name = bytes.windows(LIST.len()).position(|part| part == LIST).ok_or_else(missing)?;
    let start = name + bytes[name..].iter().position(|&b| b == b'>').ok_or_else(missing)? + 1;
    if bytes[..start].ends_with(b"/>") {
        return Ok([&bytes[..start], &[], &bytes[start..]]);
    }
    let end = bytes[start..].iter().position(|&b| b == b'<').map_or(bytes.len(), |length| start + length);
    Ok([&bytes[..start], &bytes[start..end], &bytes[end..]])
}

/// Reads all but the tuples.
fn frame(text: &str) -> std::result::Result<Frame, String> {
    let options = ParsingOptions { nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options)
        .map_err(|error| format!("is no whole XML document: {}", one_line(&error.to_string(), 120)))?;
    let models = || document.descendants().filter(|node| node.is_element() && node.tag_name().name() == "DEM");
    let model = models().next().ok_or("has no DEM, and is no elevation model of GSI")?;
    if models().count() > 1 {
        return Err("has several DEM, of which one is expected".into());
    }
    let list = only(model, "tupleList")?;
    if list.children().any(|child| child.is_element() || child.text().is_some_and(|text| !text.trim().is_empty())) {
        return Err("its tupleList holds something besides tuples".into());
    }
    let envelope = only(model, "Envelope")?;
    let system = envelope.attribute("srsName").unwrap_or_default().trim().to_string();
    let [south, west] = numbers::<f64>(model, "lowerCorner")?;
    let [north, east] = numbers::<f64>(model, "upperCorner")?;
    let [left, top] = numbers::<i64>(model, "low")?;
    let [right, bottom] = numbers::<i64>(model, "high")?;
    let side = |low: i64, high: i64| high.checked_sub(low).and_then(|n| n.checked_add(1)).filter(|&n| n > 0);
    let sides = side(left, right)
        .zip(side(top, bottom))
        .and_then(|(w, h)| Some((u32::try_from(w).ok()?, u32::try_from(h).ok()?)));
    let sides = sides.filter(|&(w, h)| u64::from(w) * u64::from(h) <= MOST_CELLS);
    let Some((width, height)) = sides else {
        return Err(format!(
            "its grid goes from {left} {top} (low) to {right} {bottom} (high), and one of up to {MOST_CELLS} cells is expected"
        ));
    };
    let (across, down) = ((east - west) / f64::from(width), (north - south) / f64::from(height));
    let on_earth = south >= -90.0 && north <= 90.0 && west >= -180.0 && east <= 180.0;
    // Cells are square in degrees; corners have nine decimals.
    let square = across > 1e-7 && down > 1e-7 && (0.99..=1.01).contains(&(across / down));
    if !on_earth || !square {
        return Err(format!(
            "its corners {south:?} {west:?} and {north:?} {east:?} (latitude, longitude) do not make square cells on the Earth of its {width} x {height} cells"
        ));
    }
    let order = only(model, "sequenceRule")?.attribute("order").unwrap_or("+x-y").trim().to_string();
    if order != "+x-y" {
        return Err(format!("its sequenceRule has the order {:?}, and +x-y is expected", one_line(&order, 20)));
    }
    let [x, y] = numbers::<i64>(model, "startPoint")?;
    let offset = x.checked_sub(left).zip(y.checked_sub(top));
    let offset = offset.filter(|&(x, y)| (0..i64::from(width)).contains(&x) && (0..i64::from(height)).contains(&y));
    let Some((x, y)) = offset else {
        return Err(format!("its startPoint {x} {y} lies outside of its {width} x {height} cells"));
    };
    let start = y as usize * width as usize + x as usize;
    Ok(Frame { width, height, transform: GeoTransform::north_up(west, north, across, down), system, start })
}

/// The one element of a name below another.
fn only<'a, 'i>(model: Node<'a, 'i>, name: &str) -> std::result::Result<Node<'a, 'i>, String> {
    let mut found = model.descendants().filter(|node| node.is_element() && node.tag_name().name() == name);
    match (found.next(), found.next()) {
        (Some(node), None) => Ok(node),
        (None, _) => Err(format!("has no {name}")),
        _ => Err(format!("has several {name}, of which one is expected")),
    }
}

/// The two numbers of an element.
fn numbers<T: std::str::FromStr>(model: Node<'_, '_>, name: &str) -> std::result::Result<[T; 2], String> {
    let text = only(model, name)?.text().unwrap_or_default();
    let mut found = text.split_whitespace().map(str::parse);
    match (found.next(), found.next(), found.next()) {
        (Some(Ok(a)), Some(Ok(b)), None) => Ok([a, b]),
        _ => Err(format!("its {name} is {:?} instead of two numbers", one_line(text, 40))),
    }
}

#[cfg(test)]
#[path = "jpgis_tests.rs"]
mod tests;
