//! Two versions of a tile, pixel by pixel.

use super::coding::Coding;
use crate::archive::{PixelDifference, TileSource};
use crate::error::Result;
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
