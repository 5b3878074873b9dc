//! Commands that ask for heights: `height`, `profile`, `stats`, `sight`.

mod chart;
mod columns;
pub mod height;
pub mod profile;
pub mod sight;
pub mod stats;
mod stream;

use std::io::{BufReader, IsTerminal, Read};
use std::path::Path;

use crate::archive::ArchiveKind;
use crate::archive::heights::CachedHeights;
use crate::archive::pmtiles::TileReader;
use crate::error::{Error, Result};
use crate::heights::{HeightQueries, Heights, Interpolation, Sampling, Voids};

/// Bytes of decoded tiles that are kept for archives.
const CACHE: u64 = 512 << 20;

/// How heights are found.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "How heights are found")]
pub struct SamplingArgs {
    /// Take the pixel that a point lies in, instead of the bilinear mean of the four around it.
    #[arg(long)]
    nearest: bool,
    /// In voids, take the height of a coarser tile, where one has it.
    #[arg(long)]
    fill_voids: bool,
    /// The finest zoom that is looked at [default: the finest there is].
    #[arg(long, value_name = "ZOOM", value_parser = clap::value_parser!(u8).range(0..=31))]
    max_zoom: Option<u8>,
}

impl SamplingArgs {
    fn sampling(&self) -> Sampling {
        let mut how = Sampling::default();
        if self.nearest {
            how = how.interpolation(Interpolation::Nearest);
        }
        if self.fill_voids {
            how = how.voids(Voids::FillFromCoarser);
        }
        self.max_zoom.map_or(how, |zoom| how.up_to_zoom(zoom))
    }
}

/// Opens a file of heights, or a PMTiles archive of terrain, whose tiles are decoded and kept.
fn open(path: &Path) -> Result<Box<dyn HeightQueries>> {
    match ArchiveKind::detect(path) {
        Ok(ArchiveKind::Pmtiles) => {
            let cached = TileReader::open(path).and_then(|reader| CachedHeights::new(reader, CACHE));
            Ok(Box::new(cached.map_err(|error| error.with_path(path))?))
        }
        Ok(ArchiveKind::Mbtiles | ArchiveKind::Files | ArchiveKind::Zip) => {
            let remedy = "make a file of heights of it first: `archive::convert`";
            Err(Error::other_kind("holds tiles that can't be asked for heights", remedy).with_path(path))
        }
        // Anything else is refused as no file of heights.
        Ok(ArchiveKind::Heights) | Err(_) => Ok(Box::new(Heights::open(path)?)),
    }
}

/// An input by its name; `-` and nothing are stdin.
fn input(from: Option<&Path>, what: &str) -> Result<Box<dyn Read + Send>> {
    match from {
        Some(path) if path != Path::new("-") => {
            let file = std::fs::File::open(path).map_err(Error::io("open", path))?;
            Ok(Box::new(BufReader::new(file)))
        }
        None if std::io::stdin().is_terminal() => Err(Error::argument(
            what,
            "none are given; write them after the file, name a file with --from, or pipe them in",
        )),
        _ => Ok(Box::new(std::io::stdin())),
    }
}

/// The name of an input in messages.
fn input_name(from: Option<&Path>) -> &Path {
    from.filter(|from| *from != Path::new("-")).unwrap_or(Path::new("stdin"))
}

/// Writes a number with so many decimals; never `-0`.
fn decimal(out: &mut Vec<u8>, value: f64, digits: usize) {
    let scaled = (value * 10f64.powi(digits as i32)).round();
    if digits > 9 || scaled.abs() >= 1e15 {
        return out.extend_from_slice(format!("{value:.digits$}").as_bytes());
    }
    let mut rest = scaled.abs() as u64;
    let mut text = [b'0'; 24];
    let (mut at, mut written) = (text.len(), 0);
    while written <= digits || rest > 0 {
        if written == digits && digits > 0 {
            at -= 1;
            text[at] = b'.';
        }
        at -= 1;
        text[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        written += 1;
    }
    if scaled < 0.0 {
        at -= 1;
        text[at] = b'-';
    }
    out.extend_from_slice(&text[at..]);
}

/// The name of a source by its number; empty where there is none.
fn source(names: &[String], number: Option<u8>) -> &str {
    number.and_then(|n| names.get(usize::from(n))).map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_the_formatter_writes_them() {
        let mut seed = 1u64;
        for n in 0..20_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // A quarter of a millimetre off a rounding edge, so that the sum of both roundings is one.
            let value = (seed >> 40) as i64 as f64 / 1000.0 - 8000.0 + 0.000_25;
            for digits in 0..4 {
                let mut out = Vec::new();
                decimal(&mut out, value, digits);
                let expected = format!("{value:.digits$}");
                // What rounds to nothing has no sign here.
                let zero = expected.strip_prefix('-').filter(|rest| rest.chars().all(|c| matches!(c, '0' | '.')));
                assert_eq!(String::from_utf8(out).unwrap(), zero.unwrap_or(&expected), "{n}");
            }
        }
        for (value, digits, text) in
            [(0.0, 2, "0.00"), (-0.001, 2, "0.00"), (5.0, 0, "5"), (10.0, 1, "10.0"), (-3776.24, 1, "-3776.2")]
        {
            let mut out = Vec::new();
            decimal(&mut out, value, digits);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
