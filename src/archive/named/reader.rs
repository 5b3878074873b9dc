//! Reading tiles by their names.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::template::Template;
use super::zip::ZipFile;
use crate::archive::files::{Description, METADATA_NAMES, describe, description_of, format_of_name};
use crate::archive::{
    ArchiveKind, ArchiveMetadata, Located, LocatedTiles, OnDuplicate, OpenOptions, Scheme, TileFormat, TileRun,
    TileSource,
};
use crate::error::{Error, Result};
use crate::json::Json;
use crate::tile::{TileCoord, TileId};

/// The largest tile that is read, bytes.
pub(super) const TILE_CAP: u64 = 256 << 20;

/// Tiles by their names, open for reading.
#[derive(Debug)]
pub struct NamedReader {
    path: PathBuf,
    shelf: Shelf,
    /// Tiles in order, and the numbers of their entries.
    tiles: Vec<(TileId, u32)>,
    metadata: ArchiveMetadata,
    warnings: Vec<String>,
}

/// Where the bytes are.
#[derive(Debug)]
enum Shelf {
    Folder(PathBuf, Template),
    Zip(ZipFile),
}

/// Names that are no tiles: how many, and the first.
#[derive(Default)]
struct Rest {
    count: u64,
    first: String,
}

impl Rest {
    fn add(&mut self, name: &str) {
        if self.count == 0 {
            name.clone_into(&mut self.first);
        }
        self.count += 1;
    }
}

impl NamedReader {
    /// Opens a folder by the pattern of its names.
    ///
    /// # Errors
    /// Where the pattern is wrong, the folder can't be read, or no name fits.
    pub fn open_folder(path: &Path) -> Result<Self> {
        let (root, template) = Template::split(path)?;
        let description = describe(&root)?;
        let mut tiles = Vec::new();
        let mut rest = Rest::default();
        for entry in
            walkdir::WalkDir::new(&root).follow_links(true).min_depth(template.depth()).max_depth(template.depth())
        {
            let entry = entry.map_err(|error| {
                let source = error.into_io_error().unwrap_or_else(|| std::io::Error::other("links form a circle"));
                Error::io("list", &root)(source)
            })?;
            let name = entry.path().strip_prefix(&root).unwrap_or(entry.path()).to_string_lossy();
            match template.tile(&name).filter(|_| entry.file_type().is_file()) {
                Some((tile, _)) => tiles.push((TileId::from(tile), 0)),
                None if METADATA_NAMES.contains(&name.as_ref()) => {}
                None => rest.add(&name),
            }
        }
        let ending = template.ending().to_owned();
        Self::of(path, Shelf::Folder(root, template), tiles, description, &[ending], &rest)
    }

    /// Opens a zip of tiles; `options` say how addresses are written, and what to do with a tile that is there twice.
    ///
    /// # Errors
    /// Where it is no zip, is damaged, holds no tile, or one twice while no rule says which to take.
    pub fn open_zip(path: &Path, options: OpenOptions) -> Result<Self> {
        let zip = ZipFile::open(path)?;
        let names = zip.names();
        let about = names.iter().position(|name| name.rsplit('/').next() == Some("metadata.json"));
        let description = match about {
            Some(n) => description_of(&zip.read(n, 64 << 20)?).map_err(|error| error.with_path(path))?,
            None => Description::default(),
        };
        let scheme = options.scheme.or(description.scheme.map(|(scheme, _)| scheme)).unwrap_or(Scheme::Xyz);
        let template = Template::of(scheme);
        let (mut tiles, mut endings, mut rest) = (Vec::new(), Vec::new(), Rest::default());
        for (n, name) in names.iter().enumerate().filter(|(n, name)| Some(*n) != about && !name.ends_with('/')) {
            // Below folders of any name.
            let start = name.rmatch_indices('/').nth(2).map_or(0, |(at, _)| at + 1);
            match template.tile(&name[start..]).zip(u32::try_from(n).ok()) {
                Some(((tile, ending), n)) => {
                    tiles.push((TileId::from(tile), n));
                    if !endings.iter().any(|known| known == ending) {
                        endings.push(ending.to_owned());
                    }
                }
                None => rest.add(name),
            }
        }
        tiles.sort_by_key(|&(id, _)| id);
        let tiles = zip.settle(tiles, options.on_duplicate)?;
        Self::of(path, Shelf::Zip(zip), tiles, description, &endings, &rest)
    }

    fn of(
        path: &Path,
        shelf: Shelf,
        mut tiles: Vec<(TileId, u32)>,
        description: Description,
        endings: &[String],
        rest: &Rest,
    ) -> Result<Self> {
        let Description { mut metadata, mut warnings, .. } = description;
        tiles.sort_unstable();
        let zooms = tiles.first().and_then(|(id, _)| id.zoom()).zip(tiles.last().and_then(|(id, _)| id.zoom()));
        let Some((min, max)) = zooms else {
            let found =
                if rest.count > 0 { format!("; it has {} such as {}", rest.count, rest.first) } else { String::new() };
            let problem = format!("has no tile under such names{found}");
            return Err(
                Error::invalid("archive", problem, "check the pattern or the scheme against the names").with_path(path)
            );
        };
        (metadata.minzoom, metadata.maxzoom) = (Some(min), Some(max));
        if rest.count > 0 {
            warnings.push(format!("left out what is no tile: {} (such as {})", rest.count, rest.first));
        }
        if let [only] = endings
            && let Some(format) = format_of_name(only, &metadata.format)
        {
            metadata.format = format;
        }
        let mut reader = Self { path: path.to_path_buf(), shelf, tiles, metadata, warnings };
        if reader.metadata.format == TileFormat::Unknown {
            let first = reader.some(1);
            reader.metadata.format = first.first().and_then(|bytes| TileFormat::sniff(bytes)).unwrap_or_default();
        }
        Ok(reader)
    }

