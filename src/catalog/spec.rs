//! What the user says of a source: `[NAME=]FOLDER|GLOB|FILE|bounds.csv|INDEX|STAC`, on this machine or on the network.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use super::EXTENSIONS;
use crate::error::{Error, Result};
use crate::local;
use crate::raster::Adjustment;
use crate::url;

/// Where the rasters of a source are listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A folder; every raster in it and below.
    Folder(PathBuf),
    /// A pattern with `*`, `**`, `?` or `[...]`.
    Glob(String),
    /// Files of one folder, as a shell makes them of a pattern.
    Files(Vec<PathBuf>),
    /// A list with footprints, beside the rasters.
    BoundsCsv(PathBuf),
    /// A vector file whose features name rasters: a tile index of GDAL's, STAC-GeoParquet, or what `hypso export` wrote.
    Index(PathBuf),
    /// An item of a SpatioTemporal Asset Catalog, or a collection of items, as JSON.
    Stac(PathBuf),
}

/// The extensions of tile indices, in lower case.
const INDICES: [&str; 7] = ["gpkg", "fgb", "shp", "geojson", "geojsonl", "parquet", "geoparquet"];

impl Location {
    /// Reads a location; a path to a single raster becomes the pattern that matches just it.
    ///
    /// # Errors
    /// Where nothing has that name, or the pattern is malformed.
    pub fn parse(text: &str) -> Result<Self> {
        let path = Path::new(text);
        if let Some(url) = url::of(text) {
            return Self::on_the_network(&url);
        }
        if let Some(advice) = local::advice(path).filter(|_| !path.exists()) {
            return Err(Error::invalid("source", "is no local file", advice).with_path(path));
        }
        if let Ok(facts) = path.metadata() {
            local::regular(path, &facts)?;
        }
        if path.is_dir() {
            Ok(Self::Folder(path.to_path_buf()))
        } else if extension(path) == "csv" && path.is_file() {
            Ok(Self::BoundsCsv(path.to_path_buf()))
        } else if extension(path) == "json" && path.is_file() {
            Ok(Self::Stac(path.to_path_buf()))
        } else if path.is_file() && INDICES.contains(&extension(path).as_str()) {
            Ok(Self::Index(path.to_path_buf()))
        } else if path.is_file() {
            Ok(Self::Glob(glob::Pattern::escape(text)))
        } else if text.contains(['*', '?', '[']) {
            glob::Pattern::new(text).map_err(|e| {
                Error::argument(
                    format!("source {text:?}"),
                    format!("is no pattern: {e}; quote it as in 'dem/**/*.tif'"),
                )
            })?;
            Ok(Self::Glob(text.to_string()))
        } else {
            let problem =
                "is neither a folder, a raster, a bounds.csv, a tile index nor a pattern such as 'dem/**/*.tif'";
            Err(Error::invalid("source", problem, "check the path").with_path(path))
        }
    }

    /// What a URL stands for, by its name: nothing is asked of the server yet.
    fn on_the_network(url: &str) -> Result<Self> {
        let path = Path::new(url);
        if !crate::raster::reader()?.remote_allowed() {
            let remedy = "say `allow_remote` to let requests be sent there, or fetch the rasters first";
            return Err(Error::invalid("source", "lies on the network", remedy).with_path(path));
        }
        let listed = url::can_be_listed(url);
        let extension = extension(path);
        Ok(match extension.as_str() {
            _ if url.contains('*') || listed && url.contains(['?', '[']) => {
                if !listed {
                    return Err(not_listed(path));
                }
                glob::Pattern::new(url)
                    .map_err(|e| Error::argument(format!("source {url:?}"), format!("is no pattern: {e}")))?;
                Self::Glob(url.to_string())
            }
            "csv" => Self::BoundsCsv(path.to_path_buf()),
            "json" => Self::Stac(path.to_path_buf()),
            known if INDICES.contains(&known) => Self::Index(path.to_path_buf()),
            known if EXTENSIONS.contains(&known) || !listed && !known.is_empty() => {
                Self::Files(vec![path.to_path_buf()])
            }
            _ if listed => Self::Folder(path.to_path_buf()),
            _ => return Err(not_listed(path)),
        })
    }

