//! `bounds.csv`: footprints beside the rasters, so that no raster need be opened to be indexed.
//!
//! The columns are `filename,left,bottom,right,top,width,height` in any order, the box in EPSG:3857 metres and the size
//! in cells. Further columns may be `crs`, `unit` (`ft`, `ftUS`, or metres as a number), `scale` and `band`. The last three take
//! precedence over what the file says of its heights. All other columns are ignored. Lines have as many fields as the header. File
//! names are relative to the folder of the list, or URLs (`s3://`, `gs://`, `az://`, `https://`).

mod line;

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::path::Path;

use line::{Header, Line};

use super::fingerprint::fingerprint;
use super::{Reason, Rejected, part_path};
use crate::atomic::AtomicFile;
use crate::error::{Error, Result};
use crate::progress::{Progress, Silent};
use crate::raster::parts::Folders;
use crate::raster::{self, on_the_lattice, unit};
use crate::store::{DataType, RecordInput, Store};
use crate::tile::web_mercator;
use crate::url;

/// The columns that must be there.
const COLUMNS: [&str; 7] = ["filename", "left", "bottom", "right", "top", "width", "height"];

/// Reads a list: the records of source number `source`, sorted by the bytes of their paths, and the files that are
/// missing. Each file is looked at (size and time) but not opened.
///
/// # Errors
/// As [`each`], and where a file is listed twice.
pub fn read(path: impl AsRef<Path>, source: usize) -> Result<(Vec<RecordInput>, Vec<Rejected>)> {
    let path = path.as_ref();
    let (mut records, mut rejected) = (Vec::new(), Vec::new());
    each(path, source, &Silent, &mut |line| {
        match line {
            Ok(record) => records.push(record),
            Err(problem) => rejected.push(problem),
        }
        Ok(())
    })?;
    records.sort_by(|a, b| a.path.cmp(&b.path));
    rejected.sort_by(|a, b| a.path.cmp(&b.path));
    if let Some(pair) = records.windows(2).find(|pair| pair[0].path == pair[1].path) {
        let problem = format!("lists {:?} twice", pair[0].path);
        return Err(Error::invalid("bounds.csv", problem, "delete one of the lines").with_path(path));
    }
    Ok((records, rejected))
}

/// Calls `keep` with the record of every line, or with why its file can't be used. Each file is looked at (size and time)
/// but not opened. Reads line by line, whatever the length of the list.
///
/// The pixel size is the side of a square with the mean area of the cells.
///
/// # Errors
/// Where the list can't be read or a line is impossible (the message names line and column), `keep` fails, or the user
/// interrupts.
pub fn each(
    path: &Path,
    source: usize,
    progress: &dyn Progress,
    keep: &mut dyn FnMut(Result<RecordInput, Rejected>) -> Result<()>,
) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (header, mut lines) = Header::read(path)?;
    let known_crs = HashSet::from([String::new()]);
    let mut list = List { folder, source, folders: Folders::default(), known_crs, last: String::new() };
    let mut batch: Vec<csv::StringRecord> = Vec::new();
    loop {
        batch.clear();
        let mut broken = Ok(());
        while batch.len() < BATCH {
            let mut fields = csv::StringRecord::new();
            match lines.read_record(&mut fields) {
                Ok(true) => batch.push(fields),
                Ok(false) => break,
                Err(error) => {
                    broken = Err(header.unreadable(&error));
                    break;
                }
            }
        }
        let all = || batch.iter().map(|fields| Line { header: &header, number: line_of(fields), fields });
        if url::is_one(folder) || all().any(|line| url::of(line.name()).is_some()) {
            let names = all().filter_map(|line| line.footprint().ok());
            raster::look_ahead(&names.map(|footprint| url::join(folder, &footprint.name)).collect::<Vec<_>>());
        }
        for line in all() {
            progress.advance(1);
            if line.number.is_multiple_of(1024) && progress.interrupted() {
                return Err(Error::Interrupted);
            }
            list.take(line, keep)?;
        }
        broken?;
        if batch.len() < BATCH {
            return Ok(());
        }
    }
}

/// Lines that are read before their files are looked at: those on a network are asked for together.
const BATCH: usize = 256;

