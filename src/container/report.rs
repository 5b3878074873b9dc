//! What lies where in a file, for people.

use super::Container;

/// One section of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "engine", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SectionReport {
    /// Its name.
    pub name: String,
    /// The number of its kind.
    pub kind: u8,
    /// The type of its elements.
    pub element: String,
    /// How many elements.
    pub count: u64,
    /// Stored bytes.
    pub bytes: u64,
    /// Where it starts in the file.
    pub offset: u64,
}

/// All sections in file order. Reads the table alone.
#[must_use]
pub fn report(container: &Container) -> Vec<SectionReport> {
    let entries = container.sections().entries().iter();
    entries
        .map(|e| SectionReport {
            name: e.name(),
            kind: e.kind_number(),
            element: e.element().map_or("?", |t| t.name()).to_owned(),
            count: e.count(),
            bytes: e.length(),
            offset: e.offset(),
        })
        .collect()
}
