//! One tile out of several that cover the same ground.

use crate::terrain::ElevationTile;

/// Which value a pixel takes where several tiles have one. Pixels without data never take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rule {
    /// The first one in the order of the inputs.
    #[default]
    First,
    /// The highest; of equal ones the first.
    Max,
    /// The lowest; of equal ones the first.
    Min,
    /// The mean, summed in f64 in the order of the inputs.
    Mean,
}

/// A pixel that no input gave.
pub const NO_INPUT: u8 = u8::MAX;

/// A combined tile.
#[derive(Debug, Clone, PartialEq)]
pub struct Combined {
    /// The heights.
    pub tile: ElevationTile,
    /// For each pixel the number of the input that gave the value, of a mean the first of them; [`NO_INPUT`] where none
    /// did.
    pub winners: Vec<u8>,
}

/// Combines tiles of one size, up to 255 of them; `None` where they differ in size or there are none or too many.
///
/// A height equal to `nodata` counts as none. Costs one pass over the pixels of each tile.
#[must_use]
pub fn combine(tiles: &[&ElevationTile], rule: Rule, nodata: Option<f32>) -> Option<Combined> {
    let size = tiles.first()?.size;
    if tiles.len() >= usize::from(NO_INPUT) || tiles.iter().any(|tile| tile.size != size) {
        return None;
    }
    let mut out = ElevationTile::empty(size);
    let mut winners = vec![NO_INPUT; out.values.len()];
    let mut sums = if rule == Rule::Mean { vec![(0.0f64, 0u32); out.values.len()] } else { Vec::new() };
    for (n, tile) in tiles.iter().enumerate() {
        for (at, (&value, &valid)) in tile.values.iter().zip(&tile.valid).enumerate() {
            if valid == 0 || Some(value) == nodata {
                continue;
            }
            let takes = winners[at] == NO_INPUT
                || match rule {
                    Rule::First | Rule::Mean => false,
                    Rule::Max => value > out.values[at],
                    Rule::Min => value < out.values[at],
                };
            if takes {
                (out.values[at], out.valid[at], winners[at]) = (value, 1, n as u8);
            }
            if let Some((sum, count)) = sums.get_mut(at) {
                *sum += f64::from(value);
                *count += 1;
            }
        }
    }
    for (value, (sum, count)) in out.values.iter_mut().zip(sums) {
        if count > 0 {
            *value = (sum / f64::from(count)) as f32;
        }
    }
    Some(Combined { tile: out, winners })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile(values: [Option<f32>; 4]) -> ElevationTile {
        let mut tile = ElevationTile::empty(2);
        for (at, value) in values.into_iter().enumerate() {
            if let Some(value) = value {
                (tile.values[at], tile.valid[at]) = (value, 1);
            }
        }
        tile
    }

    #[test]
    fn rules_and_nodata() {
        let a = tile([Some(5.0), None, Some(0.0), None]);
        let b = tile([Some(7.0), Some(2.0), Some(3.0), None]);
        let c = tile([Some(-1.0), Some(2.0), Some(3.0), None]);
        let run = |rule, nodata| {
            let out = combine(&[&a, &b, &c], rule, nodata).unwrap();
            assert_eq!(out.tile.valid, [1, 1, 1, 0]);
            (out.tile.values, out.winners)
        };
        let n = NO_INPUT;
        assert_eq!(run(Rule::First, None), (vec![5.0, 2.0, 0.0, 0.0], vec![0, 1, 0, n]));
        assert_eq!(run(Rule::First, Some(0.0)), (vec![5.0, 2.0, 3.0, 0.0], vec![0, 1, 1, n]));
        assert_eq!(run(Rule::Max, None), (vec![7.0, 2.0, 3.0, 0.0], vec![1, 1, 1, n]));
        assert_eq!(run(Rule::Min, None), (vec![-1.0, 2.0, 0.0, 0.0], vec![2, 1, 0, n]));
        assert_eq!(run(Rule::Mean, Some(0.0)), (vec![11.0f32 / 3.0, 2.0, 3.0, 0.0], vec![0, 1, 1, n]));
        assert_eq!(combine(&[&a, &ElevationTile::empty(4)], Rule::First, None), None);
        assert_eq!(combine(&[], Rule::First, None), None);
    }
}
