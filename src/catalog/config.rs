//! `hypso.toml`: the sources of a tileset, written down beside them.
//!
//! ```toml
//! [[source]]
//! name = "dem5a"
//! path = "source-store/dem5a"        # a folder, a pattern, a raster, a bounds.csv or a tile index, relative to this file
//! attribution = "© 国土地理院"
//! licence = "CC BY 4.0"
//! vertical_datum = "EPSG:6695"
//! assume_crs = "EPSG:6668"           # for files without a CRS
//! offset = -0.42                     # metres added to every elevation, such as the difference of two vertical datums
//! unit = "ft"                        # of the heights, where the files do not say it or say it wrong: m, ft, ftUS, cm, ...
//! scale = 0.1                        # what cells are multiplied by, in place of what the files say
//! band = 1                           # the band that holds the heights, for files with several, or with colours
//! nodata = [-9999, 0]                # cell values that mean no value, besides the one that each file declares
//! ```
//!
//! The order of the sources is their priority. Only `path` must be there. Unknown keys are refused, because a misspelt
//! one would be ignored silently.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::spec::{LONGEST_NAME, name_of, sanitised};
use super::{Location, SourceSpec, check_names};
use crate::atomic::AtomicFile;
use crate::error::{Error, Result};
use crate::raster::unit;
use crate::url;

/// A larger file can't be a list of sources, bytes.
const LARGEST: u64 = 64 << 20;

/// The name that the file has by convention.
pub const FILE_NAME: &str = "hypso.toml";

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default, rename = "source")]
    sources: Vec<Entry>,
    /// What operators ask for; read in `events`.
    #[serde(default, rename = "operations", skip_serializing)]
    _operations: Option<serde::de::IgnoredAny>,
    /// The limits of what is measured; read there, too.
    #[serde(default, rename = "alerts", skip_serializing)]
    _alerts: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    path: Place,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    attribution: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    licence: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    vertical_datum: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    assume_crs: Option<String>,
    #[serde(default, skip_serializing_if = "is_zero")]
    offset: f64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    nodata: Vec<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    band: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scale: Option<f64>,
}

/// A place, or files of one folder.
#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum Place {
    One(String),
    Files(Vec<String>),
}

