//! Work on many tiles by several threads, with the results in the order of the tiles.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::threads::spawn;
use crate::tile::{TileCoord, TileId};

use super::contents::ContentHash;
use super::pmtiles::PmtilesReader;
use super::reach::Group;
use super::{Located, TileSource};

/// Pieces of work that wait for a thread or for being taken, for each thread.
const AHEAD: usize = 2;
/// Tiles that are read in one piece of work, before it is known how large they are.
const BATCH: usize = 64;
/// Bytes that are read in one piece of work, about: enough that handing it over costs little in comparison.
const BATCH_BYTES: usize = 512 << 10;
/// Requests to a server that are under way at once.
const REQUESTS: usize = 8;

/// Gives every job to one of several threads and its result to `take`, in the order of the jobs.
///
/// At most a few jobs and results a thread are held at any time. The first error, in the order of the jobs, ends it. Where
/// the system refuses threads there are fewer, or none: then all is done here.
///
/// # Errors
/// Those of `jobs`, `work` and `take`.
pub(crate) fn in_order<J: Send, R: Send>(
    threads: usize,
    jobs: impl Iterator<Item = Result<J>>,
    work: impl Fn(J) -> Result<R> + Sync,
    mut take: impl FnMut(R) -> Result<()>,
) -> Result<()> {
    let threads = threads.max(1);
    let work = &work;
    thread::scope(|scope| {
        let lanes: Vec<(SyncSender<J>, Receiver<Result<R>>)> = (0..threads)
            .map_while(|_| {
                let (give, jobs) = sync_channel::<J>(AHEAD);
                let (done, results) = sync_channel::<Result<R>>(AHEAD);
                let lane = move || {
                    for job in jobs {
                        // The receiver is gone: the work was given up.
                        if done.send(work(job)).is_err() {
                            return;
                        }
                    }
                };
                spawn(scope, lane).ok().map(|_| (give, results))
            })
            .collect();
        let threads = lanes.len();
        if threads == 0 {
            let mut jobs = jobs;
            return jobs.try_for_each(|job| take(work(job?)?));
        }
        let (mut given, mut taken) = (0usize, 0usize);
        let lost = || Error::internal("a thread ended before its work was done");
        let mut next = |taken: &mut usize| -> Result<()> {
            let result = lanes[*taken % threads].1.recv().map_err(|_| lost())?;
            *taken += 1;
            take(result?)
        };
        for job in jobs {
            let job = match job {
                Ok(job) => job,
                Err(error) => {
                    // What came before may hold an earlier error.
                    while taken < given {
                        next(&mut taken)?;
                    }
                    return Err(error);
                }
            };
            while given - taken >= AHEAD * threads {
                next(&mut taken)?;
            }
            lanes[given % threads].0.send(job).map_err(|_| lost())?;
            given += 1;
        }
        while taken < given {
            next(&mut taken)?;
        }
        Ok(())
    })
}

/// Has a thread of its own make the items, a few ahead of `work`, which takes them in their order.
///
/// # Errors
/// Those of `work`.
fn ahead<T: Send>(
    items: impl Iterator<Item = T> + Send,
    work: impl FnOnce(&mut dyn Iterator<Item = T>) -> Result<()>,
) -> Result<()> {
    thread::scope(|scope| {
        let (give, made) = sync_channel(AHEAD);
        // Where no thread can be had, they are made here, when they are asked for.
        let (hand_over, handed) = sync_channel(1);
        let walk = move || {
            for item in handed.into_iter().flatten() {
                // The receiver is gone: the work was given up.
                if give.send(item).is_err() {
                    return;
                }
            }
        };
        let mut items = items;
        if spawn(scope, walk).is_err() {
            return work(&mut items);
        }
        let _ = hand_over.send(items);
        drop(hand_over);
        work(&mut made.into_iter())
    })
}

/// How many threads read tiles.
pub(crate) fn threads() -> usize {
    thread::available_parallelism().map_or(1, |n| n.get())
}

/// Tiles of several inputs that were read together.
pub(super) struct Batch {
    data: Vec<u8>,
    /// Where each content ends.
    ends: Vec<usize>,
    /// The hash of each content, where they were asked for.
    hashes: Vec<ContentHash>,
    /// Each tile and the number of its content.
    tiles: Vec<(TileCoord, usize)>,
}

