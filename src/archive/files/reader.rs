//! Reading a folder of tiles.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::describe::{Description, describe};
use super::names::{number, split};
use super::scan::{Scan, entries, is_dir};
use crate::archive::form::is_picture;
use crate::archive::mended::HYBRID;
use crate::archive::scheme::{Fit, Verdict};
use crate::archive::{
    ArchiveKind, ArchiveMetadata, Located, LocatedTiles, OnDuplicate, OpenOptions, Scheme, TileFormat, TileRun,
    TileSource,
};
use crate::error::{Error, Result};
use crate::json::Json;
use crate::tile::{TileCoord, TileId};

/// Columns that are compared with the bounds, and tiles of each.
const COMPARED: (usize, usize) = (16, 8);

/// A folder of tiles, open for reading.
#[derive(Debug)]
pub struct FilesReader {
    path: PathBuf,
    scheme: Scheme,
    on_duplicate: OnDuplicate,
    scan: Scan,
    metadata: ArchiveMetadata,
    warnings: Vec<String>,
    about_scheme: Option<String>,
}

impl FilesReader {
    /// Opens a folder: reads its metadata and all names.
    ///
    /// # Errors
    /// Where the folder can't be read, holds no tile, tiles that no archive holds together, or two files of one tile that differ; where
    /// its metadata are damaged.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, OpenOptions::default())
    }

    /// As [`open`](Self::open), with a scheme that overrules what the folder says, and a rule for several files of one tile.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(path: &Path, options: OpenOptions) -> Result<Self> {
        let Description { mut metadata, scheme: said, mut warnings } = describe(path)?;
        let scan = Scan::of(path, &metadata.format, options.on_duplicate)?;
        if scan.tiles == 0 {
            return Err(no_tiles(path, &scan));
        }
        metadata.format = format(path, &scan, metadata.format, &mut warnings)?;
        let used = options.scheme.or(said.map(|(scheme, _)| scheme)).unwrap_or_default();
        let zooms = (metadata.minzoom, metadata.maxzoom);
        (metadata.minzoom, metadata.maxzoom) = (scan.zooms.first().copied(), scan.zooms.last().copied());
        if zooms.0.is_some_and(|z| Some(z) != metadata.minzoom) || zooms.1.is_some_and(|z| Some(z) != metadata.maxzoom)
        {
            warnings.push("its metadata say other zooms than its tiles; taken from the tiles".to_owned());
        }
        let on_duplicate = options.on_duplicate;
        let about_scheme = None;
        let mut reader =
            Self { path: path.to_path_buf(), scheme: used, on_duplicate, scan, metadata, warnings, about_scheme };
        let chosen = if options.scheme.is_some() { Some("the option") } else { said.map(|(_, file)| file) };
        reader.settle_scheme(chosen)?;
        reader.warnings.extend(reader.about_scheme.clone());
        reader.warn_of_rest();
        Ok(reader)
    }

    /// Compares the bounds with the tiles of the finest zoom. `said` tells where the scheme in use comes from.
    fn settle_scheme(&mut self, said: Option<&str>) -> Result<()> {
        let verdict = match (self.metadata.bounds, self.metadata.maxzoom) {
            (Some(bounds), Some(zoom)) => Fit::of(bounds, zoom, &self.sample(zoom)?).verdict(self.scheme, &Scheme::ALL),
            _ => Verdict::Fits,
        };
        let used = self.scheme;
        self.about_scheme = match (said, verdict) {
            (None, Verdict::Other(other)) => {
                self.scheme = other;
                Some(format!("its tiles are {}, as its bounds show", other.words()))
            }
            (None, Verdict::Doubtful(other)) => {
                let (words, name) = (other.words(), other.name());
                Some(format!(
                    "its bounds fit {words} better than {}; say `scheme = {name}` where that is right",
                    used.words()
                ))
            }
            (Some(said), Verdict::Other(other) | Verdict::Doubtful(other)) => {
                let (words, name) = (other.words(), other.name());
                let used = used.words();
                Some(format!(
                    "read as {used}, as {said} says; but its bounds fit {words}: say `scheme = {name}` where that is right"
                ))
            }
            (Some(said), Verdict::Fits) if used != Scheme::Xyz && said.contains('.') => {
                Some(format!("its tiles are {}, as {said} says", used.words()))
            }
            _ => None,
        };
        Ok(())
    }

    /// Addresses of a zoom, spread over its columns.
    fn sample(&self, zoom: u8) -> Result<Vec<(u32, u32)>> {
        let folder = self.path.join(zoom.to_string());
        let columns = numbers(&folder)?;
        let mut found = Vec::new();
        for column in columns.iter().step_by(columns.len().div_ceil(COMPARED.0).max(1)) {
            let mut rows = self.rows(&folder.join(column.to_string()))?;
            rows.sort_unstable();
            for row in rows.iter().step_by(rows.len().div_ceil(COMPARED.1).max(1)) {
                found.extend(u32::try_from(*column).ok().zip(u32::try_from(*row).ok()));
            }
        }
        Ok(found)
    }

    fn warn_of_rest(&mut self) {
        let below = |file: &Path| file.strip_prefix(&self.path).unwrap_or(file).display().to_string();
        let left = self.scan.left_out.iter();
        let left = left.map(|(why, group)| format!("{} {why} (such as {})", group.count, below(&group.example)));
        let left: Vec<String> = left.collect();
        if !left.is_empty() {
            self.warnings.push(format!("left out what is no tile: {}", left.join(", ")));
        }
        if self.scan.repeated > 0 {
            let taken = match self.on_duplicate {
                OnDuplicate::Error => "all with the same content: harmless",
                OnDuplicate::First => "the one whose name comes first is taken",
                OnDuplicate::Last => "the one whose name comes last is taken",
            };
            self.warnings.push(format!("{} files stand for tiles that have another file; {taken}", self.scan.repeated));
        }
    }

    /// How addresses are written.
    pub(super) fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// What is odd about how addresses are written, and files that are left out.
    pub(in crate::archive) fn about_scheme(&self) -> Option<&str> {
        self.about_scheme.as_deref()
    }

    /// How many files and folders are left out.
    pub(in crate::archive) fn left_out(&self) -> u64 {
        self.scan.left_out.values().map(|group| group.count).sum()
    }

    /// The file of a tile: the first or the last of those that are there.
    fn open_file(&self, tile: TileCoord) -> Result<Option<(PathBuf, fs::File)>> {
        let (a, b) = self.scheme.address(tile);
        let stem = format!("{}/{a}/{b}", tile.z());
        let mut endings: Vec<&String> = self.scan.endings.iter().collect();
        if self.on_duplicate == OnDuplicate::Last {
            endings.reverse();
        }
        for ending in endings {
            let file = self.path.join(format!("{stem}{ending}"));
            match fs::File::open(&file) {
                Ok(open) => return Ok(Some((file, open))),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::io("read", &file)(error)),
            }
        }
        Ok(None)
    }

    /// The rows of the tiles of a column, those that stand twice as often.
    fn rows(&self, column: &Path) -> Result<Vec<u64>> {
        let mut rows = Vec::new();
        for entry in entries(column)? {
            let name = entry.file_name();
            let Some((row, ending)) = name.to_str().and_then(split) else { continue };
            if self.scan.endings.iter().any(|known| known == ending) && !is_dir(&entry) {
                rows.push(row);
            }
        }
        Ok(rows)
    }

    /// The tiles of one zoom, sorted: 24 bytes each.
    fn zoom(&self, zoom: u8) -> Result<Vec<Located>> {
        let mut tiles = Vec::new();
        let folder = self.path.join(zoom.to_string());
        for column in numbers(&folder)? {
            for row in self.rows(&folder.join(column.to_string()))? {
                let address = u32::try_from(column).ok().zip(u32::try_from(row).ok());
                let tile = address.and_then(|address| self.scheme.tile(zoom, address)).ok_or_else(|| {
                    let problem = format!("{zoom}/{column}/{row} lies outside of the zoom's grid");
                    Error::invalid("tiles", problem, "remove the file, or make the folder again").with_path(&self.path)
                })?;
                tiles.push(Located { id: tile.into(), place: Located::NOWHERE, bytes: 0 });
            }
        }
        tiles.sort_unstable_by_key(|tile| tile.id);
        tiles.dedup_by_key(|tile| tile.id);
        Ok(tiles)
    }
}

