//! Dense integer ids -> rows: an array by id, or a bitmap with ranks.
//!
//! Both answer without a search, and need far less room than the table of hashed ids ([`id`](super::id), 12.5 bytes a
//! key) where most ids of a range are in use:
//!
//! | | rows | bytes for each id of the range, in use or not | touches |
//! |---|---|---|---|
//! | [`Direct`] | in any order | 4 | one cache line |
//! | [`Bitmap`] | in the order of their ids | 0.133 | two cache lines |
//!
//! ```
//! use hypso::index::dense::{self, Bitmap};
//!
//! let table = dense::build_bitmap(&[1000, 1001, 1004])?;
//! let ids = Bitmap::new(table.first, &table.bits, &table.ranks)?;
//! assert_eq!((ids.row(1004), ids.row(1003), ids.id(1)), (Some(2), None, Some(1001)));
//! # Ok::<(), hypso::Error>(())
//! ```

use crate::error::{Error, Result};

/// What [`Direct`] holds where no row has the id.
pub const ABSENT: u32 = u32::MAX;
/// Ids of a block of the bitmap: one cache line.
const BLOCK: u64 = 512;
/// 64-bit words of a block.
const WORDS: usize = 8;

/// The arrays behind [`Direct`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DirectTable {
    /// The smallest id.
    pub first: u64,
    /// The row of each id from the first on; [`ABSENT`] where there is none.
    pub rows: Vec<u32>,
}

/// The arrays behind [`Bitmap`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BitmapTable {
    /// The smallest id.
    pub first: u64,
    /// One bit for each id from the first on, the lowest bit of a word first; whole blocks of eight words.
    pub bits: Vec<u64>,
    /// How many ids the blocks before each block hold; one more than blocks, so that the last is the number of rows.
    pub ranks: Vec<u32>,
}

/// Builds an array by id; `ids` are those of the rows, in any order. O(ids + range).
///
/// # Errors
/// Where two rows have the same id, there are 2^32 - 1 rows or more, or the range is so wide that
/// [`id::build`](super::id::build) needs less room.
pub fn build_direct(ids: &[u64]) -> Result<DirectTable> {
    let (Some(&first), Some(&last)) = (ids.iter().min(), ids.iter().max()) else { return Ok(DirectTable::default()) };
    let length = room(ids.len(), first, last, 4)?;
    let mut rows = vec![ABSENT; length as usize];
    for (row, &id) in (0u32..).zip(ids) {
        let place = &mut rows[(id - first) as usize];
        if *place != ABSENT {
            return Err(Error::argument("ids", format!("rows {place} and {row} have the same id {id}")));
        }
        *place = row;
    }
    Ok(DirectTable { first, rows })
}

/// Builds a bitmap with ranks; `ids` are those of the rows and have to ascend. O(ids + range).
///
/// # Errors
/// Where the ids do not ascend or one occurs twice, there are 2^32 - 1 rows or more, or the range is so wide that
/// [`id::build`](super::id::build) needs less room.
pub fn build_bitmap(ids: &[u64]) -> Result<BitmapTable> {
    if let Some(row) = ids.windows(2).position(|pair| pair[0] >= pair[1]) {
        let problem = format!("the id of row {} is not above that of row {row}; sort the rows by id", row + 1);
        return Err(Error::argument("ids", problem));
    }
    let (Some(&first), Some(&last)) = (ids.first(), ids.last()) else {
        return Ok(BitmapTable { first: 0, bits: Vec::new(), ranks: vec![0] });
    };
    let blocks = room(ids.len(), first, last, 1)?.div_ceil(BLOCK) as usize;
    let mut bits = vec![0u64; blocks * WORDS];
    for id in ids {
        let at = id - first;
        bits[(at / 64) as usize] |= 1 << (at % 64);
    }
    let mut ranks = vec![0];
    let mut rank = 0;
    for block in bits.chunks(WORDS) {
        rank += block.iter().map(|word| word.count_ones()).sum::<u32>();
        ranks.push(rank);
    }
    Ok(BitmapTable { first, bits, ranks })
}

