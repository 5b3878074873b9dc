//! Sources: named collections with one priority each.

use std::borrow::Cow;

use super::Store;
use crate::error::Result;

/// All sources of a store, in priority order.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    store: &'a Store,
    records: &'a [u64],
}

impl<'a> Sources<'a> {
    pub(super) fn new(store: &'a Store) -> Self {
        Self { store, records: store.slice(&store.inner.layout.source_records) }
    }

    /// How many sources there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// True without sources.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The source with this position.
    #[must_use]
    pub fn get(&self, index: u16) -> Option<SourceRef<'a>> {
        let records = *self.records.get(usize::from(index))?;
        Some(SourceRef { store: self.store, index, records })
    }

    /// All sources, the highest priority first.
    pub fn iter(&self) -> impl Iterator<Item = SourceRef<'a>> + use<'a> {
        let this = *self;
        (0..self.records.len().min(usize::from(u16::MAX)) as u16).filter_map(move |i| this.get(i))
    }
}

/// One source.
#[derive(Debug, Clone, Copy)]
pub struct SourceRef<'a> {
    store: &'a Store,
    index: u16,
    records: u64,
}

impl<'a> SourceRef<'a> {
    /// Its position, which is its priority: 0 wins.
    #[must_use]
    pub fn index(&self) -> u16 {
        self.index
    }

    /// The store that it belongs to.
    #[must_use]
    pub fn store(&self) -> &'a Store {
        self.store
    }

    /// How many records it has.
    #[must_use]
    pub fn record_count(&self) -> u64 {
        self.records
    }

    fn text(&self, which: usize) -> Result<Cow<'a, str>> {
        self.store.inner.layout.source_texts[which].over(self.store.bytes()).text(usize::from(self.index))
    }

    /// Its name.
    ///
    /// # Errors
    /// Where the section is damaged.
    pub fn name(&self) -> Result<Cow<'a, str>> {
        self.text(0)
    }

    /// The folder that its records' paths are relative to.
    ///
    /// # Errors
    /// Where the section is damaged.
    pub fn root(&self) -> Result<Cow<'a, str>> {
        self.text(1)
    }

    /// Who must be named wherever the data are shown; may be empty.
    ///
    /// # Errors
    /// Where the section is damaged.
    pub fn attribution(&self) -> Result<Cow<'a, str>> {
        self.text(2)
    }

    /// The licence as given; may be empty.
    ///
    /// # Errors
    /// Where the section is damaged.
    pub fn licence(&self) -> Result<Cow<'a, str>> {
        self.text(3)
    }

    /// The vertical datum as given; may be empty.
    ///
    /// # Errors
    /// Where the section is damaged.
    pub fn vertical_datum(&self) -> Result<Cow<'a, str>> {
        self.text(4)
    }
}
