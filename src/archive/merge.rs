//! Several archives into one, tile by tile, in the order of tile ids.

use std::path::Path;
use std::thread;

use super::convert::tell;
use super::coverage::Coverage;
use super::join::Join;
use super::mbtiles::{Checked, MbtilesReader, Plain};
use super::pass::pass;
use super::seen::{Fence, Seen, degrees};
use super::{ArchiveMetadata, ArchiveSummary, TileForm, TileFormat, TileSink, TileSource};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::threads::spawn;
use crate::tile::TileId;

/// What to do with a tile that more than one input holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnOverlap {
    /// Stop with a message that names the tile and both files.
    #[default]
    Error,
    /// Take the tile of the first input that holds it.
    First,
    /// Take the tile of the last input that holds it.
    Last,
}

/// Addresses that are compared between two checks for an interruption.
const ASKED: usize = 1 << 14;
/// What joins attributions.
const JOIN: &str = " | ";

/// The metadata of what [`merge`] will write.
///
/// Name, description, version, type and further keys come from the first input that has them; attributions are joined,
/// each once; bounds are united where all inputs have them; zooms are united.
///
/// # Errors
/// Where there is no input, or two inputs differ in format, encoding, tile size or compression; both files are named.
pub fn merged_metadata(inputs: &[&dyn TileSource]) -> Result<ArchiveMetadata> {
    let Some((first, rest)) = inputs.split_first() else {
        return Err(Error::argument("inputs", "expected at least one archive to merge"));
    };
    check_compatible(inputs)?;
    let mut out = first.metadata().clone();
    out.center = None;
    let mut attributions: Vec<String> = Vec::new();
    for input in inputs {
        for part in input.metadata().attribution.split(JOIN).map(str::trim).filter(|part| !part.is_empty()) {
            if !attributions.iter().any(|known| known == part) {
                attributions.push(part.to_owned());
            }
        }
    }
    for input in rest {
        let other = input.metadata();
        for (mine, theirs) in [
            (&mut out.name, &other.name),
            (&mut out.description, &other.description),
            (&mut out.version, &other.version),
            (&mut out.layer_type, &other.layer_type),
        ] {
            if mine.is_empty() {
                mine.clone_from(theirs);
            }
        }
        if out.format == TileFormat::Unknown {
            out.format = other.format.clone();
        }
        out.encoding = out.encoding.or_else(|| other.encoding.clone());
        out.tile_size = out.tile_size.or(other.tile_size);
        out.tile_compression = out.tile_compression.or(other.tile_compression);
        out.bounds =
            out.bounds.zip(other.bounds).map(|(a, b)| [a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])]);
        out.minzoom = out.minzoom.into_iter().chain(other.minzoom).min();
        out.maxzoom = out.maxzoom.into_iter().chain(other.maxzoom).max();
        for (key, value) in &other.other {
            out.other.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    if !rest.is_empty() {
        out.forget_contents();
    }
    out.attribution = attributions.join(JOIN);
    Ok(out)
}