/// How many ids the range has, if it is dense enough: an array that spends `bytes` on each (a bitmap: an eighth of one)
/// takes no more than 16 bytes a row and 64 KiB.
fn room(rows: usize, first: u64, last: u64, bytes: u64) -> Result<u64> {
    if rows >= u32::MAX as usize {
        return Err(Error::argument("ids", format!("{rows} given, at most {} are possible", u32::MAX - 1)));
    }
    let budget = (16 * rows as u64 + 65_536) * if bytes == 1 { 8 } else { 1 };
    match (last - first).checked_add(1).filter(|range| *range <= budget / bytes) {
        Some(range) => Ok(range),
        None => Err(Error::argument(
            "ids",
            format!("{rows} ids in {first}..={last} are not dense; use a table of hashed ids (`index::id`)"),
        )),
    }
}

/// A view of an array by id.
#[derive(Debug, Clone, Copy)]
pub struct Direct<'a> {
    first: u64,
    rows: &'a [u32],
}

impl<'a> Direct<'a> {
    /// A view over the rows of the ids from `first` on.
    #[must_use]
    pub fn new(first: u64, rows: &'a [u32]) -> Self {
        Self { first, rows }
    }

    /// The row of an id; `None` where the id is absent. A damaged array may give any number: check it against the
    /// number of rows, as indexing does.
    #[must_use]
    pub fn row(&self, id: u64) -> Option<u32> {
        let at = usize::try_from(id.checked_sub(self.first)?).ok()?;
        self.rows.get(at).copied().filter(|&row| row != ABSENT)
    }
}

/// A view of a bitmap with ranks.
#[derive(Debug, Clone, Copy)]
pub struct Bitmap<'a> {
    first: u64,
    blocks: &'a [[u64; WORDS]],
    ranks: &'a [u32],
}

impl<'a> Bitmap<'a> {
    /// A view over the bits and ranks of the ids from `first` on.
    ///
    /// # Errors
    /// Where their lengths do not fit one another.
    pub fn new(first: u64, bits: &'a [u64], ranks: &'a [u32]) -> Result<Self> {
        match bits.as_chunks() {
            (blocks, []) if blocks.len() + 1 == ranks.len() => Ok(Self { first, blocks, ranks }),
            _ => Err(Error::invalid("id bitmap", "its sections do not fit one another", "build the file again")),
        }
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.ranks.last().copied().unwrap_or(0)
    }

    /// True without rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The row of an id, which is the number of smaller ids; `None` where the id is absent. Never as large as
    /// [`len`](Self::len), whatever the file holds.
    #[must_use]
    pub fn row(&self, id: u64) -> Option<u32> {
        let at = id.checked_sub(self.first)?;
        let block = usize::try_from(at / BLOCK).ok()?;
        let words = self.blocks.get(block)?;
        let (word, bit) = ((at % BLOCK / 64) as usize, at % 64);
        if words[word] >> bit & 1 == 0 {
            return None;
        }
        let before: u32 = words[..word].iter().map(|word| word.count_ones()).sum();
        let inside = (words[word] & ((1 << bit) - 1)).count_ones();
        self.ranks.get(block)?.checked_add(before + inside).filter(|&row| row < self.len())
    }

    /// The id of a row; `None` where there is no such row. O(log range).
    #[must_use]
    pub fn id(&self, row: u32) -> Option<u64> {
        if row >= self.len() {
            return None;
        }
        let block = self.ranks.partition_point(|&rank| rank <= row).checked_sub(1)?;
        let mut left = row.checked_sub(*self.ranks.get(block)?)?;
        for (number, &word) in (0u64..).zip(self.blocks.get(block)?) {
            if left < word.count_ones() {
                let rest = (0..left).fold(word, |word, _| word & (word - 1));
                let at = block as u64 * BLOCK + number * 64 + u64::from(rest.trailing_zeros());
                return self.first.checked_add(at);
            }
            left -= word.count_ones();
        }
        None
    }

