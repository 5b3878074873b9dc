//! The pages of a column, each within bounds: what a page promises is checked before memory is reserved for it.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, Type};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;

use super::source::Source;
use super::thrift::{self, Fault, kind};

/// A larger page is refused, bytes as they are unpacked.
const LARGEST: u64 = 1 << 26;
/// What the pages of all columns may take together, bytes.
const ALL: u64 = 1 << 30;
/// Values that a column with lists may have in a group of rows.
const MOST_IN_LISTS: u64 = 1 << 24;
/// How much is read to find the header of a page, bytes. It is longer where it holds long least and greatest values.
const HEADERS: [u64; 4] = [1 << 9, 1 << 13, 1 << 17, 1 << 22];
/// What an entry of a dictionary takes when it is decoded, bytes.
const ENTRY: u64 = 32;

/// The header of a page.
#[derive(Debug, Clone, Default)]
struct Header {
    /// 0: data, 1: an index, 2: a dictionary, 3: data of the second version.
    kind: i64,
    unpacked: u64,
    packed: u64,
    /// The fields of the header of this kind of page, by their numbers.
    of_kind: [Option<i64>; 9],
}

/// The numbers and truth values of a structure, by their numbers; of those up to 8.
fn numbers(reader: &mut thrift::Reader<'_>) -> Result<[Option<i64>; 9], Fault> {
    let (mut number, mut found) = (0, [None; 9]);
    while let Some(kind) = reader.field(&mut number)? {
        let place = usize::try_from(number).ok().and_then(|at| found.get_mut(at));
        match (kind, place) {
            (kind::TRUE, Some(place)) => *place = Some(1),
            (kind::FALSE, Some(place)) => *place = Some(0),
            (4..=6, Some(place)) => *place = Some(reader.integer()?),
            _ => reader.skip(kind)?,
        }
    }
    Ok(found)
}

impl Header {
    /// Reads a header at the beginning of some bytes; gives its length too.
    fn read(bytes: &[u8]) -> Result<(Self, u64), Fault> {
        let mut reader = thrift::Reader::new(bytes);
        let mut header = Self { kind: -1, ..Self::default() };
        let mut of_kinds = [(5, 0), (7, 2), (8, 3)].map(|(number, kind)| (number, kind, [None; 9]));
        let size = |size: i64| u64::try_from(size).map_err(|_| Fault::Wrong("has a size below 0"));
        let mut number = 0;
        while let Some(kind) = reader.field(&mut number)? {
            match (number, kind) {
                (1, 5) => header.kind = reader.integer()?,
                (2, 5) => header.unpacked = size(reader.integer()?)?,
                (3, 5) => header.packed = size(reader.integer()?)?,
                (_, kind::STRUCT) => match of_kinds.iter_mut().find(|(of, ..)| *of == number) {
                    Some((_, _, found)) => *found = numbers(&mut reader)?,
                    None => reader.skip(kind)?,
                },
                _ => reader.skip(kind)?,
            }
        }
        if let Some((_, _, found)) = of_kinds.iter().find(|(_, kind, _)| *kind == header.kind) {
            header.of_kind = *found;
        }
        Ok((header, reader.read() as u64))
    }

    /// A number that must be there.
    fn number(&self, field: usize) -> Result<u32> {
        let number = self.of_kind[field].and_then(|number| u32::try_from(number).ok());
        number.ok_or_else(|| wrong("a page's header lacks a number"))
    }

    fn encoding(&self, field: usize) -> Result<Encoding> {
        let number = self.number(field)?;
        let known = Encoding::VARIANTS.iter().find(|encoding| **encoding as u32 == number);
        known.copied().ok_or_else(|| wrong("a page has an unknown encoding"))
    }

    /// The encoding of levels.
    #[allow(deprecated, reason = "old files have it")]
    fn levels(&self, field: usize) -> Result<Encoding> {
        let found = self.encoding(field)?;
        let known = matches!(found, Encoding::RLE | Encoding::BIT_PACKED);
        if known { Ok(found) } else { Err(wrong("a page has levels in an unknown encoding")) }
    }
}

/// What all columns that are read together hold.
pub(super) type Held = Arc<AtomicU64>;

