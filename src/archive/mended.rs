//! An archive whose tiles are given out in the form that they should have, and whose metadata agree with them.
//!
//! Some programs pack pictures with gzip, write a compression into a header that the tiles don't have, or call vector tiles PNG. A few
//! tiles are looked at when the archive is opened; then the first bytes of every tile as it passes.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::form::{Look, TileForm, is_picture};
use super::heights::HeightsReader;
use super::mbtiles::MbtilesReader;
use super::packing::Packing;
use super::pmtiles::{Compression, PmtilesReader};
use super::{ArchiveKind, ArchiveMetadata, Located, LocatedTiles, TileFormat, TileRun, TileSource};
use crate::error::{Error, Result};
use crate::json::Json;
use crate::tile::{TileCoord, TileId};

/// Tiles that are looked at to find out what all of them are.
const LOOKED_AT: usize = 16;
/// What MapTiler calls an archive of images of several formats.
pub(super) const HYBRID: &str = "hybrid";

/// See the module.
pub(super) struct Mended {
    inner: Box<dyn TileSource>,
    metadata: ArchiveMetadata,
    form: TileForm,
    warnings: Vec<String>,
    /// Tiles that were given out in another form than they are stored in, and the first of them.
    changed: AtomicU64,
    first: AtomicU64,
}

impl Mended {
    /// Looks at some tiles of an archive.
    pub(super) fn new(inner: Box<dyn TileSource>) -> Self {
        let mut metadata = inner.metadata().clone();
        let mut warnings = inner.warnings().to_vec();
        let said = metadata.tile_compression.and_then(Packing::of_compression);
        let looks: Vec<Look> = inner.some(LOOKED_AT).iter().map(|bytes| Look::at(bytes, said)).collect();
        let form = judge(&looks, &mut metadata, &mut warnings);
        Self { inner, metadata, form, warnings, changed: AtomicU64::new(0), first: AtomicU64::new(u64::MAX) }
    }

    /// A content as it is given out, where it is stored in another form.
    fn mend(&self, id: TileId, bytes: &[u8]) -> Result<Option<Vec<u8>>> {
        if self.form.keeps(bytes) {
            return Ok(None);
        }
        let mended = self.form.mend(bytes).map_err(|error| match (error, id.coord()) {
            (Error::Invalid { problem, remedy, .. }, Some(tile)) => {
                Error::invalid(format!("tile {tile}"), problem, remedy).with_path(self.path())
            }
            (error, _) => error,
        })?;
        if mended.is_some() {
            self.changed.fetch_add(1, Ordering::Relaxed);
            self.first.fetch_min(id.0, Ordering::Relaxed);
        }
        Ok(mended)
    }
}

/// What the tiles are, by some of them. Metadata that say something else are corrected; a message says so.
fn judge(looks: &[Look], metadata: &mut ArchiveMetadata, warnings: &mut Vec<String>) -> TileForm {
    let mut formats: Vec<&TileFormat> = Vec::new();
    for format in looks.iter().filter_map(|look| look.format.as_ref()) {
        if !formats.contains(&format) {
            formats.push(format);
        }
    }
    let known = || looks.iter().filter(|look| look.format.is_some());
    let pictures = formats.iter().filter(|format| is_picture(format)).count();
    let found = match formats[..] {
        [] if is_picture(&metadata.format) => return TileForm::Picture { brotli: false },
        // An unknown format, or formats that can't be in one archive: the copy reports it when it meets such a tile.
        [] => return TileForm::Stored,
        _ if pictures > 0 && pictures < formats.len() => return TileForm::Stored,
        [only] if metadata.format.name() != HYBRID || !is_picture(only) => only.clone(),
        _ => TileFormat::Other(HYBRID.to_owned()),
    };
    if metadata.format != found {
        if metadata.format != TileFormat::Unknown {
            let (declared, names) = (metadata.format.name(), names_of(&formats));
            warnings.push(format!("declares {declared} tiles, but they are {names}; taken as what they are"));
        }
        metadata.format = found;
    }
    let mut packings: Vec<Option<Packing>> = known().map(|look| look.packing).collect();
    packings.sort_by_key(|packing| packing.map(|packing| packing as u8));
    packings.dedup();
    let twice = known().any(|look| look.layers > 1);
    let declared = metadata.tile_compression;
    let packed_as = |packing: &Option<Packing>| packing.map_or("not packed", Packing::name);
    let list = packings.iter().map(packed_as).collect::<Vec<_>>().join(" and ");
    if pictures > 0 {
        let around: Vec<&str> = packings.iter().flatten().map(|packing| packing.name()).collect();
        if !around.is_empty() {
            let some = if packings.contains(&None) { "some of its" } else { "its" };
            let (names, around) = (names_of(&formats), around.join(" and "));
            warnings.push(format!("{some} {names} tiles are packed with {around} on top; given out without"));
        } else if let Some(wrong) = declared.filter(|&c| c != Compression::None) {
            warnings.push(format!("says that its tiles have the compression {}, but they are plain", wrong.name()));
        }
        if declared.is_some() || packings != [None] {
            metadata.tile_compression = Some(Compression::None);
        }
        return TileForm::Picture { brotli: declared == Some(Compression::Brotli) };
    }
    let packed = match packings[..] {
        [None] => Compression::None,
        [Some(Packing::Zstd)] => Compression::Zstd,
        [Some(Packing::Brotli)] => Compression::Brotli,
        _ => Compression::Gzip,
    };
    let uniform = packings.len() == 1 && packings != [Some(Packing::Zlib)];
    if !uniform || twice {
        let twice = if twice { ", some of them twice" } else { "" };
        warnings.push(format!("its tiles are {list}{twice}; given out as {}", packed.name()));
    }
    if let Some(wrong) = declared.filter(|&c| c != packed) {
        if uniform && !twice {
            warnings.push(format!(
                "says that its tiles have the compression {}, but it is {}",
                wrong.name(),
                packed.name()
            ));
        }
        metadata.tile_compression = Some(packed);
    }
    TileForm::Vector { packed, inside: twice }
}

