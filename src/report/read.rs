//! A report as it is read.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::error::{Error, Result};
use crate::local;
use crate::quality::{Figure, Rule};
use crate::text::one_line;

/// What a report says of itself first.
pub const FORMAT: &str = "hypso report 1";

/// A larger file is no report, bytes.
const LARGEST: u64 = 256 << 20;

/// What is wrong with a file that is none.
const REMEDY: &str = "name a report of a run, or the archive beside which it lies";

/// Where the report of an output may lie: `<stem>.report.json` beside it, and `<output>.report.json` where that name belongs to
/// another one.
#[must_use]
pub fn places(output: &Path) -> [PathBuf; 2] {
    let stem = output.file_stem().unwrap_or_default().to_string_lossy();
    let name = output.file_name().unwrap_or_default().to_string_lossy();
    [stem, name].map(|start| output.with_file_name(format!("{start}.report.json")))
}

/// What tells whose report it is.
#[derive(Deserialize)]
struct Head {
    format: String,
    archive: Option<String>,
    output: Option<Output>,
}

#[derive(Deserialize)]
struct Output {
    path: Option<PathBuf>,
}

/// True for a report of the output of this name, and for one that does not say whose it is.
#[must_use]
pub fn is_of(path: &Path, output: &str) -> bool {
    let text = local::read(path, LARGEST).ok();
    let Some(head) = text.and_then(|text| serde_json::from_slice::<Head>(&text).ok()) else { return false };
    let name = |path: PathBuf| Some(path.file_name()?.to_string_lossy().into_owned());
    // Before they said what they are of, they named the archive where there was one.
    let of = head.archive.or_else(|| name(head.output?.path?));
    head.format.starts_with("hypso report") && of.is_none_or(|of| of == output)
}

/// What a run made and took. Figures that a version did not write yet are 0, empty or absent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are those of the file; docs/operations.md has what they mean")]
pub struct RunReport {
    pub version: String,
    pub archive: Option<String>,
    pub complete: bool,
    pub output: Option<Archive>,
    pub lineage: Option<Archive>,
    pub update: Option<IgnoredAny>,
    pub tiles: Tiles,
    pub units: Units,
    pub records: Records,
    pub sources: Vec<Source>,
    pub worker_seconds: Work,
    pub memory: Memory,
    pub workers: u64,
    pub seconds: Seconds,
    pub zooms: Vec<Zoom>,
    pub quality: Vec<Finding>,
    /// Those of the first versions, which are texts.
    pub alerts: Vec<Alert>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "as above")]
pub struct Archive {
    pub tiles: u64,
    pub tile_bytes: u64,
    pub file_bytes: u64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "as above")]
pub struct Tiles {
    pub made: u64,
    pub intermediate: u64,
    pub without_data: u64,
    pub pixels: u64,
    pub pixels_without_data: u64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "as above")]
pub struct Units {
    pub made: u64,
    pub found: u64,
    pub retried: u64,
    pub set_aside: Vec<IgnoredAny>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "as above")]
pub struct Records {
    pub used: u64,
    pub unused: u64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "as above")]
pub struct Source {
    pub name: String,
    pub pixels: u64,
    pub nodata_share: Option<f64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "as above")]
pub struct Work {
    pub read: f64,
    pub warp_and_merge: f64,
    pub encode_and_decode: f64,
    pub write: f64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "as above")]
pub struct Memory {
    pub all_processes: u64,
    pub largest_process: u64,
    pub budget: Option<u64>,
    pub every_seconds: f64,
    pub over_time: Vec<u64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "as above")]
pub struct Seconds {
    pub all: f64,
    pub archives: f64,
    pub paused: f64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "as above")]
pub struct Zoom {
    pub zoom: u8,
    pub tiles: u64,
    pub bytes: u64,
}

/// A [finding](crate::quality::Finding) of a version that may know other rules.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "as above")]
pub struct Finding {
    pub rule: String,
    pub source: Option<String>,
    pub value: f64,
    pub of: Option<(u64, u64)>,
    pub limit: Option<f64>,
    pub severity: Option<String>,
    #[serde(default)]
    pub raised: bool,
}

/// An alert.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Alert {
    /// In words.
    Text(String),
    /// One of `quality`.
    Finding(IgnoredAny),
}

impl RunReport {
    /// What it measured, as far as this version knows the rules.
    #[must_use]
    pub fn figures(&self) -> Vec<Figure> {
        let figure = |found: &Finding| {
            let rule = Rule::of_name(&found.rule)?;
            Some(Figure { rule, source: found.source.clone(), value: found.value, of: found.of })
        };
        self.quality.iter().filter_map(figure).collect()
    }
}

