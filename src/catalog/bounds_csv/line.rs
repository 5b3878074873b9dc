//! What a line of a `bounds.csv` says.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor};
use std::path::{Path, PathBuf};

use csv::StringRecord;

use super::COLUMNS;
use crate::error::{Error, Result};
use crate::raster::{self, unit, world_parts};
use crate::tile::{Bounds, web_mercator};
use crate::url;

/// Coordinates beyond this are refused, metres: four worlds from the middle. No latitude below 89.9999 degrees lies there, and no
/// longitude within a turn of the world.
const FARTHEST: f64 = 4.0 * web_mercator::WORLD;

/// A list on a network is read into memory; a longer one is none, bytes.
const LARGEST: u64 = 1 << 30;

/// The first line of a list.
pub(super) struct Header {
    path: PathBuf,
    names: StringRecord,
    /// Where the columns that must be there stand.
    columns: [usize; COLUMNS.len()],
    crs: Option<usize>,
    /// Unit, scale and band.
    values: [Option<usize>; 3],
}

impl Header {
    /// Opens a list and reads its header.
    pub(super) fn read(path: &Path) -> Result<(Self, csv::Reader<Box<dyn BufRead>>)> {
        let mut file: Box<dyn BufRead> = if url::is_one(path) {
            let bytes = raster::objects().and_then(|objects| objects.read(path, LARGEST));
            Box::new(Cursor::new(bytes.map_err(Error::io("read", path))?))
        } else {
            Box::new(BufReader::with_capacity(1 << 18, File::open(path).map_err(Error::io("read", path))?))
        };
        // Excel writes a byte order mark.
        if file.fill_buf().map_err(Error::io("read", path))?.starts_with(b"\xef\xbb\xbf") {
            file.consume(3);
        }
        let mut lines = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(file);
        let names = StringRecord::new();
        let mut out =
            Self { path: path.to_path_buf(), names, columns: [0; COLUMNS.len()], crs: None, values: [None; 3] };
        out.names = lines.headers().map_err(|e| out.unreadable(&e))?.clone();
        for (n, name) in COLUMNS.into_iter().enumerate() {
            let found = || out.names.iter().collect::<Vec<_>>().join(",");
            out.columns[n] = out.place(name).ok_or_else(|| {
                out.problem(1, name, format!("is missing; expected {}, found {}", COLUMNS.join(","), found()))
            })?;
        }
        out.crs = out.place("crs");
        out.values = ["unit", "scale", "band"].map(|name| out.place(name));
        Ok((out, lines))
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|found| found.eq_ignore_ascii_case(name))
    }

    fn problem(&self, line: u64, column: &str, problem: String) -> Error {
        let remedy = "correct the line and run the same command again";
        Error::invalid(format!("line {line}, column {column}"), problem, remedy).with_path(&self.path)
    }

    /// A line that is not CSV.
    pub(super) fn unreadable(&self, error: &csv::Error) -> Error {
        let line = error.position().map_or(1, csv::Position::line);
        self.problem(line, "1", format!("is not CSV: {error}"))
    }
}

/// A line.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) header: &'a Header,
    pub(super) number: u64,
    pub(super) fields: &'a StringRecord,
}

/// The file of a line, and where it lies.
pub(super) struct Footprint {
    pub(super) name: String,
    bounds: Bounds,
    pub(super) width: u32,
    pub(super) height: u32,
}

