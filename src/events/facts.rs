//! What a dataset holds, as its file says: of stores their sources, of archives their tiles.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::dataset::Dataset;
use crate::archive::{self, ArchiveKind, RUN_ROW};
use crate::error::Result;
use crate::format::Kind as Format;
use crate::format::checksum::Checksum;
use crate::json::Json;
use crate::quality::Finding;
use crate::store::{DataType, Store, record_columns};
use crate::url;

/// What kind of thing a dataset is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Rasters of one source.
    Source,
    /// A store.
    Store,
    /// Tiles.
    Archive,
    /// Something else, or nothing yet.
    Other,
}

impl Kind {
    /// Its name in events.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "RASTERS",
            Self::Store => "STORE",
            Self::Archive => "TILES",
            Self::Other => "FILE",
        }
    }
}

/// What is known of the heights in a dataset.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Elevation {
    /// The vertical datum as given; empty where nobody said.
    pub vertical_datum: String,
    /// Who must be named.
    pub attribution: String,
    /// The licence.
    pub licence: String,
    /// The finest and the coarsest pixel, EPSG:3857 metres.
    pub pixel_size: Option<(f64, f64)>,
    /// The coordinate systems of the rasters, some of them.
    pub crs: Vec<String>,
    /// Zooms of tiles, the coarsest and the finest.
    pub zooms: Option<(u8, u8)>,
    /// How heights are encoded.
    pub encoding: Option<String>,
}

/// How many pixels of a source a run asked for, and how many had a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quality {
    /// Pixels with a value.
    pub filled: u64,
    /// Pixels without one.
    pub void: u64,
}

/// What is known of a dataset.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// Its name.
    pub dataset: Dataset,
    /// What it is.
    pub kind: Kind,
    /// The name that the user gave it, where that is another one: of a source, or of a link.
    pub alias: Option<String>,
    /// Tells one state of it from others: a fingerprint, 16 hexadecimal digits. `None` where there is nothing yet, or it lies on a network.
    pub version: Option<String>,
    /// Bytes.
    pub bytes: Option<u64>,
    /// Records, or tiles.
    pub rows: Option<u64>,
    /// Files.
    pub files: Option<u64>,
    /// Names and types of what a row has.
    pub fields: Vec<(String, String)>,
    /// Of heights.
    pub elevation: Option<Elevation>,
    /// What the run found, at its end.
    pub quality: Option<Quality>,
    /// What the run held against rules, at its end.
    pub findings: Vec<Finding>,
}

/// Coordinate systems that are named, at most.
const MOST_CRS: usize = 20;

impl Facts {
    fn new(dataset: Dataset, kind: Kind) -> Self {
        let (alias, version, bytes, rows, files) = (None, None, None, None, None);
        Self {
            dataset,
            kind,
            alias,
            version,
            bytes,
            rows,
            files,
            fields: Vec::new(),
            elevation: None,
            quality: None,
            findings: Vec::new(),
        }
    }

    /// What stands at a path, and for a store its sources behind it. Reads headers and directories; of a store the columns of records once,
    /// about a tenth of a second for a million. Never fails: of what can't be read the name is known.
    #[must_use]
    pub fn at(path: &Path) -> Vec<Self> {
        let plain = || vec![Self::plain(path)];
        if url::is_one(path) || url::of(&path.to_string_lossy()).is_some() || !path.exists() {
            return plain();
        }
        if crate::store::is_one(path) {
            return Store::open(path).and_then(|store| Self::of_store(path, &store)).unwrap_or_else(|_| plain());
        }
        Self::of_archive(path).map_or_else(|_| plain(), |facts| vec![facts])
    }

    /// A dataset of which only the name is known.
    pub(super) fn named(path: &Path) -> Self {
        Self::new(Dataset::at(path), Kind::Other)
    }

    /// What the file system says.
    fn plain(path: &Path) -> Self {
        let mut facts = Self::new(Dataset::at(path), Kind::Other);
        if let Some(found) = path.metadata().ok().filter(|_| !url::is_one(path)) {
            if found.is_file() {
                (facts.bytes, facts.files) = (Some(found.len()), Some(1));
                facts.version = crate::local::ends(path).ok().map(|(_, sum)| sum);
            }
            facts.alias = alias(path);
        }
        facts
    }

    fn of_store(path: &Path, store: &Store) -> Result<Vec<Self>> {
        let mut facts = Self { kind: Kind::Store, ..Self::plain(path) };
        facts.version = Some(format!("{:016x}", store.fingerprint()));
        facts.rows = Some(u64::from(store.len()));
        let columns = record_columns()
            .filter(|column| !column.optional || store.sections().find(column.name, Format::Column).is_some());
        facts.fields = columns.map(|c| (c.name.to_owned(), named(&c.element))).collect();
        let mut all = vec![facts];
        all.extend(Self::of_sources(store)?);
        Ok(all)
    }