fn line_of(fields: &csv::StringRecord) -> u64 {
    fields.position().map_or(0, csv::Position::line)
}

/// A list while it is read.
struct List<'a> {
    folder: &'a Path,
    source: usize,
    folders: Folders,
    known_crs: HashSet<String>,
    /// The name on the line before.
    last: String,
}

impl List<'_> {
    fn take(
        &mut self,
        line: Line<'_>,
        keep: &mut dyn FnMut(Result<RecordInput, Rejected>) -> Result<()>,
    ) -> Result<()> {
        let footprint = line.footprint()?;
        // Most lists are in order. A name that is listed twice elsewhere is found when records are sorted.
        if footprint.name == self.last {
            return Err(line.problem(COLUMNS[0], format!("{:?} is listed twice", footprint.name)));
        }
        self.last.clone_from(&footprint.name);
        let rejected = |reason, detail: String| {
            let detail = format!("{detail} ({})", line.place());
            Rejected { source: self.source, path: footprint.name.clone(), reason, detail }
        };
        let file = url::join(self.folder, &footprint.name);
        let found = fingerprint(&file).and_then(|found| {
            let parts = self.folders.digest(&file).map_err(|why| (Reason::of(&why), why.to_string()))?;
            Ok((found, parts))
        });
        let ((file_size, modified_ns), parts) = match found {
            Ok(found) => found,
            Err((reason, detail)) => return keep(Err(rejected(reason, detail))),
        };
        let (unit, scale, band) = line.values()?;
        let crs = line.crs();
        if !self.known_crs.contains(crs) {
            check_crs(crs).map_err(|words| line.problem("crs", words))?;
            self.known_crs.insert(crs.to_string());
        }
        let inside = footprint.parts();
        if inside.is_empty() {
            let detail = "its box does not meet the square world; is it in EPSG:3857 metres?";
            return keep(Err(rejected(Reason::OutsideWebMercator, detail.into())));
        }
        for (part, bounds) in inside.into_iter().enumerate() {
            keep(Ok(RecordInput {
                source: self.source,
                path: part_path(&footprint.name, part),
                bounds,
                pixel_size: on_the_lattice(footprint.cell()),
                width: footprint.width,
                height: footprint.height,
                crs: crs.to_string(),
                nodata: None,
                data_type: DataType::Unknown,
                file_size,
                modified_ns,
                parts,
                band,
                unit,
                scale,
                ..RecordInput::default()
            }))
            .map_err(|error| match error {
                Error::Raster { path: file, problem } => Error::raster(file, format!("{problem} ({})", line.place())),
                other => other,
            })?;
        }
        Ok(())
    }
}

/// Asks whether a CRS is known. Without a reader of rasters every CRS passes.
fn check_crs(text: &str) -> Result<(), String> {
    let Ok(reader) = crate::raster::reader() else { return Ok(()) };
    reader.check_crs(text).map_err(|e| format!("expected EPSG:n, WKT, or nothing; {e}"))
}

/// Writes a list of records in their order, over an existing file. There is a `crs` column, and columns of unit, scale and band
/// where a record has one of them. Read back, the list gives the same boxes to the last bit. The two parts of a file across the
/// 180th meridian become one line again, whose box reaches beyond the world.
///
/// # Errors
/// Where the file can't be written.
pub fn write<R: Borrow<RecordInput>>(path: impl AsRef<Path>, records: impl IntoIterator<Item = R>) -> Result<()> {
    let path = path.as_ref();
    let bytes = text(records)?;
    let mut file = AtomicFile::create(path)?;
    file.file().write_all(&bytes).map_err(Error::io("write", path))?;
    file.commit()
}

/// True where a file begins with the header that [`write()`] writes.
#[must_use]
pub fn is_one(path: &Path) -> bool {
    let head = COLUMNS.join(",");
    crate::local::start(path, head.len() as u64) == head.as_bytes()
}

/// The records of a store as [`write()`] writes them, sorted by the bytes of their paths. A list has no column for sources.
///
/// # Errors
/// As [`text`], and where the store is damaged.
pub fn text_of(store: &Store) -> Result<Vec<u8>> {
    let mut records = Vec::new();
    store.each_input(|record| {
        records.push(record);
        Ok(())
    })?;
    records.sort_by(|a, b| a.path.cmp(&b.path));
    text(&records)
}

