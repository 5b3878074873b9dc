//! `hypso diff` and `hypso patch`: what changed between two archives, and an update without the whole.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::archives::{InputArgs, OutputArgs, report};
use super::inspect::Format;
use super::observed::Touched;
use super::progress::Terminal;
use super::{Outcome, exit, output};
use crate::archive::{self, Change, Differences, TileSource, ZoomDifference};
use crate::atomic::refuse_inputs;
use crate::pixels;

/// Compare two archives tile by tile, or write a patch from one to the other.
///
/// Tiles of other bytes are decoded and compared pixel by pixel, heights as metres whatever their encoding. Ends with exit
/// code 0 where all tiles are equal, with 3 where some differ. With -o, writes a patch for `hypso patch` and ends with 0.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso diff japan-2024.pmtiles japan-2025.pmtiles\n  hypso diff old.mbtiles new.pmtiles --pixels --format json | jq .zooms\n  hypso diff japan-2024.pmtiles japan-2025.pmtiles -o update.pmtiles"
)]
pub struct Args {
    /// The old archive.
    old: PathBuf,
    /// The new archive.
    new: PathBuf,
    /// Write a patch from the old to the new archive: .pmtiles or .mbtiles.
    #[arg(short, long, value_name = "PATCH", conflicts_with_all = ["pixels", "list", "format"])]
    output: Option<PathBuf>,
    /// Take tiles of other bytes and the same pixels as equal.
    #[arg(long)]
    pixels: bool,
    /// How many of the tiles that differ to name.
    #[arg(long, default_value_t = 20, value_name = "COUNT")]
    list: usize,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    read: InputArgs,
    #[command(flatten)]
    out: OutputArgs,
}

/// Make a new archive of an old one and a patch of `hypso diff -o`.
///
/// Appears only where every tile of the old archive is the one that the patch was made from, and the result holds exactly the
/// tiles of the new archive.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso patch japan-2024.pmtiles update.pmtiles -o japan-2025.pmtiles\n  hypso patch japan.mbtiles update.pmtiles --in-place"
)]
pub struct PatchArgs {
    /// The old archive.
    old: PathBuf,
    /// The patch.
    patch: PathBuf,
    /// The archive to write, .pmtiles or .mbtiles.
    #[arg(short, long, required_unless_present = "in_place")]
    output: Option<PathBuf>,
    /// Change the old archive, MBTiles, in one transaction, and write no other.
    #[arg(long, conflicts_with_all = ["output", "dedup", "overwrite", "output_scheme"])]
    in_place: bool,
    #[command(flatten)]
    read: InputArgs,
    #[command(flatten)]
    out: OutputArgs,
}

impl Args {
    /// What it reads and writes.
    pub fn touched(&self) -> Option<Touched> {
        Touched::of([&self.old, &self.new], &self.output)
    }
}

pub fn run(args: &Args) -> Outcome {
    let paths: [&Path; 2] = [&args.old, &args.new];
    let opened = args.read.open_all(&paths, args.output.as_deref())?;
    let [old, new] = &opened[..] else { return Ok(exit::FAILURE) };
    let progress = Terminal::default();
    if let Some(patch) = &args.output {
        refuse_inputs(patch, [&args.old, &args.new])?;
        let sink =
            args.out.create(patch, &archive::patch_metadata(new.as_ref()), args.read.output_scheme(&paths, patch))?;
        let summary = archive::write_patch(old.as_ref(), new.as_ref(), sink, &progress)?;
        let [added, changed, deleted] = [summary.added, summary.changed, summary.deleted].map(output::count);
        output::line(format!(
            "{}: {added} tiles added, {changed} changed, {deleted} deleted, {}",
            output::path(patch),
            output::bytes(summary.archive.file_size)
        ))?;
        return Ok(exit::OK);
    }
    let compare = pixels::comparer(old.as_ref(), new.as_ref());
    let found = archive::diff(old.as_ref(), new.as_ref(), args.list, &compare, &progress)?;
    let equal = found.same_tiles(args.pixels);
    match args.format {
        Format::Json => output::line(serde_json::to_string_pretty(&document(&found, equal))?)?,
        Format::Table => output::line(table(&found, old.as_ref(), new.as_ref()).trim_end())?,
    }
    Ok(if equal { exit::OK } else { exit::PROBLEMS })
}

impl PatchArgs {
    /// What it reads and writes.
    pub fn touched(&self) -> Option<Touched> {
        Touched::of([&self.old, &self.patch], [self.output.as_ref().unwrap_or(&self.old)])
    }
}

