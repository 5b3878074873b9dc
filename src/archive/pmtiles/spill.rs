//! Directory entries while an archive is written: in memory while they are few, else in a file without a name.

use std::path::PathBuf;

use super::directory::Entry;
use crate::atomic::ScratchFile;
use crate::error::Result;

/// Entries that are held in memory: 1.5 MB.
const HELD: usize = 65_536;
/// The size of an entry in the file, bytes.
const ENTRY_BYTES: usize = 24;

/// A growing list of entries in bounded memory.
#[derive(Debug)]
pub(super) struct EntrySpill {
    /// The archive, beside which the file is made when it is needed.
    target: PathBuf,
    held: Vec<Entry>,
    file: Option<ScratchFile>,
    spilled: u64,
}

impl EntrySpill {
    pub(super) fn new(target: impl Into<PathBuf>) -> Self {
        Self { target: target.into(), held: Vec::new(), file: None, spilled: 0 }
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> u64 {
        self.spilled + self.held.len() as u64
    }

    /// Adds an entry.
    pub(super) fn push(&mut self, entry: Entry) -> Result<()> {
        if self.held.len() == HELD {
            let file = match &mut self.file {
                Some(file) => file,
                none => none.insert(ScratchFile::beside(&self.target)?),
            };
            let bytes: Vec<u8> = self.held.iter().flat_map(|&entry| to_bytes(entry)).collect();
            file.write(&bytes, self.spilled * ENTRY_BYTES as u64)?;
            self.spilled += HELD as u64;
            self.held.clear();
        }
        self.held.push(entry);
        Ok(())
    }

    /// Calls `visit` with all entries in order, `chunk` at a time.
    pub(super) fn chunks(&self, chunk: usize, mut visit: impl FnMut(&[Entry]) -> Result<()>) -> Result<()> {
        let mut batch: Vec<Entry> = Vec::with_capacity(chunk.min(1 << 20));
        let mut add = |entries: &mut dyn Iterator<Item = Entry>| -> Result<()> {
            for entry in entries {
                batch.push(entry);
                if batch.len() == chunk {
                    visit(&batch)?;
                    batch.clear();
                }
            }
            Ok(())
        };
        if let Some(file) = &self.file {
            let mut bytes = vec![0; HELD * ENTRY_BYTES];
            for first in (0..self.spilled).step_by(HELD) {
                file.read(&mut bytes, first * ENTRY_BYTES as u64)?;
                add(&mut bytes.as_chunks().0.iter().map(from_bytes))?;
            }
        }
        add(&mut self.held.iter().copied())?;
        if batch.is_empty() { Ok(()) } else { visit(&batch) }
    }
}

fn to_bytes(entry: Entry) -> [u8; ENTRY_BYTES] {
    let mut out = [0; ENTRY_BYTES];
    out[..8].copy_from_slice(&entry.id.to_le_bytes());
    out[8..16].copy_from_slice(&entry.offset.to_le_bytes());
    out[16..20].copy_from_slice(&entry.len.to_le_bytes());
    out[20..].copy_from_slice(&entry.run.to_le_bytes());
    out
}

fn from_bytes(bytes: &[u8; ENTRY_BYTES]) -> Entry {
    let u32_at = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
    let u64_at = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
    Entry { id: u64_at(0), offset: u64_at(8), len: u32_at(16), run: u32_at(20) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_back_what_it_took_as_often_as_asked() {
        let folder = tempfile::tempdir().unwrap();
        for n in [0u64, 5, HELD as u64, HELD as u64 + 1, 3 * HELD as u64 + 7] {
            let mut spill = EntrySpill::new(folder.path().join("a.pmtiles"));
            for i in 0..n {
                let entry = Entry { id: i * 3, offset: i << 33, len: i as u32 + 1, run: 1 };
                spill.push(entry).unwrap();
            }
            assert_eq!(spill.len(), n);
            for chunk in [1000, 4096] {
                let mut seen = 0;
                let visit = |entries: &[Entry]| -> Result<()> {
                    assert!(entries.len() <= chunk);
                    for entry in entries {
                        assert_eq!((entry.id, entry.offset, entry.len), (seen * 3, seen << 33, seen as u32 + 1));
                        seen += 1;
                    }
                    Ok(())
                };
                spill.chunks(chunk, visit).unwrap();
                assert_eq!(seen, n);
            }
        }
    }
}
