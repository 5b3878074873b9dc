//! Sorting more than fits in memory: sorted runs in a scratch file, merged.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::atomic::ScratchFile;
use crate::error::{Error, Result};

/// Decides between entries of equal keys.
pub(super) type Tie = fn(&[u8], &[u8]) -> Ordering;

/// Collects entries (a key of 64 bits, and bytes) and gives them back in order, as often as wanted.
pub(super) struct Sorter {
    tie: Tie,
    /// Bytes that are held before they are sorted into a run; without scratch space everything is held.
    budget: usize,
    scratch: Option<PathBuf>,
    bytes: Vec<u8>,
    index: Vec<Place>,
    spilled: Option<Spill>,
}

#[derive(Clone, Copy)]
struct Place {
    key: u64,
    start: usize,
    length: u32,
}

/// Sorted runs one after another in one file.
struct Spill {
    file: ScratchFile,
    /// Where each run starts, and where the last one ends.
    bounds: Vec<u64>,
}

impl Sorter {
    /// `scratch` is a path beside which a file may be made; without one, all entries stay in memory.
    pub(super) fn new(tie: Tie, budget: usize, scratch: Option<&Path>) -> Self {
        let scratch = scratch.map(Path::to_path_buf);
        Self { tie, budget, scratch, bytes: Vec::new(), index: Vec::new(), spilled: None }
    }

    pub(super) fn push(&mut self, key: u64, parts: [&[u8]; 2]) -> Result<()> {
        let start = self.bytes.len();
        parts.into_iter().for_each(|p| self.bytes.extend_from_slice(p));
        self.index.push(Place { key, start, length: (self.bytes.len() - start) as u32 });
        let held = self.bytes.len() + self.index.len() * size_of::<Place>();
        if self.scratch.is_some() && held >= self.budget { self.spill() } else { Ok(()) }
    }

    fn sort(&mut self) {
        let (bytes, tie) = (&self.bytes, self.tie);
        let payload = |p: &Place| &bytes[p.start..p.start + p.length as usize];
        self.index.sort_unstable_by(|a, b| a.key.cmp(&b.key).then_with(|| tie(payload(a), payload(b))));
    }

    fn spill(&mut self) -> Result<()> {
        self.sort();
        let Some(scratch) = &self.scratch else { return Ok(()) };
        if self.spilled.is_none() {
            self.spilled = Some(Spill { file: ScratchFile::beside(scratch)?, bounds: vec![0] });
        }
        let Some(spill) = &mut self.spilled else { return Ok(()) };
        let mut out = Vec::with_capacity(1 << 20);
        let mut end = spill.bounds.last().copied().unwrap_or(0);
        for place in &self.index {
            out.extend_from_slice(&place.key.to_le_bytes());
            out.extend_from_slice(&place.length.to_le_bytes());
            out.extend_from_slice(&self.bytes[place.start..place.start + place.length as usize]);
            if out.len() >= 1 << 20 {
                spill.file.write(&out, end)?;
                end += out.len() as u64;
                out.clear();
            }
        }
        spill.file.write(&out, end)?;
        spill.bounds.push(end + out.len() as u64);
        self.bytes.clear();
        self.index.clear();
        Ok(())
    }

    /// Ends the collecting: what is in memory is sorted, or written where something was before.
    pub(super) fn finish(&mut self) -> Result<()> {
        if self.spilled.is_some() && !self.index.is_empty() {
            self.spill()?;
            (self.bytes, self.index) = (Vec::new(), Vec::new());
        }
        self.sort();
        Ok(())
    }

    /// Calls `each` with every entry in order. Call [`finish`](Self::finish) before.
    pub(super) fn for_each(&self, mut each: impl FnMut(u64, &[u8]) -> Result<()>) -> Result<()> {
        let Some(spill) = &self.spilled else {
            return self.index.iter().try_for_each(|p| each(p.key, &self.bytes[p.start..p.start + p.length as usize]));
        };
        let mut heap = BinaryHeap::new();
        for bounds in spill.bounds.windows(2) {
            let mut head =
                Head { key: 0, payload: Vec::new(), run: Run::new(&spill.file, bounds[0]..bounds[1]), tie: self.tie };
            if head.advance()? {
                heap.push(head);
            }
        }
        while let Some(mut head) = heap.peek_mut() {
            each(head.key, &head.payload)?;
            if !head.advance()? {
                PeekMut::pop(head);
            }
        }
        Ok(())
    }
}

