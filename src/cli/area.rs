//! Areas on the command line: boxes, points and outlines, in every form in which people write them.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::tile::{Area, LonLat, LonLatBox, Polygons};

/// Which tiles are wanted, by their place. All tiles that share area with it are taken whole.
#[derive(Debug, Clone, clap::Args)]
pub struct AreaArgs {
    /// Only tiles that share area with one of these boxes, in degrees.
    ///
    /// West, south, east, north; may be given several times. West above east: across 180 degrees.
    #[arg(long, help_heading = "Which tiles", value_name = "W,S,E,N", allow_hyphen_values = true, value_parser = bbox)]
    bbox: Vec<LonLatBox>,
    /// Only tiles that share area with these polygons, in degrees.
    ///
    /// Longitude and latitude; lines are straight in degrees; holes are holes.
    #[arg(long, help_heading = "Which tiles", value_name = "FILE.geojson", alias = "polygon")]
    clip: Option<PathBuf>,
}

/// Boxes alone, of whatever shares area with them.
#[derive(Debug, Clone, clap::Args)]
pub struct BoxArgs {
    /// What shares area with one of these boxes: west, south, east, north in degrees.
    ///
    /// May be given several times. West above east: across 180 degrees.
    #[arg(long, value_name = "W,S,E,N", allow_hyphen_values = true, value_parser = bbox)]
    pub bbox: Vec<LonLatBox>,
}

impl AreaArgs {
    pub fn is_empty(&self) -> bool {
        self.bbox.is_empty() && self.clip.is_none()
    }

    /// Reads the outline, and says what is odd about it.
    pub fn area(&self) -> Result<Option<Area>> {
        let polygons = self.clip.as_deref().map(Polygons::read).transpose()?;
        if let (Some(width), Some(path)) = (polygons.as_ref().and_then(Polygons::widest_line), &self.clip) {
            super::say(&format!(
                "warning: {}: a line is {width:.1} degrees long and taken as it is drawn, through longitude 0; to cross 180 degrees write 170 to 190, or cut the polygon there",
                path.display()
            ));
        }
        Ok(Area::of(self.bbox.iter().copied(), polygons))
    }
}

/// A box, for clap.
pub fn bbox(text: &str) -> std::result::Result<LonLatBox, String> {
    text.parse().map_err(problem)
}

/// A point, for clap.
pub fn point(text: &str) -> std::result::Result<LonLat, String> {
    text.parse().map_err(problem)
}

/// The problem alone: clap names the option.
fn problem(error: Error) -> String {
    match error {
        Error::Argument { problem, .. } => problem,
        other => super::words::error(&other),
    }
}

/// Options that take several numbers, and how many.
const NUMBERS: [(&str, usize); 4] = [("--bbox", 4), ("--bounds", 4), ("--center", 3), ("--point", 2)];

/// The arguments, with the numbers of a box or a point joined by commas: `--bbox -10 -10 179 60`, `--bbox -10,-10,179,60`,
/// `--bbox=-10, -10, 179, 60` are the same. The list ends where a word is no number.
pub fn join_numbers(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut out: Vec<OsString> = Vec::new();
    let mut arguments = arguments.into_iter().peekable();
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            out.push(argument);
            break;
        }
        let text = argument.to_str().unwrap_or_default();
        // A point by itself, in the west: behind a space it is not taken for an option.
        if text.starts_with('-') && text.contains(',') && numbers(text) == Some(2) {
            out.push(format!(" {text}").into());
            continue;
        }
        let option =
            |(name, _): &&(&str, usize)| text.strip_prefix(name).is_some_and(|r| r.is_empty() || r.starts_with('='));
        let Some(&(name, wanted)) = NUMBERS.iter().find(option) else {
            out.push(argument);
            continue;
        };
        let mut parts: Vec<String> = text[name.len()..].strip_prefix('=').map(String::from).into_iter().collect();
        let count = |parts: &[String]| parts.iter().map(|part| numbers(part).unwrap_or(wanted)).sum::<usize>();
        while count(&parts) < wanted
            && let Some(next) = arguments.next_if(|next| next.to_str().is_some_and(|t| numbers(t).is_some()))
        {
            parts.extend(next.into_string());
        }
        if parts.is_empty() {
            out.push(argument);
        } else {
            let parts: Vec<&str> = parts.iter().map(|part| part.trim().trim_end_matches(',')).collect();
            out.push(format!("{name}={}", parts.join(",")).into());
        }
    }
    out.extend(arguments);
    out
}

/// How many numbers a text holds, separated by commas or spaces and maybe followed by a comma; `None` where it holds anything else.
fn numbers(text: &str) -> Option<usize> {
    let parts = text.trim().trim_end_matches(',').split([',', ' ']).filter(|part| !part.is_empty());
    let all: Vec<bool> = parts.map(|part| part.parse::<f64>().is_ok()).collect();
    (!all.is_empty() && all.iter().all(|&number| number)).then_some(all.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_joined_and_nothing_else_is_swallowed() {
        let joined = |line: &str| {
            let words = line.split_whitespace().map(|w| OsString::from(w.replace('_', " ")));
            let out = join_numbers(words).into_iter().map(|a| a.into_string().unwrap());
            out.collect::<Vec<_>>().join(" ")
        };
        for (line, want) in [
            ("x --bbox 1 2 3 4 a.pmtiles", "x --bbox=1,2,3,4 a.pmtiles"),
            ("x --bbox -1 -2 3 4 -o b", "x --bbox=-1,-2,3,4 -o b"),
            ("x --bbox -1,-2,3,4 7", "x --bbox=-1,-2,3,4 7"),
            ("x --bbox=-1,-2,3,4 7", "x --bbox=-1,-2,3,4 7"),
            ("x --bbox=-1 -2 3 4 7", "x --bbox=-1,-2,3,4 7"),
            ("x --bbox -1, -2, 3, 4 -o b", "x --bbox=-1,-2,3,4 -o b"),
            ("x --bbox -1,-2, 3,4, z", "x --bbox=-1,-2,3,4 z"),
            ("x --bbox -1_-2_3_4 z", "x --bbox=-1 -2 3 4 z"),
            ("x --bbox 1 2 3 --max-zoom 4", "x --bbox=1,2,3 --max-zoom 4"),
            ("x --bbox -o b", "x --bbox -o b"),
            ("x --bbox 1,2,x,4 9", "x --bbox 1,2,x,4 9"),
            ("x --bbox=1,2,x,4 9", "x --bbox=1,2,x,4 9"),
            ("x --bounds -1 -2 3 4 --center -1 2 5 z", "x --bounds=-1,-2,3,4 --center=-1,2,5 z"),
            ("x --bboxes 1 2", "x --bboxes 1 2"),
            ("x --point 139 -34.2 --nearest 3", "x --point=139,-34.2 --nearest 3"),
            ("x --point -139,34.2 3", "x --point=-139,34.2 3"),
            ("x -139,34.2 -1,-2 -o b", "x  -139,34.2  -1,-2 -o b"),
            ("x -- --bbox 1 2 3 4", "x -- --bbox 1 2 3 4"),
        ] {
            assert_eq!(joined(line), want, "{line}");
        }
    }
}
