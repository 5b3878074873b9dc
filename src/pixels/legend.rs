//! Lineage archives with different legends brought under one.

use serde_json::Value;

use crate::archive::TileSource;
use crate::error::{Error, Result};
use crate::json::Json;
use crate::terrain::{self, INTERPOLATED, MOST_SOURCES, NO_SOURCE};

/// The union of several legends, and what each input's numbers become in it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Legends {
    /// The legend for the metadata; `None` where no input has one.
    pub(super) legend: Option<Json>,
    tables: Vec<[u8; 256]>,
}

impl Legends {
    /// Unites by name: the sources of the first input keep their numbers, those that it lacks follow in the order of the
    /// inputs.
    pub(super) fn unite(inputs: &[&dyn TileSource]) -> Result<Self> {
        let identity: [u8; 256] = std::array::from_fn(|n| n as u8);
        let lists: Vec<Option<Vec<(u8, String)>>> = inputs.iter().map(|input| names(*input)).collect();
        if lists.iter().all(Option::is_none) {
            return Ok(Self { legend: None, tables: vec![identity; inputs.len()] });
        }
        let mut all: Vec<String> = Vec::new();
        let mut tables = Vec::new();
        let mut interpolated = false;
        for (input, list) in inputs.iter().zip(lists) {
            let list = list.ok_or_else(|| {
                let remedy = "without one its colours can't be told from those of the others: make it again";
                Error::invalid("metadata", "have no legend of sources", remedy).with_path(input.path())
            })?;
            let mut table = [NO_SOURCE; 256];
            for (number, name) in list {
                // Filled voids have a number of their own in every archive.
                if number == INTERPOLATED {
                    table[usize::from(number)] = number;
                    interpolated = true;
                    continue;
                }
                let at = all.iter().position(|known| *known == name).unwrap_or_else(|| {
                    all.push(name);
                    all.len() - 1
                });
                table[usize::from(number)] = u8::try_from(at).ok().filter(|&n| n < INTERPOLATED).ok_or_else(|| {
                    let problem = format!("has too many sources: together they are more than {MOST_SOURCES}");
                    Error::invalid("legend", problem, "merge fewer archives").with_path(input.path())
                })?;
            }
            tables.push(table);
        }
        let names: Vec<&str> = all.iter().map(String::as_str).collect();
        Ok(Self { legend: Some(terrain::legend(&names, interpolated)), tables })
    }

    /// The number of a source of `input` in the united legend.
    pub(super) fn number(&self, input: usize, source: u8) -> u8 {
        self.tables[input][usize::from(source)]
    }

    /// True where the sources of `input` keep their order, so that ties between them are decided as before.
    pub(super) fn keeps_order(&self, input: usize) -> bool {
        let known = self.tables[input].iter().filter(|number| **number != NO_SOURCE);
        known.is_sorted()
    }

    /// True where the tiles of `input` stay as they are.
    pub(super) fn keeps(&self, input: usize) -> bool {
        let known = self.tables[input].iter().enumerate().filter(|(_, number)| **number != NO_SOURCE);
        known.fold(true, |keeps, (n, &number)| keeps && n == usize::from(number))
    }
}

/// The numbers and names of an archive's sources.
fn names(source: &dyn TileSource) -> Option<Vec<(u8, String)>> {
    let list = source.metadata().other.get("legend")?.get("sources")?.as_array()?;
    let entry = |(at, entry): (usize, &Value)| {
        let number = entry.get("priority").and_then(Value::as_u64).unwrap_or(at as u64);
        Some((u8::try_from(number).ok()?, entry.get("name")?.as_str()?.to_owned()))
    };
    list.iter().enumerate().map(entry).collect()
}

/// Lists of sources from several metadata as one: each entry once.
pub(super) fn unite_sources(lists: &[&Json]) -> Json {
    let mut out: Vec<Value> = Vec::new();
    for entry in lists.iter().filter_map(|list| list.value().as_array()).flatten() {
        if !out.contains(entry) {
            out.push(entry.clone());
        }
    }
    Json::of(Value::Array(out))
}
