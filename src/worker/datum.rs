//! Vertical datums: reported before the work, never mixed silently.

use crate::error::{Error, Result};
use crate::store::Store;

/// Reports where heights over different datums would lie side by side.
///
/// # Errors
/// With a wanted datum: where a source declares none.
pub(super) fn check(store: &Store, wanted: Option<&str>) -> Result<Option<String>> {
    let mut declared: Vec<(String, String)> = Vec::new();
    for source in store.sources().iter().filter(|s| s.record_count() > 0) {
        declared.push((source.name()?.into_owned(), source.vertical_datum()?.into_owned()));
    }
    if let Some(wanted) = wanted {
        let Some((name, _)) = declared.iter().find(|(_, datum)| datum.is_empty()) else { return Ok(None) };
        let problem = format!(
            "{wanted} is wanted, but source {name} does not say which datum its heights are over; give it a vertical_datum in hypso.toml and build again"
        );
        return Err(Error::argument("vertical_datum", problem));
    }
    let mut datums: Vec<&str> = declared.iter().map(|(_, datum)| datum.as_str()).collect();
    datums.sort_unstable();
    datums.dedup();
    let shown = |datum: &str| if datum.is_empty() { "no datum declared".to_string() } else { datum.to_string() };
    let list: Vec<String> = declared.iter().map(|(name, datum)| format!("{name} ({})", shown(datum))).collect();
    Ok((datums.len() > 1).then(|| {
        format!(
            "the sources have heights over different vertical datums, which differ by up to some tens of metres: {}; \
             `vertical_datum` brings them to one, and `offset` in hypso.toml adds metres to a source",
            list.join(", ")
        )
    }))
}