/// Every property that is known of two inputs must be the same.
fn check_compatible(inputs: &[&dyn TileSource]) -> Result<()> {
    type Property = (&'static str, fn(&dyn TileSource) -> Option<String>);
    let properties: [Property; 4] = [
        ("format", |i| Some(i.metadata().format.name().to_owned()).filter(|name| !name.is_empty())),
        ("encoding", |i| i.metadata().encoding.as_ref().map(|e| e.name().to_owned())),
        ("tile size", |i| i.metadata().tile_size.map(|size| format!("{size} px"))),
        ("tile compression", |i| match i.form() {
            TileForm::Vector { packed, .. } => Some(packed.name().to_owned()),
            _ => i.metadata().tile_compression.map(|c| c.name().to_owned()),
        }),
    ];
    for (what, value_of) in properties {
        let mut known: Option<(&dyn TileSource, String)> = None;
        for &input in inputs {
            let Some(value) = value_of(input) else { continue };
            match &known {
                None => known = Some((input, value)),
                Some((first, expected)) if *expected != value => {
                    return Err(Error::invalid(
                        what,
                        format!("is {value}, but {expected} in {}", first.path().display()),
                        "only archives of one kind can be merged: make one of them again to match",
                    )
                    .with_path(input.path()));
                }
                Some(_) => {}
            }
        }
    }
    Ok(())
}

/// Words about inputs that end at different zooms: beyond the finest zoom of some, only the others have tiles. Empty where all end at
/// one zoom.
#[must_use]
pub fn uneven_zooms(inputs: &[&dyn TileSource]) -> Vec<String> {
    let finest = |input: &&dyn TileSource| input.metadata().maxzoom;
    let mut zooms: Vec<u8> = inputs.iter().filter_map(finest).collect();
    zooms.sort_unstable();
    zooms.dedup();
    let Some((last, shorter)) = zooms.split_last().filter(|(_, shorter)| !shorter.is_empty()) else {
        return Vec::new();
    };
    let mut words = vec![format!(
        "the inputs end at different zooms: between {} and {last}, only some of the area has tiles; a client that asks for zoom {last} \
         everywhere finds holes",
        shorter[0] + 1
    )];
    for input in inputs {
        let metadata = input.metadata();
        let zooms = match metadata.minzoom.zip(metadata.maxzoom) {
            Some((min, max)) => format!("zooms {min} to {max}"),
            None => "no zoom".to_owned(),
        };
        let area = metadata.bounds.map_or_else(|| "an area that it does not say".to_owned(), degrees);
        words.push(format!("{}: {zooms} over {area}", input.path().display()));
    }
    words
}

/// Copies all tiles of all inputs into `sink`, byte by byte in the order of tile ids, and finishes it. Between files of heights pixels go
/// over without images, and sources by their names; a tile of an input without sources has none.
///
/// Make the sink with [`merged_metadata`]. Metadata that the tiles belie are corrected as by [`convert`](super::convert). Streams on all processors: memory does not grow with the inputs. Plain MBTiles
/// without overlaps go into plain MBTiles by whole records inside SQLite, input by input, once their addresses were compared.
///
/// # Errors
/// As [`merged_metadata`]; where an overlap is found with [`OnOverlap::Error`]; where an input can't be read, the sink
/// can't be written, or the user interrupts.
pub fn merge(
    inputs: &[&dyn TileSource],
    mut sink: Box<dyn TileSink>,
    on_overlap: OnOverlap,
    progress: &dyn Progress,
) -> Result<ArchiveSummary> {
    merged_metadata(inputs)?;
    if copy_whole(inputs, sink.as_mut(), on_overlap, progress)? {
        return sink.finish();
    }
    let total = inputs.iter().try_fold(0u64, |sum, input| Ok::<_, Error>(sum.saturating_add(input.tile_count()?)))?;
    progress.begin("merging tiles", Some(total), "tiles");
    let tiles = Join::new(inputs)?.map(|holders| {
        let holders = holders?;
        progress.advance(holders.others.len() as u64);
        match (on_overlap, holders.others.first()) {
            (OnOverlap::Error, Some(&(n, _))) => {
                Err(overlap(holders.id, inputs[holders.first.0].path(), inputs[n].path()))
            }
            (OnOverlap::Last, _) => Ok(holders.last()),
            _ => Ok(holders.first),
        }
    });
    let mut seen = Seen::new(sink.metadata_mut());
    pass(inputs, tiles, sink.as_mut(), &mut seen, progress)?;
    progress.end();
    tell(inputs, progress);
    let Some(first) = inputs.first() else { return sink.finish() };
    seen.finish(sink, &[], first.path(), progress)
}

/// Inputs of more bytes are compared for overlaps while they are copied, so that the user hears of one early.
const LARGE: u64 = 4 << 30;

/// Copies plain MBTiles that share no tile into plain MBTiles. False, and nothing done, where that is not what they are.
///
/// What is small and has bounds is just copied: the output's index tells whether a tile stands in two inputs.
fn copy_whole(
    inputs: &[&dyn TileSource],
    sink: &mut dyn TileSink,
    on_overlap: OnOverlap,
    progress: &dyn Progress,
) -> Result<bool> {
    let bounds = sink.metadata_mut().bounds;
    let bounded = bounds.is_some();
    let format = sink.metadata_mut().format.clone();
    let forms: Vec<TileForm> = inputs.iter().map(|input| input.form()).collect();
    // What can be copied as it is stored: tiles in the form in which they are given out, of the declared format, inside of the bounds.
    let plain: Vec<Plain> =
        forms.iter().map(|&form| Plain { form, format: format.clone(), fence: bounds.map(Fence::of) }).collect();
    let Some(output) = sink.as_mbtiles().filter(|output| output.is_plain_and_empty()) else { return Ok(false) };
    let Some(readers) = inputs.iter().map(|input| input.as_mbtiles()).collect::<Option<Vec<_>>>() else {
        return Ok(false);
    };
    let bytes = inputs.iter().map(|input| std::fs::metadata(input.path()).map_or(u64::MAX, |facts| facts.len()));
    let small = bytes.fold(0, u64::saturating_add) <= LARGE;
    let check = || {
        if small && bounded && on_overlap == OnOverlap::Error {
            return plain_rows(&readers, &plain);
        }
        // One thread looks at the contents while this one compares the addresses.
        let (rows, coverage) = thread::scope(|scope| {
            let rows = spawn(scope, || plain_rows(&readers, &plain));
            let coverage = joint_coverage(inputs, on_overlap, progress);
            let lost = |_| Err(Error::internal("a thread ended before its work was done"));
            // One after the other where the system refuses a thread.
            (rows.map_or_else(|_| plain_rows(&readers, &plain), |rows| rows.join().unwrap_or_else(lost)), coverage)
        });
        let (coverage, checked) = (coverage?, rows?);
        Ok(coverage.zip(checked).map(|(coverage, checked)| {
            let rows = coverage.tiles.iter().sum();
            Checked { coverage: Some(coverage), rows, ..checked }
        }))
    };
    output.copy(&readers, check, progress)
}

/// Rows and bytes of all inputs; `None` where some rows can't be copied as they are.
fn plain_rows(readers: &[&MbtilesReader], plain: &[Plain]) -> Result<Option<Checked>> {
    let mut sum = Checked::default();
    for (reader, plain) in readers.iter().zip(plain) {
        let Some((rows, bytes)) = reader.plain_rows(plain)? else { return Ok(None) };
        (sum.rows, sum.bytes) = (sum.rows + rows, sum.bytes + bytes);
    }
    Ok(Some(sum))
}

/// The tiles of all inputs; `None` where some stand in several and a rule says which to take.
fn joint_coverage(
    inputs: &[&dyn TileSource],
    on_overlap: OnOverlap,
    progress: &dyn Progress,
) -> Result<Option<Coverage>> {
    let mut coverage = Coverage::new();
    for (n, holders) in Join::new(inputs)?.enumerate() {
        let holders = holders?;
        match (on_overlap, holders.others.first()) {
            (_, None) => {}
            (OnOverlap::Error, Some(&(n, _))) => {
                return Err(overlap(holders.id, inputs[holders.first.0].path(), inputs[n].path()));
            }
            _ => return Ok(None),
        }
        coverage.push(holders.id, 1);
        if n % ASKED == 0 && progress.interrupted() {
            return Err(Error::Interrupted);
        }
    }
    Ok(Some(coverage))
}

pub(super) fn overlap(id: TileId, a: &Path, b: &Path) -> Error {
    let tile = id.coord().map_or_else(|| format!("id {}", id.0), |tile| tile.to_string());
    Error::invalid(
        format!("tile {tile}"),
        format!("is also in {}", a.display()),
        "say which one wins with `on_overlap = first` or `on_overlap = last`",
    )
    .with_path(b)
}