    /// The folder that record paths are relative to: the folder itself, the longest folder of a pattern without
    /// wildcards, or the folder of the `bounds.csv` or the index (whose rasters may lie elsewhere).
    #[must_use]
    pub fn root(&self) -> PathBuf {
        let root = match self {
            Self::Folder(path) => path.clone(),
            Self::Glob(pattern) => literal_prefix(pattern),
            Self::Files(files) => files.first().and_then(|f| f.parent()).map(Path::to_path_buf).unwrap_or_default(),
            Self::BoundsCsv(path) | Self::Index(path) | Self::Stac(path) => {
                path.parent().map(Path::to_path_buf).unwrap_or_default()
            }
        };
        if root.as_os_str().is_empty() { PathBuf::from(".") } else { root }
    }

    /// The same location seen from another folder: relative paths are joined to `folder`.
    #[must_use]
    pub fn text_in(text: &str, folder: &Path) -> String {
        if Path::new(text).is_absolute() || url::of(text).is_some() {
            text.to_string()
        } else {
            folder.join(text).to_string_lossy().into_owned()
        }
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(path) | Self::BoundsCsv(path) | Self::Index(path) | Self::Stac(path) => {
                write!(f, "{}", path.display())
            }
            Self::Glob(pattern) => f.write_str(pattern),
            Self::Files(files) => match files.as_slice() {
                [] => f.write_str("no file"),
                [only] => write!(f, "{}", only.display()),
                [first, ..] => write!(f, "{} and {} more files", first.display(), files.len() - 1),
            },
        }
    }
}

/// A folder without links and dots; a URL as it is.
pub(super) fn canonical(folder: &Path) -> std::io::Result<PathBuf> {
    if url::is_one(folder) { Ok(folder.to_path_buf()) } else { folder.canonicalize() }
}

/// The extension in lower case.
pub(super) fn extension(path: &Path) -> String {
    let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    // Behind the name of a page its query follows.
    if !url::is_one(path) {
        return extension;
    }
    let page = path.to_str().and_then(|text| text.split(['?', '#']).next()).and_then(|text| text.rsplit('/').next());
    page.and_then(|name| name.rsplit_once('.')).map(|(_, e)| e.to_ascii_lowercase()).unwrap_or_default()
}

/// For what a web server would have to list.
fn not_listed(path: &Path) -> Error {
    let remedy = "name the rasters in a bounds.csv, a tile index or a STAC item; or use the URL of the bucket (s3://, gs://, az://)";
    Error::invalid("source", "can't be searched for rasters: web servers do not list what they have", remedy)
        .with_path(path)
}

/// The folders before the first component with a wildcard; the last component is a file in any case.
fn literal_prefix(pattern: &str) -> PathBuf {
    if let Some((before, _)) = pattern.split_once(['*', '?', '[']).filter(|_| url::is_one(Path::new(pattern))) {
        return PathBuf::from(before.rsplit_once('/').map_or(before, |(folder, _)| folder));
    }
    let mut root = PathBuf::new();
    let parts: Vec<Component> = Path::new(pattern).components().collect();
    for part in &parts[..parts.len().saturating_sub(1)] {
        let text = part.as_os_str().to_string_lossy();
        match unescape(&text) {
            Some(literal) => root.push(literal),
            None => break,
        }
    }
    root
}

/// A component of a pattern as the only name it matches; `None` where it has wildcards.
fn unescape(component: &str) -> Option<String> {
    let mut text = String::new();
    let mut rest = component.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '*' | '?' => return None,
            // What glob::Pattern::escape writes: one character in brackets.
            '[' => {
                let one = rest.next()?;
                if rest.next()? != ']' || !matches!(one, '*' | '?' | '[' | ']') {
                    return None;
                }
                text.push(one);
            }
            _ => text.push(c),
        }
    }
    Some(text)
}

