//! What a VRT refers to.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use roxmltree::{Document, Node};

pub(super) use super::kept::read;
use crate::local;
use crate::text::one_line;
use crate::url;

/// What a VRT names.
#[derive(Debug, Default, PartialEq)]
pub(super) struct References {
    /// Files, in the order of the text, each once.
    pub(super) files: Vec<PathBuf>,
    /// Those of them whose values come through as they are.
    pub(super) unchanged: Vec<PathBuf>,
    /// What GDAL is asked to open: the files, and what lies in archives or is named with a driver, as GDAL names it.
    pub(super) opened: Vec<PathBuf>,
    /// What does not lie on a local disk, or is named in a way that we don't know.
    pub(super) elsewhere: Vec<String>,
    /// True where sources are read at another resolution than their own.
    pub(super) resampled: bool,
    /// The first text that names something on a network.
    pub(super) remote: Option<String>,
}

impl References {
    /// How many names are held.
    pub(super) fn names(&self) -> usize {
        self.files.len() + self.unchanged.len() + self.opened.len() + self.elsewhere.len()
    }
}

/// True for a VRT by its name; where the name says nothing, by its first bytes.
pub(super) fn is_one(path: &Path) -> bool {
    match path.extension().map(|e| e.to_string_lossy().to_lowercase()).as_deref() {
        Some("vrt") => true,
        Some("xml") | None => {
            let start = local::start(path, 256);
            String::from_utf8_lossy(&start).trim_start_matches('\u{feff}').trim_start().starts_with("<VRTDataset")
        }
        Some(_) => false,
    }
}

/// A longer VRT is not read here, bytes; it is left to GDAL.
const LONGEST: u64 = 1 << 30;

/// What a VRT refers to, read from the disk; `None` where it can't be read.
pub(super) fn read_anew(path: &Path) -> Option<References> {
    let bytes = super::bytes_of(path, LONGEST)?;
    Some(references(&String::from_utf8_lossy(&bytes), path.parent().unwrap_or(Path::new(""))))
}

/// [`read`]; `None` for other files.
pub(super) fn read_if_one(path: &Path) -> Option<Rc<References>> {
    if is_one(path) { read(path) } else { None }
}

/// What the text of a VRT in `folder` refers to; nothing where it is no XML, which GDAL then reports.
pub(super) fn references(text: &str, folder: &Path) -> References {
    let mut out = References::default();
    if let Ok(document) = Document::parse(text.trim_start_matches('\u{feff}')) {
        for node in document.descendants() {
            if out.remote.is_none() {
                out.remote = remote_name(node);
            }
            if !node.is_element() {
                continue;
            }
            match node.tag_name().name() {
                "SourceFilename" | "SourceDataset" if !node.ancestors().any(|a| a.has_tag_name("Overview")) => {
                    add(&mut out, node, folder);
                }
                "GDALWarpOptions" => out.resampled = true,
                "SrcRect" => out.resampled |= differs(node),
                _ => {}
            }
        }
    }
    out
}

/// True where the source's window and the VRT's have different sizes.
fn differs(source: Node<'_, '_>) -> bool {
    let target = source.parent().and_then(|p| p.children().find(|c| c.has_tag_name("DstRect")));
    let size = |node: Node<'_, '_>, key: &str| node.attribute(key).and_then(|v| v.parse::<f64>().ok());
    target.is_some_and(|t| ["xSize", "ySize"].iter().any(|key| size(source, key) != size(t, key)))
}

fn add(out: &mut References, node: Node<'_, '_>, folder: &Path) {
    let text = node.text().unwrap_or("").trim();
    if text.is_empty() {
        return;
    }
    if text.starts_with("<VRTDataset") {
        let inner = references(text, folder);
        inner.files.into_iter().for_each(|f| push(&mut out.files, f));
        inner.unchanged.into_iter().for_each(|f| push(&mut out.unchanged, f));
        inner.opened.into_iter().for_each(|f| push(&mut out.opened, f));
        out.elsewhere.extend(inner.elsewhere);
        out.resampled |= inner.resampled;
        return;
    }
    let flag = node.attributes().find(|a| a.name().eq_ignore_ascii_case("relativeToVRT"));
    let base = if flag.is_some_and(|a| a.value() == "1") { folder } else { Path::new("") };
    push(&mut out.opened, base.join(text));
    match file_of(text, base) {
        Some(file) => {
            if unchanged(node) {
                push(&mut out.unchanged, file.clone());
            }
            push(&mut out.files, file);
        }
        None => out.elsewhere.push(text.to_string()),
    }
}