fn names_of(formats: &[&TileFormat]) -> String {
    formats.iter().map(|format| format.name()).collect::<Vec<_>>().join(" and ")
}

impl TileSource for Mended {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn kind(&self) -> ArchiveKind {
        self.inner.kind()
    }

    fn metadata(&self) -> &ArchiveMetadata {
        &self.metadata
    }

    fn form(&self) -> TileForm {
        self.form
    }

    fn tile(&self, tile: TileCoord) -> Result<Option<Vec<u8>>> {
        let Some(bytes) = self.inner.tile(tile)? else { return Ok(None) };
        Ok(Some(self.mend(tile.into(), &bytes)?.unwrap_or(bytes)))
    }

    fn tiles(&self) -> Result<LocatedTiles<'_>> {
        self.inner.tiles()
    }

    fn tiles_of(&self, zoom: u8) -> Result<LocatedTiles<'_>> {
        self.inner.tiles_of(zoom)
    }

    fn read(&self, tile: Located, into: &mut Vec<u8>) -> Result<()> {
        let start = into.len();
        self.inner.read(tile, into)?;
        if let Some(mended) = self.mend(tile.id, &into[start..])? {
            into.truncate(start);
            into.extend_from_slice(&mended);
        }
        Ok(())
    }

    fn read_many(&self, tiles: &[Located], into: &mut Vec<u8>, ends: &mut Vec<usize>) -> Result<()> {
        let (start, first) = (into.len(), ends.len());
        self.inner.read_many(tiles, into, ends)?;
        let starts = std::iter::once(start).chain(ends[first..].iter().copied());
        if starts.zip(&ends[first..]).all(|(from, &to)| self.form.keeps(&into[from..to])) {
            return Ok(());
        }
        let stored = into.split_off(start);
        let mut from = 0;
        for (tile, end) in tiles.iter().zip(&mut ends[first..]) {
            let content = &stored[from..*end - start];
            from = *end - start;
            match self.mend(tile.id, content)? {
                Some(mended) => into.extend_from_slice(&mended),
                None => into.extend_from_slice(content),
            }
            *end = into.len();
        }
        Ok(())
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = self.inner.notes();
        let changed = self.changed.load(Ordering::Relaxed);
        if changed > 0 {
            let first = TileId(self.first.load(Ordering::Relaxed)).coord();
            let first = first.map_or_else(String::new, |tile| format!(" (the first: {tile})"));
            let form = match self.form {
                TileForm::Vector { packed, .. } => format!("with the compression {}", packed.name()),
                _ => "without what they were packed with".to_owned(),
            };
            notes.push(format!("{changed} tiles{first} were given out {form}"));
        }
        notes
    }

    fn stored(&self) -> Option<&dyn TileSource> {
        Some(self.inner.as_ref())
    }

    fn some(&self, count: usize) -> Vec<Vec<u8>> {
        self.inner.some(count)
    }

    fn as_mbtiles(&self) -> Option<&MbtilesReader> {
        self.inner.as_mbtiles()
    }

    fn as_heights(&self) -> Option<&HeightsReader> {
        self.inner.as_heights()
    }

    fn as_pmtiles(&self) -> Option<&PmtilesReader> {
        self.inner.as_pmtiles()
    }

    fn tile_count(&self) -> Result<u64> {
        self.inner.tile_count()
    }

    fn runs(&self, visit: &mut dyn FnMut(TileRun) -> Result<()>) -> Result<()> {
        self.inner.runs(visit)
    }

    fn facts(&self) -> Result<Json> {
        self.inner.facts()
    }
}
