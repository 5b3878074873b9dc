//! Files of a folder that may be rasters and are not read, because a folder is searched by extension.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::raster::{self, Adjustment, Raster, Unusable};
use crate::url;

/// Extensions of raster formats, grids of points and point clouds that are not looked for in folders, in lower case.
const KNOWN: [&str; 37] = [
    "nc", "nc4", "cdf", "grb", "grb2", "grib", "grib1", "grib2", "gb2", "adf", "h5", "hdf", "hdf4", "hdf5", "he4",
    "he5", "bag", "xyz", "las", "laz", "sid", "ecw", "e00", "rst", "sdat", "ers", "kea", "mrf", "pix", "bt", "ter",
    "gtx", "nitf", "ntf", "j2k", "zarr", "gdb",
];

/// Images: named where they have a place on the Earth.
const PICTURES: [&str; 8] = ["png", "jpg", "jpeg", "gif", "bmp", "webp", "pdf", "svg"];

/// Files of one extension that are looked into.
const SAMPLES: usize = 3;

/// Files of a folder that are neither rasters by their extension nor sidecars, by their extension.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Others {
    by_extension: BTreeMap<String, Group>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Group {
    count: u64,
    /// The first ones by the bytes of their paths.
    samples: BTreeSet<String>,
    /// True where some lie in folders below.
    deep: bool,
}

/// Rasters of one kind that are not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The extension, in lower case; may be empty.
    pub extension: String,
    /// How many files.
    pub count: u64,
    /// One of them, below the folder.
    pub example: String,
    /// What to do to have them read.
    pub remedy: String,
}

impl std::fmt::Display for Unread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind =
            if self.extension.is_empty() { "without an extension".into() } else { format!(".{}", self.extension) };
        let files = if self.count == 1 { "file" } else { "files" };
        write!(f, "{} {files} {kind}, such as {}: {}", self.count, self.example, self.remedy)
    }
}

impl Others {
    /// Notes a file by its path below the folder.
    pub(super) fn add(&mut self, extension: &str, path: String) {
        // Of a grid in a folder of its own, one file stands for all.
        if extension == "adf" && !path.to_lowercase().ends_with("hdr.adf") {
            return;
        }
        let group = self.by_extension.entry(extension.to_string()).or_default();
        group.count += 1;
        group.deep |= path.contains('/');
        group.samples.insert(path);
        if group.samples.len() > SAMPLES {
            group.samples.pop_last();
        }
    }

    /// Those that are rasters, or look like it. Opens some files of each extension.
    #[must_use]
    pub fn rasters(&self, root: &Path) -> Vec<Unread> {
        let unread = |(extension, group): (&String, &Group)| {
            let known = KNOWN.contains(&extension.as_str());
            group.samples.iter().find_map(|sample| {
                let found = look(&url::join(root, sample), extension, known)?;
                let name = match extension.as_str() {
                    "" => sample.rsplit('/').next().unwrap_or(sample).to_string(),
                    "adf" => "hdr.adf".to_string(),
                    _ => format!("*.{}", Path::new(sample).extension().unwrap_or_default().to_string_lossy()),
                };
                let below = if group.deep { "**/" } else { "" };
                let pattern = format!("{}/{below}{name}", root.display());
                let remedy = match found {
                    Kind::Readable => format!("give them as a source of their own, '{pattern}' in quotes"),
                    Kind::Parts(words) => format!(
                        "{words}; make a VRT of the one with the heights (gdal_translate -of VRT 'NAME OF THE PART' dem.vrt)"
                    ),
                    Kind::Unreadable => "GDAL can't read them here; convert them to GeoTIFF".to_string(),
                };
                Some(Unread { extension: extension.clone(), count: group.count, example: sample.clone(), remedy })
            })
        };
        self.by_extension.iter().filter_map(unread).collect()
    }
}

/// What a file is to GDAL.
enum Kind {
    Readable,
    /// Several rasters in one file; what it says of them.
    Parts(String),
    Unreadable,
}

