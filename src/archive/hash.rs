//! One number for all tiles of an archive, whatever container they lie in and in whatever order.
//!
//! It is the `agg_tiles_hash` of martin's `mbtiles`: MD5, in upper-case hexadecimal digits, over all tiles in the order of zoom, column and row
//! from the south. Each gives these three as decimal texts, and then its bytes, as they are stored.

use md5::{Digest, Md5};

use super::pipeline::{batches, in_order, threads};
use super::scheme::flip;
use super::verify::Report;
use super::{ArchiveMetadata, Located, TileSource, VerifyOptions};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::tile::{MAX_ZOOM, TileId};

/// The key of the metadata that holds the hash of all tiles.
pub const CONTENT_HASH: &str = "agg_tiles_hash";
/// The key that says by which algorithm; MD5 where it is missing.
const ALGORITHM: &str = "hash_algorithm";

/// Tiles whose places are held at once: 128 MB. Archives of more are walked several times.
const HELD: u64 = 4_000_000;
/// Groups of columns that are counted to divide a large zoom.
const GROUPS: usize = 1 << 16;
/// Tiles in one piece of work.
const BATCH: usize = 64;

/// The hash of all tiles.
///
/// Reads each tile once, in the order of columns; MD5 takes a second for 600 MB. A zoom of more than four million tiles is walked once
/// more for each four million. Of a file of heights it is the hash of the images that it gives.
///
/// # Errors
/// Where the archive can't be read, is damaged, or the user interrupts.
pub fn content_hash(source: &dyn TileSource, progress: &dyn Progress) -> Result<String> {
    hash_by(source, HELD, progress)
}

fn hash_by(source: &dyn TileSource, held: u64, progress: &dyn Progress) -> Result<String> {
    let source = source.stored().unwrap_or(source);
    let from_north = source.as_mbtiles().is_some_and(|database| database.is_xyz());
    let row = |z: u8, y: u32| if from_north { y } else { flip(z, y) };
    progress.begin("hashing tiles", Some(source.tile_count()?), "tiles");
    let mut hash = Md5::new();
    let metadata = source.metadata();
    for zoom in metadata.minzoom.unwrap_or(0)..=metadata.maxzoom.unwrap_or(MAX_ZOOM).min(MAX_ZOOM) {
        for (first, end) in strips(source, zoom, held)? {
            let mut tiles: Vec<(u32, u32, Located)> = Vec::new();
            for tile in source.tiles_of(zoom)? {
                let tile = tile?;
                let Some(at) = tile.id.coord().filter(|at| (first..end).contains(&u64::from(at.x()))) else { continue };
                tiles.push((at.x(), row(zoom, at.y()), tile));
            }
            tiles.sort_unstable_by_key(|&(x, y, _)| (x, y));
            let read = |batch: Vec<(u32, u32, Located)>| {
                let (mut bytes, mut ends) = (Vec::new(), Vec::new());
                let places: Vec<Located> = batch.iter().map(|&(_, _, at)| at).collect();
                source.read_many(&places, &mut bytes, &mut ends)?;
                Ok((batch, bytes, ends))
            };
            in_order(threads(), batches(tiles.into_iter().map(Ok), BATCH, progress), read, |(batch, bytes, ends)| {
                let mut start = 0;
                for ((x, y, _), end) in batch.iter().zip(ends) {
                    hash.update(format!("{zoom}{x}{y}"));
                    hash.update(&bytes[start..end]);
                    start = end;
                }
                progress.advance(batch.len() as u64);
                Ok(())
            })?;
        }
    }
    progress.end();
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02X}")).collect())
}

/// Ranges of columns that hold no more than `held` tiles each, where that can be; in order. One walk over the zoom counts them.
fn strips(source: &dyn TileSource, zoom: u8, held: u64) -> Result<Vec<(u64, u64)>> {
    let columns = 1u64 << zoom;
    if source.tile_count()? <= held {
        return Ok(vec![(0, columns)]);
    }
    let width = columns.div_ceil(GROUPS as u64);
    let mut counts = vec![0u64; columns.div_ceil(width) as usize];
    for tile in source.tiles_of(zoom)? {
        let id: TileId = tile?.id;
        id.coord().iter().for_each(|at| counts[(u64::from(at.x()) / width) as usize] += 1);
    }
    let (mut out, mut first, mut sum) = (Vec::new(), 0, 0);
    for (n, count) in counts.iter().enumerate() {
        if sum > 0 && sum + count > held {
            out.push((first, n as u64 * width));
            (first, sum) = (n as u64 * width, 0);
        }
        sum += count;
    }
    out.push((first, columns));
    Ok(out)
}

impl ArchiveMetadata {
    /// Takes away what is said of all tiles together: they will be other ones.
    pub(crate) fn forget_contents(&mut self) {
        self.other.remove(CONTENT_HASH);
    }
}

/// Compares the hash in the metadata with the tiles, where all of these are wanted.
pub(super) fn check(
    source: &dyn TileSource,
    options: VerifyOptions,
    progress: &dyn Progress,
    report: &mut Report,
) -> Result<()> {
    let said = |key: &str| source.metadata().other.get(key).and_then(|value| value.as_str()).map(str::trim);
    let Some(expected) = said(CONTENT_HASH).filter(|_| options.sample.is_none()) else { return Ok(()) };
    if let Some(other) = said(ALGORITHM).filter(|name| !name.eq_ignore_ascii_case("md5")) {
        let problem = format!("the hash of all tiles is by {other}, which is not known here; it was not compared");
        report.warning(None, problem, "ask the program that wrote it");
        return Ok(());
    }
    match content_hash(source, progress) {
        Ok(found) if found.eq_ignore_ascii_case(expected) => {}
        Ok(found) => report.error_first(
            format!("the metadata say that all tiles have the hash {expected} ({CONTENT_HASH}), but it is {found}"),
            "tiles were lost, added or altered since: compare it with another copy, or set the hash anew (`archive::edit`)",
        ),
        Err(error @ (Error::Io { .. } | Error::Interrupted)) => return Err(error),
        // Which tile can't be read stands in the report.
        Err(_) => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive;
    use crate::progress::Silent;
    use crate::tile::TileCoord;

    #[test]
    fn the_hash_is_that_of_the_definition_however_many_tiles_are_held() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pmtiles");
        let mut sink = archive::create(&path, &ArchiveMetadata::default(), false).unwrap();
        let mut tiles: Vec<(TileCoord, Vec<u8>)> = Vec::new();
        for id in (0..85u64).chain(600..900) {
            let tile = TileId(id).coord().unwrap();
            tiles.push((tile, format!("tile {}", id % 50).into_bytes()));
            sink.put(tile, &tiles.last().unwrap().1).unwrap();
        }
        sink.finish().unwrap();
        tiles.sort_by_key(|(tile, _)| (tile.z(), tile.x(), flip(tile.z(), tile.y())));
        let text: Vec<u8> = tiles
            .iter()
            .flat_map(|(tile, bytes)| {
                let place = format!("{}{}{}", tile.z(), tile.x(), flip(tile.z(), tile.y()));
                [place.as_bytes(), bytes].concat()
            })
            .collect();
        let expected: String = Md5::digest(&text).iter().map(|byte| format!("{byte:02X}")).collect();
        let source = archive::open(&path).unwrap();
        for held in [1, 7, 100, HELD] {
            assert_eq!(hash_by(source.as_ref(), held, &Silent).unwrap(), expected, "{held}");
        }
    }
}
