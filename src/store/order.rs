//! The candidate order of records: which one wins a pixel.

/// How much larger a pixel size may be than the least one of its class, as a part of it. Sizes are measured by differences of
/// coordinates, so sizes of one product differ by rounding.
const ALIKE: f64 = 1e-6;

/// Gives each pixel size its class: the least size of those that count as equal.
///
/// Sizes come in ascending order within a priority, and priority by priority. The first size of a priority begins a class; the class
/// holds all sizes up to a millionth larger, and the next larger one begins another. So classes depend on the set of sizes alone, and
/// a chain of small differences does not make unlike sizes equal.
#[derive(Debug, Default)]
pub(super) struct Classes {
    class: Option<(u16, f64)>,
}

impl Classes {
    /// The class of the next pixel size.
    pub(super) fn of(&mut self, priority: u16, size: f64) -> f64 {
        match self.class {
            Some((known, least)) if known == priority && size <= least * (1.0 + ALIKE) => least,
            _ => {
                self.class = Some((priority, size));
                size
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_differ_by_rounding_are_one_class_and_chains_are_cut() {
        let classes = |sizes: &[(u16, f64)]| {
            let mut classes = Classes::default();
            sizes.iter().map(|&(priority, size)| classes.of(priority, size)).collect::<Vec<_>>()
        };
        assert_eq!(classes(&[(0, 30.0), (0, 30.000_000_1), (0, 30.000_02), (0, 31.0)]), [30.0, 30.0, 30.0, 31.0]);
        assert_eq!(classes(&[(0, 30.0), (1, 30.000_000_1)]), [30.0, 30.000_000_1]);
        let chain: Vec<(u16, f64)> = (0..30).map(|i| (0, 10.0 * (1.0 + f64::from(i) * 3e-7))).collect();
        let mut found = classes(&chain);
        found.dedup();
        assert_eq!(found.len(), 8);
    }
}
