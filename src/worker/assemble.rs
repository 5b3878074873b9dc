//! From packs to archives.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::journal::Journal;
use super::pack;
use crate::archive::pmtiles::{Compression, Writers, with_writers};
use crate::archive::{
    self, ArchiveMetadata, ArchiveSummary, ContentHash, OpenOptions, RUN_ROW, TileEncoding, TileSink, TileSource,
};
use crate::error::{Error, Result};
use crate::json::Json;
use crate::plan::{Changes, Extent, Group, Plan, Step};
use crate::progress::Progress;
use crate::render::{Layer, RenderOptions};
use crate::store::{Store, attribution_of};
use crate::terrain;
use crate::tile::{Bounds, TileCoord, TileId};
use crate::url;

/// The name of a group's archive: `<stem>_z0-10.mbtiles`, lineage `<stem>-lineage_z0-10.mbtiles`.
pub(super) fn group_path(folder: &Path, output: &Path, layer: Layer, group: &Group) -> PathBuf {
    let stem = output.file_stem().unwrap_or_default().to_string_lossy();
    let suffix = if layer == Layer::Lineage { "-lineage" } else { "" };
    folder.join(format!("{stem}{suffix}_z{}.mbtiles", group.zooms))
}

/// The lineage archive that belongs to an output: `<stem>-lineage` with the same extension, or PMTiles beside a file of heights.
#[must_use]
pub fn lineage_path(output: &Path) -> PathBuf {
    let stem = output.file_stem().unwrap_or_default().to_string_lossy();
    let extension = output.extension().unwrap_or_default().to_string_lossy();
    let extension = if extension == "heights" { "pmtiles" } else { &*extension };
    output.with_file_name(format!("{stem}-lineage.{extension}"))
}

/// What an output says about itself.
///
/// Its name is that of its sources, not that of its file: who renames an archive, or makes it elsewhere, has the same bytes.
pub(super) fn metadata(store: &Store, plan: &Plan, options: &RenderOptions, layer: Layer) -> Result<ArchiveMetadata> {
    let mut metadata = ArchiveMetadata {
        layer_type: "overlay".into(),
        format: options.codec.format.into(),
        tile_size: Some(store.tile_size()),
        // Images are compressed in themselves.
        tile_compression: Some(Compression::None),
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
        attributions.push(attribution);
        names.push(name);
    }
    metadata.name = titled(&names);
    metadata.attribution = attribution_of(attributions.iter().map(String::as_str));
    metadata.bounds = bounds(store, plan).map(|b| b.to_lon_lat());
    metadata.other.insert("sources".into(), Json::of(Value::Array(sources)));
    match layer {
        Layer::Elevation => {
            metadata.description = "Elevation, encoded in RGB".into();
            metadata.encoding = Some(options.codec.encoding.into());
            let resolution =
                if options.codec.vertical == terrain::VerticalResolution::Full { "full" } else { "by-zoom" };
            metadata.other.insert("vertical_resolution".into(), resolution.into());
            metadata.other.insert("nodata_elevation".into(), options.codec.nodata_elevation.into());
            metadata.other.insert("resampling".into(), options.resampling.to_string().into());
            if let Some(datum) = &options.vertical_datum {
                metadata.other.insert("vertical_datum".into(), datum.as_str().into());
            }
            if options.blend > 0.0 {
                metadata.other.insert("blend_metres".into(), options.blend.into());
            }
            if options.fill_gaps > 0 {
                metadata.other.insert("filled_gaps_pixels".into(), options.fill_gaps.into());
            }
            metadata.other.insert("coverage".into(), options.extent.coverage.to_string().into());
        }
        Layer::Lineage => {
            metadata.name += " (lineage)";
            metadata.description = "Which source each pixel of the elevation came from".into();
            metadata.encoding = Some(TileEncoding::Lineage);
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            metadata.other.insert("legend".into(), terrain::legend(&names, options.fill_gaps > 0));
        }
    }
    Ok(metadata)
}

