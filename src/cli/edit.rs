//! `hypso edit`: what an archive says about itself, changed in place.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::observed::Touched;
use super::progress::Terminal;
use super::{Outcome, exit, output, usage};
use crate::archive::{self, ArchiveMetadata, Edited};
use crate::atomic::{check_output, refuse_inputs, write_whole};
use crate::error::{Error, Result};

/// Change the metadata of an archive where it is.
///
/// No tile is read or written, so it takes the same time for any number of tiles; only --recount looks at their addresses. An empty text
/// removes a value. Prints what changed.
///
/// MBTiles change in one transaction, PMTiles by one write of their header, a folder by a new metadata.json. A file of heights is copied.
/// Killed at any moment, it leaves the old metadata or the new ones.
///
/// Format and compression follow from the tiles: `hypso convert` puts them right. The same holds for the direction of rows.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso edit japan.pmtiles --name Japan --attribution GSI\n  hypso edit japan.mbtiles --recount\n  hypso edit japan.pmtiles --bounds 122.5,20.2,154,46 --center 138,36,5\n  hypso edit japan.pmtiles --set encoding=terrarium --set tileSize=512\n  hypso edit old.pmtiles --to about.json && hypso edit new.pmtiles --from about.json"
)]
pub struct Args {
    /// The archive: a file or a folder.
    archive: PathBuf,
    /// A name for people.
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// What it shows.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Who must be named wherever it is shown; may hold HTML.
    #[arg(long, value_name = "TEXT")]
    attribution: Option<String>,
    /// Where it has tiles, in degrees.
    #[arg(long, value_name = "W,S,E,N", allow_hyphen_values = true)]
    bounds: Option<String>,
    /// Where a map starts: degrees, and a zoom.
    #[arg(long, value_name = "LON,LAT,ZOOM", allow_hyphen_values = true)]
    center: Option<String>,
    /// The coarsest zoom. hypso itself believes the tiles.
    #[arg(long, value_name = "ZOOM", value_parser = clap::value_parser!(u8).range(0..=31))]
    min_zoom: Option<u8>,
    /// The finest zoom. hypso itself believes the tiles.
    #[arg(long, value_name = "ZOOM", value_parser = clap::value_parser!(u8).range(0..=31))]
    max_zoom: Option<u8>,
    /// Set any other value, such as encoding=terrarium; may be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Replace all metadata by those in this file, before all else.
    ///
    /// A JSON object as --to writes it, or a TileJSON. Format, compression and zooms stay where it does not say them.
    #[arg(long, value_name = "FILE.json")]
    from: Option<PathBuf>,
    /// Write the metadata into this file as JSON, after all else; - is the standard output.
    #[arg(long, value_name = "FILE.json")]
    to: Option<PathBuf>,
    /// Take zooms and bounds from the tiles again. Looks at all addresses.
    #[arg(long, conflicts_with_all = ["bounds", "min_zoom", "max_zoom"])]
    recount: bool,
    /// Compute the hash of all tiles and set it (agg_tiles_hash), for hypso verify and others to compare. Reads all tiles.
    #[arg(long)]
    hash: bool,
    /// Replace an existing file of --to.
    #[arg(long, requires = "to")]
    overwrite: bool,
}

impl Args {
    /// What it reads and writes.
    pub fn touched(&self) -> Option<Touched> {
        let to = self.to.iter().filter(|to| *to != Path::new("-")).chain(self.changes().then_some(&self.archive));
        Touched::of(self.from.iter().chain([&self.archive]), to)
    }

    /// Whether the archive is changed.
    fn changes(&self) -> bool {
        let texts = [&self.name, &self.description, &self.attribution, &self.bounds, &self.center];
        let zooms = self.min_zoom.or(self.max_zoom).is_some();
        texts.iter().any(|text| text.is_some())
            || zooms
            || self.recount
            || self.hash
            || !self.set.is_empty()
            || self.from.is_some()
    }
}

/// The largest file of metadata that is read, bytes.
const LARGEST: u64 = 64 << 20;

