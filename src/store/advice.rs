//! Advice about parts of a store.

use super::Store;
use super::columns::Column;
use crate::container::Advice;
use crate::error::Result;
use crate::format::{Kind, SectionEntry};

/// A group of sections of a [`Store`] that are used together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Part {
    /// R-tree, id table and tile index: about 30 bytes a record, and the lists of tiles.
    Indices,
    /// The columns that queries look at: footprints, rank and native zoom; 37 bytes a record.
    Footprints,
    /// All other columns of numbers; 58 bytes a record.
    Attributes,
    /// Paths, names of coordinate systems, and what is said of the sources.
    Texts,
}

impl Part {
    /// True where a section of a store belongs to this part.
    #[must_use]
    pub fn holds(self, section: &SectionEntry) -> bool {
        let name = section.name();
        let number = section.kind_number();
        let part = if number == Kind::Tree as u8 || name.starts_with("id.") || name.starts_with("tile.") {
            Self::Indices
        } else if Column::FOOTPRINTS.iter().any(|column| column.name() == name) {
            Self::Footprints
        } else if [Kind::Offsets, Kind::Bytes, Kind::Blocks].iter().any(|&kind| number == kind as u8) {
            Self::Texts
        } else {
            Self::Attributes
        };
        part == self
    }
}

impl Store {
    /// Tells the system how the whole file will be read; see [`Container::advise`](crate::container::Container::advise).
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn advise(&self, advice: Advice) -> Result<()> {
        self.container().advise(advice)
    }

    /// Tells the system how a part of the file will be read, for instance to have the indices in memory before the
    /// first query comes:
    ///
    /// ```no_run
    /// # use hypso::container::Advice;
    /// # use hypso::store::{Part, Store};
    /// let store = Store::open("japan.hypso")?;
    /// store.advise_part(Part::Indices, Advice::Preload)?;
    /// store.advise_part(Part::Footprints, Advice::Preload)?;
    /// # Ok::<(), hypso::Error>(())
    /// ```
    ///
    /// Pages that two parts share follow the advice that came last.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn advise_part(&self, part: Part, advice: Advice) -> Result<()> {
        self.container().advise_sections(advice, |section| part.holds(section))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Parameters, write};

    #[test]
    fn every_section_belongs_to_one_part() {
        let bytes = write(std::io::Cursor::new(Vec::new()), &[], &[], &Parameters::default()).unwrap().into_inner();
        let store = Store::from_bytes(bytes).unwrap();
        let parts = [Part::Indices, Part::Footprints, Part::Attributes, Part::Texts];
        let mut counts = [0; 4];
        for section in store.sections().entries() {
            let holding: Vec<usize> = (0..4).filter(|&i| parts[i].holds(section)).collect();
            assert_eq!(holding.len(), 1, "{}", section.name());
            counts[holding[0]] += 1;
        }
        assert_eq!((counts[0], counts[1]), (11, 6), "{counts:?}");
        assert!(counts[2] > 10 && counts[3] > 10, "{counts:?}");
    }
}
