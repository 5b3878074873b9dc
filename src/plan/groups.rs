//! How a zoom range is cut into groups.

use std::str::FromStr;

use crate::error::{Error, Result};
use crate::tile::MAX_NATIVE_ZOOM;

/// Zooms from `min` to `max`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ZoomRange {
    /// The coarsest zoom.
    pub min: u8,
    /// The finest zoom.
    pub max: u8,
}

impl ZoomRange {
    /// A range.
    ///
    /// # Errors
    /// Where `min` is above `max` or `max` above [`MAX_NATIVE_ZOOM`].
    pub fn new(min: u8, max: u8) -> Result<Self> {
        if min <= max && max <= MAX_NATIVE_ZOOM {
            return Ok(Self { min, max });
        }
        Err(Error::argument(
            "zoom range",
            format!("{min}-{max} is impossible; give two zooms from 0 to {MAX_NATIVE_ZOOM}, the smaller one first"),
        ))
    }

    /// True where the zoom lies inside.
    #[must_use]
    pub fn contains(&self, z: u8) -> bool {
        (self.min..=self.max).contains(&z)
    }

    /// The zooms, coarsest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = u8> + use<> {
        self.min..=self.max
    }
}

impl std::fmt::Display for ZoomRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.min, self.max)
    }
}

impl FromStr for ZoomRange {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (min, max) = text.split_once('-').unwrap_or((text, text));
        match (min.trim().parse(), max.trim().parse()) {
            (Ok(min), Ok(max)) => Self::new(min, max),
            _ => Err(Error::argument("zoom range", format!("{text:?} is not of the form 0-10 or 12"))),
        }
    }
}

/// How zooms are cut into groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Pattern {
    /// One group.
    Single,
    /// 0-10, 11-12, 13-14, 15-16.
    #[default]
    Balanced,
    /// 0-9, 10-11, then each zoom alone up to 14, and 15-16.
    Safe,
    /// 0-11, 12-13, 14-16.
    Fast,
    /// 0-6, 7-9, then each zoom alone.
    Incremental,
    /// By the store: from the finest zoom on, a group takes zooms as long as they have at most this many tiles together. A zoom
    /// with more tiles is a group of its own.
    Dynamic(u64),
    /// Ranges of the user's own, such as `0-9,10-12,13`.
    Custom(Vec<ZoomRange>),
}

/// The default number of tiles in a group of the dynamic pattern: some tens of gigabytes.
const DYNAMIC_TILES: u64 = 500_000;

impl Pattern {
    /// The groups that cover `zooms`, finest first. Zooms beyond a named pattern are groups of their own. `tiles` says how
    /// many tiles a zoom has, for the dynamic pattern.
    ///
    /// # Errors
    /// Where custom ranges overlap, or leave out a zoom of `zooms`; the message says which.
    pub fn groups(&self, zooms: ZoomRange, tiles: &dyn Fn(u8) -> u64) -> Result<Vec<ZoomRange>> {
        if let Self::Dynamic(limit) = self {
            return Ok(by_count(zooms, *limit, tiles));
        }
        let named: &[(u8, u8)] = match self {
            Self::Single => &[(0, MAX_NATIVE_ZOOM)],
            Self::Balanced => &[(0, 10), (11, 12), (13, 14), (15, 16)],
            Self::Safe => &[(0, 9), (10, 11), (12, 12), (13, 13), (14, 14), (15, 16)],
            Self::Fast => &[(0, 11), (12, 13), (14, 16)],
            Self::Incremental => &[(0, 6), (7, 9)],
            Self::Custom(_) | Self::Dynamic(_) => &[],
        };
        let mut ranges: Vec<ZoomRange> = named.iter().map(|&(min, max)| ZoomRange { min, max }).collect();
        if let Self::Custom(own) = self {
            ranges.extend(own);
            ranges.sort_unstable();
            check_contiguous(&ranges, zooms)?;
        } else {
            let next = ranges.last().map_or(0, |r| r.max + 1);
            ranges.extend((next..=MAX_NATIVE_ZOOM).map(|z| ZoomRange { min: z, max: z }));
        }
        let clipped = ranges.into_iter().rev().map(|r| (r.min.max(zooms.min), r.max.min(zooms.max)));
        Ok(clipped.filter(|(min, max)| min <= max).map(|(min, max)| ZoomRange { min, max }).collect())
    }
}

fn by_count(zooms: ZoomRange, limit: u64, tiles: &dyn Fn(u8) -> u64) -> Vec<ZoomRange> {
    let mut groups: Vec<(ZoomRange, u64)> = Vec::new();
    for z in zooms.iter().rev() {
        let count = tiles(z);
        match groups.last_mut() {
            Some((group, sum)) if sum.saturating_add(count) <= limit => {
                group.min = z;
                *sum += count;
            }
            _ => groups.push((ZoomRange { min: z, max: z }, count)),
        }
    }
    groups.into_iter().map(|(group, _)| group).collect()
}

