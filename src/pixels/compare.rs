//! Two versions of a tile, pixel by pixel.

use std::sync::{Mutex, PoisonError};

use super::coding::{Coding, Steps};
use crate::archive::{self, PixelDifference, TileSource};
use crate::error::Result;
use crate::progress::Progress;
use crate::terrain::{self, ElevationTile, Encoding, TileCodec};
use crate::tile::TileCoord;

/// What the pixels of one archive are compared as.
#[derive(Clone, Copy)]
enum Kind {
    Heights(TileCodec),
    Lineage,
    /// Some picture: its 24 bits are compared, and their difference is no height.
    Picture(TileCodec),
    Unknown,
}

impl Kind {
    fn of(source: &dyn TileSource) -> Self {
        match Coding::of(source) {
            Ok(Coding::Elevation(codec)) => Self::Heights(codec),
            Ok(Coding::Lineage(_)) => Self::Lineage,
            Err(_) => source
                .metadata()
                .format
                .image()
                .map_or(Self::Unknown, |format| Self::Picture(TileCodec::new(Encoding::Terrarium, format))),
        }
    }
}

/// A comparison of the tiles of two archives for [`archive::diff`](crate::archive::diff). Heights of different encodings
/// are compared as heights; tiles that can't be decoded are not.
pub fn comparer<'a>(
    a: &'a dyn TileSource,
    b: &'a dyn TileSource,
) -> impl Fn(TileCoord, &[u8], &[u8]) -> Result<Option<PixelDifference>> + Sync + 'a {
    let kinds = (Kind::of(a), Kind::of(b));
    move |_, old, new| {
        let found = match kinds {
            (Kind::Heights(a), Kind::Heights(b)) => heights(&a, &b, old, new).map(|found| (found, true)),
            (Kind::Lineage, Kind::Lineage) => lineage(old, new).map(|found| (found, false)),
            (Kind::Picture(a), Kind::Picture(b)) => heights(&a, &b, old, new).map(|found| (found, false)),
            _ => return Ok(None),
        };
        // A tile that can't be decoded differs; `verify` says what is wrong with it.
        Ok(found.ok().and_then(|(found, metres)| {
            found.map(|d| PixelDifference { largest: if metres { d.largest } else { 0.0 }, ..d })
        }))
    }
}

/// How much of the heights of one archive changed in another one.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Changed {
    /// Pixels of another height, or with a height in one archive only.
    pub pixels: u64,
    /// Pixels of all tiles that either archive has.
    pub of: u64,
    /// The largest difference of two heights beyond what rounding at their zoom can make, metres.
    pub largest: f64,
}

/// Compares the heights of two archives; `None` where one of them holds others than heights. A tile that only one of them has, and one that
/// can't be compared, is changed as a whole.
///
/// Costs a walk over both, and the decoding of tiles whose bytes differ, on all processors.
///
/// # Errors
/// Where one can't be read, or the user interrupts.
pub fn changed(old: &dyn TileSource, new: &dyn TileSource, progress: &dyn Progress) -> Result<Option<Changed>> {
    if !matches!((Kind::of(old), Kind::of(new)), (Kind::Heights(_), Kind::Heights(_))) {
        return Ok(None);
    }
    let side = u64::from(new.metadata().tile_size.unwrap_or(512));
    let all = Mutex::new(Changed::default());
    let compare = comparer(old, new);
    let steps = [old, new].map(|source| Steps::of(source.metadata()));
    let counted = |tile: TileCoord, a: &[u8], b: &[u8]| {
        let found = compare(tile, a, b)?;
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        all.pixels += found.map_or(side * side, |pixels| pixels.values + pixels.validity);
        let rounding = steps.map(|steps| steps.step(tile.z())).into_iter().fold(0.0, f64::max);
        all.largest = all.largest.max(found.map_or(0.0, |pixels| pixels.largest - rounding));
        Ok(found)
    };
    let found = archive::diff(old, new, 0, &counted, progress)?;
    let mut all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    for zoom in &found.zooms {
        let alone = zoom.removed.0 + zoom.added.0;
        all.pixels += alone * side * side;
        all.of += (zoom.equal + zoom.recoded + zoom.changed + alone) * side * side;
    }
    Ok(Some(all))
}

fn heights(a: &TileCodec, b: &TileCodec, old: &[u8], new: &[u8]) -> Result<Option<PixelDifference>> {
    let (old, new): (ElevationTile, ElevationTile) = (a.decode(old)?, b.decode(new)?);
    if old.size != new.size {
        return Ok(None);
    }
    let mut out = PixelDifference::default();
    for at in 0..old.values.len() {
        if old.valid[at] != new.valid[at] {
            out.validity += 1;
        } else if old.valid[at] == 1 && old.values[at] != new.values[at] {
            out.values += 1;
            out.largest = out.largest.max((f64::from(old.values[at]) - f64::from(new.values[at])).abs());
        }
    }
    Ok(Some(out))
}

fn lineage(old: &[u8], new: &[u8]) -> Result<Option<PixelDifference>> {
    let ((a, old), (b, new)) = (terrain::decode_lineage(old)?, terrain::decode_lineage(new)?);
    let values = old.iter().zip(&new).filter(|(a, b)| a != b).count() as u64;
    Ok((a == b).then_some(PixelDifference { values, ..PixelDifference::default() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::ArchiveMetadata;
    use crate::progress::Silent;
    use crate::terrain::ImageFormat;

    #[test]
    fn a_change_is_what_lies_beyond_rounding_and_a_new_tile_is_one_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let codec = TileCodec::new(Encoding::Terrarium, ImageFormat::Png);
        let mut metadata =
            ArchiveMetadata { format: ImageFormat::Png.into(), tile_size: Some(16), ..ArchiveMetadata::default() };
        metadata.encoding = Some(Encoding::Terrarium.into());
        metadata.other.insert(super::super::coding::VERTICAL.into(), "by-zoom".into());
        let archive = |name: &str, tiles: &[(u8, u32, f32)]| {
            let path = folder.path().join(name);
            let mut sink = archive::create(&path, &metadata, false).unwrap();
            for &(z, x, height) in tiles {
                let mut tile = ElevationTile::empty(16);
                tile.valid.fill(1);
                tile.values[7] = height;
                sink.put(TileCoord::new(z, x, 0).unwrap(), &codec.encode(&tile).unwrap()).unwrap();
            }
            sink.finish().unwrap();
            archive::open(&path).unwrap()
        };
        let old = archive("old.pmtiles", &[(0, 0, 0.0), (14, 5, 100.0)]);
        // At zoom 0 heights are rounded to 2048 m, at zoom 14 to 0.125 m.
        let new = archive("new.pmtiles", &[(0, 0, 2048.0), (14, 5, 150.0), (14, 6, 9000.0)]);
        let found = changed(old.as_ref(), new.as_ref(), &Silent).unwrap();
        assert_eq!(found, Some(Changed { pixels: 1 + 1 + 256, of: 3 * 256, largest: 49.875 }));
        assert_eq!(changed(new.as_ref(), new.as_ref(), &Silent).unwrap().unwrap().pixels, 0);
    }
}