impl TileSource for FilesReader {
    fn path(&self) -> &Path {
        &self.path
    }

    fn kind(&self) -> ArchiveKind {
        ArchiveKind::Files
    }

    fn metadata(&self) -> &ArchiveMetadata {
        &self.metadata
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn tile(&self, tile: TileCoord) -> Result<Option<Vec<u8>>> {
        use std::io::Read;
        let Some((path, mut file)) = self.open_file(tile)? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(Error::io("read", &path))?;
        Ok(Some(bytes))
    }

    fn tiles(&self) -> Result<LocatedTiles<'_>> {
        Ok(Box::new(self.scan.zooms.iter().flat_map(|&zoom| {
            let (tiles, error) = match self.zoom(zoom) {
                Ok(tiles) => (tiles, None),
                Err(error) => (Vec::new(), Some(Err(error))),
            };
            error.into_iter().chain(tiles.into_iter().map(Ok))
        })))
    }

    fn tiles_of(&self, zoom: u8) -> Result<LocatedTiles<'_>> {
        let tiles = if self.scan.zooms.contains(&zoom) { self.zoom(zoom)? } else { Vec::new() };
        Ok(Box::new(tiles.into_iter().map(Ok)))
    }

    fn read(&self, tile: Located, into: &mut Vec<u8>) -> Result<()> {
        let missing = || Error::invalid("tiles", format!("id {} is gone", tile.id.0), "the folder is being changed");
        let coord = tile.id.coord().ok_or_else(missing)?;
        into.extend(self.tile(coord)?.ok_or_else(|| missing().with_path(&self.path))?);
        Ok(())
    }

    fn tile_count(&self) -> Result<u64> {
        Ok(self.scan.tiles)
    }

    fn runs(&self, visit: &mut dyn FnMut(TileRun) -> Result<()>) -> Result<()> {
        for tile in self.tiles()? {
            let TileId(id) = tile?.id;
            let Some(coord) = TileId(id).coord() else { continue };
            let Some((path, file)) = self.open_file(coord)? else { continue };
            let bytes = file.metadata().map_err(Error::io("read the size of", &path))?.len();
            visit(TileRun { first: TileId(id), count: 1, bytes, content: id })?;
        }
        Ok(())
    }

    fn facts(&self) -> Result<Json> {
        let mut facts = Map::new();
        facts.insert("scheme".to_owned(), self.scheme.name().into());
        facts.insert("extensions".to_owned(), self.scan.endings.clone().into());
        facts.insert("left_out".to_owned(), self.left_out().into());
        Ok(Json::of(Value::Object(facts)))
    }
}

