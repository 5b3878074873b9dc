//! Sorting more than fits in memory: sorted runs in a scratch file, merged.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

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
    file: File,
    path: PathBuf,
    /// Where the process is ended, the file goes.
    _live: crate::atomic::Live,
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
            self.spilled = Some(Spill::create(scratch)?);
        }
        let Some(spill) = &mut self.spilled else { return Ok(()) };
        let mut out = Vec::with_capacity(1 << 20);
        let mut end = spill.bounds.last().copied().unwrap_or(0);
        let failed = |e| Error::io("write", &spill.path)(e);
        for place in &self.index {
            out.extend_from_slice(&place.key.to_le_bytes());
            out.extend_from_slice(&place.length.to_le_bytes());
            out.extend_from_slice(&self.bytes[place.start..place.start + place.length as usize]);
            if out.len() >= 1 << 20 {
                spill.file.write_all(&out).map_err(failed)?;
                end += out.len() as u64;
                out.clear();
            }
        }
        spill.file.write_all(&out).map_err(failed)?;
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
                Head { key: 0, payload: Vec::new(), run: Run::open(spill, bounds[0]..bounds[1])?, tie: self.tie };
            if head.advance(spill)? {
                heap.push(head);
            }
        }
        while let Some(mut head) = heap.peek_mut() {
            each(head.key, &head.payload)?;
            if !head.advance(spill)? {
                PeekMut::pop(head);
            }
        }
        Ok(())
    }
}

impl Spill {
    fn create(scratch: &Path) -> Result<Self> {
        let (file, path, live) = crate::atomic::create_file(&crate::atomic::check_target(scratch)?)?;
        // Where the system allows it, the file has no name while it is used; so nothing is left whatever happens.
        #[cfg(unix)]
        let _ = std::fs::remove_file(&path);
        Ok(Self { file, path, _live: live, bounds: vec![0] })
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        #[cfg(not(unix))]
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A part of the spill that is read from front to back, through a window of its own.
struct Run {
    window: BufReader<Window>,
}

/// Reads a range of a file that others read at other places.
struct Window {
    file: File,
    at: u64,
    end: u64,
}

impl Read for Window {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let length = (out.len() as u64).min(self.end - self.at) as usize;
        if length == 0 {
            return Ok(0);
        }
        // Handles of one file share their position, so it is set before each read.
        self.file.seek(SeekFrom::Start(self.at))?;
        let read = self.file.read(&mut out[..length])?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Run {
    fn open(spill: &Spill, range: std::ops::Range<u64>) -> Result<Self> {
        let file = spill.file.try_clone().map_err(Error::io("read", &spill.path))?;
        Ok(Self { window: BufReader::with_capacity(1 << 18, Window { file, at: range.start, end: range.end }) })
    }
}

/// The next entry of a run.
struct Head {
    key: u64,
    payload: Vec<u8>,
    run: Run,
    tie: Tie,
}

impl Head {
    fn advance(&mut self, spill: &Spill) -> Result<bool> {
        let mut start = [0; 12];
        match self.run.window.read_exact(&mut start) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(e) => return Err(Error::io("read", &spill.path)(e)),
        }
        let [key, length] = [&start[..8], &start[8..]];
        self.key = u64::from_le_bytes(key.try_into().unwrap_or_default());
        self.payload.resize(u32::from_le_bytes(length.try_into().unwrap_or_default()) as usize, 0);
        self.run.window.read_exact(&mut self.payload).map_err(Error::io("read", &spill.path))?;
        Ok(true)
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Head {}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Head {
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
