//! Columns of texts that repeat: each distinct text once, and its number in every row.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{Seek, Write};

use super::numbers::{view, write_column};
use super::{Ragged, write_ragged};
use crate::error::{Error, Result};
use crate::format::{ContainerWriter, ElementType, Kind, Sections};

/// A column of texts behind a dictionary.
#[derive(Debug, Clone, Copy)]
pub struct Dictionary<'a> {
    codes: &'a [u32],
    texts: Ragged<'a>,
}

impl<'a> Dictionary<'a> {
    /// Finds a dictionary column in a file: sections of the kinds *column*, *offsets* and *bytes* with this name.
    ///
    /// # Errors
    /// Where a section is missing or of another type.
    pub fn find(sections: &'a Sections, file: &'a [u8], name: &str) -> Result<Self> {
        let codes = sections.raw(name, Kind::Column, ElementType::U32, None)?;
        Ok(Self { codes: view(file, &codes), texts: Ragged::find(sections, file, name)? })
    }

    /// How many rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// True without rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// The number of each row's text: what to compare and to group by.
    #[must_use]
    pub fn codes(&self) -> &'a [u32] {
        self.codes
    }

    /// The distinct texts, ascending as bytes; a text's number is its row.
    #[must_use]
    pub fn texts(&self) -> Ragged<'a> {
        self.texts
    }

    /// The text of a row.
    ///
    /// # Errors
    /// Where the row does not exist, its number is not in the dictionary, or the text is damaged.
    pub fn text(&self, row: usize) -> Result<Cow<'a, str>> {
        // A row that does not exist gets a number that does not exist.
        self.texts.text(self.codes.get(row).map_or(usize::MAX, |&code| code as usize))
    }

    /// The number of a text; `None` where no row has it. O(log texts).
    ///
    /// # Errors
    /// Where a text is damaged.
    pub fn code(&self, text: &str) -> Result<Option<u32>> {
        let (mut low, mut high) = (0, self.texts.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.texts.get(middle)?.as_ref().cmp(text.as_bytes()) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Ok(u32::try_from(middle).ok()),
            }
        }
        Ok(None)
    }
}

/// Writes a dictionary column from the texts of its rows.
///
/// # Errors
/// Where there are 2^32 distinct texts or more, or the output can't be written.
pub fn write_dictionary<W: Write + Seek>(
    out: &mut ContainerWriter<W>,
    name: &str,
    rows: &[impl AsRef<str>],
) -> Result<()> {
    let mut numbers: BTreeMap<&str, u32> = rows.iter().map(|row| (row.as_ref(), 0)).collect();
    if u32::try_from(numbers.len()).is_err() {
        return Err(Error::argument(name, "has more distinct texts than a dictionary can number"));
    }
    numbers.values_mut().zip(0..).for_each(|(place, number)| *place = number);
    let codes: Vec<u32> = rows.iter().map(|row| numbers[row.as_ref()]).collect();
    write_column(out, name, &codes)?;
    write_ragged(out, name, numbers.keys(), false)
}
