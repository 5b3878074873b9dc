//! How the addresses of tiles are written in folders and databases, and which way of writing fits declared bounds.

use crate::tile::{Bounds, MAX_ZOOM, TileCoord};

/// How an address is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scheme {
    /// Zoom, column, row; rows count from the north.
    #[default]
    Xyz,
    /// Zoom, column, row; rows count from the south.
    Tms,
    /// Zoom, row, column; rows count from the north.
    Zyx,
}

impl Scheme {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Xyz, Self::Tms, Self::Zyx];

    /// `xyz`, `tms` or `zyx`.
    #[must_use]
    pub fn name(self) -> &'static str {
        ["xyz", "tms", "zyx"][self as usize]
    }

    /// The scheme with a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| scheme.name().eq_ignore_ascii_case(name.trim()))
    }

    /// How its rows count, in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Xyz => "{z}/{x}/{y}, rows from the north (XYZ)",
            Self::Tms => "{z}/{x}/{y}, rows from the south (TMS)",
            Self::Zyx => "{z}/{y}/{x}, rows from the north (ZYX)",
        }
    }

    /// The tile at an address; `None` where it lies outside of the zoom's grid.
    pub(super) fn tile(self, z: u8, (a, b): (u32, u32)) -> Option<TileCoord> {
        let inside = z <= MAX_ZOOM && u64::from(a) < 1 << z && u64::from(b) < 1 << z;
        let (x, y) = match self {
            _ if !inside => return None,
            Self::Xyz => (a, b),
            Self::Tms => (a, flip(z, b)),
            Self::Zyx => (b, a),
        };
        TileCoord::new(z, x, y)
    }

    /// The two numbers behind the zoom.
    pub(super) fn address(self, tile: TileCoord) -> (u32, u32) {
        match self {
            Self::Xyz => (tile.x(), tile.y()),
            Self::Tms => (tile.x(), flip(tile.z(), tile.y())),
            Self::Zyx => (tile.y(), tile.x()),
        }
    }
}

/// The row of the other way of counting: from the north to from the south and back.
pub(super) fn flip(z: u8, row: u32) -> u32 {
    ((1u64 << z) - 1 - u64::from(row)) as u32
}

/// How well a sample of addresses fits declared bounds, read in each scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fit {
    counts: [usize; 3],
    of: usize,
}

/// What bounds say about a scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing speaks against it.
    Fits,
    /// The other one fits and this one doesn't.
    Other(Scheme),
    /// The other one fits better, but not clearly enough to take it.
    Doubtful(Scheme),
}

impl Fit {
    /// Counts the addresses whose tile shares more than a sliver with the bounds.
    pub(super) fn of(bounds: [f64; 4], zoom: u8, addresses: &[(u32, u32)]) -> Self {
        let [west, south, east, north] = bounds;
        let area = Bounds::from_lon_lat(west, south, east, north);
        let shares = |scheme: Scheme, at: (u32, u32)| {
            scheme.tile(zoom, at).is_some_and(|tile| {
                let tile = tile.bounds();
                let common = tile.intersection(&area);
                common.width() > tile.width().min(area.width()) / 100.0
                    && common.height() > tile.height().min(area.height()) / 100.0
            })
        };
        let count = |scheme| addresses.iter().filter(|&&at| shares(scheme, at)).count();
        Self { counts: Scheme::ALL.map(count), of: addresses.len() }
    }

    /// Whether one of `others` fits better than the scheme that is in use.
    pub(super) fn verdict(&self, used: Scheme, others: &[Scheme]) -> Verdict {
        let mine = self.counts[used as usize];
        // Of equal ones the first.
        let best = others.iter().rev().max_by_key(|&&other| self.counts[other as usize]);
        match best {
            Some(&other) if self.counts[other as usize] > mine => {
                let sure = mine == 0 || (self.counts[other as usize] == self.of && 2 * mine <= self.of);
                if sure { Verdict::Other(other) } else { Verdict::Doubtful(other) }
            }
            _ => Verdict::Fits,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lead_to_tiles_and_back() {
        for scheme in Scheme::ALL {
            assert_eq!(Scheme::from_name(scheme.name()), Some(scheme));
            for tile in [(0, 0, 0), (3, 7, 3), (31, 5, (1 << 31) - 1)] {
                let tile = TileCoord::new(tile.0, tile.1, tile.2).unwrap();
                assert_eq!(scheme.tile(tile.z(), scheme.address(tile)), Some(tile), "{scheme:?}");
            }
            assert_eq!((scheme.tile(1, (2, 0)), scheme.tile(1, (0, 2)), scheme.tile(32, (0, 0))), (None, None, None));
        }
        assert_eq!(Scheme::Tms.address(TileCoord::new(3, 7, 3).unwrap()), (7, 4));
        assert_eq!(Scheme::Zyx.address(TileCoord::new(3, 7, 3).unwrap()), (3, 7));
    }

    #[test]
    fn bounds_tell_schemes_apart() {
        let japan = [136.0, 1.0, 179.0, 40.0];
        let fit = |addresses: &[(u32, u32)]| Fit::of(japan, 3, addresses);
        assert_eq!(fit(&[(7, 3)]).verdict(Scheme::Xyz, &[Scheme::Tms, Scheme::Zyx]), Verdict::Fits);
        assert_eq!(fit(&[(7, 4)]).verdict(Scheme::Xyz, &[Scheme::Tms, Scheme::Zyx]), Verdict::Other(Scheme::Tms));
        assert_eq!(fit(&[(3, 7)]).verdict(Scheme::Xyz, &[Scheme::Tms, Scheme::Zyx]), Verdict::Other(Scheme::Zyx));
        // Across the equator some fit both ways.
        let both = Fit::of([136.0, -30.0, 179.0, 40.0], 3, &[(7, 3), (7, 4), (7, 3)]);
        assert_eq!(both.verdict(Scheme::Xyz, &[Scheme::Tms]), Verdict::Fits);
        let mixed = fit(&[(7, 3), (7, 3), (7, 4), (7, 4), (7, 4)]);
        assert_eq!(mixed.verdict(Scheme::Xyz, &[Scheme::Tms]), Verdict::Doubtful(Scheme::Tms));
        // Bounds that lie elsewhere say nothing.
        assert_eq!(
            Fit::of([-100.0, -40.0, -90.0, -30.0], 3, &[(7, 3)]).verdict(Scheme::Xyz, &[Scheme::Tms]),
            Verdict::Fits
        );
    }
}
