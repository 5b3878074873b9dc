//! Any file of the format, whatever its schema.

use std::path::Path;

use super::backing::Backing;
use super::identity::FileIdentity;
use super::map::Map;
use super::{Advice, Boxes, Problem, Schema};
use crate::column::{Dictionary, Element, List, Ragged, view};
use crate::error::{Error, Result};
use crate::format::checksum::Checksum;
use crate::format::{Kind, Sections, byte_range};
use crate::index::dense::{Bitmap, Direct, Signed};
use crate::index::id::Ids;
use crate::mmap::{PRELOAD, pieces};
use crate::progress::{Progress, Silent};

/// An open file of the store format with the sections of any schema; [`write_container`](super::write_container) makes
/// one. `Send + Sync`, without locks; share it by putting it into an `Arc`.
///
/// Opening reads the header and the section table. A part is found by name when it is asked for, which compares its type
/// and length with the table, costs well under a microsecond and reads nothing else; keep the view for many reads. Views
/// use the bytes in place and trust none of them: a damaged file gives wrong answers or errors, nothing worse.
///
/// ```
/// # use std::io::Cursor;
/// use hypso::container::{Container, ContainerBuilder};
///
/// let mut out = ContainerBuilder::new(Cursor::new(Vec::new()), "weather-stations")?;
/// out.column("station.height", &[12.5f64, 640.0])?;
/// out.dictionary("station.class", &["coast", "mountain"])?;
/// out.list("station.near", &[vec![1u32], vec![0]])?;
/// let file = Container::from_bytes(out.finish()?.into_inner())?;
///
/// file.expect_schema("weather-stations")?;
/// assert_eq!(file.column::<f64>("station.height")?, [12.5, 640.0]);
/// assert_eq!(file.dictionary("station.class")?.text(1)?, "mountain");
/// assert_eq!(file.list::<u32>("station.near")?.get(0)?, [1]);
/// # Ok::<(), hypso::Error>(())
/// ```
///
/// Sections that belong together have one name and several kinds, or one prefix: `boxes("station")` uses `station.tree`,
/// `station.min_x` and so on. `store-format.md` lists them under *General parts*. A [`Store`](crate::Store) is a container
/// of the schema `terrain-records`, and what this type reads of other schemas it reads of that one too.
pub struct Container {
    backing: Backing,
    sections: Sections,
}