/// The pages of a column in a group of rows.
pub(super) struct Pages {
    source: Arc<Source>,
    packing: Compression,
    /// The bytes that a value takes at least in a dictionary.
    least: u64,
    at: u64,
    end: u64,
    /// Values that may still come.
    values: u64,
    held: Held,
    /// What of that is this column's: its dictionary, and its page.
    own: [u64; 2],
    has_dictionary: bool,
}

fn wrong(problem: impl Into<String>) -> ParquetError {
    ParquetError::General(problem.into())
}

impl Pages {
    /// The pages of a column with `rows` rows; `lists` where a row can have several values.
    pub(super) fn new(
        source: &Arc<Source>,
        column: &ColumnChunkMetaData,
        rows: u64,
        lists: bool,
        held: &Held,
    ) -> Result<Self> {
        let offset = |offset: i64| u64::try_from(offset).map_err(|_| wrong("a column begins before the file"));
        let data = offset(column.data_page_offset())?;
        // Some writers say 0 where there is no dictionary.
        let dictionary = column.dictionary_page_offset().map(offset).transpose()?.filter(|&at| at > 0);
        let at = dictionary.map_or(data, |at| at.min(data));
        let end = u64::try_from(column.compressed_size()).ok().and_then(|size| at.checked_add(size));
        let least = match column.column_type() {
            Type::BYTE_ARRAY | Type::INT32 | Type::FLOAT => 4,
            Type::INT64 | Type::DOUBLE => 8,
            _ => return Err(wrong("a column has a type that is not expected there")),
        };
        Ok(Self {
            source: source.clone(),
            packing: column.compression(),
            least,
            at,
            end: end.ok_or_else(|| wrong("a column has a size that is none"))?,
            values: if lists { MOST_IN_LISTS } else { rows },
            held: held.clone(),
            own: [0; 2],
            has_dictionary: false,
        })
    }

    /// The next header that is not of an index, and where its page begins; `None` at the end.
    fn header(&mut self) -> Result<Option<(Header, u64)>> {
        while self.at < self.end {
            let (header, start) = self.header_at(self.at)?;
            let end = start.checked_add(header.packed).filter(|&end| end <= self.end);
            let end = end.ok_or_else(|| wrong("a page ends after its column"))?;
            if header.unpacked > LARGEST {
                let size = header.unpacked;
                return Err(wrong(format!("a page has {size} bytes, more than the {LARGEST} that are read at once")));
            }
            if header.kind != 1 {
                return Ok(Some((header, start)));
            }
            self.at = end;
        }
        Ok(None)
    }

    fn header_at(&self, at: u64) -> Result<(Header, u64)> {
        for most in HEADERS {
            let bytes = self.source.read(at, most.min(self.end - at))?;
            match Header::read(&bytes) {
                Ok((header, len)) => return Ok((header, at + len)),
                Err(Fault::Short) if most < self.end - at => {}
                Err(Fault::Short) => break,
                Err(Fault::Wrong(problem)) => return Err(wrong(format!("a page has a header that {problem}"))),
            }
        }
        Err(wrong("a page has a header without an end"))
    }

    /// Counts what this column's dictionary (0) or page (1) takes now.
    fn hold(&mut self, which: usize, bytes: u64) -> Result<()> {
        let before = std::mem::replace(&mut self.own[which], bytes);
        let all = self.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.held.fetch_sub(before, Ordering::Relaxed);
        if all > ALL { Err(wrong(format!("its pages take more than {ALL} bytes at once"))) } else { Ok(()) }
    }