/// A source as the user describes it. The order of specs is their priority: the first wins.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceSpec {
    /// Unique among the sources.
    pub name: String,
    /// True where the user chose the name. A tile index that knows the names of its sources keeps them otherwise.
    pub named: bool,
    /// Where its rasters are.
    pub location: Location,
    /// Who must be named wherever the data are shown; may be empty.
    pub attribution: String,
    /// The licence as its owner states it; may be empty.
    pub licence: String,
    /// The vertical datum, such as `EPSG:6695`; may be empty.
    pub vertical_datum: String,
    /// The CRS of files that have none: `EPSG:n`, WKT.
    pub assume_crs: Option<String>,
    /// Metres added to every elevation, such as the difference of two vertical datums.
    pub offset: f64,
    /// Cell values (as stored in the files) that mean no value, besides the one that a file declares.
    pub nodata: Vec<f64>,
    /// The band that holds the heights, from 1 on; 0 for the only one.
    pub band: u32,
    /// The unit of the heights, such as `ft`; where empty, the files say.
    pub unit: String,
    /// What cells are multiplied by; 0 where the files say.
    pub scale: f64,
}

impl SourceSpec {
    /// What is known of the source's values.
    #[must_use]
    pub fn adjustment(&self) -> Adjustment {
        let unit = crate::raster::unit::given(&self.unit).unwrap_or(0.0);
        Adjustment { offset: self.offset, nodata: self.nodata.clone(), band: self.band, unit, scale: self.scale }
    }

    /// A source of which only the place is known.
    #[must_use]
    pub fn new(name: impl Into<String>, location: Location) -> Self {
        Self {
            name: name.into(),
            named: true,
            location,
            attribution: String::new(),
            licence: String::new(),
            vertical_datum: String::new(),
            assume_crs: None,
            offset: 0.0,
            nodata: Vec::new(),
            band: 0,
            unit: String::new(),
            scale: 0.0,
        }
    }

    /// Reads `[NAME=]FOLDER|GLOB|FILE|bounds.csv|INDEX`. Without a name the source is called after its folder, or after
    /// the file of an index that does not name its sources, with everything but letters, digits, `.`, `_` and `-` replaced by `_`.
    ///
    /// A path that has a `=` in it and exists is taken as it stands.
    ///
    /// # Errors
    /// Where the name is impossible or nothing lies at the location.
    pub fn parse(text: &str) -> Result<Self> {
        let named =
            text.split_once('=').filter(|(name, _)| !Path::new(text).exists() && !name.contains(['/', '\\', '*']));
        let Some((name, place)) = named else {
            let location = Location::parse(text)?;
            return Ok(Self { named: false, ..Self::new(name_of(&location), location) });
        };
        if name != sanitised(name) {
            return Err(Error::argument(
                format!("source name {name:?}"),
                format!(
                    "may hold up to {LONGEST_NAME} letters, digits, '.', '_' and '-' and must not begin with '.'; say {}={place}",
                    sanitised(name)
                ),
            ));
        }
        Ok(Self::new(name, Location::parse(place)?))
    }
}

/// The name of a location: that of its folder, or of an index without its extensions.
pub(super) fn name_of(location: &Location) -> String {
    if let Location::Index(path) = location {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        return sanitised(stem.strip_suffix(".gti").unwrap_or(&stem));
    }
    let root = location.root();
    let root = canonical(&root).unwrap_or(root);
    sanitised(&root.file_name().unwrap_or_default().to_string_lossy())
}

/// Characters that the name of a source may have: as many as that of a folder.
pub(super) const LONGEST_NAME: usize = 255;

/// A name without what would be awkward in files, tables and metadata; never empty.
pub(super) fn sanitised(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' };
    let text: String = name.chars().map(plain).take(LONGEST_NAME).collect();
    let text = text.trim_start_matches('.');
    if text.is_empty() { "source".to_string() } else { text.to_string() }
}