fn check_contiguous(ranges: &[ZoomRange], zooms: ZoomRange) -> Result<()> {
    let bad = |problem: String| Err(Error::argument("pattern", problem));
    for pair in ranges.windows(2) {
        if pair[1].min <= pair[0].max {
            return bad(format!("{} and {} both hold zoom {}", pair[0], pair[1], pair[1].min));
        }
        if pair[1].min > pair[0].max + 1 {
            return bad(format!("zoom {} lies in the gap between {} and {}", pair[0].max + 1, pair[0], pair[1]));
        }
    }
    match (ranges.first(), ranges.last()) {
        (Some(first), Some(last)) if first.min <= zooms.min && zooms.max <= last.max => Ok(()),
        (Some(first), Some(last)) => {
            let missing = if first.min > zooms.min { zooms.min } else { last.max + 1 };
            bad(format!("{}-{} do not cover zoom {missing} of {zooms}", first.min, last.max))
        }
        _ => bad("no range is given".into()),
    }
}

impl FromStr for Pattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "single" => Self::Single,
            "balanced" => Self::Balanced,
            "safe" => Self::Safe,
            "fast" => Self::Fast,
            "incremental" => Self::Incremental,
            "dynamic" => Self::Dynamic(DYNAMIC_TILES),
            _ if text.starts_with("dynamic:") => {
                let limit = text["dynamic:".len()..].parse().ok().filter(|&n| n > 0);
                let wrong = || {
                    Error::argument("split pattern", format!("{text:?}: give dynamic:TILES, such as dynamic:200000"))
                };
                Self::Dynamic(limit.ok_or_else(wrong)?)
            }
            _ if text.starts_with(|c: char| c.is_ascii_digit()) => {
                Self::Custom(text.split(',').map(str::parse).collect::<Result<_>>()?)
            }
            _ => {
                let names =
                    "single, balanced, safe, fast, incremental, dynamic, dynamic:TILES, or ranges such as 0-9,10-12,13";
                return Err(Error::argument("split pattern", format!("{text:?} is not one of {names}")));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pattern: &str, zooms: &str) -> Result<Vec<String>> {
        let groups = pattern.parse::<Pattern>()?.groups(zooms.parse()?, &|z| 1 << (2 * z))?;
        Ok(groups.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn named_patterns_cover_every_zoom_once() {
        assert_eq!(texts("balanced", "0-16").unwrap(), ["15-16", "13-14", "11-12", "0-10"]);
        assert_eq!(texts("safe", "0-16").unwrap(), ["15-16", "14-14", "13-13", "12-12", "10-11", "0-9"]);
        assert_eq!(texts("fast", "2-13").unwrap(), ["12-13", "2-11"]);
        assert_eq!(texts("incremental", "0-11").unwrap(), ["11-11", "10-10", "7-9", "0-6"]);
        // 4^z tiles at zoom z: 65536 + 16384 + ... + 1 = 87381 fit into one group, with zoom 9 they do not.
        assert_eq!(texts("dynamic:90000", "0-10").unwrap(), ["10-10", "9-9", "0-8"]);
        assert_eq!(texts("dynamic", "0-9").unwrap(), ["0-9"]);
        assert!(texts("dynamic:0", "0-9").unwrap_err().to_string().contains("dynamic:TILES"));
        for name in ["single", "balanced", "safe", "fast", "incremental", "dynamic", "dynamic:2"] {
            for (min, max) in [(0, 22), (3, 17), (5, 5), (16, 18)] {
                let groups = name.parse::<Pattern>().unwrap().groups(ZoomRange { min, max }, &|_| 1).unwrap();
                let zooms: Vec<u8> = groups.iter().rev().flat_map(ZoomRange::iter).collect();
                assert_eq!(zooms, (min..=max).collect::<Vec<_>>(), "{name}");
            }
        }
    }

    #[test]
    fn custom_ranges_say_where_the_gap_is() {
        assert_eq!(texts("0-9,10-12,13", "0-13").unwrap(), ["13-13", "10-12", "0-9"]);
        let message = |p, z| texts(p, z).unwrap_err().to_string();
        assert!(message("0-9,11-12", "0-12").contains("zoom 10 lies in the gap"));
        assert!(message("0-9,9-12", "0-12").contains("both hold zoom 9"));
        assert!(message("0-9", "0-12").contains("zoom 10"));
        assert!(message("2-12", "0-12").contains("zoom 0"));
        assert!(message("5-2", "0-12").contains("impossible"));
        assert!(message("nonsense", "0-12").contains("balanced"));
    }
}
