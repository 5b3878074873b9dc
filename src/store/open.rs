//! Opening a store and finding its parts.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::columns::{self, Column};
use super::sources::TEXTS;
use super::{RecordRef, Records, SourceRef, Sources, names};
use crate::column::{Element, RaggedLayout, view};
use crate::container::{Container, Schema};
use crate::error::{Error, Result};
use crate::format::{ElementType, Kind, Sections};
use crate::index::{RowId, id::Ids, rtree, rtree::RTree, sorted, sorted::Sorted, tiles::Tiles};

/// An open store. Cheap to clone, `Send + Sync`, without locks; all clones share one map.
#[derive(Clone)]
pub struct Store {
    pub(super) inner: Arc<Inner>,
    /// By the number of the source: where its rasters lie on this machine, if elsewhere. Empty where all lie as the file says.
    roots: Arc<[Option<PathBuf>]>,
}

pub(super) struct Inner {
    pub(super) container: Container,
    pub(super) layout: Layout,
}

/// Where everything lies; found once on opening. Ranges are in bytes of the file.
pub(super) struct Layout {
    pub(super) rows: u32,
    pub(super) tile_size: u32,
    /// By their places in [`Column::ALL`]; empty where an optional one is left out.
    pub(super) columns: Vec<Range<usize>>,
    pub(super) path: RaggedLayout,
    pub(super) crs_name: RaggedLayout,
    pub(super) source_texts: Vec<RaggedLayout>,
    pub(super) source_records: Range<usize>,
    tree: Range<usize>,
    ids: [Range<usize>; 3],
    tiles: [Range<usize>; 6],
    /// Since version 1.1.
    tile_directory: Option<(Range<usize>, sorted::Levels)>,
    tree_shape: rtree::Shape,
}

impl Schema for Store {
    fn from_container(container: Container) -> Result<Self> {
        container.expect_schema(names::SCHEMA)?;
        let layout = Layout::find(container.sections(), container.bytes()).map_err(|e| container.named(e))?;
        let store = Self { inner: Arc::new(Inner { container, layout }), roots: Arc::default() };
        // The indices compare their lengths, which reads none of their pages.
        let fit = store.try_tree().and(store.try_ids().map(drop)).and(store.try_tiles().map(drop));
        fit.map_err(|e| store.container().named(e))?;
        Ok(store)
    }

    fn container(&self) -> &Container {
        &self.inner.container
    }
}

