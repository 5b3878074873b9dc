//! Tiles through the decoder, and what their first bytes say.

use super::{Report, TileCheck};
use crate::archive::TileFormat;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::tile::TileCoord;

/// Every how many-th content to decode for a sample of about `sample` out of `total`.
pub(super) fn stride(sample: Option<u64>, total: u64) -> u64 {
    match sample {
        Some(n) => total.div_ceil(n.max(1)).max(1),
        None => 1,
    }
}

/// Decodes one tile into the report. An I/O error of the disk ends the work, all else is a problem of the tile.
pub(super) fn check_tile(
    report: &mut Report,
    tile: TileCoord,
    bytes: Result<Option<Vec<u8>>>,
    declared: &TileFormat,
    check: TileCheck<'_>,
    progress: &dyn Progress,
) -> Result<()> {
    if progress.interrupted() {
        return Err(Error::Interrupted);
    }
    progress.advance(1);
    let remedy = "make this tile again, or the archive";
    let bytes = match bytes {
        Ok(Some(bytes)) => bytes,
        Ok(None) => {
            report.error(Some(tile), "is listed but can't be found", remedy);
            return Ok(());
        }
        Err(error @ (Error::Io { .. } | Error::Interrupted)) => return Err(error),
        Err(error) => {
            report.failure(Some(tile), "", &error);
            return Ok(());
        }
    };
    report.checked += 1;
    if bytes.is_empty() {
        report.error(Some(tile), "has no bytes", remedy);
        return Ok(());
    }
    if let (Some(found), false) = (TileFormat::sniff(&bytes), *declared == TileFormat::Unknown)
        && found != *declared
    {
        report.error(Some(tile), format!("is {}, but the archive declares {}", found.name(), declared.name()), remedy);
        return Ok(());
    }
    if let Err(error) = check(tile, &bytes) {
        report.failure(Some(tile), "can't be decoded: ", &error);
    }
    Ok(())
}
