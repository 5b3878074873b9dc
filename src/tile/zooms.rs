//! Zooms that are wanted: a list, as people write it.

use std::fmt;
use std::str::FromStr;

use super::MAX_ZOOM;
use crate::error::{Error, Result};

/// Some zooms from 0 to [`MAX_ZOOM`].
///
/// ```
/// use hypso::tile::Zooms;
/// let zooms: Zooms = "3,5,7-9".parse()?;
/// assert_eq!(zooms.iter().collect::<Vec<_>>(), [3, 5, 7, 8, 9]);
/// # Ok::<(), hypso::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zooms(u32);

impl Zooms {
    /// All zooms.
    pub const ALL: Self = Self(u32::MAX);

    /// The zooms from `first` to `last`.
    #[must_use]
    pub fn range(first: u8, last: u8) -> Self {
        let up_to = |zoom: u8| u32::MAX >> (MAX_ZOOM - zoom.min(MAX_ZOOM));
        let below = first.checked_sub(1).map_or(0, up_to);
        Self(up_to(last) & !below)
    }

    /// True for one of them.
    #[must_use]
    pub fn contains(self, zoom: u8) -> bool {
        zoom <= MAX_ZOOM && self.0 >> zoom & 1 == 1
    }

    /// Those that both have.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// True where there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// All of them, ascending.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = u8> {
        (0..=MAX_ZOOM).filter(move |&zoom| self.contains(zoom))
    }
}

impl FromStr for Zooms {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong =
            || Error::argument("zooms", format!("expected zooms from 0 to {MAX_ZOOM} such as 3,5,7-9, found {text:?}"));
        let zoom = |text: &str| text.trim().parse().ok().filter(|&zoom: &u8| zoom <= MAX_ZOOM).ok_or_else(wrong);
        let mut all = Self(0);
        for part in text.split(',') {
            let (first, last) = match part.split_once('-') {
                Some((first, last)) => (zoom(first)?, zoom(last)?),
                None => (zoom(part)?, zoom(part)?),
            };
            if first > last {
                return Err(wrong());
            }
            all.0 |= Self::range(first, last).0;
        }
        Ok(all)
    }
}

impl fmt::Display for Zooms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.iter().map(|zoom| zoom.to_string()).collect();
        f.write_str(&names.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_ranges_are_read_and_nonsense_refused() {
        let of = |text: &str| text.parse::<Zooms>().map(|zooms| zooms.to_string());
        for (text, list) in [("0", "0"), ("3,5,7-9", "3,5,7,8,9"), (" 9 - 9 , 31", "9,31"), ("5,5,4-5", "4,5")] {
            assert_eq!(of(text).unwrap(), list, "{text}");
        }
        for text in ["", ",", "32", "-1", "5-3", "1-2-3", "a", "3,", "0x1"] {
            assert!(of(text).is_err(), "{text}");
        }
        assert_eq!(Zooms::range(0, 31), Zooms::ALL);
        assert!(Zooms::range(4, 3).is_empty() && Zooms::range(2, 9).and(Zooms::range(9, 31)) == Zooms::range(9, 9));
        assert!(!Zooms::ALL.contains(32));
    }
}