fn push(files: &mut Vec<PathBuf>, file: PathBuf) {
    // Bands and neighbours name the same file one after the other.
    if files.last() != Some(&file) && !(files.len() < 64 && files.contains(&file)) {
        files.push(file);
    }
}

/// True where the VRT does nothing to the values of this source.
fn unchanged(node: Node<'_, '_>) -> bool {
    let source = node.parent();
    let changes = |n: Node<'_, '_>| {
        matches!(
            n.tag_name().name(),
            "ScaleRatio" | "ScaleOffset" | "LUT" | "Exponent" | "Kernel" | "ColorTableComponent"
        )
    };
    let derived = node.ancestors().any(|a| a.children().any(|c| c.has_tag_name("PixelFunctionType")));
    !derived && source.is_none_or(|s| !s.children().any(changes))
}

/// The file on a disk of this machine that a name of GDAL's stands for.
fn file_of(name: &str, base: &Path) -> Option<PathBuf> {
    if let Some(url) = url::of(name) {
        // Where requests are not allowed, nothing is asked.
        return crate::raster::reader().is_ok_and(|reader| reader.remote_allowed()).then(|| url.into());
    }
    if name.contains("://") {
        return None;
    }
    if let Some(rest) = name.strip_prefix("/vsi") {
        // `/vsizip/a.zip/b.tif`: the archive is the file.
        let inner = rest.split_once('/')?.1.trim_start_matches('{');
        return Path::new(inner).ancestors().find(|p| p.is_file()).map(Path::to_path_buf);
    }
    if let Some((driver, rest)) = name.split_once(':')
        && driver.len() > 1
        && driver.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    {
        // `NETCDF:"a.nc":z` and its like.
        let inner = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next()?,
            None => rest.rsplit_once(':').map_or(rest, |(file, _)| file),
        };
        let file = base.join(inner);
        return file.is_file().then_some(file);
    }
    Some(base.join(name))
}

/// GDAL looks this far for what a file is.
const START: u64 = 1024;

/// Beginnings of names that GDAL's file systems and drivers fetch from a network.
const SYSTEMS: [&str; 9] =
    ["/vsicurl", "/vsis3", "/vsigs", "/vsiaz", "/vsiadls", "/vsioss", "/vsiswift", "/vsihdfs", "/vsiwebhdfs"];

/// What descriptions of services begin with.
const SERVICES: [&str; 9] = [
    "<GDAL_WMS",
    "<GDAL_WMTS",
    "<WCS_GDAL",
    "<WMS_Capabilities",
    "<WMT_MS_Capabilities",
    "<WMS_Tile_Service",
    "<TileMap",
    "<Capabilities",
    "\"stac_version\"",
];

/// What a file would fetch from a network, in words. `above` are the VRTs that led here.
pub(super) fn remote_of(path: &Path, above: &mut Vec<PathBuf>) -> Option<String> {
    let start = local::start(path, START);
    let start = String::from_utf8_lossy(&start);
    if !start.contains("<VRTDataset") {
        let service = SERVICES.iter().find(|service| start.contains(**service))?;
        return Some(format!("describes a service on the network ({})", service.trim_matches(['<', '"'])));
    }
    let vrt = read(path)?;
    if let Some(name) = &vrt.remote {
        return Some(format!("refers to the network ({})", one_line(name, 120)));
    }
    if above.len() > super::DEEPEST || above.iter().any(|other| other == path) {
        return None;
    }
    above.push(path.to_path_buf());
    let found =
        vrt.files.iter().filter(|file| is_one(file)).find_map(|file| {
            remote_of(file, above).map(|words| format!("refers to {}, which {words}", file.display()))
        });
    above.pop();
    found
}

/// The first text of a node that names something on a network.
fn remote_name(node: Node<'_, '_>) -> Option<String> {
    let source = matches!(node.tag_name().name(), "SourceFilename" | "SourceDataset");
    let is = |text: &str| {
        SYSTEMS.iter().any(|system| text.contains(system))
            || source && (text.contains("://") || SERVICES.iter().any(|service| text.contains(service)))
    };
    let mut texts = node.text().into_iter().chain(node.attributes().map(|a| a.value()));
    texts.find(|text| is(text)).map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
}