/// The format of all tiles.
///
/// # Errors
/// Where they are of kinds that one archive can't hold.
fn format(path: &Path, scan: &Scan, declared: TileFormat, warnings: &mut Vec<String>) -> Result<TileFormat> {
    let formats: Vec<&TileFormat> = scan.formats.values().map(|(format, _)| format).collect();
    let below = |file: &Path| file.strip_prefix(path).unwrap_or(file).display().to_string();
    let list = || -> String {
        let each = scan.formats.values().map(|(format, group)| {
            let name = if format.name().is_empty() { "of no known format" } else { format.name() };
            format!("{} {name} (such as {})", group.count, below(&group.example))
        });
        each.collect::<Vec<_>>().join(" and ")
    };
    match formats[..] {
        // A name like `hybrid` says no more than its tiles.
        [only] if *only != TileFormat::Unknown => {
            if declared != TileFormat::Unknown && declared != *only && declared.name() != HYBRID {
                warnings.push(format!("its metadata say {} tiles, but they are {}", declared.name(), only.name()));
            }
            Ok(only.clone())
        }
        [_] => Ok(declared),
        _ if formats.iter().all(|format| is_picture(format) || format.name() == HYBRID) => {
            warnings.push(format!("holds pictures of several formats: {}", list()));
            Ok(TileFormat::Other(HYBRID.to_owned()))
        }
        _ => Err(Error::invalid(
            "tiles",
            format!("are of kinds that one archive can't hold: {}", list()),
            "move those of one kind into a folder of their own",
        )
        .with_path(path)),
    }
}

fn no_tiles(path: &Path, scan: &Scan) -> Error {
    let left = scan.left_out.iter().map(|(why, group)| {
        let example = group.example.strip_prefix(path).unwrap_or(&group.example).display().to_string();
        format!("{} {why} (such as {example})", group.count)
    });
    let left: Vec<String> = left.take(3).collect();
    let left = if left.is_empty() { String::new() } else { format!("; it has {}", left.join(", ")) };
    let problem =
        format!("is a folder without tiles of the form {{z}}/{{x}}/{{y}}.webp (or png, jpg, avif, pbf){left}");
    let remedy = "give the name of an MBTiles or PMTiles file, or the folder above the zooms";
    Error::invalid("archive", problem, remedy).with_path(path)
}

/// The folders in a folder whose names are numbers, in their order.
fn numbers(folder: &Path) -> Result<Vec<u64>> {
    let entries = entries(folder)?;
    let mut found: Vec<u64> = entries.iter().filter(|e| is_dir(e)).filter_map(|e| number(&e.file_name())).collect();
    found.sort_unstable();
    Ok(found)
}