/// What a file is; `None` where it is no raster.
fn look(path: &Path, extension: &str, known: bool) -> Option<Kind> {
    if extension == "xyz" {
        // GDAL would read it to its end.
        return Some(Kind::Readable);
    }
    if known {
        return Some(opened(path).unwrap_or(Kind::Unreadable));
    }
    if PICTURES.contains(&extension) {
        return opened(path).filter(|kind| matches!(kind, Kind::Readable)).filter(|_| placed(path));
    }
    let start = crate::local::start(path, 2048);
    let text = !start.iter().any(|&b| b == 0 || (b < 32 && !b.is_ascii_whitespace()));
    if text {
        // GDAL would read a table to its end to tell what it is.
        return is_grid(&String::from_utf8_lossy(&start)).then_some(Kind::Readable);
    }
    opened(path)
}

/// True for the start of an ASCII grid, or of lines of three numbers.
fn is_grid(start: &str) -> bool {
    let lower = start.trim_start_matches('\u{feff}').trim_start().to_ascii_lowercase();
    if lower.starts_with("ncols") || lower.starts_with("dsaa") || lower.starts_with("<vrtdataset") {
        return true;
    }
    let numbers = |line: &str| {
        let fields: Vec<&str> = line.split([' ', '\t', ',', ';']).filter(|f| !f.is_empty()).collect();
        fields.len() == 3 && fields.iter().all(|f| f.parse::<f64>().is_ok())
    };
    // The first line may name the columns, the last one is cut.
    let lines: Vec<&str> = start.lines().skip(1).collect();
    lines.len() >= 4 && lines[..lines.len() - 1].iter().all(|line| numbers(line))
}

/// What opening a file says; `None` without a reader of rasters too.
fn open(path: &Path) -> Option<Result<Box<dyn Raster>, Unusable>> {
    raster::reader().ok()?.open_or_why(path, Some("EPSG:4326"), &Adjustment::default()).ok()
}

fn opened(path: &Path) -> Option<Kind> {
    match open(path)? {
        Err(Unusable::NotARaster(_)) => None,
        Err(Unusable::NoBand(words)) if !words.is_empty() => Some(Kind::Parts(words)),
        _ => Some(Kind::Readable),
    }
}

/// True where a picture says where it lies.
fn placed(path: &Path) -> bool {
    open(path).is_some_and(|found| !matches!(found, Err(Unusable::NoGeoreference(_) | Unusable::NoHeights(_))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_in_text_are_told_from_other_texts() {
        for text in [
            "ncols 4\nnrows 4\n",
            "\u{feff} NCOLS 4",
            "x y z\n1 2 3\n2 2 3\n3 2 3\n4 2 3\n5",
            "1,2,3\n1,2,3\n1,2,3\n1,2,3\n1,2,3\n",
        ] {
            assert!(is_grid(text), "{text}");
        }
        for text in [
            "",
            "Read me\nfirst\nof all\nplease\nthank you",
            "filename,left,bottom\na.tif,1,2\nb.tif,1,2\n",
            "1 2\n3 4\n5 6\n7 8\n9 9\n",
        ] {
            assert!(!is_grid(text), "{text}");
        }
    }

    #[test]
    fn every_kind_is_named_once_with_its_count_and_pattern() {
        let folder = tempfile::tempdir().unwrap();
        let mut others = Others::default();
        for name in ["b.nc", "a/a.NC", "x.dat", "notes.rtf", "grid/hdr.adf", "grid/w001001.adf", "cloud.laz"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "text\n").unwrap();
            let extension = name.rsplit_once('.').unwrap().1.to_lowercase();
            others.add(&extension, name.to_string());
        }
        let found = others.rasters(folder.path());
        let short: Vec<_> = found.iter().map(|u| (u.extension.as_str(), u.count, u.example.as_str())).collect();
        assert_eq!(short, [("adf", 1, "grid/hdr.adf"), ("laz", 1, "cloud.laz"), ("nc", 2, "a/a.NC")]);
    }
}
