//! What the commands on archives share: opening with warnings, outputs, parts of archives.

use std::path::Path;

use super::area::AreaArgs;
use super::values::{one_of, zooms};
use super::{output, say};
use crate::archive::named::Template;
use crate::archive::{
    self, ArchiveKind, ArchiveMetadata, ArchiveSummary, CreateOptions, IntoSummary, OnDuplicate, OpenOptions, Scheme,
    Selection, TileSink, TileSource,
};
use crate::error::{Error, Result};
use crate::terrain::WebpEncoder;
use crate::terrain::webp::Level;
use crate::tile::Zooms;

/// How addresses of tiles are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SchemeName {
    /// {z}/{x}/{y}, rows from the north.
    Xyz,
    /// {z}/{x}/{y}, rows from the south.
    Tms,
    /// {z}/{y}/{x}, rows from the north.
    Zyx,
}

impl SchemeName {
    pub fn scheme(self) -> Scheme {
        match self {
            Self::Xyz => Scheme::Xyz,
            Self::Tms => Scheme::Tms,
            Self::Zyx => Scheme::Zyx,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum DuplicateRule {
    /// The row that was written first, the file whose name comes first.
    First,
    /// The row that was written last, the file whose name comes last.
    Last,
}

/// How archives are read.
#[derive(Debug, clap::Args)]
pub struct InputArgs {
    /// How tiles are addressed in a folder, or rows of MBTiles count.
    ///
    /// xyz is {z}/{x}/{y} from the north, tms the same from the south, zyx is {z}/{y}/{x} [default: as metadata.json says, else xyz].
    /// Of folders that are read; where none is, of the folder that is written; else of the rows of MBTiles.
    #[arg(long, value_enum, value_name = "SCHEME")]
    scheme: Option<SchemeName>,
    /// Which content of a tile to take that an archive holds twice [default: stop].
    ///
    /// Only where the contents differ. Without it the command ends and names the tile.
    #[arg(long, value_enum, value_name = "RULE")]
    on_duplicate: Option<DuplicateRule>,
}

impl InputArgs {
    /// Opens archives that are read while `output` is written, and says what is odd about them.
    pub fn open_all(&self, inputs: &[&Path], output: Option<&Path>) -> Result<Vec<Box<dyn TileSource>>> {
        let scheme = self.input_scheme(inputs, output)?;
        // Beside a folder it is the folder's alone.
        let folders = reads_folder(inputs);
        let of = |input: &Path| scheme.filter(|_| !folders || has_names(input));
        let options = |input: &Path| OpenOptions { scheme: of(input), on_duplicate: self.rule(), remote: true };
        inputs.iter().map(|input| open_with(input, options(input))).collect()
    }

    /// Opens one archive, as [`open_all`](Self::open_all).
    pub fn open(&self, input: &Path, output: Option<&Path>) -> Result<Box<dyn TileSource>> {
        let scheme = self.input_scheme(&[input], output)?;
        open_with(input, OpenOptions { scheme, on_duplicate: self.rule(), remote: true })
    }

    /// The scheme of a folder that is written.
    pub fn output_scheme(&self, inputs: &[&Path], output: &Path) -> Scheme {
        let writes = !reads_folder(inputs) && is_folder_name(output);
        self.scheme.filter(|_| writes).map_or(Scheme::Xyz, SchemeName::scheme)
    }

    fn rule(&self) -> OnDuplicate {
        match self.on_duplicate {
            None => OnDuplicate::Error,
            Some(DuplicateRule::First) => OnDuplicate::First,
            Some(DuplicateRule::Last) => OnDuplicate::Last,
        }
    }

    fn input_scheme(&self, inputs: &[&Path], output: Option<&Path>) -> Result<Option<Scheme>> {
        if !reads_folder(inputs) && output.is_some_and(is_folder_name) {
            return Ok(None);
        }
        scheme_of_inputs(self.scheme, inputs)
    }
}

/// The scheme that an archive is read with, where one was asked for.
pub fn scheme_of(name: Option<SchemeName>, input: &Path) -> Result<Option<Scheme>> {
    scheme_of_inputs(name, &[input])
}

fn scheme_of_inputs(name: Option<SchemeName>, inputs: &[&Path]) -> Result<Option<Scheme>> {
    let Some(name) = name else { return Ok(None) };
    let rows = || inputs.iter().any(|input| matches!(ArchiveKind::detect(input), Ok(ArchiveKind::Mbtiles)));
    if reads_folder(inputs) || (name != SchemeName::Zyx && rows()) {
        return Ok(Some(name.scheme()));
    }
    let problem = "is for folders and zips of tiles, and xyz or tms for the rows of MBTiles; PMTiles have one way of addressing: leave it out";
    Err(Error::argument("--scheme", problem))
}

fn reads_folder(inputs: &[&Path]) -> bool {
    inputs.iter().any(|input| has_names(input))
}

/// True for a folder or a zip, whose names are addresses.
fn has_names(input: &Path) -> bool {
    input.is_dir() || matches!(ArchiveKind::detect(input), Ok(ArchiveKind::Zip))
}

fn is_folder_name(output: &Path) -> bool {
    let named = matches!(ArchiveKind::of_name(output), Ok(ArchiveKind::Files | ArchiveKind::Zip));
    named && !Template::is_one(output)
}

/// How an output is written.
#[derive(Debug, clap::Args)]
pub struct OutputArgs {
    /// In MBTiles, store equal tiles once, below a view (PMTiles always do).
    #[arg(long)]
    pub dedup: bool,
    /// Replace an existing archive.
    #[arg(long)]
    pub overwrite: bool,
    /// How tiles are addressed in a folder that is written [default: xyz].
    ///
    /// Where no folder is read, --scheme does the same.
    #[arg(long, value_enum, value_name = "SCHEME")]
    output_scheme: Option<SchemeName>,
}

impl OutputArgs {
    /// True where something was asked for that only archives have.
    pub fn is_of_archives(&self) -> bool {
        self.dedup || self.output_scheme.is_some()
    }

    /// Begins an output; `scheme` is that of a folder, where no other was asked for.
    pub fn create(&self, path: &Path, metadata: &ArchiveMetadata, scheme: Scheme) -> Result<Box<dyn TileSink>> {
        let asked = self.output_scheme.map(SchemeName::scheme);
        if asked.is_some() && !is_folder_name(path) {
            return Err(Error::argument(
                "--output-scheme",
                "is for a folder or a zip of tiles without a pattern: leave it out, or name one",
            ));
        }
        let options = CreateOptions { overwrite: self.overwrite, dedup: self.dedup, remote: true };
        archive::create_as(path, metadata, options, asked.unwrap_or(scheme))
    }
}

/// How tiles are encoded where they are not copied.
#[derive(Debug, clap::Args)]
pub struct EncoderArgs {
    /// How much time to spend on the images. Changes bytes, but no pixel.
    ///
    /// `tiny` takes a hundred times the default's time, for 5 % fewer bytes.
    #[arg(help_heading = "New tiles", id = "encoder_level", long = "encoder-level", value_name = "LEVEL", value_parser = one_of::<Level>())]
    pub level: Option<Level>,
    /// Which encoder writes WebP [default: hypso].
    ///
    /// libwebp, the reference, takes 5 to 20 times the time. Changes bytes, but no pixel.
    #[arg(long, help_heading = "New tiles", value_name = "ENCODER", value_parser = one_of::<WebpEncoder>())]
    pub encoder: Option<WebpEncoder>,
}

impl EncoderArgs {
    pub fn is_empty(&self) -> bool {
        self.level.is_none() && self.encoder.is_none()
    }
}

/// Which part of an archive to take.
#[derive(Debug, clap::Args)]
pub struct PartArgs {
    /// The coarsest zoom to take.
    #[arg(long, help_heading = "Which tiles", value_name = "ZOOM")]
    min_zoom: Option<u8>,
    /// The finest zoom to take.
    #[arg(long, help_heading = "Which tiles", value_name = "ZOOM")]
    max_zoom: Option<u8>,
    /// The zooms to take, such as 3,5,7-9.
    #[arg(long, help_heading = "Which tiles", value_name = "ZOOMS", value_parser = zooms)]
    zoom: Option<Zooms>,
    #[command(flatten)]
    area: AreaArgs,
}

impl PartArgs {
    pub fn selection(&self) -> Result<Selection> {
        Ok(Selection { min_zoom: self.min_zoom, max_zoom: self.max_zoom, zooms: self.zoom, area: self.area.area()? })
    }

    pub fn is_empty(&self) -> bool {
        self.min_zoom.is_none() && self.max_zoom.is_none() && self.zoom.is_none() && self.area.is_empty()
    }
}

/// Opens an archive and says what is odd about it.
fn open_with(path: &Path, options: OpenOptions) -> Result<Box<dyn TileSource>> {
    let source = archive::open_with(path, options)?;
    for warning in source.warnings() {
        say(&format!("warning: {}: {warning}", source.path().display()));
    }
    Ok(source)
}

/// What was asked of a server for an output, where the input is a remote archive.
pub fn report_traffic(source: &dyn TileSource) {
    if let Some(traffic) = archive::traffic(source) {
        say(&format!(
            "{}: {}, {} read{}",
            output::path(source.path()),
            output::counted(traffic.requests, "request"),
            output::bytes(traffic.bytes),
            overhead(traffic.bytes, traffic.kept)
        ));
    }
}

/// The share of bytes that are no tiles that were wanted.
pub fn overhead(read: u64, kept: u64) -> String {
    match read.checked_sub(kept) {
        Some(more) if kept > 0 => {
            let share = more as f64 * 100.0 / kept as f64;
            format!(", {share:.1} % more than the tiles have")
        }
        _ => String::new(),
    }
}

/// One line about tiles that were put into an archive.
pub fn report_added(path: &Path, done: &IntoSummary) -> std::io::Result<()> {
    let tiles = output::counted(done.added, "tile");
    output::line(format!("{}: {tiles} added, {}", output::path(path), output::bytes(done.file_size)))
}

/// One line about a finished archive.
pub fn report(path: &Path, summary: &ArchiveSummary) -> std::io::Result<()> {
    let shared = summary.tiles - summary.contents;
    let shared =
        if shared > 0 { format!(", {} of them share a content", output::count(shared)) } else { String::new() };
    output::line(format!(
        "{}: {}{shared}, {}",
        output::path(path),
        output::counted(summary.tiles, "tile"),
        output::bytes(summary.file_size)
    ))
}
