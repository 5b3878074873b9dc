//! From packs to an archive for each group, and from those to the output.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::journal::Journal;
use super::pack::Pack;
use crate::archive::{self, ArchiveMetadata, ArchiveSummary, OnOverlap, TileEncoding, TileFormat, TileSource};
use crate::error::{Error, Result};
use crate::plan::{Group, Plan};
use crate::progress::Progress;
use crate::render::{Layer, RenderOptions};
use crate::store::Store;
use crate::terrain::{self, ImageFormat};
use crate::tile::Bounds;

/// The metadata row by which a group's archive is known as part of a run.
const RUN_ROW: &str = "hypso_run";

/// The name of a group's archive: `<stem>_z0-10.mbtiles`, lineage `<stem>-lineage_z0-10.mbtiles`.
pub(super) fn group_path(folder: &Path, output: &Path, layer: Layer, group: &Group) -> PathBuf {
    let stem = output.file_stem().unwrap_or_default().to_string_lossy();
    let suffix = if layer == Layer::Lineage { "-lineage" } else { "" };
    folder.join(format!("{stem}{suffix}_z{}.mbtiles", group.zooms))
}

/// The lineage archive that belongs to an output: `<stem>-lineage` with the same extension.
pub(super) fn lineage_path(output: &Path) -> PathBuf {
    let stem = output.file_stem().unwrap_or_default().to_string_lossy();
    let extension = output.extension().unwrap_or_default().to_string_lossy();
    output.with_file_name(format!("{stem}-lineage.{extension}"))
}

/// What an output says about itself.
pub(super) fn metadata(
    store: &Store,
    plan: &Plan,
    options: &RenderOptions,
    output: &Path,
    layer: Layer,
) -> Result<ArchiveMetadata> {
    let mut metadata = ArchiveMetadata {
        name: output.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        layer_type: "overlay".into(),
        format: match options.codec.format {
            ImageFormat::Webp => TileFormat::Webp,
            ImageFormat::Png => TileFormat::Png,
        },
        tile_size: Some(store.tile_size()),
        ..ArchiveMetadata::default()
    };
    let mut attributions: Vec<String> = Vec::new();
    let mut names = Vec::new();
    let mut sources = Vec::new();
    for source in store.sources().iter() {
        let (name, attribution) = (source.name()?.into_owned(), source.attribution()?.into_owned());
        let facts = [("licence", source.licence()?), ("vertical_datum", source.vertical_datum()?)];
        let mut row = json!({"name": name, "priority": source.index(), "records": source.record_count(), "attribution": attribution});
        for (key, value) in facts.into_iter().filter(|(_, v)| !v.is_empty()) {
            row[key] = json!(value);
        }
        sources.push(row);
        if !attribution.is_empty() && !attributions.contains(&attribution) {
            attributions.push(attribution);
        }
        names.push(name);
    }
    metadata.attribution = attributions.join(" | ");
    metadata.bounds = bounds(store, plan).map(|b| b.to_lon_lat());
    metadata.other.insert("sources".into(), Value::Array(sources));
    match layer {
        Layer::Elevation => {
            metadata.description = "Elevation, encoded in RGB".into();
            metadata.encoding = TileEncoding::from_name(&options.codec.encoding.to_string());
            let resolution =
                if options.codec.vertical == terrain::VerticalResolution::Full { "full" } else { "by-zoom" };
            metadata.other.insert("vertical_resolution".into(), json!(resolution));
            metadata.other.insert("nodata_elevation".into(), json!(options.codec.nodata_elevation));
            metadata.other.insert("resampling".into(), json!(options.resampling.to_string()));
            if let Some(datum) = &options.vertical_datum {
                metadata.other.insert("vertical_datum".into(), json!(datum));
            }
            if options.blend > 0.0 {
                metadata.other.insert("blend_metres".into(), json!(options.blend));
            }
            if options.fill_gaps > 0 {
                metadata.other.insert("filled_gaps_pixels".into(), json!(options.fill_gaps));
            }
            metadata.other.insert("coverage".into(), json!(options.extent.coverage.to_string()));
        }
        Layer::Lineage => {
            metadata.description = "Which source each pixel of the elevation came from".into();
            metadata.encoding = Some(TileEncoding::Lineage);
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            metadata.other.insert("legend".into(), terrain::legend(&names, options.fill_gaps > 0));
        }
    }
    Ok(metadata)
}

/// What the records cover of the wanted box.
fn bounds(store: &Store, plan: &Plan) -> Option<Bounds> {
    let all = store.records().iter().map(|r| r.bounds()).reduce(|a, b| a.union(&b))?;
    let clip = plan.extent.clip.as_ref().map(|c| c.bounds());
    let wanted = [plan.extent.bounds, clip].into_iter().flatten();
    Some(wanted.fold(all, |all, wanted| wanted.intersection(&all))).filter(Bounds::has_area)
}

/// True where a group's archive is there and was made by this run.
pub(super) fn group_is_done(path: &Path, run: u64) -> bool {
    let of_run = |source: Box<dyn TileSource>| {
        source.metadata().other.get(RUN_ROW).and_then(Value::as_str) == Some(&format!("{run:016x}"))
    };
    path.exists() && archive::open(path).is_ok_and(of_run)
}

/// Writes the archive of a group out of its packs, in the order of units.
pub(super) fn write_group(
    path: &Path,
    group: &Group,
    layer: Layer,
    journal: &Journal,
    mut metadata: ArchiveMetadata,
    progress: &dyn Progress,
) -> Result<ArchiveSummary> {
    metadata.other.insert(RUN_ROW.into(), json!(format!("{:016x}", journal.run)));
    let mut sink = archive::create(path, &metadata, true)?;
    let units: usize = group.steps.iter().map(|s| s.units.len()).sum();
    progress.begin(&format!("writing zooms {}", group.zooms), Some(units as u64), "units");
    for unit in group.steps.iter().flat_map(|s| &s.units) {
        if progress.interrupted() {
            return Err(Error::Interrupted);
        }
        let pack = Pack::open(&Pack::path_of(&journal.folder, unit), journal.run)?;
        for (tile, of, wanted) in pack.tiles() {
            if wanted && of == layer {
                let bytes = pack
                    .read(tile, layer)?
                    .ok_or_else(|| Error::Other(format!("tile {tile} is missing from its pack")))?;
                sink.put(tile, &bytes)?;
            }
        }
        progress.advance(1);
    }
    progress.end();
    sink.finish()
}

/// Merges the archives of groups into the output; a tile that stands in two of them is an error. An output that is
/// there was made by this run, or is to be replaced.
pub(super) fn merge_groups(
    groups: &[PathBuf],
    output: &Path,
    metadata: &ArchiveMetadata,
    progress: &dyn Progress,
) -> Result<ArchiveSummary> {
    let sources = groups.iter().map(|g| archive::open(g)).collect::<Result<Vec<_>>>()?;
    let sources: Vec<&dyn TileSource> = sources.iter().map(AsRef::as_ref).collect();
    let sink = archive::create(output, metadata, true)?;
    archive::merge(&sources, sink, OnOverlap::Error, progress)
}
