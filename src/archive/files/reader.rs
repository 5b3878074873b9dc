//! Reading a folder of tiles.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{EXTENSIONS, METADATA};
use crate::archive::mbtiles::rows;
use crate::archive::{ArchiveKind, ArchiveMetadata, Located, LocatedTiles, TileFormat, TileRun, TileSource};
use crate::error::{Error, Result};
use crate::tile::{TileCoord, TileId};

/// A folder of tiles, open for reading.
#[derive(Debug)]
pub struct FilesReader {
    path: PathBuf,
    extension: String,
    zooms: Vec<u8>,
    metadata: ArchiveMetadata,
    warnings: Vec<String>,
}

impl FilesReader {
    /// Opens a folder: reads its metadata and looks for zooms. The extension of the first tile is that of all.
    ///
    /// # Errors
    /// Where the folder can't be read, holds no tile, or its metadata are damaged.
    pub fn open(path: &Path) -> Result<Self> {
        let zooms: Vec<u8> =
            numbers(path)?.into_iter().filter_map(|n| u8::try_from(n).ok()).filter(|z| *z <= 31).collect();
        let mut found = None;
        'search: for zoom in &zooms {
            let folder = path.join(zoom.to_string());
            for column in numbers(&folder)? {
                found = first_tile(&folder.join(column.to_string()))?;
                if found.is_some() {
                    break 'search;
                }
            }
        }
        let Some((extension, first)) = found else {
            let problem = "is a folder without tiles of the form {z}/{x}/{y}.webp (or png, jpg, avif, pbf)";
            let remedy = "give the name of an MBTiles or PMTiles file, or the folder above the zooms";
            return Err(Error::invalid("archive", problem, remedy).with_path(path));
        };
        let mut warnings = Vec::new();
        let mut metadata = match fs::read(path.join(METADATA)) {
            Ok(text) => parse(&text).map_err(|error| error.with_path(path.join(METADATA)))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                warnings.push(format!("there is no {METADATA}; taken from the tiles where they tell"));
                ArchiveMetadata::default()
            }
            Err(error) => return Err(Error::io("read", path.join(METADATA))(error)),
        };
        if metadata.format == TileFormat::Unknown {
            let head = fs::read(&first).map_err(Error::io("read", &first))?;
            metadata.format = TileFormat::sniff(&head).unwrap_or_else(|| TileFormat::from_name(&extension));
        }
        (metadata.minzoom, metadata.maxzoom) = (zooms.first().copied(), zooms.last().copied());
        Ok(Self { path: path.to_path_buf(), extension, zooms, metadata, warnings })
    }

    fn file_of(&self, tile: TileCoord) -> PathBuf {
        self.path.join(format!("{}/{}/{}.{}", tile.z(), tile.x(), tile.y(), self.extension))
    }

    /// The tiles of one zoom, sorted: 24 bytes each.
    fn zoom(&self, zoom: u8) -> Result<Vec<Located>> {
        let mut tiles = Vec::new();
        let folder = self.path.join(zoom.to_string());
        for column in numbers(&folder)? {
            for entry in entries(&folder.join(column.to_string()))? {
                let name = PathBuf::from(entry.file_name());
                if name.extension() != Some(OsStr::new(&self.extension)) {
                    continue;
                }
                let Some(row) = name.file_stem().and_then(number) else { continue };
                let tile = u32::try_from(column).ok().zip(u32::try_from(row).ok());
                let tile = tile.and_then(|(x, y)| TileCoord::new(zoom, x, y)).ok_or_else(|| {
                    Error::invalid(
                        "tiles",
                        format!("{zoom}/{column}/{row} lies outside of the zoom's grid"),
                        "remove the file, or make the folder again",
                    )
                    .with_path(&self.path)
                })?;
                tiles.push(Located { id: tile.into(), place: Located::NOWHERE, bytes: 0 });
            }
        }
        tiles.sort_unstable_by_key(|tile| tile.id);
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
        let file = self.file_of(tile);
        match fs::read(&file) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read", &file)(error)),
        }
    }

    fn tiles(&self) -> Result<LocatedTiles<'_>> {
        Ok(Box::new(self.zooms.iter().flat_map(|&zoom| {
            let (tiles, error) = match self.zoom(zoom) {
                Ok(tiles) => (tiles, None),
                Err(error) => (Vec::new(), Some(Err(error))),
            };
            error.into_iter().chain(tiles.into_iter().map(Ok))
        })))
    }

    fn tiles_of(&self, zoom: u8) -> Result<LocatedTiles<'_>> {
        let tiles = if self.zooms.contains(&zoom) { self.zoom(zoom)? } else { Vec::new() };
        Ok(Box::new(tiles.into_iter().map(Ok)))
    }

    fn read(&self, tile: Located, into: &mut Vec<u8>) -> Result<()> {
        let missing = || Error::invalid("tiles", format!("id {} is gone", tile.id.0), "the folder is being changed");
        let coord = tile.id.coord().ok_or_else(missing)?;
        into.extend(self.tile(coord)?.ok_or_else(|| missing().with_path(&self.path))?);
        Ok(())
    }

    fn tile_count(&self) -> Result<u64> {
        self.zooms.iter().try_fold(0, |sum, &zoom| Ok(sum + self.zoom(zoom)?.len() as u64))
    }

    fn runs(&self, visit: &mut dyn FnMut(TileRun) -> Result<()>) -> Result<()> {
        for tile in self.tiles()? {
            let TileId(id) = tile?.id;
            let Some(coord) = TileId(id).coord() else { continue };
            let file = self.file_of(coord);
            let bytes = fs::metadata(&file).map_err(Error::io("read the size of", &file))?.len();
            visit(TileRun { first: TileId(id), count: 1, bytes, content: id })?;
        }
        Ok(())
    }

    fn facts(&self) -> Result<Map<String, Value>> {
        Ok(Map::from_iter([("extension".to_owned(), Value::from(self.extension.clone()))]))
    }
}