impl Store {
    /// Opens a store file by mapping it. Reads the first page or two; memory is shared with every other process that
    /// maps the file. See [`Container::open`] for what this expects of a cold file.
    ///
    /// **Replace by rename.** While a store is open its file must not be written into, copied over or cut: the system ends a
    /// process that touches a page which is gone (`SIGBUS`). Write the new version under another name on the same volume
    /// and rename it over the old one. Where others can't be trusted to do so, [`read`](Self::read) the file into memory.
    ///
    /// # Errors
    /// Where the file can't be opened or mapped, is no store, of a newer major version, cut off or altered in header
    /// or table. Damage elsewhere is found by [`verify`](super::verify).
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::from_container(Container::open(path)?)
    }

    /// Opens a store by reading the whole file into memory, which costs its size in every process. What happens to the file
    /// afterwards does not matter.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        Self::from_container(Container::read(path)?)
    }

    /// Opens a store that lies in memory. Bytes that do not start at a multiple of eight are copied once.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Result<Self> {
        Self::from_container(Container::from_bytes(bytes)?)
    }

    /// The same store on a machine that has the rasters of some sources elsewhere: name of the source, and folder. What
    /// [`RecordRef::full_path`] gives follows; the file stays as it is.
    ///
    /// # Errors
    /// Where the store has no source of that name.
    pub fn with_roots<P: AsRef<Path>>(&self, roots: &[(String, P)]) -> Result<Self> {
        let mut all = vec![None; self.sources().len()];
        for (name, folder) in roots {
            let names = self.sources().iter().map(|source| source.name()).collect::<Result<Vec<_>>>()?;
            let Some(number) = names.iter().position(|known| known == name) else {
                let problem = format!("the store has no source {name:?}; it has {}", names.join(", "));
                return Err(Error::argument("source_roots", problem));
            };
            all[number] = Some(folder.as_ref().to_path_buf());
        }
        Ok(Self { inner: Arc::clone(&self.inner), roots: all.into() })
    }

    /// Where the rasters of a source lie, if elsewhere than the file says.
    pub(crate) fn moved_root(&self, source: u16) -> Option<&Path> {
        self.roots.get(usize::from(source))?.as_deref()
    }

    /// How many records the store holds.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.inner.layout.rows
    }

    /// True without records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tile size, in pixels, that native zooms and the tile index were made for.
    #[must_use]
    pub fn tile_size(&self) -> u32 {
        self.inner.layout.tile_size
    }

    /// The file with its sections, for parts that the store has no method for.
    #[must_use]
    pub fn container(&self) -> &Container {
        &self.inner.container
    }

    /// The file that was opened or read; `None` for bytes in memory.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.inner.container.path()
    }

    /// A number that identifies the store's whole content: two stores with the same one hold the same bytes, up to
    /// hash collisions. Reads nothing.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.inner.container.fingerprint()
    }

    /// Header and section table.
    #[must_use]
    pub fn sections(&self) -> &Sections {
        self.inner.container.sections()
    }

    /// The whole file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.inner.container.bytes()
    }

    /// True where the store has a digest of the further files of every record: since version 1.3 of the format.
    #[must_use]
    pub fn knows_parts(&self) -> bool {
        self.sections().header().version().1 >= 3
    }

    /// The metadata document, JSON.
    #[must_use]
    pub fn metadata(&self) -> &str {
        self.inner.container.json(names::METADATA).unwrap_or("{}")
    }

    /// The values of any raw section of numbers, by name: `store.column::<f64>("record.min_x")`.
    ///
    /// # Errors
    /// Where there is no such column, or it holds another type.
    pub fn column<T: Element>(&self, name: &str) -> Result<&[T]> {
        self.inner.container.column(name)
    }

    /// All records as columns.
    #[must_use]
    pub fn records(&self) -> Records<'_> {
        Records::new(self)
    }

    /// The record in a row.
    #[must_use]
    pub fn record(&self, row: RowId) -> Option<RecordRef<'_>> {
        (row < self.len()).then(|| RecordRef::new(self, row))
    }

    /// All sources in priority order.
    #[must_use]
    pub fn sources(&self) -> Sources<'_> {
        Sources::new(self)
    }

    /// The source with this position.
    #[must_use]
    pub fn source(&self, index: u16) -> Option<SourceRef<'_>> {
        self.sources().get(index)
    }

    pub(super) fn slice<T: Element>(&self, range: &Range<usize>) -> &[T] {
        view(self.bytes(), range)
    }

    /// The numbers of a column of records; none where it is left out.
    pub(super) fn numbers<T: Element>(&self, column: Column) -> &[T] {
        self.slice(&self.inner.layout.columns[column as usize])
    }

    /// The R-tree over the rows.
    #[must_use]
    pub fn tree(&self) -> RTree<'_> {
        self.try_tree().expect("checked on opening")
    }

    /// The table from ids to rows.
    #[must_use]
    pub fn ids(&self) -> Ids<'_> {
        self.try_ids().expect("checked on opening")
    }

    /// The tile index.
    #[must_use]
    pub fn tiles(&self) -> Tiles<'_> {
        self.try_tiles().expect("checked on opening")
    }

    fn try_tree(&self) -> Result<RTree<'_>> {
        RTree::shaped(self.slice(&self.inner.layout.tree), &self.inner.layout.tree_shape)
    }

    fn try_ids(&self) -> Result<Ids<'_>> {
        let [keys, rows, directory] = &self.inner.layout.ids;
        Ids::new(self.slice(keys), self.slice(rows), self.slice(directory))
    }

    fn try_tiles(&self) -> Result<Tiles<'_>> {
        let [zooms, start, rank, list, offsets, rows] = &self.inner.layout.tiles;
        let start = match &self.inner.layout.tile_directory {
            Some((directory, levels)) => Sorted::shaped(self.slice(start), self.slice(directory), levels)?,
            None => Sorted::plain(self.slice(start)),
        };
        Tiles::new(self.slice(zooms), start, self.slice(rank), self.slice(list), self.slice(offsets), self.slice(rows))
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.path()).field("records", &self.len()).finish_non_exhaustive()
    }
}