impl Place {
    fn location(&self, folder: &Path) -> Result<Location> {
        match self {
            Self::One(path) => Location::parse(&Location::text_in(path, folder)),
            Self::Files(files) => {
                let files: Vec<PathBuf> = files.iter().map(|f| PathBuf::from(Location::text_in(f, folder))).collect();
                let place = |file: &PathBuf| file.parent().map(Path::to_path_buf);
                if let Some(missing) = files.iter().find(|f| !f.is_file() && !url::is_one(f)) {
                    return Err(Error::invalid("source", "is no file", "check the path").with_path(missing));
                }
                if files.is_empty() || files.iter().any(|f| place(f) != place(&files[0])) {
                    return Err(Error::argument(
                        "path",
                        "lists no file, or files of several folders; give each folder a source",
                    ));
                }
                Ok(Location::Files(files))
            }
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

/// Reads the sources of a configuration file; their relative paths start at the file's folder.
///
/// # Errors
/// Where the file can't be read, is no such configuration (the message names the line), holds no source or two of one
/// name, or a path leads nowhere.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<SourceSpec>> {
    let path = path.as_ref();
    let text = crate::local::text(path, LARGEST)?;
    let wrong = |part: String, problem: String| {
        Error::invalid(part, problem, "correct the file and run the same command again").with_path(path)
    };
    let document: Document =
        toml::from_str(&text).map_err(|e| wrong("configuration".into(), e.to_string().trim_end().to_string()))?;
    if document.sources.is_empty() {
        return Err(wrong("configuration".into(), "holds no [[source]] with a path".into()));
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut specs = Vec::new();
    for (number, entry) in document.sources.into_iter().enumerate() {
        let part = || format!("source {}", number + 1);
        let location = entry.path.location(folder).map_err(|e| wrong(part(), e.to_string()))?;
        let named = entry.name.is_some();
        let name = entry.name.unwrap_or_else(|| name_of(&location));
        if name != sanitised(&name) {
            let problem = format!(
                "name {name:?} may hold up to {LONGEST_NAME} letters, digits, '.', '_' and '-' and must not begin with '.'"
            );
            return Err(wrong(part(), problem));
        }
        if !entry.offset.is_finite() || entry.nodata.iter().any(|v| v.is_infinite()) {
            return Err(wrong(part(), "offset and nodata must be finite numbers; NaN is no value in any case".into()));
        }
        if let Some(unit) = entry.unit.as_ref().filter(|unit| unit::given(unit).is_none()) {
            return Err(wrong(part(), format!("unit {unit:?} is no length; say m, ft, ftUS, cm, km or the like")));
        }
        if entry.band == Some(0) || entry.scale.is_some_and(|s| !s.is_finite() || s == 0.0) {
            return Err(wrong(part(), "band must be 1 or more, and scale a number other than 0".into()));
        }
        specs.push(SourceSpec {
            name,
            named,
            location,
            attribution: entry.attribution,
            licence: entry.licence,
            vertical_datum: entry.vertical_datum,
            assume_crs: entry.assume_crs,
            offset: entry.offset,
            nodata: entry.nodata,
            band: entry.band.unwrap_or(0),
            unit: entry.unit.unwrap_or_default(),
            scale: entry.scale.unwrap_or(0.0),
        });
    }
    check_names(&specs).map_err(|e| wrong("configuration".into(), e.to_string()))?;
    Ok(specs)
}

/// Writes sources as a configuration file, over one that is there. Locations below the file's folder are written relative to it.
///
/// # Errors
/// Where the file can't be written.
pub fn write(path: impl AsRef<Path>, specs: &[SourceSpec]) -> Result<()> {
    let path = path.as_ref();
    let text = text(path, specs)?;
    let mut file = AtomicFile::create(path)?;
    file.file().write_all(text.as_bytes()).map_err(Error::io("write", path))?;
    file.commit()
}

/// What [`write()`] writes.
///
/// # Errors
/// Where a value can't be written as TOML.
pub fn text(path: &Path, specs: &[SourceSpec]) -> Result<String> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let entry = |spec: &SourceSpec| {
        let place = |text: String| {
            let below = Path::new(&text).strip_prefix(folder).ok().filter(|_| !folder.as_os_str().is_empty());
            let below = below.map(|p| p.to_string_lossy().into_owned());
            below.map(|p| if p.is_empty() { ".".into() } else { p }).unwrap_or(text)
        };
        let path = match &spec.location {
            Location::Files(files) => {
                Place::Files(files.iter().map(|f| place(f.to_string_lossy().into_owned())).collect())
            }
            location => Place::One(place(location.to_string())),
        };
        Entry {
            name: (spec.named || !matches!(spec.location, Location::Index(_))).then(|| spec.name.clone()),
            path,
            attribution: spec.attribution.clone(),
            licence: spec.licence.clone(),
            vertical_datum: spec.vertical_datum.clone(),
            assume_crs: spec.assume_crs.clone(),
            offset: spec.offset,
            nodata: spec.nodata.clone(),
            band: (spec.band > 0).then_some(spec.band),
            unit: (!spec.unit.is_empty()).then(|| spec.unit.clone()),
            scale: (spec.scale != 0.0).then_some(spec.scale),
        }
    };
    let document = Document { sources: specs.iter().map(entry).collect(), _operations: None, _alerts: None };
    toml::to_string(&document).map_err(|e| Error::internal(format!("can't write TOML: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("store/dem1a")).unwrap();
        std::fs::create_dir_all(folder.path().join("store/dem5a")).unwrap();
        let config = folder.path().join(FILE_NAME);
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
        let mut first = SourceSpec::new("fine", Location::parse(&at("store/dem1a")).unwrap());
        first.attribution = "© \"国土地理院\"\nline".into();
        first.vertical_datum = "EPSG:6695".into();
        first.assume_crs = Some("EPSG:6668".into());
        (first.offset, first.nodata) = (-0.5, vec![-9999.0, 0.25]);
        (first.band, first.unit, first.scale) = (2, "ftUS".into(), 0.1);
        let mut second = SourceSpec::new("dem5a", Location::parse(&at("store/dem5a/**/*.tif")).unwrap());
        second.licence = "CC BY 4.0".into();
        std::fs::write(folder.path().join("dem10.fgb"), "").unwrap();
        let third = SourceSpec::parse(&at("dem10.fgb")).unwrap();
        for name in ["one.tif", "two.tif"] {
            std::fs::write(folder.path().join("store").join(name), "").unwrap();
        }
        let files = ["store/one.tif", "store/two.tif"].map(|f| PathBuf::from(at(f)));
        let fourth = SourceSpec::new("listed", Location::Files(files.to_vec()));
        let specs = vec![first, second, third, fourth];
        write(&config, &specs).unwrap();
        assert_eq!(read(&config).unwrap(), specs);
        assert!(std::fs::read_to_string(&config).unwrap().contains("path = \"store/dem1a\""));
    }

    #[test]
    fn mistakes_are_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("a b")).unwrap();
        let config = folder.path().join(FILE_NAME);
        let problem = |text: &str| {
            std::fs::write(&config, text).unwrap();
            read(&config).unwrap_err().to_string()
        };
        assert!(problem("").contains("no [[source]]"));
        assert!(problem("[[source]]\npath = \"a b\"\nlicense = \"x\"\n").contains("license"));
        assert!(problem("[[source]]\nname = \"x\"\n").contains("path"));
        assert!(problem("[[source]]\npath = \"a b\"\noffset = nan\n").contains("offset"));
        assert!(problem("[[source]]\npath = \"a b\"\nunit = \"degree\"\n").contains("no length"));
        assert!(problem("[[source]]\npath = \"a b\"\nband = 0\n").contains("band must be 1"));
        assert!(problem("[[source]]\npath = \"a b\"\nscale = 0\n").contains("scale a number"));
        assert!(problem("[[source]]\npath = [\"none.tif\"]\n").contains("no file"));
        assert!(problem("[[source]]\npath = \"none\"\n").contains("source 1: "));
        assert!(problem("[[source]]\npath = \"a b\"\nname = \"a/b\"\n").contains("may hold"));
        assert!(problem("[[source]]\npath = \"a b\"\n[[source]]\npath = \"a b\"\n").contains("a_b"));
        std::fs::write(&config, "[[source]]\npath = \"a b\"\n").unwrap();
        assert_eq!(read(&config).unwrap()[0].name, "a_b");
    }

    #[test]
    fn altered_files_are_refused_by_name_or_are_sources() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("a")).unwrap();
        let path = folder.path().join("hypso.toml");
        let text = "[[source]]\nname = \"a\"\npath = \"a\"\nattribution = \"© x\"\noffset = -0.42\nband = 1\nscale = 0.1\nunit = \"ft\"\n\
                    nodata = [-9999, 0]\n";
        let (mut taken, mut refused) = (0, 0);
        for seed in 0..3000 {
            std::fs::write(&path, crate::altered::altered(text.as_bytes(), seed)).unwrap();
            match read(&path) {
                Ok(specs) => {
                    taken += 1;
                    assert!(specs.iter().all(|s| s.offset.is_finite() && s.scale.is_finite()), "{seed}");
                }
                Err(error) => {
                    refused += 1;
                    crate::altered::check_message(&error, "hypso.toml");
                }
            }
        }
        assert!(taken > 100 && refused > 1000, "{taken} {refused}");
        for open in ["[", "a = [", "{a = {", "x = { a = [", "[[source]]\na.b"] {
            let text = open.repeat(20_000);
            std::fs::write(&path, &text).unwrap();
            crate::altered::check_message(&read(&path).unwrap_err(), "hypso.toml");
        }
    }
}
