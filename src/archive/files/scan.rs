//! A walk over all names of a folder: which of them are tiles, which zooms there are, what is left out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::names::{Ending, format_of, number, split};
use crate::archive::{OnDuplicate, TileFormat};
use crate::error::{Error, Result};
use crate::tile::MAX_ZOOM;

/// Files of one format.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) count: u64,
    pub(super) example: PathBuf,
}

/// What a folder holds.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// The zooms that have tiles, in their order.
    pub(super) zooms: Vec<u8>,
    pub(super) tiles: u64,
    /// The endings of tiles, in the order of their bytes, each with its dot: the order of the names of one tile.
    pub(super) endings: Vec<String>,
    /// Tiles by the name of their format.
    pub(super) formats: BTreeMap<String, (TileFormat, Group)>,
    /// Files and folders that are no tiles, by the reason.
    pub(super) left_out: BTreeMap<String, Group>,
    /// Tiles that are there twice: with the same content, or allowed by the user's rule.
    pub(super) repeated: u64,
    /// Files of unknown kind, by their ending: tiles where there are no others.
    unknown: BTreeMap<String, Vec<(u8, PathBuf)>>,
}

impl Scan {
    /// Reads all names below a folder.
    ///
    /// # Errors
    /// Where a folder can't be read, or a tile stands twice with different contents and no rule says which one to take.
    pub(super) fn of(folder: &Path, declared: &TileFormat, rule: OnDuplicate) -> Result<Self> {
        let mut scan = Self::default();
        let mut endings: BTreeMap<String, Ending> = BTreeMap::new();
        for entry in entries(folder)? {
            let name = entry.file_name();
            let text = name.to_string_lossy();
            match number(&name).and_then(|zoom| u8::try_from(zoom).ok()).filter(|&zoom| zoom <= MAX_ZOOM) {
                Some(zoom) if is_dir(&entry) => scan.zoom(zoom, &entry.path(), declared, rule, &mut endings)?,
                _ if !text.is_empty() && text.chars().all(|c| c.is_ascii_digit()) => {
                    scan.leave_out("with a name that is no zoom from 0 to 31, without leading zeros", entry.path());
                }
                _ => {}
            }
        }
        scan.zooms.sort_unstable();
        scan.zooms.dedup();
        scan.settle_unknown();
        scan.endings = endings
            .into_iter()
            .filter(|(ending, kind)| *kind != Ending::Unknown || scan.formats.contains_key(&format!("?{ending}")))
            .map(|(ending, _)| ending)
            .collect();
        Ok(scan)
    }

    fn zoom(
        &mut self,
        zoom: u8,
        folder: &Path,
        declared: &TileFormat,
        rule: OnDuplicate,
        endings: &mut BTreeMap<String, Ending>,
    ) -> Result<()> {
        for column in entries(folder)? {
            if !is_dir(&column) || number(&column.file_name()).is_none() {
                self.leave_out("that are no numbered folder", column.path());
                continue;
            }
            let mut rows: Vec<(u64, String)> = Vec::new();
            for entry in entries(&column.path())? {
                let path = entry.path();
                let name = entry.file_name().to_string_lossy().into_owned();
                if !is_file(&entry) {
                    self.leave_out("that are no files", path);
                    continue;
                }
                let Some((row, ending)) = split(&name) else {
                    self.leave_out("with a name that is no number", path);
                    continue;
                };
                let kind = endings.entry(ending.to_owned()).or_insert_with(|| Ending::of(ending, declared));
                let format = match kind {
                    Ending::Format(format) => format.clone(),
                    Ending::Opaque => format_of(&path).unwrap_or_else(|| opaque(ending, declared)),
                    Ending::Unknown => {
                        self.unknown.entry(ending.to_owned()).or_default().push((zoom, path));
                        continue;
                    }
                };
                self.count(zoom, format.name().to_owned(), format, path);
                rows.push((row, name));
            }
            rows.sort_unstable();
            for same in rows.chunk_by(|a, b| a.0 == b.0).filter(|same| same.len() > 1) {
                self.twice(&column.path(), same, rule)?;
            }
        }
        Ok(())
    }

    fn count(&mut self, zoom: u8, key: String, format: TileFormat, example: PathBuf) {
        self.tiles += 1;
        self.zooms.push(zoom);
        if self.zooms.len() > 1024 {
            self.zooms.sort_unstable();
            self.zooms.dedup();
        }
        self.formats.entry(key).or_insert_with(|| (format, Group { count: 0, example })).1.count += 1;
    }

    fn leave_out(&mut self, why: &str, example: PathBuf) {
        self.left_out.entry(why.to_owned()).or_insert_with(|| Group { count: 0, example }).count += 1;
    }

    /// Several files of one tile.
    fn twice(&mut self, folder: &Path, same: &[(u64, String)], rule: OnDuplicate) -> Result<()> {
        let read = |name: &String| {
            let file = folder.join(name);
            fs::read(&file).map_err(Error::io("read", &file))
        };
        let mut differ = false;
        if rule == OnDuplicate::Error {
            let first = read(&same[0].1)?;
            for (_, name) in &same[1..] {
                differ |= read(name)? != first;
            }
        }
        if differ {
            let names: Vec<&str> = same.iter().map(|(_, name)| name.as_str()).collect();
            return Err(Error::invalid(
                "tiles",
                format!("one tile stands there twice, with different contents: {}", names.join(", ")),
                "say which one is taken with `on_duplicate = first` or `on_duplicate = last`, or remove one",
            )
            .with_path(folder));
        }
        self.repeated += same.len() as u64 - 1;
        self.tiles -= same.len() as u64 - 1;
        Ok(())
    }

    /// Files of unknown kind are tiles where there are no others and all are of one kind; else they are left out.
    fn settle_unknown(&mut self) {
        let unknown = std::mem::take(&mut self.unknown);
        let alone = self.tiles == 0 && unknown.len() == 1;
        for (ending, files) in unknown {
            for (zoom, file) in files {
                if alone {
                    let format = TileFormat::Other(ending.trim_start_matches('.').to_ascii_lowercase());
                    self.count(zoom, format!("?{ending}"), format, file);
                } else {
                    self.leave_out(&format!("that end with {ending}"), file);
                }
            }
        }
        self.zooms.sort_unstable();
        self.zooms.dedup();
    }
}

/// The format of a file whose ending and bytes don't tell one.
fn opaque(ending: &str, declared: &TileFormat) -> TileFormat {
    match ending.trim_start_matches('.').to_ascii_lowercase().as_str() {
        "" | "bin" | "tile" | "dat" => declared.clone(),
        name => TileFormat::Other(name.to_owned()),
    }
}

pub(super) fn entries(folder: &Path) -> Result<Vec<fs::DirEntry>> {
    let list = fs::read_dir(folder).and_then(|list| list.collect::<std::io::Result<Vec<_>>>());
    list.map_err(Error::io("list", folder))
}

/// True for a folder, or a link to one.
pub(super) fn is_dir(entry: &fs::DirEntry) -> bool {
    entry.file_type().is_ok_and(|kind| if kind.is_symlink() { entry.path().is_dir() } else { kind.is_dir() })
}

/// True for a file, or a link to one.
fn is_file(entry: &fs::DirEntry) -> bool {
    entry.file_type().is_ok_and(|kind| if kind.is_symlink() { entry.path().is_file() } else { kind.is_file() })
}