impl Layout {
    fn find(s: &Sections, bytes: &[u8]) -> Result<Self> {
        use ElementType::{U32, U64};
        let parameters = s.raw(names::PARAMETERS, Kind::Column, U32, Some(1))?;
        let tile_size = view::<u32>(bytes, &parameters).first().copied().unwrap_or(0);
        if ![256, 512, 1024].contains(&tile_size) {
            let problem = format!("tile size is {tile_size}; 256, 512 or 1024 expected");
            return Err(Error::invalid("section \"store.parameters\"", problem, "build the store again"));
        }
        let id = s.expect(Column::id.name(), Kind::Column, U64, crate::format::Codec::Raw)?;
        let rows = id.count();
        if rows >= u64::from(u32::MAX) {
            return Err(Error::invalid(
                "section \"record.id\"",
                format!("has {rows} rows; the limit is 2^32 - 2"),
                "build the store again",
            ));
        }
        let any = |name, kind, element| s.raw(name, kind, element, None);
        let source_records = any(names::SOURCE_RECORDS, Kind::Column, U64)?;
        let sources = source_records.len() as u64 / 8;
        if sources > u64::from(u16::MAX) {
            let problem = format!("has {sources} sources; the limit is {}", u16::MAX);
            return Err(Error::invalid("section \"source.records\"", problem, "build the store again"));
        }
        let tree = any(names::TREE, Kind::Tree, U32)?;
        let fan_out = s.find(names::TREE, Kind::Tree).map_or(0, |e| e.parameter());
        if fan_out as usize != crate::index::rtree::FAN_OUT {
            let problem = format!("has nodes of {fan_out} boxes; {} expected", crate::index::rtree::FAN_OUT);
            return Err(Error::invalid("section \"record.tree\"", problem, "build the store again"));
        }
        let crs_count = s.find(names::CRS_NAME, Kind::Offsets).map_or(0, |e| e.count().saturating_sub(1));
        Ok(Self {
            rows: rows as u32,
            tile_size,
            columns: columns::find(s, rows)?,
            path: RaggedLayout::find(s, names::PATH, rows)?,
            crs_name: RaggedLayout::find(s, names::CRS_NAME, crs_count)?,
            source_texts: TEXTS.iter().map(|name| RaggedLayout::find(s, name, sources)).collect::<Result<_>>()?,
            source_records,
            tree,
            ids: [
                s.raw(names::ID_KEYS, Kind::Column, U64, Some(rows))?,
                s.raw(names::ID_ROWS, Kind::Column, U32, Some(rows))?,
                any(names::ID_DIRECTORY, Kind::Column, U32)?,
            ],
            tile_directory: match s.find(names::TILE_DIRECTORY, Kind::Column) {
                Some(_) => {
                    let runs = any(names::RUN_START, Kind::Column, U64)?.len() / 8;
                    Some((any(names::TILE_DIRECTORY, Kind::Column, U64)?, sorted::Levels::of(runs)))
                }
                None => None,
            },
            tree_shape: rtree::Shape::new(rows as usize),
            tiles: [
                any(names::ZOOM_RUNS, Kind::Column, U32)?,
                any(names::RUN_START, Kind::Column, U64)?,
                any(names::RUN_RANK, Kind::Column, U64)?,
                any(names::RUN_LIST, Kind::Column, U32)?,
                any(names::LIST, Kind::Offsets, U64)?,
                any(names::LIST, Kind::Column, U32)?,
            ],
        })
    }
}