    fn number(&self, id: TileId) -> Option<u32> {
        self.tiles.binary_search_by_key(&id, |&(id, _)| id).ok().map(|at| self.tiles[at].1)
    }

    fn file(&self, root: &Path, template: &Template, tile: TileCoord) -> PathBuf {
        root.join(template.name(tile, ""))
    }

    fn content(&self, tile: TileCoord, number: u32) -> Result<Vec<u8>> {
        match &self.shelf {
            Shelf::Folder(root, template) => {
                let file = self.file(root, template, tile);
                fs::read(&file).map_err(Error::io("read", &file))
            }
            Shelf::Zip(zip) => zip.read(number as usize, TILE_CAP),
        }
    }

    fn located(&self, tiles: &[(TileId, u32)]) -> LocatedTiles<'_> {
        let zip = matches!(self.shelf, Shelf::Zip(_));
        let place = move |number: u32| if zip { u64::from(number) } else { Located::NOWHERE };
        let tiles = tiles.to_vec();
        Box::new(tiles.into_iter().map(move |(id, number)| Ok(Located { id, place: place(number), bytes: 0 })))
    }
}

impl TileSource for NamedReader {
    fn path(&self) -> &Path {
        &self.path
    }

    fn kind(&self) -> ArchiveKind {
        match self.shelf {
            Shelf::Folder(..) => ArchiveKind::Files,
            Shelf::Zip(_) => ArchiveKind::Zip,
        }
    }

    fn metadata(&self) -> &ArchiveMetadata {
        &self.metadata
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn tile(&self, tile: TileCoord) -> Result<Option<Vec<u8>>> {
        self.number(tile.into()).map(|number| self.content(tile, number)).transpose()
    }

    fn tiles(&self) -> Result<LocatedTiles<'_>> {
        Ok(self.located(&self.tiles))
    }

    fn tiles_of(&self, zoom: u8) -> Result<LocatedTiles<'_>> {
        let ids = TileId::zoom_range(zoom);
        let at = |id: u64| self.tiles.partition_point(|(known, _)| known.0 < id);
        Ok(self.located(&self.tiles[at(ids.start)..at(ids.end)]))
    }

    fn read(&self, tile: Located, into: &mut Vec<u8>) -> Result<()> {
        let missing = || Error::invalid("tiles", format!("id {} is gone", tile.id.0), "the archive is being changed");
        let coord = tile.id.coord().ok_or_else(missing)?;
        into.extend(self.tile(coord)?.ok_or_else(|| missing().with_path(&self.path))?);
        Ok(())
    }

    fn tile_count(&self) -> Result<u64> {
        Ok(self.tiles.len() as u64)
    }

    fn runs(&self, visit: &mut dyn FnMut(TileRun) -> Result<()>) -> Result<()> {
        for &(id, number) in &self.tiles {
            let Some(tile) = id.coord() else { continue };
            let bytes = match &self.shelf {
                Shelf::Folder(root, template) => {
                    let file = self.file(root, template, tile);
                    fs::metadata(&file).map_err(Error::io("read the size of", &file))?.len()
                }
                Shelf::Zip(zip) => zip.size(number as usize)?,
            };
            visit(TileRun { first: id, count: 1, bytes, content: id.0 })?;
        }
        Ok(())
    }

    fn facts(&self) -> Result<Json> {
        let mut facts = Map::new();
        facts.insert("entries".to_owned(), self.tiles.len().into());
        if let Shelf::Zip(_) = self.shelf {
            let size = fs::metadata(&self.path).map_err(Error::io("read the size of", &self.path))?.len();
            facts.insert("file_bytes".to_owned(), size.into());
        }
        Ok(Json::of(Value::Object(facts)))
    }
}

/// One entry of each tile, by a rule for those that are there twice. `same` says whether two entries have one content.
pub(super) fn one_each(
    tiles: Vec<(TileId, u32)>,
    rule: OnDuplicate,
    same: impl Fn(u32, u32) -> Result<bool>,
) -> Result<Vec<(TileId, u32)>> {
    let mut out: BTreeMap<TileId, u32> = BTreeMap::new();
    for (id, number) in tiles {
        let Some(&first) = out.get(&id) else {
            out.insert(id, number);
            continue;
        };
        match rule {
            OnDuplicate::First => {}
            OnDuplicate::Last => drop(out.insert(id, number)),
            OnDuplicate::Error if same(first, number)? => {}
            OnDuplicate::Error => {
                let tile = id.coord().map_or_else(|| format!("id {}", id.0), |tile| tile.to_string());
                let remedy = "say which one is taken with `on_duplicate = first` or `on_duplicate = last`";
                return Err(Error::invalid(
                    format!("tile {tile}"),
                    "stands there twice, with different contents",
                    remedy,
                ));
            }
        }
    }
    Ok(out.into_iter().collect())
}