/// Names of sources as the name of what is made of them.
fn titled(names: &[String]) -> String {
    const MOST: usize = 4;
    let mut title = names.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > MOST {
        title += &format!(" and {} more", names.len() - MOST);
    }
    title
}

/// What the records cover of the wanted area.
fn bounds(store: &Store, plan: &Plan) -> Option<Bounds> {
    let all = store.records().iter().map(|r| r.bounds()).reduce(|a, b| a.union(&b))?;
    match &plan.extent.area {
        Some(area) => area.cut_metres(&all),
        None => Some(all).filter(Bounds::has_area),
    }
}

/// What an output keeps of the archive that it updates.
pub(super) struct Kept<'a> {
    pub(super) archive: &'a dyn TileSource,
    pub(super) changes: &'a Changes,
    pub(super) extent: &'a Extent,
}

/// An archive to write.
pub(super) struct Target<'a> {
    pub(super) path: &'a Path,
    pub(super) layer: Layer,
    /// True where an existing file is replaced.
    pub(super) replace: bool,
    /// What the archive says about itself.
    pub(super) metadata: ArchiveMetadata,
    /// The fingerprint that it carries.
    pub(super) run: u64,
    /// The check before it gets its name.
    pub(super) last: &'a dyn Fn() -> Result<()>,
}

/// By zoom, how many tiles there are and how many bytes they have.
pub type ByZoom = BTreeMap<u8, (u64, u64)>;

/// An archive that was written.
#[derive(Default)]
pub(super) struct Written {
    pub(super) summary: ArchiveSummary,
    /// Nothing where it was there from an earlier start.
    pub(super) zooms: ByZoom,
}

/// A sink that counts by zoom.
struct Counted {
    sink: Box<dyn TileSink>,
    zooms: ByZoom,
}

impl Counted {
    fn put(&mut self, tile: TileCoord, bytes: &[u8]) -> Result<()> {
        self.count(tile, bytes.len() as u64);
        self.sink.put(tile, bytes)
    }

    fn place(&mut self, tile: TileCoord, content: ContentHash, len: u32) -> Result<Option<u64>> {
        self.count(tile, u64::from(len));
        let sink = self.sink.as_pmtiles().ok_or_else(|| Error::internal("an archive without places"))?;
        sink.place(tile, content, len)
    }

    fn count(&mut self, tile: TileCoord, bytes: u64) {
        let (tiles, all) = self.zooms.entry(tile.z()).or_default();
        (*tiles, *all) = (*tiles + 1, *all + bytes);
    }
}

/// Writes an archive out of the packs of groups, and from the tiles that are kept from before, in the order of tile ids. `threads` of them
/// write, where the archive has places for tiles.
pub(super) fn write_archive(
    target: Target<'_>,
    groups: &[&Group],
    kept: Option<&Kept<'_>>,
    journal: &Journal,
    threads: usize,
    progress: &dyn Progress,
) -> Result<Written> {
    let Target { path, layer, replace, mut metadata, run, last } = target;
    metadata.other.insert(RUN_ROW.into(), format!("{run:016x}").into());
    let mut sink = Counted { sink: archive::create(path, &metadata, replace)?, zooms: ByZoom::new() };
    // Coarse zooms first: the order of tile ids.
    let mut steps: Vec<&Step> = groups.iter().flat_map(|g| &g.steps).collect();
    steps.sort_by_key(|s| s.zooms);
    let passes: Vec<(&Step, u8)> = steps.iter().flat_map(|&step| step.zooms.iter().map(move |z| (step, z))).collect();
    let units: usize = passes.iter().map(|(step, _)| step.units.len()).sum();
    progress.begin(&format!("writing {}", path.display()), Some(units as u64), "units");
    let places = sink.sink.as_pmtiles().map(|sink| sink.places()).transpose()?;
    let mut pass = Pass { journal, layer, old: Old::new(kept)?, sink, progress };
    match &places {
        Some(places) => with_writers(threads, places, |writers| pass.all(&passes, Some(writers)))?,
        None => pass.all(&passes, None)?,
    }
    let sink = pass.sink;
    progress.end();
    last()?;
    Ok(Written { summary: sink.sink.finish()?, zooms: sink.zooms })
}

