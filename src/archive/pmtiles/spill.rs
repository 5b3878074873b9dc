//! Directory entries while an archive is written: in memory while they are few, else in an unnamed file.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Result, Seek, SeekFrom, Write};

use super::directory::Entry;

/// Entries that are held in memory: 1.5 MB.
const HELD: usize = 65_536;
/// The size of an entry in the file, bytes.
const ENTRY_BYTES: usize = 24;

/// A growing list of entries in bounded memory.
#[derive(Debug, Default)]
pub(super) struct EntrySpill {
    held: Vec<Entry>,
    file: Option<BufWriter<File>>,
    count: u64,
}

impl EntrySpill {
    /// How many entries there are.
    pub(super) fn len(&self) -> u64 {
        self.count
    }

    /// Adds an entry; `scratch` makes the file when the first one is needed.
    pub(super) fn push(&mut self, entry: Entry, scratch: impl FnOnce() -> Result<File>) -> Result<()> {
        if self.held.len() == HELD {
            if self.file.is_none() {
                self.file = Some(BufWriter::with_capacity(1 << 20, scratch()?));
            }
            if let Some(file) = &mut self.file {
                for entry in self.held.drain(..) {
                    file.write_all(&to_bytes(entry))?;
                }
            }
        }
        self.held.push(entry);
        self.count += 1;
        Ok(())
    }

    /// Calls `visit` with all entries in order, `chunk` at a time.
    pub(super) fn chunks(&mut self, chunk: usize, mut visit: impl FnMut(&[Entry]) -> Result<()>) -> Result<()> {
        let mut batch: Vec<Entry> = Vec::with_capacity(chunk.min(1 << 20));
        let mut add = |entry: Entry, batch: &mut Vec<Entry>| -> Result<()> {
            batch.push(entry);
            if batch.len() == chunk {
                visit(batch)?;
                batch.clear();
            }
            Ok(())
        };
        if let Some(file) = &mut self.file {
            file.flush()?;
            let spilled = self.count - self.held.len() as u64;
            let file = file.get_mut();
            file.seek(SeekFrom::Start(0))?;
            let mut reader = BufReader::with_capacity(1 << 20, &mut *file);
            let mut bytes = [0u8; ENTRY_BYTES];
            for _ in 0..spilled {
                reader.read_exact(&mut bytes)?;
                add(from_bytes(&bytes), &mut batch)?;
            }
            file.seek(SeekFrom::End(0))?;
        }
        for &entry in &self.held {
            add(entry, &mut batch)?;
        }
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
        for n in [0u64, 5, HELD as u64, HELD as u64 + 1, 3 * HELD as u64 + 7] {
            let mut spill = EntrySpill::default();
            for i in 0..n {
                let entry = Entry { id: i * 3, offset: i << 33, len: i as u32 + 1, run: 1 };
                spill.push(entry, tempfile::tempfile).unwrap();
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