    /// The sources of a store. Goes over all records once.
    fn of_sources(store: &Store) -> Result<Vec<Self>> {
        let mut found: BTreeMap<u16, Seen> = BTreeMap::new();
        for record in store.records().iter() {
            let seen = found.entry(record.source_index()).or_default();
            seen.bytes = seen.bytes.saturating_add(record.file_size());
            if !seen.types.contains(&record.data_type()) {
                seen.types.push(record.data_type());
            }
            if seen.crs.len() < MOST_CRS {
                seen.crs.insert(record.crs_index());
            }
            let size = record.pixel_size();
            seen.pixel = Some(seen.pixel.map_or((size, size), |(min, max)| (size.min(min), size.max(max))));
            for number in [record.id(), record.file_size(), record.modified_ns() as u64, record.parts()] {
                seen.sum.update(&number.to_le_bytes());
            }
        }
        let crs = store.crs_names()?;
        let mut all = Vec::new();
        for source in store.sources().iter() {
            let seen = found.remove(&source.index()).unwrap_or_default();
            let mut facts = Self::new(Dataset::of_source(&source)?, Kind::Source);
            facts.alias = Some(source.name()?.into_owned());
            facts.version = Some(format!("{:016x}", seen.sum.digest()));
            (facts.rows, facts.files, facts.bytes) =
                (Some(source.record_count()), Some(source.record_count()), Some(seen.bytes));
            facts.fields = seen.types.iter().map(|kind| ("height".to_owned(), named(kind))).collect();
            facts.elevation = Some(Elevation {
                vertical_datum: source.vertical_datum()?.into_owned(),
                attribution: source.attribution()?.into_owned(),
                licence: source.licence()?.into_owned(),
                pixel_size: seen.pixel,
                crs: seen.crs.iter().filter_map(|&n| crs.get(n as usize).cloned()).collect(),
                ..Elevation::default()
            });
            all.push(facts);
        }
        Ok(all)
    }

    fn of_archive(path: &Path) -> Result<Self> {
        let mut facts = Self { kind: Kind::Archive, ..Self::plain(path) };
        // To count the tiles of a folder is to walk it.
        if ArchiveKind::detect(path)? == ArchiveKind::Files {
            return Ok(facts);
        }
        let archive = archive::open(path)?;
        let said = archive.metadata();
        facts.rows = Some(archive.tile_count()?);
        if let Some(run) = said.other.get(RUN_ROW).and_then(Json::as_str) {
            facts.version = Some(run.to_owned());
        }
        facts.fields = vec![("tile".into(), said.format.name().to_owned())];
        facts.elevation = Some(Elevation {
            attribution: said.attribution.clone(),
            zooms: said.minzoom.zip(said.maxzoom),
            encoding: said.encoding.as_ref().map(|encoding| encoding.name().to_owned()),
            ..Elevation::default()
        });
        Ok(facts)
    }
}

/// The name of a type of numbers, as Rust writes it.
fn named(kind: &dyn std::fmt::Debug) -> String {
    format!("{kind:?}").to_lowercase()
}

/// What is gathered of a source.
#[derive(Default)]
struct Seen {
    bytes: u64,
    types: Vec<DataType>,
    crs: BTreeSet<u32>,
    pixel: Option<(f64, f64)>,
    sum: Checksum,
}

/// The path as it was given, where it is a link to another.
fn alias(path: &Path) -> Option<String> {
    let linked = path.is_symlink();
    linked.then(|| std::path::absolute(path).ok()).flatten().map(|path| path.to_string_lossy().into_owned())
}

/// All datasets that a run reads: those named, the sources of stores among them, and of stores that it writes. Each one once.
#[must_use]
pub fn inputs(named: &[std::path::PathBuf], outputs: &[std::path::PathBuf]) -> Vec<Facts> {
    let mut all: Vec<Facts> = named.iter().flat_map(|path| Facts::at(path)).collect();
    all.extend(outputs.iter().flat_map(|path| Facts::at(path)).filter(|facts| facts.kind == Kind::Source));
    let mut once: Vec<Facts> = Vec::new();
    for facts in all {
        match once.iter_mut().find(|other| other.dataset == facts.dataset) {
            // A source is also a folder; as a source more is known of it.
            Some(other) if facts.kind == Kind::Source => *other = facts,
            Some(_) => {}
            None => once.push(facts),
        }
    }
    once
}