/// What [`write()`] writes.
///
/// # Errors
/// Where a value can't be written as CSV.
pub fn text<R: Borrow<RecordInput>>(records: impl IntoIterator<Item = R>) -> Result<Vec<u8>> {
    let mut text = csv::Writer::from_writer(Vec::new());
    let broken = |e: csv::Error| Error::internal(format!("can't write CSV: {e}"));
    let records: Vec<R> = records.into_iter().collect();
    let adjusted = records.iter().map(Borrow::borrow).any(|r| r.band > 0 || r.unit != 0.0 || r.scale != 0.0);
    let more: &[&str] = if adjusted { &["unit", "scale", "band"] } else { &[] };
    text.write_record(COLUMNS.iter().copied().chain(["crs"]).chain(more.iter().copied())).map_err(broken)?;
    let is_second = |path: &str| path.starts_with("./");
    let second: HashMap<&str, f64> = records
        .iter()
        .map(|r| (r.borrow().path.as_str(), r.borrow().bounds.max_x))
        .filter(|(path, _)| is_second(path))
        .collect();
    for record in records.iter().map(Borrow::borrow).filter(|r| !is_second(&r.path)) {
        let b = &record.bounds;
        let max_x = second.get(part_path(&record.path, 1).as_str()).map_or(b.max_x, |x| x + web_mercator::WORLD);
        let numbers = [b.min_x, b.min_y, max_x, b.max_y].map(|v| v.to_string());
        let [left, bottom, right, top] = &numbers;
        let (width, height) = (record.width.to_string(), record.height.to_string());
        let some = |is: bool, text: String| if is { text } else { String::new() };
        let values = [
            some(record.unit != 0.0, unit::text(record.unit)),
            some(record.scale != 0.0, record.scale.to_string()),
            some(record.band > 0, record.band.to_string()),
        ];
        let values = values.iter().take(more.len());
        let fields = [&record.path, left, bottom, right, top, &width, &height, &record.crs];
        text.write_record(fields.into_iter().chain(values)).map_err(broken)?;
    }
    text.into_inner().map_err(|e| Error::internal(format!("can't write CSV: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("b.tif"), "1").unwrap();
        let path = folder.path().join("bounds.csv");
        std::fs::write(&path, text).unwrap();
        read(&path, 0).unwrap_err().to_string()
    }

    #[test]
    fn reads_sorts_and_reports_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bounds.csv");
        std::fs::create_dir(folder.path().join("x")).unwrap();
        std::fs::write(folder.path().join("x/b.tif"), "12345").unwrap();
        std::fs::write(folder.path().join("a.tif"), "1").unwrap();
        std::fs::write(folder.path().join("far.tif"), "1").unwrap();
        let text = "\u{feff}filename, left,bottom,right,top,width,height,crs,extra\n\
            x/b.tif,0,0,1000.5,500,100,50,EPSG:6668,?\n\"gone, away.tif\",0,0,1,1,1,1,,\nfar.tif,3e7,0,4e7,1,1,1,,\n./a.tif,-5,-5,5,5,2,2,,\n";
        std::fs::write(&path, text).unwrap();
        let (records, rejected) = read(&path, 3).unwrap();
        assert_eq!(records.iter().map(|r| r.path.as_str()).collect::<Vec<_>>(), ["a.tif", "x/b.tif"]);
        let b = &records[1];
        assert_eq!((b.source, b.file_size, b.crs.as_str(), b.width, b.height), (3, 5, "EPSG:6668", 100, 50));
        assert!((b.pixel_size - (10.005f64 * 10.0).sqrt()).abs() < 1e-9);
        assert!(b.modified_ns > 1_600_000_000_000_000_000);
        let reasons: Vec<_> = rejected.iter().map(|r| (r.path.as_str(), r.reason)).collect();
        assert_eq!(reasons, [("far.tif", Reason::OutsideWebMercator), ("gone, away.tif", Reason::Missing)]);

        let text = text.replace("extra", "unit").replace(",?", ",ftUS");
        std::fs::write(&path, text).unwrap();
        let (records, _) = read(&path, 3).unwrap();
        assert_eq!((records[0].unit, records[1].unit), (0.0, 1200.0 / 3937.0));
        let copy = folder.path().join("copy.csv");
        write(&copy, &records).unwrap();
        assert_eq!(read(&copy, 3).unwrap().0, records);
    }

    #[test]
    fn errors_name_line_and_column() {
        const HEAD: &str = "filename,left,bottom,right,top,width,height\n";
        let ok = "a.tif,0,0,1,1,1,1\n";
        let cases = [
            ("filename,left\n".to_string(), "line 1, column bottom"),
            (
                format!("{HEAD}{ok}b.tif,zero,0,1,1,1,1\n"),
                "line 3, column left: expected a number of metres, found \"zero\"",
            ),
            (format!("{HEAD}b.tif,0,0,1,nan,1,1\n"), "line 2, column top"),
            (format!("{HEAD}b.tif,2,0,1,1,1,1\n"), "line 2, column right: right (1) is not beyond left (2)"),
            (format!("{HEAD}b.tif,0,0,1,1,0,1\n"), "line 2, column width: expected a number of cells above 0"),
            (format!("{HEAD}b.tif,0,0,1,1,1\n"), "line 2, column height"),
            (
                format!("{HEAD}b.tif,0,0,1,1,1,1,EPSG:4326\n"),
                "line 2, column 8: expected 7 fields as in the header, found 8",
            ),
            (format!("{HEAD}b.tif,0,0,1e308,1,1,1\n"), "line 2, column right: 1e308 m is no place on the Earth"),
            (format!("{HEAD}b.tif,-1e9,0,1,1,1,1\n"), "line 2, column left"),
            (format!("{HEAD}../b.tif,0,0,1,1,1,1\n"), "line 2, column filename: expected a path below"),
            (format!("{HEAD}/b.tif,0,0,1,1,1,1\n"), "line 2, column filename"),
            (
                format!("{}{ok}", HEAD.replace("height", "height,unit").replace('\n', "\nb.tif,0,0,1,1,1,1,K\n")),
                "column unit",
            ),
            (
                format!("{}{ok}", HEAD.replace("height", "height,scale").replace('\n', "\nb.tif,0,0,1,1,1,1,0\n")),
                "column scale",
            ),
            (
                format!("{}{ok}", HEAD.replace("height", "height,band").replace('\n', "\nb.tif,0,0,1,1,1,1,-1\n")),
                "column band",
            ),
        ];
        #[cfg(feature = "gdal")]
        assert!(
            problem(&format!("{}b.tif,0,0,1,1,1,1,EPSG:99999\n", HEAD.replace("height", "height,crs")))
                .contains("line 2, column crs: expected EPSG:n, WKT, or nothing")
        );
        for (text, want) in cases {
            let found = problem(&text);
            assert!(found.contains(want), "{found}");
        }
    }

    #[test]
    fn altered_lists_are_refused_by_name_or_are_records_on_the_earth() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.tif"), "1").unwrap();
        std::fs::write(folder.path().join("b.tif"), "1").unwrap();
        let path = folder.path().join("bounds.csv");
        let text = "filename,left,bottom,right,top,width,height,unit,scale,band\na.tif,0,0,1000.5,500,100,50,m,,\n\
                    b.tif,-2000,-1000,0,0,200,100,ft,0.1,2\n";
        let (mut taken, mut refused) = (0, 0);
        for seed in 0..3000 {
            std::fs::write(&path, crate::altered::altered(text.as_bytes(), seed)).unwrap();
            match read(&path, 0) {
                Ok((records, _)) => {
                    taken += 1;
                    let sound =
                        |r: &RecordInput| r.bounds.width() > 0.0 && r.bounds.width() < 5e7 && r.pixel_size.is_finite();
                    assert!(records.iter().all(sound), "{seed}");
                }
                Err(error) => {
                    refused += 1;
                    crate::altered::check_message(&error, "bounds.csv");
                }
            }
        }
        assert!(taken > 100 && refused > 1000, "{taken} {refused}");
    }
}
