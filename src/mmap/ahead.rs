//! Pages that are asked for before they are read, so that many come at the same time.
//!
//! Maps are opened without read-ahead, which suits single queries. A batch knows all its places at once. Each is asked for with what lies
//! around it, and once: a batch on a warm file then costs a look at a bit for each place.

use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Mapped, Reading};

/// How many bytes are asked for at a time; no more than what Linux reads by one call, unless somebody changed that.
pub(crate) const WINDOW: usize = 128 << 10;
/// How many bytes are asked for before any of them is touched: enough to keep a disk busy, little enough that the
/// system has not dropped the first when the last arrive.
pub(crate) const PRELOAD: usize = 8 << 20;
/// The same beside requests.
#[cfg(feature = "serve")]
const BESIDE: usize = 512 << 10;
/// Pages of this size are asked for piece by piece, as they are read.
#[cfg(feature = "serve")]
const LARGE_PAGE: usize = 2 << 20;
/// The smallest page that systems have.
const PAGE: usize = 4096;

/// Which windows of a map were asked for: a bit for each; none where all of it would fill the memory.
#[derive(Debug, Default)]
pub(super) struct Asked(OnceLock<Vec<AtomicU64>>);

impl Mapped {
    /// Asks the system to read the windows around these parts of the map, and returns when it was asked. Does nothing for windows that were
    /// asked for before, nor where the whole file takes more than half of the memory that is left: what comes in would then push
    /// out what is still needed. Advice that is refused is no error.
    pub(crate) fn ahead<'p>(&self, parts: impl Iterator<Item = &'p [u8]>) {
        let asked = self.asked.0.get_or_init(|| {
            let fits = crate::memory::available().is_some_and(|free| self.map.len() as u64 <= free / 2);
            let words = if fits { self.map.len().div_ceil(64 * WINDOW) } else { 0 };
            std::iter::repeat_with(AtomicU64::default).take(words).collect()
        });
        if asked.is_empty() {
            return;
        }
        let mut windows = Vec::new();
        for window in parts.filter_map(|part| self.place(part)).flat_map(around) {
            let Some(word) = asked.get(window / 64) else { continue };
            let bit = 1 << (window % 64);
            if word.load(Ordering::Relaxed) & bit == 0 && word.fetch_or(bit, Ordering::Relaxed) & bit == 0 {
                windows.push(window);
            }
        }
        // In the order in which a disk has them.
        windows.sort_unstable();
        for window in windows {
            let range = window * WINDOW..((window + 1) * WINDOW).min(self.map.len());
            let _ = self.advise(Reading::WillNeed, range);
        }
    }

    /// Reads a range now and returns when it is in memory, into large pages where the system has such for files.
    pub(crate) fn preload(&self, range: Range<usize>) {
        self.ask_for_large_pages(range.clone());
        pieces(&range, PRELOAD).for_each(|piece| self.bring(piece));
    }

    /// As [`preload`](Self::preload), beside others who wait for pages: they find little before them on the way to the disk, and have it for
    /// themselves half of the time. What was not read yet comes in small pages.
    #[cfg(feature = "serve")]
    pub(crate) fn preload_beside(&self, range: Range<usize>) {
        for large in pieces(&range, LARGE_PAGE) {
            self.ask_for_large_pages(large.clone());
            for piece in pieces(&large, BESIDE) {
                let begin = std::time::Instant::now();
                self.bring(piece);
                std::thread::sleep(begin.elapsed());
            }
        }
    }

    /// Asks for a range, and waits for it.
    fn bring(&self, range: Range<usize>) {
        // This only makes it faster: a system that refuses the advice still reads the pages that are touched.
        let _ = pieces(&range, WINDOW).try_for_each(|piece| self.advise(Reading::WillNeed, piece));
        let bytes = self.map.get(range).unwrap_or(&[]);
        let sum = bytes.iter().step_by(PAGE).chain(bytes.last()).fold(0u8, |sum, byte| sum ^ byte);
        std::hint::black_box(sum);
    }

    /// Where bytes of this map lie in it; nothing for others, or for none.
    #[inline]
    fn place(&self, part: &[u8]) -> Option<Range<usize>> {
        let start = (part.as_ptr() as usize).checked_sub(self.map.as_ptr() as usize)?;
        let end = start.checked_add(part.len())?;
        (start < end && end <= self.map.len()).then_some(start..end)
    }
}

/// A range in pieces of `length` bytes, the last one shorter.
pub(crate) fn pieces(range: &Range<usize>, length: usize) -> impl Iterator<Item = Range<usize>> + use<> {
    let end = range.end;
    range.clone().step_by(length).map(move |from| from..end.min(from.saturating_add(length)))
}

/// The windows that hold a range of bytes.
fn around(range: Range<usize>) -> Range<usize> {
    range.start / WINDOW..range.end.div_ceil(WINDOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_asked_for_once_and_nothing_else_is() {
        let folder = std::env::temp_dir().join(format!("hypso-ahead-{}", std::process::id()));
        std::fs::write(&folder, vec![7u8; 70 * WINDOW + 5]).unwrap();
        let (map, _) = Mapped::open(&folder, |_| Ok(())).unwrap();
        let asked = |map: &Mapped| -> Vec<usize> {
            let words = map.asked.0.get().unwrap().iter().map(|word| word.load(Ordering::Relaxed)).enumerate();
            words
                .flat_map(|(i, word)| (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| i * 64 + bit))
                .collect()
        };
        let bytes = map.as_ref();
        map.ahead([&bytes[..0], &bytes[5..6], &[1, 2, 3], &bytes[WINDOW * 3 - 1..WINDOW * 3 + 1]].into_iter());
        if cfg!(target_os = "linux") {
            assert_eq!(asked(&map), [0, 2, 3]);
            map.ahead([&bytes[bytes.len() - 1..]].into_iter());
            assert_eq!(asked(&map), [0, 2, 3, 70]);
        }
        map.ahead(std::iter::once(bytes));
        assert!(map.as_ref().iter().all(|&byte| byte == 7));
        std::fs::remove_file(&folder).unwrap();
    }
}
