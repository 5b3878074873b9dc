//! Tiles through the decoder, on all processors, and what their first bytes say.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::{Report, TileCheck};
use crate::archive::form::{Look, is_picture, unpack_all};
use crate::archive::mended::HYBRID;
use crate::archive::packing::Packing;
use crate::archive::pmtiles::Compression;
use crate::archive::{ArchiveMetadata, Located, TileFormat, TileSource};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::threads::share;
use crate::tile::TileCoord;

/// Tiles that are shared out among the threads at once. Their findings are put in order after each batch, so that the
/// report doesn't depend on the number of threads.
const BATCH: usize = 4096;
const REMEDY: &str = "make this tile again, or the archive";

/// Every how many-th content to decode for a sample of about `sample` out of `total`.
pub(super) fn stride(sample: Option<u64>, total: u64) -> u64 {
    match sample {
        Some(n) => total.div_ceil(n.max(1)).max(1),
        None => 1,
    }
}

/// Decodes the tiles of an archive that has `total`, or about so many of them, into the report.
///
/// # Errors
/// As [`Contents::check_all`].
pub(super) fn check_some(
    archive: &dyn TileSource,
    (sample, total): (Option<u64>, u64),
    check: TileCheck<'_>,
    progress: &dyn Progress,
    report: &mut Report,
) -> Result<()> {
    let step = stride(sample, total);
    progress.begin("decoding tiles", Some(total.div_ceil(step)), "tiles");
    let read = |tile: &Located| {
        let mut bytes = Vec::new();
        archive.read(*tile, &mut bytes).map(|()| Some(bytes))
    };
    let contents = Contents::new(&read, archive.metadata(), check, progress);
    let chosen = archive.tiles()?.filter_map(Result::ok).enumerate().filter(|(n, _)| (*n as u64).is_multiple_of(step));
    contents.check_all(&mut chosen.filter_map(|(_, tile)| Some((tile.id.coord()?, tile))), report)?;
    progress.end();
    Ok(())
}

/// How tiles are checked.
pub(super) struct Contents<'a, J> {
    /// Reads the content that a job stands for.
    read: &'a (dyn Fn(&J) -> Result<Option<Vec<u8>>> + Sync),
    /// The format that the archive declares.
    declared: &'a TileFormat,
    /// The compression that the archive declares; `None` where it says nothing.
    compression: Option<Compression>,
    check: TileCheck<'a>,
    progress: &'a dyn Progress,
}

/// What is wrong with a tile, and whether its content was read at all.
struct Finding {
    read: bool,
    fault: Option<(&'static str, Error)>,
    /// What the tile is packed with, where that is not what it should be.
    packed: Option<String>,
}

/// Tiles that are compressed otherwise than they should be, reported as one problem: a wrong flag is wrong for all of them.
#[derive(Default)]
struct Packed {
    tiles: u64,
    first: Option<(TileCoord, String)>,
}

impl Packed {
    fn tell(self, of: u64, report: &mut Report) {
        if let Some((tile, how)) = self.first {
            let message = format!("{how}; so are {} of {of} contents that were read", self.tiles);
            report.error(
                Some(tile),
                message,
                "clients show nothing: rewrite it (`archive::convert`), which puts it right",
            );
        }
    }
}

impl<'a, J> Contents<'a, J> {
    /// For the tiles of an archive of these metadata.
    pub(super) fn new(
        read: &'a (dyn Fn(&J) -> Result<Option<Vec<u8>>> + Sync),
        metadata: &'a ArchiveMetadata,
        check: TileCheck<'a>,
        progress: &'a dyn Progress,
    ) -> Self {
        Self { read, declared: &metadata.format, compression: metadata.tile_compression, check, progress }
    }

