//! Sources: named collections with one priority each. Each of their texts is one line of a table.

use std::borrow::Cow;
use std::path::PathBuf;

use super::Store;
use crate::error::Result;

/// Who must be named for several sources, as one text: each once, in order.
#[cfg(feature = "engine")]
pub(crate) fn attribution_of<'a>(sources: impl IntoIterator<Item = &'a str>) -> String {
    let mut named: Vec<&str> = Vec::new();
    for attribution in sources {
        if !attribution.is_empty() && !named.contains(&attribution) {
            named.push(attribution);
        }
    }
    named.join(" | ")
}

/// Makes [`SourceInput`] of a table of texts, and the methods of [`SourceRef`].
macro_rules! texts {
    ($($(#[$doc:meta])+ $field:ident: $type:ty = $name:literal;)*) => {
        /// A named collection of rasters with one priority: the position in the list of sources, 0 wins.
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        pub struct SourceInput {
            $($(#[$doc])+ pub $field: $type,)*
        }

        /// The sections of the texts.
        pub(super) const TEXTS: [&str; [$($name),*].len()] = [$($name),*];

        #[allow(non_camel_case_types, reason = "they are the names of fields")]
        enum Text { $($field,)* }

        impl SourceInput {
            /// Its texts in the order of [`TEXTS`].
            pub(super) fn texts(&self) -> [Cow<'_, str>; TEXTS.len()] {
                [$(AsRef::<std::ffi::OsStr>::as_ref(&self.$field).to_string_lossy(),)*]
            }
        }

        impl<'a> SourceRef<'a> {
            $(
                $(#[$doc])+
                ///
                /// # Errors
                /// Where the section is damaged.
                pub fn $field(&self) -> Result<Cow<'a, str>> {
                    self.text(Text::$field as usize)
                }
            )*

            /// The source as it was given to the writer.
            pub(super) fn input(&self) -> Result<SourceInput> {
                Ok(SourceInput { $($field: <$type>::from(self.$field()?.into_owned()),)* })
            }
        }
    };
}

texts! {
    /// Unique name, such as `dem1a`.
    name: String = "source.name";
    /// The folder that the paths of its records are relative to.
    root: PathBuf = "source.root";
    /// Who must be named wherever the data are shown; may be empty.
    attribution: String = "source.attribution";
    /// The licence as its owner states it; may be empty.
    licence: String = "source.licence";
    /// The vertical datum as given, such as `EPSG:6695` or `JGD2011 (vertical)`; may be empty.
    vertical_datum: String = "source.vertical_datum";
}

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
        let texts = self.store.inner.layout.source_texts[which].over(self.store.bytes());
        texts.text(usize::from(self.index))
    }
}
