//! Many packs, one after another; some at a time are read ahead, in a bucket more, so that one need not wait for the other.

use std::path::Path;
use std::sync::mpsc::sync_channel;

use super::Pack;
use crate::error::{Error, Result};
use crate::plan::Unit;
use crate::render::Layer;
use crate::threads::spawn;
use crate::tile::TileCoord;
use crate::url;

/// Packs in a bucket whose ends are read at once.
pub(super) const LOOKED_AT: usize = 16;
/// Packs in a bucket whose tiles are read at once. Each holds the tiles of one zoom, and what came for them.
const READ: usize = 8;

/// Gives the packs of units in turn; `None` where there is none, or it is damaged or of another run. Ends where `take` says false.
///
/// # Errors
/// Those of `take`; where a disk or a server fails.
pub(in crate::worker) fn each<'u>(
    work: &Path,
    run: u64,
    units: &'u [Unit],
    mut take: impl FnMut(&'u Unit, Option<Pack>) -> Result<bool>,
) -> Result<()> {
    let open = |unit: &Unit| match Pack::open(&Pack::path_of(work, unit), run) {
        Ok(pack) => Ok(Some(pack)),
        Err(error) if error.is_not_found() || matches!(error, Error::Invalid { .. }) => Ok(None),
        Err(error) => Err(error),
    };
    in_turn(units, hands(work, 1, LOOKED_AT), open, |unit, pack| take(unit, pack?))
}

/// Gives the tiles of a layer and a zoom that belong to the output, unit by unit, each in the order of ids; `done` after each unit.
///
/// Memory: two packs at a time (in a bucket eight, twice) have the tiles of one zoom of a unit, 64 tiles at most.
///
/// # Errors
/// Those of `put` and `done`; where a pack is missing or damaged, a disk or a server fails.
pub(in crate::worker) fn each_tile(
    work: &Path,
    run: u64,
    units: &[Unit],
    (layer, z): (Layer, u8),
    put: &mut dyn FnMut(TileCoord, &[u8]) -> Result<()>,
    done: &mut dyn FnMut() -> Result<()>,
) -> Result<()> {
    let read = |unit: &Unit| -> Result<Vec<(TileCoord, Vec<u8>)>> {
        let pack = Pack::open(&Pack::path_of(work, unit), run)?;
        pack.prefetch(pack.wanted(layer, z).map(|(_, entry)| entry))?;
        let bytes = |entry| {
            let mut bytes = Vec::new();
            pack.append(entry, &mut bytes).map(|()| bytes)
        };
        pack.wanted(layer, z).map(|(tile, entry)| Ok((tile, bytes(entry)?))).collect()
    };
    in_turn(units, hands(work, 2, READ), read, |_, tiles| {
        for (tile, bytes) in tiles? {
            put(tile, &bytes)?;
        }
        done().map(|()| true)
    })
}

/// How many packs are looked at at once, of files and of objects.
pub(super) fn hands(work: &Path, files: usize, objects: usize) -> usize {
    if url::is_one(work) { objects } else { files }
}

impl Pack {
    /// Fetches tiles together, where each request costs a way to a server and back.
    #[cfg_attr(
        not(feature = "remote"),
        allow(unused_variables, clippy::unnecessary_wraps, reason = "files have no requests")
    )]
    pub(super) fn prefetch<'e>(&self, entries: impl Iterator<Item = &'e super::Entry>) -> Result<()> {
        #[cfg(feature = "remote")]
        if let super::Bytes::Object(object) = &self.bytes {
            // Between two tiles of the output lie those that were only made for coarser ones.
            const GAP: u64 = 256 << 10;
            let range = |entry: &super::Entry| entry.offset.get()..entry.offset.get() + u64::from(entry.length.get());
            let mut ranges: Vec<_> = entries.map(range).filter(|range| !range.is_empty()).collect();
            ranges.sort_by_key(|range| range.start);
            object.prefetch(ranges, GAP)?;
        }
        Ok(())
    }
}

/// Works on items, several at a time, and takes the results in their order. Each of `hands` threads holds one result at most. Ends where
/// `take` says false.
pub(super) fn in_turn<'t, T: Sync, R: Send>(
    items: &'t [T],
    hands: usize,
    work: impl Fn(&T) -> R + Sync,
    mut take: impl FnMut(&'t T, R) -> Result<bool>,
) -> Result<()> {
    if hands <= 1 || items.len() <= 1 {
        for item in items {
            if !take(item, work(item))? {
                break;
            }
        }
        return Ok(());
    }
    let hands = hands.min(items.len());
    std::thread::scope(|scope| {
        let mut lines = Vec::new();
        for first in 0..hands {
            let (give, line) = sync_channel(0);
            let work = &work;
            let mine = items.iter().skip(first).step_by(hands);
            // Where nobody takes any more, it ends.
            spawn(scope, move || mine.map(work).try_for_each(|done| give.send(done)).unwrap_or_default())?;
            lines.push(line);
        }
        for (n, item) in items.iter().enumerate() {
            let done = lines[n % hands].recv().map_err(|_| Error::internal("a thread that reads ended"))?;
            if !take(item, done)? {
                break;
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn results_come_in_order_and_no_more_than_the_hands_hold_wait() {
        let items: Vec<usize> = (0..100).collect();
        let (begun, mut taken) = (AtomicUsize::new(0), Vec::new());
        let work = |n: &usize| {
            begun.fetch_add(1, Ordering::SeqCst);
            *n
        };
        in_turn(&items, 7, work, |item, n| {
            assert_eq!(*item, n);
            assert!(begun.load(Ordering::SeqCst) <= n + 1 + 7, "{n}");
            taken.push(n);
            Ok(n < 50)
        })
        .unwrap();
        assert_eq!(taken, (0..=50).collect::<Vec<_>>());
        let error = in_turn(&items, 3, |n| *n, |_, _| Err(Error::internal("x")));
        assert!(error.is_err());
    }
}