pub fn run_patch(args: &PatchArgs) -> Outcome {
    let Some(to) = &args.output else {
        refuse_inputs(&args.old, [&args.patch])?;
        let patch = args.read.open(&args.patch, None)?;
        let done = archive::apply_patch_in_place(&args.old, patch.as_ref(), &Terminal::default())?;
        let [added, changed, deleted] = [done.added, done.changed, done.deleted].map(output::count);
        output::line(format!(
            "{}: {added} tiles added, {changed} changed, {deleted} deleted, {}",
            output::path(&args.old),
            output::bytes(done.archive.file_size)
        ))?;
        return Ok(exit::OK);
    };
    refuse_inputs(to, [&args.old, &args.patch])?;
    let paths: [&Path; 2] = [&args.old, &args.patch];
    let opened = args.read.open_all(&paths, Some(to))?;
    let [old, patch] = &opened[..] else { return Ok(exit::FAILURE) };
    let scheme = args.read.output_scheme(&paths, to);
    let sink = args.out.create(to, &archive::patched_metadata(patch.as_ref())?, scheme)?;
    let summary = archive::apply_patch(old.as_ref(), patch.as_ref(), sink, &Terminal::default())?;
    report(to, &summary)?;
    Ok(exit::OK)
}

fn word(change: &Change) -> &'static str {
    match change {
        Change::Removed => "removed",
        Change::Added => "added",
        Change::Recoded => "recoded",
        Change::Changed(_) => "changed",
    }
}

fn document(found: &Differences, equal: bool) -> Value {
    let zoom = |z: &ZoomDifference| {
        json!({
            "zoom": z.zoom, "equal": z.equal, "removed": z.removed.0, "added": z.added.0, "recoded": z.recoded,
            "changed": z.changed, "bytes_removed": z.removed.1, "bytes_added": z.added.1, "bytes_before": z.bytes.0,
            "bytes_after": z.bytes.1, "largest_difference": z.largest,
        })
    };
    let tile = |(tile, change): &(crate::tile::TileCoord, Change)| {
        let mut entry = json!({"tile": tile.to_string(), "change": word(change)});
        if let Change::Changed(Some(pixels)) = change {
            entry["pixels_values"] = pixels.values.into();
            entry["pixels_validity"] = pixels.validity.into();
            entry["largest_difference"] = pixels.largest.into();
        }
        entry
    };
    let metadata: Vec<Value> =
        found.metadata.iter().map(|(key, old, new)| json!({"key": key, "old": old, "new": new})).collect();
    json!({
        "equal": equal, "zooms": found.zooms.iter().map(zoom).collect::<Vec<_>>(),
        "tiles": found.first.iter().map(tile).collect::<Vec<_>>(), "metadata": metadata,
    })
}

fn table(found: &Differences, old: &dyn TileSource, new: &dyn TileSource) -> String {
    let mut rows =
        vec![["zoom", "equal", "removed", "added", "recoded", "changed", "largest"].map(String::from).to_vec()];
    for z in &found.zooms {
        let counts = [z.equal, z.removed.0, z.added.0, z.recoded, z.changed].map(output::count);
        let largest = if z.largest > 0.0 { format!("{:.3} m", z.largest) } else { String::new() };
        rows.push([vec![z.zoom.to_string()], counts.to_vec(), vec![largest]].concat());
    }
    let mut text = output::table(&rows, &[0, 1, 2, 3, 4, 5, 6]);
    if !found.metadata.is_empty() {
        text += "\nmetadata\n";
        for (key, before, after) in &found.metadata {
            text += &format!(
                "  {key}: {} -> {}\n",
                super::inspect::cell(before.value()),
                super::inspect::cell(after.value())
            );
        }
    }
    if !found.first.is_empty() {
        text += "\ntiles\n";
        for (tile, change) in &found.first {
            let pixels = match change {
                Change::Changed(Some(p)) => {
                    let metres = if p.largest > 0.0 { format!(", by up to {:.3} m", p.largest) } else { String::new() };
                    format!(": {} pixels{metres}", output::count(p.values + p.validity))
                }
                Change::Changed(None) => ": not compared by pixels".to_owned(),
                _ => String::new(),
            };
            text += &format!("  {tile} {}{pixels}\n", word(change));
        }
    }
    let sum = |of: fn(&ZoomDifference) -> u64| output::count(found.zooms.iter().map(of).sum());
    text + &format!(
        "\n{} -> {}: {} equal, {} removed, {} added, {} recoded, {} changed\n",
        old.path().display(),
        new.path().display(),
        sum(|z| z.equal),
        sum(|z| z.removed.0),
        sum(|z| z.added.0),
        sum(|z| z.recoded),
        sum(|z| z.changed)
    )
}
