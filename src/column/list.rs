//! Columns of lists: an offset array and the numbers it cuts into rows, as in a sparse matrix of compressed rows (CSR).

use std::io::{Seek, Write};
use std::ops::Range;

use super::Element;
use super::numbers::{view, write_column};
use crate::error::{Error, Result};
use crate::format::{ContainerWriter, ElementType, Kind, Origin, Sections};

const REBUILD: &str = "build the file again from its sources";

/// A column whose rows are lists of numbers.
#[derive(Debug, Clone, Copy)]
pub struct List<'a, T> {
    name: &'a str,
    origin: &'a Origin,
    offsets: &'a [u64],
    values: &'a [T],
}

impl<'a, T: Element> List<'a, T> {
    /// Finds a column of lists in a file: sections of the kinds *offsets* and *column* with this name.
    ///
    /// # Errors
    /// Where a section is missing or of another type.
    pub fn find(sections: &'a Sections, file: &'a [u8], name: &str) -> Result<Self> {
        let offsets = sections.raw(name, Kind::Offsets, ElementType::U64, None)?;
        let values = sections.raw(name, Kind::Column, T::TYPE, None)?;
        let name = sections.find(name, Kind::Offsets).map_or("?", |e| e.label());
        Ok(Self { name, origin: sections.origin(), offsets: view(file, &offsets), values: view(file, &values) })
    }

    /// How many rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// True without rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the list of a row lies among [`values`](Self::values). Another column with as many numbers may hold more about each of
    /// them, at the same place.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn range(&self, row: usize) -> Result<Range<usize>> {
        match self.place(row).filter(|range| range.start <= range.end && range.end <= self.values.len()) {
            Some(range) => Ok(range),
            None => Err(self.bad(row)),
        }
    }

    /// Where the offsets say that a row lies: anywhere.
    fn place(&self, row: usize) -> Option<Range<usize>> {
        let &[start, end] = self.offsets.get(row..)?.first_chunk::<2>()?;
        Some(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
    }

    #[cold]
    fn bad(&self, row: usize) -> Error {
        let problem = if row < self.len() { "its offsets are damaged" } else { "there is no such row" };
        self.origin.name(Error::invalid(format!("section {:?}, row {row}", self.name), problem, REBUILD))
    }

    /// The list of a row, where it lies.
    ///
    /// # Errors
    /// Where the row does not exist, or its offsets are damaged.
    pub fn get(&self, row: usize) -> Result<&'a [T]> {
        match self.place(row).and_then(|range| self.values.get(range)) {
            Some(list) => Ok(list),
            None => Err(self.bad(row)),
        }
    }

    /// The numbers of all rows, one list after another.
    #[must_use]
    pub fn values(&self) -> &'a [T] {
        self.values
    }

    /// Checks that the offsets start at 0, never decrease and end where the numbers end.
    ///
    /// # Errors
    /// Where they do not. Reads all of them.
    pub fn check_offsets(&self) -> Result<()> {
        let ends = (self.offsets.first().copied(), self.offsets.last().copied());
        if ends == (Some(0), Some(self.values.len() as u64)) && self.offsets.is_sorted() {
            return Ok(());
        }
        let problem = format!("its offsets do not rise from 0 to {}", self.values.len());
        Err(self.origin.name(Error::invalid(format!("section {:?}", self.name), problem, REBUILD)))
    }
}

/// Writes a column of lists.
///
/// # Errors
/// Where the output can't be written.
pub fn write_list<T: Element, W: Write + Seek>(
    out: &mut ContainerWriter<W>,
    name: &str,
    rows: impl IntoIterator<Item = impl AsRef<[T]>>,
) -> Result<()> {
    let (mut offsets, mut values) = (vec![0u64], Vec::new());
    for row in rows {
        values.extend_from_slice(row.as_ref());
        offsets.push(values.len() as u64);
    }
    out.raw(name, Kind::Offsets, ElementType::U64, 0, bytemuck::cast_slice(&offsets))?;
    write_column(out, name, &values)
}