    /// The next page; `None` at the end.
    fn page(&mut self) -> Result<Option<Page>> {
        let Some((header, start)) = self.header()? else { return Ok(None) };
        let packed = self.source.read(start, header.packed)?;
        self.at = start + header.packed;
        let num_values = header.number(1)?;
        if !matches!(header.kind, 0 | 2 | 3) {
            return Err(wrong("a page is of an unknown kind"));
        }
        if header.kind == 2 {
            let count = u64::from(num_values);
            if count > header.unpacked / self.least {
                return Err(wrong("a dictionary promises more values than it holds"));
            }
            if std::mem::replace(&mut self.has_dictionary, true) {
                return Err(wrong("a column has two dictionaries"));
            }
            self.hold(0, header.unpacked + count * ENTRY)?;
            let buf = unpack(self.packing, &packed, header.unpacked)?;
            return Ok(Some(Page::DictionaryPage { buf, num_values, encoding: header.encoding(2)?, is_sorted: false }));
        }
        let left = self.values.checked_sub(u64::from(num_values));
        self.values = left.ok_or_else(|| wrong("a column has more values than rows, or too many in lists"))?;
        self.hold(1, header.unpacked)?;
        let encoding = header.encoding(if header.kind == 0 { 2 } else { 4 })?;
        if matches!(encoding, Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY) && !self.has_dictionary {
            return Err(wrong("a page needs a dictionary that is not there"));
        }
        if header.kind == 3 {
            return self.page_2(&header, packed, encoding).map(Some);
        }
        Ok(Some(Page::DataPage {
            buf: unpack(self.packing, &packed, header.unpacked)?,
            num_values,
            encoding,
            def_level_encoding: header.levels(3)?,
            rep_level_encoding: header.levels(4)?,
            statistics: None,
        }))
    }

    /// A page of data of the second version.
    fn page_2(&self, header: &Header, packed: Bytes, encoding: Encoding) -> Result<Page> {
        let (def_levels_byte_len, rep_levels_byte_len) = (header.number(5)?, header.number(6)?);
        // The levels stand before the values and are not packed.
        let levels = u64::from(def_levels_byte_len) + u64::from(rep_levels_byte_len);
        if levels > header.unpacked || levels > header.packed {
            return Err(wrong("a page has more levels than bytes"));
        }
        let is_compressed = header.of_kind[7] != Some(0);
        let buf = if is_compressed && self.packing != Compression::UNCOMPRESSED {
            let values = unpack(self.packing, &packed.slice(levels as usize..), header.unpacked - levels)?;
            [&packed[..levels as usize], &values].concat().into()
        } else {
            packed
        };
        let (num_nulls, num_rows) = (header.number(2)?, header.number(3)?);
        Ok(Page::DataPageV2 {
            buf,
            num_values: header.number(1)?,
            encoding,
            num_nulls,
            num_rows,
            def_levels_byte_len,
            rep_levels_byte_len,
            is_compressed,
            statistics: None,
        })
    }
}

/// Unpacks a page, whose size is known.
fn unpack(packing: Compression, packed: &Bytes, size: u64) -> Result<Bytes> {
    let mut out = Vec::new();
    // One byte more shows that there are more.
    let most = size + 1;
    match packing {
        Compression::UNCOMPRESSED => {
            return Some(packed.clone()).filter(|p| p.len() as u64 == size).ok_or_else(of_size);
        }
        // Nothing may stand for no values.
        _ if size == 0 => return Ok(Bytes::new()),
        Compression::SNAPPY => {
            if snap::raw::decompress_len(packed).map_err(broken)? as u64 == size {
                out = snap::raw::Decoder::new().decompress_vec(packed).map_err(broken)?;
            }
        }
        Compression::GZIP(_) => {
            flate2::read::MultiGzDecoder::new(&packed[..]).take(most).read_to_end(&mut out)?;
        }
        Compression::BROTLI(_) => {
            brotli_decompressor::Decompressor::new(&packed[..], 4096).take(most).read_to_end(&mut out)?;
        }
        Compression::ZSTD(_) => {
            zstd::stream::read::Decoder::new(&packed[..])?.take(most).read_to_end(&mut out)?;
        }
        other => return Err(wrong(format!("its pages are packed with {other}; write it with zstd, snappy or gzip"))),
    }
    if out.len() as u64 == size { Ok(out.into()) } else { Err(of_size()) }
}

fn of_size() -> ParquetError {
    wrong("a page has another size than its header says")
}

fn broken(error: impl std::error::Error) -> ParquetError {
    wrong(format!("a page can't be unpacked: {error}"))
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.held.fetch_sub(self.own[0] + self.own[1], Ordering::Relaxed);
    }
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        self.page()
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        let Some((header, _)) = self.header()? else { return Ok(None) };
        let values = Some(header.number(1)? as usize);
        let rows = if header.kind == 3 { Some(header.number(3)? as usize) } else { None };
        Ok(Some(PageMetadata { num_rows: rows, num_levels: values, is_dict: header.kind == 2 }))
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.page().map(drop)
    }
}