impl Batch {
    /// Each tile with its bytes.
    pub(super) fn iter(&self) -> impl Iterator<Item = (TileCoord, &[u8])> {
        self.tiles.iter().map(|&(tile, n)| (tile, &self.data[self.range(n)]))
    }

    /// Each tile with the hash of its bytes, and where they are in the batch.
    pub(super) fn hashed(&self) -> impl Iterator<Item = (TileCoord, ContentHash, Range<usize>)> {
        self.tiles.iter().map(|&(tile, n)| (tile, self.hashes[n], self.range(n)))
    }

    /// Bytes of the batch.
    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.data[range]
    }

    fn range(&self, n: usize) -> Range<usize> {
        n.checked_sub(1).map_or(0, |before| self.ends[before])..self.ends[n]
    }
}

/// Reads the chosen tiles, each from the input of its number, and gives them to `take` in their order. They are chosen on one thread,
/// read on several, where their hashes are made too if `hash` says so, and taken on this one.
///
/// # Errors
/// Those of the inputs, of `chosen` and of `take`; [`Error::Interrupted`] where the user asked to stop.
pub(super) fn read_all(
    inputs: &[&dyn TileSource],
    chosen: impl Iterator<Item = Result<(usize, Located)>> + Send,
    hash: bool,
    progress: &dyn Progress,
    mut take: impl FnMut(Batch) -> Result<()>,
) -> Result<()> {
    // Room as the largest batch so far needed it: growing copies.
    let room = AtomicUsize::new(0);
    let read = |jobs: Vec<(usize, Located)>| -> Result<Batch> {
        let mut data = Vec::with_capacity(room.load(Ordering::Relaxed));
        let (mut wanted, mut ends) = (Vec::with_capacity(jobs.len()), Vec::with_capacity(jobs.len()));
        let mut tiles = Vec::with_capacity(jobs.len());
        for run in jobs.chunk_by(|a, b| a.0 == b.0) {
            wanted.clear();
            let first = ends.len();
            for (_, tile) in run {
                let Some(coord) = tile.id.coord() else { return Err(beyond(tile.id)) };
                // Neighbours that share a content (mostly tiles of the sea) are read once.
                if wanted.last().is_none_or(|last: &Located| !last.same_content(tile)) {
                    wanted.push(*tile);
                }
                tiles.push((coord, first + wanted.len() - 1));
            }
            inputs[run[0].0].read_many(&wanted, &mut data, &mut ends)?;
        }
        room.fetch_max(data.len(), Ordering::Relaxed);
        let mut batch = Batch { data, ends, hashes: Vec::new(), tiles };
        if hash {
            batch.hashes = (0..batch.ends.len()).map(|n| ContentHash::of(batch.bytes(batch.range(n)))).collect();
        }
        Ok(batch)
    };
    let size = AtomicUsize::new(BATCH);
    // Of a remote archive, what one request answers is one piece of work, and several requests are under way.
    let reach = if let [only] = inputs { only.as_pmtiles().and_then(PmtilesReader::reach) } else { None };
    let remote = inputs.iter().any(|input| input.as_pmtiles().is_some_and(|archive| archive.reach().is_some()));
    let lanes = if remote { threads().max(REQUESTS) } else { threads() };
    let mut group = Group::default();
    let more = |count: usize, (_, tile): &(usize, Located)| match reach {
        Some(reach) => group.takes(tile, reach),
        None => count < size.load(Ordering::Relaxed),
    };
    let batches = batches_of(chosen, more, progress);
    let take = |batch: Batch| {
        let mean = batch.data.len() / batch.tiles.len().max(1);
        size.store((BATCH_BYTES / mean.max(1)).clamp(8, 1024), Ordering::Relaxed);
        let count = batch.tiles.len() as u64;
        take(batch)?;
        progress.advance(count);
        Ok(())
    };
    ahead(batches, |batches| in_order(lanes, batches, read, take))
}

fn beyond(id: TileId) -> Error {
    Error::invalid(format!("tile id {}", id.0), "lies beyond zoom 31", "make the archive again")
}

/// Groups of `size`; an error comes after what stood before it, [`Error::Interrupted`] where the user asked to stop.
pub(crate) fn batches<'a, T: 'a>(
    items: impl Iterator<Item = Result<T>> + 'a,
    size: usize,
    progress: &'a dyn Progress,
) -> impl Iterator<Item = Result<Vec<T>>> + 'a {
    batches_of(items, move |count, _| count < size, progress)
}