impl Line<'_> {
    /// An error that names the line and a column.
    pub(super) fn problem(&self, column: &str, problem: String) -> Error {
        self.header.problem(self.number, column, problem)
    }

    /// Which line of which list this is.
    pub(super) fn place(&self) -> String {
        format!("line {} of {}", self.number, self.header.path.display())
    }

    /// One of the columns that must be there.
    fn text(&self, column: usize) -> &str {
        self.fields.get(self.header.columns[column]).unwrap_or_default()
    }

    /// The name of the file as it is written.
    pub(super) fn name(&self) -> &str {
        self.text(0).strip_prefix("./").unwrap_or(self.text(0))
    }

    fn optional(&self, column: Option<usize>) -> &str {
        column.and_then(|at| self.fields.get(at)).unwrap_or_default()
    }

    /// The coordinate system, or nothing.
    pub(super) fn crs(&self) -> &str {
        self.optional(self.header.crs)
    }

    fn metres(&self, column: usize) -> Result<f64> {
        let text = self.text(column);
        let words = match text.parse().ok().filter(|v: &f64| v.is_finite()) {
            Some(value) if value.abs() <= FARTHEST => return Ok(value),
            Some(value) => format!("{value:e} m is no place on the Earth; the box is in EPSG:3857 metres"),
            None => format!("expected a number of metres, found {text:?}"),
        };
        Err(self.problem(COLUMNS[column], words))
    }

    fn cells(&self, column: usize) -> Result<u32> {
        let text = self.text(column);
        text.parse()
            .ok()
            .filter(|&cells| cells > 0)
            .ok_or_else(|| self.problem(COLUMNS[column], format!("expected a number of cells above 0, found {text:?}")))
    }

    /// What must be there.
    ///
    /// # Errors
    /// Where a field is missing, or impossible.
    pub(super) fn footprint(&self) -> Result<Footprint> {
        let (expected, found) = (self.header.names.len(), self.fields.len());
        if found != expected {
            let (column, field) = match self.header.names.get(found) {
                Some(missing) => (missing.to_string(), "a line that ends before it".to_string()),
                None => ((expected + 1).to_string(), format!("{:?}", self.fields.get(expected).unwrap_or_default())),
            };
            let words = format!("expected {expected} fields as in the header, found {found}: {field}");
            return Err(self.problem(&column, words));
        }
        let name = self.name().replace('\\', "/");
        let name = url::of(&name).unwrap_or(name);
        let folder = self.header.path.parent().filter(|folder| url::is_one(folder) && name.contains('?'));
        let name = folder.map_or(name.clone(), |folder| url::join(folder, &name).to_string_lossy().into_owned());
        if url::is_one(Path::new(&name)) {
            // It stands for itself.
        } else if name.is_empty()
            || name.starts_with('/')
            || name.split('/').any(|part| part == ".." || part.is_empty())
        {
            let words = format!("expected a path below the list's own folder or a URL, found {name:?}");
            return Err(self.problem(COLUMNS[0], words));
        }
        let bounds = Bounds::new(self.metres(1)?, self.metres(2)?, self.metres(3)?, self.metres(4)?);
        let beyond = |high: &str, low: &str, a: f64, b: f64| format!("{high} ({a}) is not beyond {low} ({b})");
        if bounds.min_x >= bounds.max_x {
            return Err(self.problem(COLUMNS[3], beyond("right", "left", bounds.max_x, bounds.min_x)));
        }
        if bounds.min_y >= bounds.max_y {
            return Err(self.problem(COLUMNS[4], beyond("top", "bottom", bounds.max_y, bounds.min_y)));
        }
        Ok(Footprint { name, bounds, width: self.cells(5)?, height: self.cells(6)? })
    }

    /// Unit, scale and band; 0 for what is empty.
    ///
    /// # Errors
    /// Where one of them is impossible.
    pub(super) fn values(&self) -> Result<(f64, f64, u32)> {
        let given = self.header.values.map(|column| self.optional(column));
        read_values(given).map_err(|(column, words)| self.problem(column, words))
    }
}

impl Footprint {
    /// The side of a square with the mean area of the cells, metres.
    pub(super) fn cell(&self) -> f64 {
        let Self { bounds, width, height, .. } = self;
        (bounds.width() / f64::from(*width) * (bounds.height() / f64::from(*height))).sqrt()
    }

    /// The box inside of the world: two where it lies across the 180th meridian, none where it lies outside.
    pub(super) fn parts(&self) -> Vec<Bounds> {
        if in_the_world(&self.bounds) { world_parts(&self.bounds, self.cell() * 1e-3) } else { Vec::new() }
    }
}

/// Unit, scale and band of a line, 0 for what is empty; or the column that is wrong, and why.
fn read_values([unit, scale, band]: [&str; 3]) -> Result<(f64, f64, u32), (&'static str, String)> {
    let empty = |text: &str| text.is_empty();
    let metres = if empty(unit) { Some(0.0) } else { unit::given(unit) };
    let metres = metres.ok_or_else(|| ("unit", format!("expected a length such as m, ft or ftUS, found {unit:?}")))?;
    let factor: Option<f64> = if empty(scale) { Some(0.0) } else { scale.parse().ok() };
    let factor = factor.filter(|f| f.is_finite() && (empty(scale) || *f != 0.0));
    let factor = factor.ok_or_else(|| ("scale", format!("expected a number other than 0, found {scale:?}")))?;
    let number = if empty(band) { Some(0) } else { band.parse().ok().filter(|&b: &u32| b > 0) };
    let number = number.ok_or_else(|| ("band", format!("expected the number of a band from 1 on, found {band:?}")))?;
    Ok((metres, factor, number))
}

/// True where a box shares area with the square world.
fn in_the_world(bounds: &Bounds) -> bool {
    let half = web_mercator::HALF_WORLD;
    bounds.overlaps(&Bounds::new(-half, -half, half, half))
}