/// Bytes of a run that are read at once.
const WINDOW: u64 = 1 << 18;

/// A part of the spill that is read from front to back, through a window of its own.
struct Run<'a> {
    file: &'a ScratchFile,
    rest: Range<u64>,
    window: Vec<u8>,
    at: usize,
}

impl<'a> Run<'a> {
    fn new(file: &'a ScratchFile, rest: Range<u64>) -> Self {
        Self { file, rest, window: Vec::new(), at: 0 }
    }

    fn is_over(&self) -> bool {
        self.at == self.window.len() && self.rest.is_empty()
    }

    /// Fills `out`, which the rest of the run is long enough for.
    fn read(&mut self, mut out: &mut [u8]) -> Result<()> {
        while !out.is_empty() {
            if self.is_over() {
                return Err(Error::internal("a temporary file ends in the middle of an entry"));
            }
            if self.at == self.window.len() {
                self.window.resize((self.rest.end - self.rest.start).min(WINDOW) as usize, 0);
                self.file.read(&mut self.window, self.rest.start)?;
                (self.rest.start, self.at) = (self.rest.start + self.window.len() as u64, 0);
            }
            let length = out.len().min(self.window.len() - self.at);
            let (now, later) = out.split_at_mut(length);
            now.copy_from_slice(&self.window[self.at..self.at + length]);
            (self.at, out) = (self.at + length, later);
        }
        Ok(())
    }
}

/// The next entry of a run.
struct Head<'a> {
    key: u64,
    payload: Vec<u8>,
    run: Run<'a>,
    tie: Tie,
}

impl Head<'_> {
    fn advance(&mut self) -> Result<bool> {
        if self.run.is_over() {
            return Ok(false);
        }
        let (mut key, mut length) = ([0; 8], [0; 4]);
        self.run.read(&mut key)?;
        self.run.read(&mut length)?;
        self.key = u64::from_le_bytes(key);
        self.payload.resize(u32::from_le_bytes(length) as usize, 0);
        self.run.read(&mut self.payload)?;
        Ok(true)
    }
}

impl PartialEq for Head<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Head<'_> {}

impl PartialOrd for Head<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Head<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        // The heap gives its largest entry first.
        other.key.cmp(&self.key).then_with(|| (self.tie)(&other.payload, &self.payload))
    }
}

#[cfg(all(test, feature = "engine"))]
mod tests {
    use super::*;

    #[test]
    fn the_same_order_in_memory_and_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        let entries: Vec<(u64, Vec<u8>)> = (0..20_000u64)
            .map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52, vec![(i % 251) as u8; (i % 97) as usize + 1]))
            .chain([(7, vec![0; 100_000]), (7, Vec::new())])
            .collect();
        let mut expected = entries.clone();
        expected.sort();
        for (budget, scratch) in [(1 << 30, None), (1, None), (40_000, Some(folder.path().join("x")))] {
            let mut sorter = Sorter::new(|a, b| a.cmp(b), budget, scratch.as_deref());
            for (key, payload) in &entries {
                let (a, b) = payload.split_at(payload.len() / 2);
                sorter.push(*key, [a, b]).unwrap();
            }
            sorter.finish().unwrap();
            assert_eq!(sorter.spilled.as_ref().map(|s| s.bounds.len() > 20), scratch.as_ref().map(|_| true));
            for _ in 0..2 {
                let mut found = Vec::new();
                sorter
                    .for_each(|key, payload| {
                        found.push((key, payload.to_vec()));
                        Ok(())
                    })
                    .unwrap();
                assert!(found == expected);
            }
            assert!(
                std::fs::read_dir(folder.path()).unwrap().count() == usize::from(cfg!(not(unix)) && scratch.is_some())
            );
        }
    }
}