/// How the tiles of packs come into an archive.
struct Pass<'a> {
    journal: &'a Journal,
    layer: Layer,
    old: Old<'a>,
    sink: Counted,
    progress: &'a dyn Progress,
}

impl Pass<'_> {
    fn all(&mut self, passes: &[(&Step, u8)], writers: Option<&Writers<'_, pack::PlacedTiles>>) -> Result<()> {
        let Self { journal, layer, old, sink, progress } = self;
        let mut done = || {
            progress.advance(1);
            if progress.interrupted() { Err(Error::Interrupted) } else { Ok(()) }
        };
        for &(step, z) in passes {
            let (work, run, units) = (&journal.packs, journal.run, &step.units);
            if let Some(writers) = writers {
                let mut place = |tile, content, len| {
                    old.put_before(tile, sink)?;
                    sink.place(tile, content, len)
                };
                pack::place_each(work, run, units, (*layer, z), writers, &mut place, &mut done)?;
            } else {
                let mut put = |tile, bytes: &[u8]| {
                    old.put_before(tile, sink)?;
                    sink.put(tile, bytes)
                };
                pack::each_tile(work, run, units, (*layer, z), &mut put, &mut done)?;
            }
        }
        old.put_rest(sink)
    }
}

/// The tiles that stay from before, as far as they are not written yet.
struct Old<'a> {
    kept: Option<&'a Kept<'a>>,
    ids: Box<dyn Iterator<Item = Result<TileId>> + 'a>,
    next: Option<TileId>,
}

impl<'a> Old<'a> {
    fn new(kept: Option<&'a Kept<'a>>) -> Result<Self> {
        let mut ids = kept.map(Kept::ids).transpose()?.into_iter().flatten();
        let next = ids.next().transpose()?;
        Ok(Self { kept, ids: Box::new(ids), next })
    }

    /// Writes those that stand before a tile.
    fn put_before(&mut self, tile: TileCoord, sink: &mut Counted) -> Result<()> {
        let end = TileId::from(tile);
        while self.next.is_some_and(|next| next < end) {
            self.put_next(sink)?;
        }
        Ok(())
    }

    fn put_rest(&mut self, sink: &mut Counted) -> Result<()> {
        while self.next.is_some() {
            self.put_next(sink)?;
        }
        Ok(())
    }

    fn put_next(&mut self, sink: &mut Counted) -> Result<()> {
        if let (Some(kept), Some(tile)) = (self.kept, self.next.and_then(TileId::coord))
            && let Some(bytes) = kept.archive.tile(tile)?
        {
            sink.put(tile, &bytes)?;
        }
        self.next = self.ids.next().transpose()?;
        Ok(())
    }
}

impl<'a> Kept<'a> {
    /// The tiles that did not change.
    fn ids(&self) -> Result<impl Iterator<Item = Result<TileId>> + use<'a>> {
        let (changes, extent) = (self.changes, self.extent);
        let stays = move |id: &Result<TileId>| {
            id.as_ref().map_or(true, |id| id.coord().is_some_and(|tile| !changes.touch(extent, tile)))
        };
        Ok(self.archive.ids()?.filter(stays))
    }
}

/// The fingerprint that an archive carries, if it was made by a run. It may be PMTiles in a bucket.
pub(super) fn run_of(path: &Path) -> Option<String> {
    let options = OpenOptions { remote: url::is_one(path), ..OpenOptions::default() };
    let archive = archive::open_with(path, options).ok()?;
    archive.metadata().other.get(RUN_ROW).and_then(Json::as_str).map(str::to_owned)
}