pub fn run(args: &Args) -> Outcome {
    if !args.changes() && args.to.is_none() {
        return usage("edit", "expected something to change, such as --name; `hypso inspect` shows what there is");
    }
    let to = args.to.as_deref().filter(|to| *to != Path::new("-"));
    if let Some(to) = to {
        check_output(to, args.overwrite)?;
        refuse_inputs(to, [Some(&args.archive), args.from.as_ref()].into_iter().flatten())?;
    }
    // Read before the archive is opened for writing.
    let from = args.from.as_deref().map(|from| read(from).map(|json| (from, json))).transpose()?;
    let recounted = if args.recount { Some(recounted(&args.archive)?) } else { None };
    let hash = if args.hash { Some(hash_of(&args.archive)?) } else { None };
    let done = archive::edit(&args.archive, &mut |metadata| {
        if let Some((from, json)) = &from {
            metadata.replace(json).map_err(|error| named(error, |key| format!("{}: {key}", from.display())))?;
        }
        change(args, metadata)?;
        if let Some(found) = &recounted {
            (metadata.minzoom, metadata.maxzoom, metadata.bounds) = (found.minzoom, found.maxzoom, found.bounds);
            metadata.center = found.center.filter(|_| args.center.is_none()).or(metadata.center);
        }
        if let Some(hash) = &hash {
            metadata.set(archive::CONTENT_HASH, hash)?;
        }
        Ok(())
    });
    let done = done.map_err(|error| named(error, flag))?;
    let json = serde_json::to_string_pretty(&done.metadata.to_json())? + "\n";
    match to {
        Some(to) => write_whole(to, json.as_bytes(), args.overwrite)?,
        None if args.to.is_some() => {
            std::io::stdout().lock().write_all(json.as_bytes())?;
            return Ok(exit::OK);
        }
        None => {}
    }
    if args.changes() {
        output::line(table(&args.archive, &done).trim_end())?;
    }
    Ok(exit::OK)
}

fn read(from: &Path) -> Result<crate::Json> {
    let text = crate::local::text(from, LARGEST)?;
    text.trim_start_matches('\u{feff}').parse().map_err(|error| named(error, |_| from.display().to_string()))
}

/// What the archive's tiles say.
fn recounted(path: &Path) -> Result<ArchiveMetadata> {
    let source = archive::open(path)?;
    let mut metadata = source.metadata().clone();
    archive::recount(source.as_ref(), &mut metadata, &Terminal::default())?;
    Ok(metadata)
}

fn hash_of(path: &Path) -> Result<String> {
    archive::content_hash(archive::open(path)?.as_ref(), &Terminal::default())
}

fn change(args: &Args, metadata: &mut ArchiveMetadata) -> Result<()> {
    super::convert::set(&args.set, metadata).map_err(|error| named(error, |key| format!("--set {key}")))?;
    for (key, value) in [
        ("name", &args.name),
        ("description", &args.description),
        ("attribution", &args.attribution),
        ("bounds", &args.bounds),
        ("center", &args.center),
    ] {
        if let Some(value) = value {
            metadata.set(key, value)?;
        }
    }
    metadata.minzoom = args.min_zoom.or(metadata.minzoom);
    metadata.maxzoom = args.max_zoom.or(metadata.maxzoom);
    Ok(())
}

/// The flag of a value that has one.
fn flag(key: &str) -> String {
    match key {
        "bounds" | "center" => format!("--{key}"),
        "format" | "compression" | "encoding" | "tileSize" => format!("--set {key}"),
        other => other.to_owned(),
    }
}

fn named(error: Error, name: impl Fn(&str) -> String) -> Error {
    match error {
        Error::Argument { field, problem } if !field.starts_with("--") => Error::argument(name(&field), problem),
        other => other,
    }
}

fn table(path: &Path, done: &Edited) -> String {
    let name = output::path(path);
    if done.changes.is_empty() {
        return format!("{name}: says all that already");
    }
    let cell = |value: &crate::Json| match value.value() {
        serde_json::Value::Null => "nothing".to_owned(),
        value => super::inspect::cell(value),
    };
    let lines = done.changes.iter().map(|(key, old, new)| format!("  {key}: {} -> {}\n", cell(old), cell(new)));
    format!("{name}\n{}", lines.collect::<String>())
}