    /// In words, where a content is packed otherwise than the archive says or than its format allows.
    fn misfit(&self, look: &Look) -> Option<String> {
        let format = look.format.as_ref()?;
        let is =
            look.packing.map_or_else(|| "is not compressed".to_owned(), |p| format!("is compressed with {}", p.name()));
        let declared = self.compression.and_then(Packing::of_compression);
        if look.layers > 1 {
            return Some(format!("{is}, {} times over", look.layers));
        }
        match self.compression {
            Some(said) if declared != look.packing => {
                Some(format!("{is}, but the archive declares the compression {}", said.name()))
            }
            _ if is_picture(format) && look.packing.is_some() => Some(format!("{is} on top of {}", format.name())),
            None if look.packing == Some(Packing::Zlib) => Some(format!("{is}, gzip was expected")),
            _ => None,
        }
    }
}

impl<J: Send + Sync> Contents<'_, J> {
    /// Reads and decodes all tiles into the report.
    ///
    /// # Errors
    /// Where the disk fails or the user interrupts; all else is a problem of the tile.
    pub(super) fn check_all(&self, jobs: &mut dyn Iterator<Item = (TileCoord, J)>, report: &mut Report) -> Result<()> {
        let threads = thread::available_parallelism().map_or(1, |n| n.get());
        let mut misfits = Packed::default();
        loop {
            let batch: Vec<(TileCoord, J)> = jobs.take(BATCH).collect();
            if batch.is_empty() {
                misfits.tell(report.checked, report);
                return Ok(());
            }
            let next = AtomicUsize::new(0);
            let shared = share(threads.min(batch.len()), || self.work(&batch, &next));
            let mut found: Vec<(usize, Result<Finding>)> = shared.into_iter().flatten().collect();
            if self.progress.interrupted() {
                return Err(Error::Interrupted);
            }
            found.sort_by_key(|(at, _)| *at);
            for (at, finding) in found {
                let Finding { read, fault, packed } = finding?;
                report.checked += u64::from(read);
                if let Some(how) = packed {
                    misfits.tiles += 1;
                    misfits.first.get_or_insert((batch[at].0, how));
                }
                if let Some((lead, error)) = fault {
                    report.failure(Some(batch[at].0), lead, &error);
                }
            }
        }
    }

    /// One thread: takes tile after tile of the batch.
    fn work(&self, batch: &[(TileCoord, J)], next: &AtomicUsize) -> Vec<(usize, Result<Finding>)> {
        let mut found = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some((tile, job)) = batch.get(at).filter(|_| !self.progress.interrupted()) else { return found };
            found.push((at, self.check_one(*tile, job)));
            self.progress.advance(1);
        }
    }

    fn check_one(&self, tile: TileCoord, job: &J) -> Result<Finding> {
        let wrong = |read, problem: &str| {
            Ok(Finding { read, fault: Some(("", Error::invalid(tile.to_string(), problem, REMEDY))), packed: None })
        };
        let bytes = match (self.read)(job) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return wrong(false, "is listed but can't be found"),
            Err(error) if error.is_outside() => return Err(error),
            Err(error) => return Ok(Finding { read: false, fault: Some(("", error)), packed: None }),
        };
        if bytes.is_empty() {
            return wrong(true, "has no bytes");
        }
        let look = Look::at(&bytes, self.compression.and_then(Packing::of_compression));
        let packed = self.misfit(&look);
        let hybrid = self.declared.name() == HYBRID && look.format.as_ref().is_some_and(is_picture);
        if let Some(found) = &look.format
            && *self.declared != TileFormat::Unknown
            && found != self.declared
            && !hybrid
        {
            return wrong(true, &format!("is {}, but the archive declares {}", found.name(), self.declared.name()));
        }
        // The picture itself may be good.
        let picture = look.layers > 0 && look.format.as_ref().is_some_and(is_picture);
        let content = if picture { unpack_all(&bytes, look.packing) } else { Ok(bytes) };
        let fault =
            content.and_then(|bytes| (self.check)(tile, &bytes)).err().map(|error| ("can't be decoded: ", error));
        Ok(Finding { read: true, fault, packed })
    }
}