impl Container {
    /// Opens a file by mapping it. Reads the first page or two; memory is shared with every other process that maps
    /// the file.
    ///
    /// The file is opened for queries: the system reads the pages that are touched and no others ([`Advice::Random`]), so
    /// that the first query on a cold file takes a millisecond or two. Before a scan of a cold file call
    /// [`advise`](Self::advise) with [`Advice::Normal`]; to have everything in memory first, with [`Advice::Preload`].
    ///
    /// **Replace by rename.** While a file is open it must not be written into, copied over or cut: the system ends a
    /// process that touches a page which is gone (`SIGBUS`). Write the new version under another name on the same volume
    /// and rename it over the old one (`mv`, [`std::fs::rename`]), which leaves open files as they are. hypso itself always
    /// does so. Where others can't be trusted to do so, [`read`](Self::read) the file into memory.
    ///
    /// # Errors
    /// Where the file can't be opened or mapped, is not of this format, of a newer major version, cut off or altered
    /// in header or table. Damage elsewhere is found by checksums.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::new(Backing::Map(Map::open(path)?), Some(path))
    }

    /// Reads a whole file into memory. Unlike a mapped file it may be written into or cut afterwards; it costs its size in
    /// memory, in every process.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = crate::local::read(path, u64::MAX - 1)?;
        Self::new(Backing::buffer(bytes), Some(path))
    }

    /// Opens bytes in memory. Bytes that do not start at a multiple of eight are copied once.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Result<Self> {
        Self::new(Backing::buffer(bytes), None)
    }

    fn new(backing: Backing, path: Option<&Path>) -> Result<Self> {
        let sections = Sections::parse(backing.bytes());
        let sections = match path {
            Some(path) => sections.map_err(|e| e.with_path(path))?.of_file(path),
            None => sections?,
        };
        Ok(Self { backing, sections })
    }

    /// What the sections mean, from the header: `terrain-records` for a [`Store`](crate::Store).
    #[must_use]
    pub fn schema(&self) -> String {
        self.sections.header().schema()
    }

    /// Refuses a file of another schema.
    ///
    /// # Errors
    /// Where the header names another one.
    pub fn expect_schema(&self, schema: &str) -> Result<()> {
        let found = self.schema();
        if found == schema {
            return Ok(());
        }
        let error = Error::other_kind(format!("holds {found:?}, {schema:?} was expected"), "give another file");
        Err(self.named(error))
    }

    /// An error with the path of the file.
    pub(crate) fn named(&self, error: Error) -> Error {
        self.sections.origin().name(error)
    }

    /// The file that was opened or read; `None` for bytes in memory.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.sections.origin().path()
    }

    /// A number that identifies the whole content: two files with the same one hold the same bytes, up to hash
    /// collisions. Reads nothing.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.sections.header().table_checksum()
    }

    /// Header and section table.
    #[must_use]
    pub fn sections(&self) -> &Sections {
        &self.sections
    }

    /// The whole file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.backing.bytes()
    }

    pub(super) fn backing(&self) -> &Backing {
        &self.backing
    }

    /// Asks the system to read parts of this file, and what lies around them, before they are touched: for batches.
    pub(crate) fn ahead<'p>(&self, parts: impl Iterator<Item = &'p [u8]>) {
        if let Some(map) = self.backing.mapped() {
            map.ahead(parts);
        }
    }

    pub(super) fn identity(&self) -> Option<FileIdentity> {
        self.backing.identity()
    }

    /// The numbers of a column: `container.column::<f64>("station.height")`.
    ///
    /// # Errors
    /// Where there is no such column, or it holds another type.
    pub fn column<T: Element>(&self, name: &str) -> Result<&[T]> {
        Ok(view(self.bytes(), &self.sections.raw(name, Kind::Column, T::TYPE, None)?))
    }

    /// A column of bytes or texts of any length. The system is asked to read the column's dictionary, where it has one.
    ///
    /// # Errors
    /// Where there is no such column, or the system refuses.
    pub fn ragged(&self, name: &str) -> Result<Ragged<'_>> {
        let column = Ragged::find(&self.sections, self.bytes(), name)?.mapped(self.backing.mapped());
        // All of it at once: a reader needs the whole dictionary, and would wait for each page without read-ahead.
        self.advise_bytes(Advice::WillNeed, column.dictionary())?;
        Ok(column)
    }

    /// A column of lists of numbers, such as the neighbours of each row.
    ///
    /// # Errors
    /// Where there is no such column, or it holds another type.
    pub fn list<T: Element>(&self, name: &str) -> Result<List<'_, T>> {
        List::find(&self.sections, self.bytes(), name)
    }

    /// A column of texts that repeat.
    ///
    /// # Errors
    /// Where there is no such column.
    pub fn dictionary(&self, name: &str) -> Result<Dictionary<'_>> {
        Dictionary::find(&self.sections, self.bytes(), name)
    }

    /// A box for each row, with a tree over them: the sections `prefix.tree` and `prefix.min_x` to `prefix.max_y`.
    ///
    /// # Errors
    /// Where a section is missing, or their lengths do not fit one another.
    pub fn boxes(&self, prefix: &str) -> Result<Boxes<'_>> {
        Boxes::find(self, prefix)
    }

    /// A table from any 64-bit ids to rows: `prefix.keys`, `prefix.rows` and `prefix.directory`.
    ///
    /// # Errors
    /// Where a section is missing, or their lengths do not fit one another.
    pub fn ids(&self, prefix: &str) -> Result<Ids<'_>> {
        let part = |part: &str| format!("{prefix}.{part}");
        let ids = Ids::new(self.column(&part("keys"))?, self.column(&part("rows"))?, self.column(&part("directory"))?);
        ids.map_err(|e| self.named(e))
    }

    /// An array from dense ids to rows: `prefix.first` and `prefix.rows`.
    ///
    /// # Errors
    /// Where a section is missing.
    pub fn direct_ids(&self, prefix: &str) -> Result<Direct<'_>> {
        Ok(Direct::new(self.first(prefix)?, self.column(&format!("{prefix}.rows"))?))
    }

    /// A bitmap from dense ids to rows in the order of their ids: `prefix.first`, `prefix.bits` and `prefix.ranks`.
    ///
    /// # Errors
    /// Where a section is missing, or their lengths do not fit one another.
    pub fn bitmap_ids(&self, prefix: &str) -> Result<Bitmap<'_>> {
        let part = |part: &str| format!("{prefix}.{part}");
        let ids = Bitmap::new(self.first(prefix)?, self.column(&part("bits"))?, self.column(&part("ranks"))?);
        ids.map_err(|e| self.named(e))
    }

    /// An array from dense signed ids to rows: `prefix.first`, which is signed then, and `prefix.rows`.
    ///
    /// # Errors
    /// Where a section is missing.
    pub fn signed_direct_ids(&self, prefix: &str) -> Result<Signed<Direct<'_>>> {
        Ok(Signed::direct(self.first(prefix)?, self.column(&format!("{prefix}.rows"))?))
    }

    /// A bitmap from dense signed ids to rows in the order of their ids: `prefix.first`, which is signed then,
    /// `prefix.bits` and `prefix.ranks`.
    ///
    /// # Errors
    /// Where a section is missing, or their lengths do not fit one another.
    pub fn signed_bitmap_ids(&self, prefix: &str) -> Result<Signed<Bitmap<'_>>> {
        let part = |part: &str| format!("{prefix}.{part}");
        let ids = Signed::bitmap(self.first(prefix)?, self.column(&part("bits"))?, self.column(&part("ranks"))?);
        ids.map_err(|e| self.named(e))
    }

    fn first<T: Element>(&self, prefix: &str) -> Result<T> {
        let name = format!("{prefix}.first");
        match self.column::<T>(&name)? {
            &[first] => Ok(first),
            values => {
                let problem = format!("has {} numbers, 1 expected", values.len());
                let error =
                    Error::invalid(format!("section {name:?}"), problem, "build the file again from its sources");
                Err(self.named(error))
            }
        }
    }

    /// Checks the checksum of every section: 0.1 s a GiB and the time to read the file, in order and ahead, whatever
    /// [`advise`](Self::advise) said.
    #[must_use]
    pub fn verify_checksums(&self) -> Vec<Problem> {
        self.checksums(&Silent).unwrap_or_default()
    }

    /// Refuses a file of which a section has another checksum, for those that are read whole anyway.
    ///
    /// # Errors
    /// Naming the first such section.
    #[cfg(feature = "engine")]
    pub(crate) fn expect_whole(&self, remedy: &'static str) -> Result<()> {
        match self.verify_checksums().into_iter().next() {
            Some(problem) => {
                let part = format!("section {:?}", problem.section);
                Err(self.named(Error::invalid(part, problem.problem, remedy)))
            }
            None => Ok(()),
        }
    }

    /// As [`verify_checksums`](Self::verify_checksums), telling how it goes.
    ///
    /// # Errors
    /// Only where the user interrupts.
    pub(crate) fn checksums(&self, progress: &dyn Progress) -> Result<Vec<Problem>> {
        let mut problems = Vec::new();
        progress.begin("checking sections", Some(self.sections.entries().len() as u64), "sections");
        for entry in self.sections.entries() {
            let mut sum = Checksum::default();
            let range = byte_range(entry);
            let mut ahead = pieces(&range, PRELOAD);
            let mut ask = || ahead.next().map(|piece| self.backing.advise(Advice::WillNeed, piece));
            let _ = ask();
            for piece in pieces(&range, PRELOAD) {
                if progress.interrupted() {
                    return Err(Error::Interrupted);
                }
                let _ = ask();
                sum.update(self.bytes().get(piece).unwrap_or(&[]));
            }
            let (computed, expected) = (sum.digest(), entry.checksum());
            if computed != expected {
                let problem = format!("checksum is {computed:016x}, the table says {expected:016x}: it was altered");
                problems.push(Problem { section: entry.name(), problem });
            }
            progress.advance(1);
        }
        progress.end();
        Ok(problems)
    }

    /// A JSON document.
    ///
    /// # Errors
    /// Where there is none of this name, or it is not UTF-8.
    pub fn json(&self, name: &str) -> Result<&str> {
        let range = self.sections.raw(name, Kind::Json, u8::TYPE, None)?;
        std::str::from_utf8(view(self.bytes(), &range)).map_err(|_| {
            let remedy = "build the file again from its sources";
            self.named(Error::invalid(format!("section {name:?}"), "is not UTF-8", remedy))
        })
    }
}

impl Schema for Container {
    fn from_container(container: Container) -> Result<Self> {
        Ok(container)
    }

    fn container(&self) -> &Container {
        self
    }
}

impl std::fmt::Debug for Container {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Container").field("path", &self.path()).field("schema", &self.schema()).finish_non_exhaustive()
    }
}