/// Reads a report, or that of an archive. Gives its path, too.
///
/// # Errors
/// Where there is none, or it is too large, damaged, or of another format.
pub fn read(path: &Path) -> Result<(PathBuf, RunReport)> {
    let path = find(path)?;
    let text = local::read(&path, LARGEST)?;
    let head: Head = parse(&path, &text)?;
    if head.format != FORMAT {
        let problem = format!("says {:?} of itself, {FORMAT:?} was expected", one_line(&head.format, 40));
        return Err(Error::other_kind(problem, REMEDY).with_path(&path));
    }
    Ok((path.clone(), parse(&path, &text)?))
}

fn parse<T: DeserializeOwned>(path: &Path, text: &[u8]) -> Result<T> {
    serde_json::from_slice(text).map_err(|error| {
        let problem = format!("can't be read: {}", one_line(&error.to_string(), 200));
        Error::invalid("report", problem, REMEDY).with_path(path)
    })
}

/// The file itself where it is JSON, else the report of the archive that it is.
fn find(path: &Path) -> Result<PathBuf> {
    let is_json = path.extension().is_some_and(|e| e == "json") || local::start(path, 1) == b"{";
    if is_json {
        return Ok(path.to_path_buf());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = places(path);
    if let Some(found) = beside.iter().find(|place| is_of(place, &name)) {
        return Ok(found.clone());
    }
    if !path.is_dir() {
        local::input(path)?;
    }
    let problem = format!("has no report beside it, as {}; a run writes one", beside[0].display());
    Err(Error::not_found(format!("{}: {problem}; {REMEDY}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_found_by_its_archive_and_belongs_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("a.pmtiles"), "PMTiles").unwrap();
        std::fs::write(at("a.report.json"), r#"{"format": "hypso report 1", "archive": "a.mbtiles"}"#).unwrap();
        let none = read(&at("a.pmtiles")).unwrap_err().to_string();
        assert!(none.contains("a.pmtiles: has no report beside it"), "{none}");
        std::fs::write(
            at("a.pmtiles.report.json"),
            r#"{"format": "hypso report 1", "archive": "a.pmtiles", "workers": 7}"#,
        )
        .unwrap();
        let (path, report) = read(&at("a.pmtiles")).unwrap();
        assert_eq!((path, report.workers), (at("a.pmtiles.report.json"), 7));
        assert_eq!(read(&at("a.mbtiles")).unwrap().0, at("a.report.json"), "the archive itself may be gone");
    }

    #[test]
    fn what_is_no_report_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.report.json");
        for (text, words) in [
            ("", "can't be read"),
            ("{\"format\": \"hypso report 1\", \"tiles\": {", "can't be read: EOF"),
            ("{\"format\": \"hypso report 1\", \"tiles\": \"many\"}", "can't be read: invalid type"),
            ("{\"format\": \"hypso report 1\", \"workers\": -1}", "can't be read: invalid value"),
            ("{\"format\": \"hypso report 2\"}", "says \"hypso report 2\" of itself"),
            ("{\"format\": \"<script>\\u001b\"}", "says \"<script>\" of itself"),
            ("{\"a\": 1}", "missing field `format`"),
            ("[1, 2]", "can't be read"),
        ] {
            std::fs::write(&path, text).unwrap();
            let problem = read(&path).unwrap_err().to_string();
            assert!(problem.contains("x.report.json") && problem.contains(words), "{text}: {problem}");
            assert!(problem.contains("name a report of a run"), "{problem}");
        }
        std::fs::File::create(&path).unwrap().set_len(300 << 20).unwrap();
        let problem = read(&path).unwrap_err().to_string();
        assert!(problem.contains("314572800 bytes, more than"), "{problem}");
        let missing = read(&folder.path().join("none.pmtiles")).unwrap_err();
        assert!(missing.is_not_found(), "{missing}");
    }

    #[test]
    fn altered_reports_are_read_or_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hypso.report.json");
        let text = r#"{"format": "hypso report 1", "tiles": {"made": 5}, "sources": [{"name": "a", "pixels": 7, "nodata_share": 0.5}],
            "memory": {"budget": null, "over_time": [1, 2, 3]}, "alerts": ["x", {"rule": "voids"}],
            "quality": [{"rule": "voids", "value": 1.5, "of": [1, 2], "limit": 1, "severity": "warn", "raised": true}]}"#;
        std::fs::write(&path, text).unwrap();
        assert_eq!(read(&path).unwrap().1.quality[0].of, Some((1, 2)));
        for seed in 0..2000 {
            std::fs::write(&path, crate::altered::altered(text.as_bytes(), seed)).unwrap();
            if let Err(error) = read(&path) {
                crate::altered::check_message(&error, "hypso.report.json");
            }
        }
    }
}