    /// Checks that every rank is the number of bits before its block. Reads all of it.
    ///
    /// # Errors
    /// Names the first block where that does not hold.
    pub fn verify(&self) -> Result<()> {
        let mut expected = 0u64;
        for (number, &rank) in self.ranks.iter().enumerate() {
            if u64::from(rank) != expected {
                let problem = format!("rank {number} is {rank}, but {expected} bits lie before it");
                return Err(Error::invalid("id bitmap", problem, "build the file again"));
            }
            expected += self.blocks.get(number).map_or(0, |b| b.iter().map(|w| u64::from(w.count_ones())).sum());
        }
        Ok(())
    }
}

/// A view for signed ids of either kind, such as `Signed<Bitmap>`: negative ids lie before the others.
///
/// The tables below count from the smallest of all signed numbers, so that their order is that of the ids.
#[derive(Debug, Clone, Copy)]
pub struct Signed<T>(T);

/// The number that stands for a signed id in a table: the ids keep their order.
fn unsigned(id: i64) -> u64 {
    (id as u64) ^ (1 << 63)
}

/// The signed id that a number of [`unsigned`] stands for.
fn signed(number: u64) -> i64 {
    (number ^ (1 << 63)) as i64
}

impl<'a> Signed<Direct<'a>> {
    /// A view over the rows of the ids from `first` on.
    #[must_use]
    pub fn direct(first: i64, rows: &'a [u32]) -> Self {
        Self(Direct::new(unsigned(first), rows))
    }

    /// As [`Direct::row`].
    #[must_use]
    pub fn row(&self, id: i64) -> Option<u32> {
        self.0.row(unsigned(id))
    }
}

impl<'a> Signed<Bitmap<'a>> {
    /// As [`Bitmap::new`].
    ///
    /// # Errors
    /// Where their lengths do not fit one another.
    pub fn bitmap(first: i64, bits: &'a [u64], ranks: &'a [u32]) -> Result<Self> {
        Bitmap::new(unsigned(first), bits, ranks).map(Self)
    }

    /// As [`Bitmap::row`].
    #[must_use]
    pub fn row(&self, id: i64) -> Option<u32> {
        self.0.row(unsigned(id))
    }

    /// As [`Bitmap::id`].
    #[must_use]
    pub fn id(&self, row: u32) -> Option<i64> {
        self.0.id(row).map(signed)
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.0.len()
    }

    /// True without rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As [`Bitmap::verify`].
    ///
    /// # Errors
    /// Names the first block where a rank is wrong.
    pub fn verify(&self) -> Result<()> {
        self.0.verify()
    }
}

/// As [`build_direct`], for signed ids; the first id is `first`.
///
/// # Errors
/// As [`build_direct`].
pub fn build_signed_direct(ids: &[i64]) -> Result<(i64, Vec<u32>)> {
    let table = build_direct(&ids.iter().copied().map(unsigned).collect::<Vec<_>>())?;
    Ok((if ids.is_empty() { 0 } else { signed(table.first) }, table.rows))
}