/// As [`batches`]; `more` is asked for each item whether it goes into a group that holds so many, and is not asked again where it begins
/// the next.
fn batches_of<'a, T: 'a>(
    items: impl Iterator<Item = Result<T>> + 'a,
    mut more: impl FnMut(usize, &T) -> bool + 'a,
    progress: &'a dyn Progress,
) -> impl Iterator<Item = Result<Vec<T>>> + 'a {
    let mut items = items.fuse();
    let mut next = None;
    let mut failed = None;
    std::iter::from_fn(move || {
        if let Some(error) = failed.take() {
            return Some(Err(error));
        }
        if progress.interrupted() {
            return Some(Err(Error::Interrupted));
        }
        let mut batch: Vec<T> = next.take().into_iter().collect();
        loop {
            match items.next() {
                Some(Ok(item)) if !more(batch.len(), &item) && !batch.is_empty() => {
                    next = Some(item);
                    break;
                }
                Some(Ok(item)) => batch.push(item),
                Some(Err(error)) if batch.is_empty() => return Some(Err(error)),
                Some(Err(error)) => {
                    failed = Some(error);
                    break;
                }
                None => break,
            }
        }
        (!batch.is_empty()).then_some(Ok(batch))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether work on a thread of its own panicked. Fails where it waits for ever.
    fn panics(work: impl FnOnce() + Send + 'static) -> bool {
        let (done, ended) = sync_channel(1);
        thread::spawn(move || {
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            let _ = done.send(outcome.is_err());
        });
        ended.recv_timeout(std::time::Duration::from_secs(60)).expect("threads wait for one that is gone")
    }

    fn jobs() -> impl Iterator<Item = Result<u64>> + Send {
        (0..1000).map(Ok)
    }

    #[test]
    fn where_one_thread_panics_no_other_is_left_waiting() {
        let fails = |n: u64| {
            assert!(n != 77, "on purpose");
            n
        };
        for threads in [1, 2, 5] {
            assert!(panics(move || drop(in_order(threads, jobs(), |n| Ok(fails(n)), |_| Ok(())))));
            assert!(panics(move || drop(in_order(threads, jobs(), Ok, |n| {
                fails(n);
                Ok(())
            }))));
            let jobs = jobs().map(move |n| n.map(fails));
            assert!(panics(move || drop(in_order(threads, jobs, Ok, |_| Ok(())))));
        }
        // The thread that makes items, and the one that takes them.
        let made = jobs().map(move |n| n.map(fails));
        assert!(panics(move || drop(ahead(made, |all| {
            all.for_each(drop);
            Ok(())
        }))));
        assert!(panics(move || drop(ahead(jobs(), |all| {
            all.for_each(|n| {
                fails(n.unwrap());
            });
            Ok(())
        }))));
        assert!(!panics(|| ahead(jobs(), |all| in_order(3, all, Ok, |_| Ok(()))).unwrap()));
    }

    #[test]
    fn results_come_in_order_and_the_first_error_ends_it() {
        for threads in [1, 2, 5] {
            let mut seen = Vec::new();
            let jobs = (0..1000u64).map(Ok);
            in_order(
                threads,
                jobs,
                |n| Ok(n * 2),
                |n| {
                    seen.push(n);
                    Ok(())
                },
            )
            .unwrap();
            assert_eq!(seen, (0..1000).map(|n| n * 2).collect::<Vec<u64>>());

            let mut seen = 0;
            let mut count = |_| {
                seen += 1;
                Ok(())
            };
            let fails = |n: u64| if n == 77 { Err(Error::Interrupted) } else { Ok(n) };
            let error = in_order(threads, (0..1000).map(Ok), fails, &mut count).unwrap_err();
            assert!(matches!(error, Error::Interrupted) && seen == 77, "{seen}");

            let mut seen = 0;
            let mut count = |_| {
                seen += 1;
                Ok(())
            };
            let jobs = (0..90u64).map(Ok).chain([Err(Error::Interrupted)]);
            assert!(in_order(threads, jobs, Ok, &mut count).is_err());
            assert_eq!(seen, 90);

            let stop =
                in_order(threads, (0..1000u64).map(Ok), Ok, |n| if n == 5 { Err(Error::Interrupted) } else { Ok(()) });
            assert!(stop.is_err());
        }
    }
}
