//! Directories: lists of entries as columns of varints.

use super::parts::MAX_DEPTH;
use crate::archive::Located;
use crate::error::{Error, Result};
use crate::tile::TileId;

/// A directory entry.
///
/// With `run > 0`: the tiles `id..id + run` share the `len` bytes at `offset` of the tile data. With `run == 0`: the
/// leaf directory at `offset` of the leaf section begins with `id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::archive) struct Entry {
    pub(in crate::archive) id: u64,
    pub(in crate::archive) offset: u64,
    pub(in crate::archive) len: u32,
    pub(in crate::archive) run: u32,
}

impl Entry {
    /// The entry of one tile.
    pub(super) fn of(tile: &Located) -> Self {
        Self { id: tile.id.0, offset: tile.place, len: tile.bytes, run: 1 }
    }

    /// One past the last tile of the run; the identifier itself for a leaf.
    pub(in crate::archive) fn end(&self) -> u64 {
        self.id.saturating_add(u64::from(self.run))
    }
}

/// Where a leaf directory lies and which identifiers it may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::archive) struct DirectoryRef {
    /// Offset in the leaf section.
    pub(in crate::archive) offset: u64,
    /// Compressed length, bytes.
    pub(in crate::archive) len: u32,
    /// The first identifier.
    pub(in crate::archive) first: u64,
    /// One past the last identifier that may stand in it.
    pub(in crate::archive) end: u64,
}

impl DirectoryRef {
    /// The leaf that an entry leads to; `end` is where the next entry begins.
    pub(super) fn of(entry: Entry, end: u64) -> Self {
        Self { offset: entry.offset, len: entry.len, first: entry.id, end }
    }
}

/// Appends a directory in the form of the specification, not compressed.
pub(super) fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::with_capacity(entries.len() * 6 + 10);
    put_varint(&mut out, entries.len() as u64);
    let mut last = 0;
    for entry in entries {
        put_varint(&mut out, entry.id - last);
        last = entry.id;
    }
    entries.iter().for_each(|e| put_varint(&mut out, u64::from(e.run)));
    entries.iter().for_each(|e| put_varint(&mut out, u64::from(e.len)));
    let mut next = None;
    for entry in entries {
        // 0 says "right behind the entry before"; all else is shifted by one.
        put_varint(&mut out, if next == Some(entry.offset) { 0 } else { entry.offset.saturating_add(1) });
        next = entry.offset.checked_add(u64::from(entry.len));
    }
    out
}

/// Reads a directory and checks it by itself: counts, order, runs that overlap, sums that overflow.
///
/// The identifiers must lie in `first..end`. Allocates at most 6 times the size of `bytes`.
pub(super) fn decode(bytes: &[u8], first: u64, end: u64, part: &str) -> Result<Vec<Entry>> {
    parse(bytes, first, end).map_err(|problem| {
        Error::invalid(part, problem, "the directory is damaged or made by a faulty program: make the archive again")
    })
}

fn parse(bytes: &[u8], first: u64, end: u64) -> Result<Vec<Entry>, String> {
    let mut input = bytes;
    let mut next = |what: &str| take_varint(&mut input).ok_or_else(|| format!("{what} is cut off or too large"));
    let count = next("the number of entries")?;
    // Every entry has at least one byte in each of the four columns.
    if count > bytes.len() as u64 / 4 {
        return Err(format!("claims {count} entries in {} bytes", bytes.len()));
    }
    let mut entries = vec![Entry::default(); count as usize];
    let mut last = 0u64;
    for (i, entry) in entries.iter_mut().enumerate() {
        let delta = next("a tile id")?;
        if i > 0 && delta == 0 {
            return Err(format!("entry {i} repeats tile id {last}"));
        }
        last =
            last.checked_add(delta).filter(|&id| TileId(id).zoom().is_some()).ok_or("a tile id is beyond zoom 31")?;
        entry.id = last;
    }
    for (i, entry) in entries.iter_mut().enumerate() {
        entry.run =
            u32::try_from(next("a run length")?).map_err(|_| format!("entry {i} has a run length above 2^32"))?;
    }
    for (i, entry) in entries.iter_mut().enumerate() {
        let len = next("a length")?;
        entry.len = u32::try_from(len).ok().filter(|&n| n > 0).ok_or_else(|| format!("entry {i} has length {len}"))?;
    }
    let mut follows = None;
    for (i, entry) in entries.iter_mut().enumerate() {
        entry.offset = match next("an offset")? {
            0 => follows.ok_or_else(|| format!("entry {i} follows nothing"))?,
            shifted => shifted - 1,
        };
        let behind = entry.offset.checked_add(u64::from(entry.len));
        follows = Some(behind.ok_or_else(|| format!("entry {i} ends beyond 2^64"))?);
    }
    check_range(&entries, first, end)?;
    Ok(entries)
}