/// As [`build_bitmap`], for signed ids, with the first id beside the table.
///
/// # Errors
/// As [`build_bitmap`].
pub fn build_signed_bitmap(ids: &[i64]) -> Result<(i64, BitmapTable)> {
    let table = build_bitmap(&ids.iter().copied().map(unsigned).collect::<Vec<_>>())?;
    Ok((if ids.is_empty() { 0 } else { signed(table.first) }, table))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeSet, HashMap};

    /// Ids around `base` with gaps of all sizes, some of them wider than a block.
    fn ids() -> impl Strategy<Value = Vec<u64>> {
        let base = prop_oneof![Just(0u64), Just(1_000_000), 0..=u64::MAX - 16_000, Just(u64::MAX - 16_000)];
        (base, prop::collection::btree_set(0u64..2000, 0..300), prop::collection::btree_set(0u64..16_000, 0..20))
            .prop_map(|(base, near, far)| near.union(&far).map(|gap| base + gap).collect())
    }

    proptest! {
        #[test]
        fn both_answer_as_a_map_does(ids in ids(), shuffle in any::<u64>(), others in prop::collection::vec(any::<u64>(), 20)) {
            let table = build_bitmap(&ids).unwrap();
            let bitmap = Bitmap::new(table.first, &table.bits, &table.ranks).unwrap();
            bitmap.verify().unwrap();
            let mut mixed = ids.clone();
            mixed.sort_by_key(|id| (id ^ shuffle).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let direct = build_direct(&mixed).unwrap();
            let direct = Direct::new(direct.first, &direct.rows);
            let map: HashMap<u64, u32> = mixed.iter().copied().zip(0..).collect();
            let sorted: HashMap<u64, u32> = ids.iter().copied().zip(0..).collect();
            let near: BTreeSet<u64> = ids.iter().flat_map(|&id| [id, id.wrapping_sub(1), id.wrapping_add(1), id.wrapping_add(512)]).collect();
            for id in near.into_iter().chain(others).chain([0, u64::MAX]) {
                prop_assert_eq!(direct.row(id), map.get(&id).copied());
                prop_assert_eq!(bitmap.row(id), sorted.get(&id).copied());
            }
            for (row, &id) in (0u32..).zip(&ids) {
                prop_assert_eq!(bitmap.id(row), Some(id));
            }
            prop_assert_eq!((bitmap.len() as usize, bitmap.id(ids.len() as u32)), (ids.len(), None));
        }

        #[test]
        fn noise_is_harmless(
            first in prop_oneof![Just(0u64), any::<u64>(), Just(u64::MAX)],
            bits in prop::collection::vec(prop_oneof![Just(0u64), Just(u64::MAX), any::<u64>()], 0..5 * WORDS),
            ranks in prop::collection::vec(prop_oneof![0u32..3000, any::<u32>(), Just(u32::MAX)], 0..6),
            ask in prop::collection::vec(any::<u64>(), 50),
        ) {
            let direct = Direct::new(first, &ranks);
            let bitmap = Bitmap::new(first, &bits, &ranks);
            prop_assert_eq!(bitmap.is_ok(), bits.len() % WORDS == 0 && bits.len() / WORDS + 1 == ranks.len());
            let whole = &bits[..bits.len() / WORDS * WORDS];
            let fitting: Vec<u32> = ranks.iter().copied().chain([7; 6]).take(whole.len() / WORDS + 1).collect();
            let bitmap = Bitmap::new(first, whole, &fitting).unwrap();
            let _ = bitmap.verify();
            for id in ask.into_iter().flat_map(|a| [a, first.wrapping_add(a % 3000)]) {
                let _ = (direct.row(id), bitmap.id(id as u32), bitmap.id((id % 3000) as u32));
                prop_assert!(bitmap.row(id).is_none_or(|row| row < bitmap.len()));
            }
        }
    }

    #[test]
    fn what_is_not_dense_or_not_in_order_is_refused() {
        let message = |e: Error| e.to_string();
        assert!(message(build_direct(&[5, 7, 5]).unwrap_err()).contains("rows 0 and 2 have the same id 5"));
        assert!(message(build_bitmap(&[5, 5]).unwrap_err()).contains("row 1"));
        assert!(message(build_bitmap(&[5, 4]).unwrap_err()).contains("sort"));
        for wide in [[0, u64::MAX], [3, 1 << 40]] {
            assert!(message(build_direct(&wide).unwrap_err()).contains("index::id"));
            assert!(message(build_bitmap(&wide).unwrap_err()).contains("index::id"));
        }
        assert!(build_direct(&[0, 100_000]).is_err());
        assert!(build_bitmap(&[0, 100_000]).is_ok());
    }

    #[test]
    fn a_bitmap_is_as_small_as_it_says() {
        let ids: Vec<u64> = (0..1_000_000).map(|i| i * 4 + i % 3).collect();
        let table = build_bitmap(&ids).unwrap();
        let bytes = table.bits.len() * 8 + table.ranks.len() * 4;
        assert!((bytes as f64 / 1e6 - 0.531).abs() < 0.002, "{bytes}");
    }
}