/// Makes one source of files that were given one by one, one after the other, without names, and lie in one folder: what a shell
/// makes of a pattern without quotes. The second part of the result says which sources that made, and of how many files.
#[must_use]
pub fn gather(specs: Vec<SourceSpec>) -> (Vec<SourceSpec>, Vec<(String, usize)>) {
    let file_of = |spec: &SourceSpec| match &spec.location {
        Location::Glob(pattern) if !spec.named => unescape(pattern).map(PathBuf::from).filter(|file| file.is_file()),
        Location::Files(files) if !spec.named => files.first().filter(|_| files.len() == 1).cloned(),
        _ => None,
    };
    let folder = |file: &Path| {
        let parent = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        canonical(parent).unwrap_or_else(|_| parent.to_path_buf())
    };
    let mut out: Vec<SourceSpec> = Vec::new();
    // The folder of the files that the last source is made of, and these.
    let mut open: Option<(PathBuf, Vec<PathBuf>)> = None;
    let mut made = Vec::new();
    for spec in specs {
        let Some(file) = file_of(&spec) else {
            open = None;
            out.push(spec);
            continue;
        };
        match (&mut open, out.last_mut()) {
            (Some((place, files)), Some(last)) if *place == folder(&file) => {
                files.push(file);
                last.location = Location::Files(files.clone());
            }
            _ => {
                open = Some((folder(&file), vec![file]));
                out.push(spec);
            }
        }
    }
    for spec in &out {
        if let Location::Files(files) = &spec.location
            && files.len() > 1
        {
            made.push((spec.name.clone(), files.len()));
        }
    }
    (out, made)
}

/// Refuses two sources of one name. A tile index that the user gave no name may bring others; [`build_catalog`] looks at
/// those.
///
/// [`build_catalog`]: super::build_catalog
///
/// # Errors
/// Naming both locations.
pub fn check_names(specs: &[SourceSpec]) -> Result<()> {
    let mut seen: HashMap<&str, &Location> = HashMap::new();
    for spec in specs.iter().filter(|s| s.named || !matches!(s.location, Location::Index(_))) {
        if let Some(first) = seen.insert(&spec.name, &spec.location) {
            return Err(Error::argument(
                format!("source {:?}", spec.name),
                format!(
                    "names both {first} and {}; give one of them another name with NAME=PATH; for files of one folder name the \
                     folder, or quote the pattern",
                    spec.location
                ),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_the_user_or_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("dem 5a=x");
        std::fs::create_dir(&place).unwrap();
        std::fs::write(place.join("a [1].tif"), "").unwrap();
        std::fs::write(place.join("bounds.csv"), "").unwrap();
        let text = place.to_str().unwrap();
        let parse = |text: String| SourceSpec::parse(&text).unwrap();
        assert_eq!(parse(text.to_string()).name, "dem_5a_x");
        assert_eq!(parse(format!("fine={text}")).name, "fine");
        assert_eq!(parse(format!("{text}/../dem 5a=x")).name, "dem_5a_x");
        let glob = parse(format!("{text}/**/*.tif"));
        assert_eq!((glob.name.as_str(), glob.location.root()), ("dem_5a_x", place.clone()));
        let csv = parse(format!("{text}/bounds.csv"));
        assert_eq!(
            (csv.location.clone(), csv.location.root()),
            (Location::BoundsCsv(place.join("bounds.csv")), place.clone())
        );
        std::fs::write(place.join("all.gti.gpkg"), "").unwrap();
        let index = parse(format!("{text}/all.gti.gpkg"));
        assert_eq!((index.name.as_str(), index.named, index.location.root()), ("all", false, place.clone()));
        assert!(matches!(index.location, Location::Index(_)));
        assert!(parse(format!("one={text}/all.gti.gpkg")).named);
        // A name that the index may replace is no reason to refuse it.
        assert!(check_names(&[index.clone(), index]).is_ok());
        let file = parse(format!("one={text}/a [1].tif"));
        assert_eq!(file.location.root(), place);
        let Location::Glob(pattern) = &file.location else { panic!() };
        assert_eq!(glob::glob(pattern).unwrap().count(), 1);

        let problem = |text: String| SourceSpec::parse(&text).unwrap_err().to_string();
        assert!(problem(format!("a b={text}")).contains("say a_b="));
        assert!(problem(format!("={text}")).contains("say source="));
        assert!(problem(format!("{text}/none")).contains("check the path"));
        let twice = [parse(text.to_string()), parse(format!("dem_5a_x={text}"))];
        assert!(check_names(&twice).unwrap_err().to_string().contains("another name"));
        assert!(check_names(&twice[..1]).is_ok());
    }
}
