//! All datasets of a moment.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::dataset::Dataset;
use super::problem::{Answer, Problem};

/// All datasets of a moment, by their names. It never changes.
#[derive(Debug, Default)]
pub struct Catalogue {
    datasets: BTreeMap<String, Arc<Dataset>>,
    generation: u64,
}

impl Catalogue {
    pub(super) fn new(datasets: BTreeMap<String, Arc<Dataset>>) -> Self {
        let mut all = Vec::new();
        for (id, dataset) in &datasets {
            all.extend(id.as_bytes());
            all.extend(dataset.version().to_le_bytes());
        }
        Self { generation: crate::format::checksum::checksum(&all), datasets }
    }

    /// How many datasets there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.datasets.len()
    }

    /// True where there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.datasets.is_empty()
    }

    /// A number that changes with every name and every file. Servers of the same files have the same one.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The datasets in the order of their names, behind the one that is named.
    pub fn behind(&self, name: Option<&str>) -> impl Iterator<Item = &Arc<Dataset>> {
        let from = name.map_or(Bound::Unbounded, Bound::Excluded);
        self.datasets.range::<str, _>((from, Bound::Unbounded)).map(|(_, dataset)| dataset)
    }

    /// The dataset with a name.
    pub(super) fn dataset(&self, id: &str) -> Answer<&Arc<Dataset>> {
        let missing = || Problem::not_found("there is no dataset of this name; /catalog lists those there are");
        self.datasets.get(id).ok_or_else(missing)
    }
}