/// The metadata of a JSON object whose values are those of MBTiles rows.
fn parse(text: &[u8]) -> Result<ArchiveMetadata> {
    let remedy = "correct the file, or move it away";
    let value = serde_json::from_slice(text);
    let value: Value = value.map_err(|e| Error::invalid("metadata", format!("is not valid JSON: {e}"), remedy))?;
    let Value::Object(map) = value else {
        return Err(Error::invalid("metadata", "expected a JSON object", remedy));
    };
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let rows: BTreeMap<String, String> = map.into_iter().map(|(key, value)| (key, text(value))).collect();
    Ok(rows::parse(&rows))
}

fn entries(folder: &Path) -> Result<Vec<fs::DirEntry>> {
    let list = fs::read_dir(folder).and_then(|list| list.collect::<std::io::Result<Vec<_>>>());
    list.map_err(Error::io("list", folder))
}

/// A name that is a plain number, without leading zeros.
fn number(name: &OsStr) -> Option<u64> {
    let text = name.to_str()?;
    let value: u64 = text.parse().ok()?;
    (value.to_string() == text).then_some(value)
}

/// The folders in a folder whose names are numbers, in their order.
fn numbers(folder: &Path) -> Result<Vec<u64>> {
    let mut found: Vec<u64> =
        entries(folder)?.iter().filter(|entry| entry.path().is_dir()).filter_map(|e| number(&e.file_name())).collect();
    found.sort_unstable();
    Ok(found)
}

/// The first tile of a column: its extension and file.
fn first_tile(column: &Path) -> Result<Option<(String, PathBuf)>> {
    let mut files: Vec<PathBuf> = entries(column)?.iter().map(fs::DirEntry::path).collect();
    files.sort();
    Ok(files.into_iter().find_map(|file| {
        number(file.file_stem()?)?;
        let extension = file.extension()?.to_str()?.to_owned();
        EXTENSIONS.contains(&extension.to_ascii_lowercase().as_str()).then_some((extension, file))
    }))
}