fn check_range(entries: &[Entry], first: u64, end: u64) -> Result<(), String> {
    if let Some(entry) = entries.first().filter(|e| e.id < first) {
        return Err(format!("begins with tile id {}, before its place {first}", entry.id));
    }
    for (i, pair) in entries.windows(2).enumerate() {
        if pair[0].end() > pair[1].id {
            return Err(format!("entry {i} runs into the tile id {} of the next", pair[1].id));
        }
    }
    match entries.last() {
        Some(e) if e.end() > end || e.id >= end => {
            Err(format!("holds tile ids up to {}, its place ends at {end}", e.end()))
        }
        _ => Ok(()),
    }
}

/// The entry whose run holds `id`, or the leaf that may hold it, and where the next entry begins.
pub(super) fn find(entries: &[Entry], id: u64) -> Option<(Entry, Option<u64>)> {
    let at = entries.partition_point(|e| e.id <= id).checked_sub(1)?;
    let entry = *entries.get(at)?;
    (entry.run == 0 || id < entry.end()).then(|| (entry, entries.get(at + 1).map(|e| e.id)))
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take_varint(input: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = input.split_first()?;
        *input = rest;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            return None;
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The coarsest and the finest zoom of the tiles in a root directory. `last_of` gives the last entry of the leaf that an entry leads to.
/// `None` where there is no tile, or a directory is damaged: the walk and `verify` find that.
pub(super) fn zooms(root: &[Entry], last_of: impl Fn(Entry) -> Option<Entry>) -> Option<(u8, u8)> {
    let coarsest = TileId(root.first()?.id).zoom()?;
    let mut last = *root.last()?;
    for _ in 0..MAX_DEPTH {
        if last.run > 0 {
            return Some((coarsest, TileId(last.end().checked_sub(1)?).zoom()?));
        }
        last = last_of(last)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const END: u64 = u64::MAX;

    fn entries() -> impl Strategy<Value = Vec<Entry>> {
        let one = (1u64..1000, 0u32..5, 1u32..100_000, proptest::option::of(0u64..1 << 50));
        proptest::collection::vec(one, 0..60).prop_map(|raw| {
            let (mut id, mut next) = (0u64, 0u64);
            raw.into_iter()
                .map(|(gap, run, len, offset)| {
                    let offset = offset.unwrap_or(next);
                    let entry = Entry { id: id + gap, offset, len, run };
                    id = entry.end();
                    next = offset + u64::from(len);
                    entry
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn round_trip(entries in entries()) {
            prop_assert_eq!(decode(&encode(&entries), 0, END, "x").unwrap(), entries);
        }

        #[test]
        fn look_up_agrees_with_a_scan(entries in entries(), id in 0u64..70_000) {
            let naive = entries.iter().rfind(|e| e.id <= id).filter(|e| e.run == 0 || id < e.end()).copied();
            prop_assert_eq!(find(&entries, id).map(|(entry, _)| entry), naive);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes, 0, END, "x");
        }

        #[test]
        fn no_flipped_byte_makes_it_panic(entries in entries(), at in any::<prop::sample::Index>(), bits in 1u8..) {
            let mut bytes = encode(&entries);
            let at = at.index(bytes.len());
            bytes[at] ^= bits;
            let _ = decode(&bytes, 0, END, "x");
        }
    }

    #[test]
    fn bytes_of_the_specification() {
        // Varints: one and two bytes; offsets: the second entry follows the first.
        let entries = [Entry { id: 5, offset: 0, len: 300, run: 1 }, Entry { id: 42, offset: 300, len: 2, run: 3 }];
        let bytes = [2, 5, 37, 1, 3, 0xac, 0x02, 2, 1, 0];
        assert_eq!(encode(&entries), bytes);
        assert_eq!(decode(&bytes, 5, 45, "x").unwrap(), entries);
        assert_eq!(encode(&[]), [0]);
    }

    #[test]
    fn hostile_directories_are_named() {
        let message = |bytes: &[u8]| decode(bytes, 0, 1000, "leaf directory").unwrap_err().to_string();
        assert!(message(&[]).contains("the number of entries is cut off"));
        assert!(message(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0]).contains("claims 4294967295 entries in 8 bytes"));
        assert!(message(&[2, 5, 0, 1, 1, 1, 1, 1, 1]).contains("entry 1 repeats tile id 5"));
        assert!(message(&[2, 5, 1, 2, 1, 1, 1, 1, 1]).contains("entry 0 runs into the tile id 6"));
        assert!(message(&[1, 5, 1, 0, 1]).contains("entry 0 has length 0"));
        assert!(message(&[1, 5, 1, 1, 0]).contains("entry 0 follows nothing"));
        assert!(message(&[1, 0xe7, 0x07, 2, 1, 1]).contains("its place ends at 1000"));
        assert!(decode(&[1, 5, 1, 1, 1], 6, 9, "x").unwrap_err().to_string().contains("before its place 6"));
        let beyond = [1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 1, 1, 1];
        assert!(message(&beyond).contains("beyond zoom 31"));
    }
}
