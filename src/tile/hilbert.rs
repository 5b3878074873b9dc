//! Positions on the Hilbert curve of tile identifiers, four levels at a time.
//!
//! Going down the curve from the top, each level may exchange the axes of all lower ones and turn both around; these four
//! states are all there is. So a table gives, for a state and four bits of each axis, eight bits of the position and the
//! next state.

/// For `state << 8 | x << 4 | y`: eight bits of the position, and the next state above them.
const STEPS: [u16; 1024] = {
    let mut steps = [0; 1024];
    let mut at = 0;
    while at < 1024 {
        let (mut state, mut digits, mut level) = (at >> 8, 0, 4);
        while level > 0 {
            level -= 1;
            let (digit, next) = one_level(state, at >> (4 + level) & 1, at >> level & 1);
            (digits, state) = (digits << 2 | digit, next);
        }
        steps[at] = (state << 8 | digits) as u16;
        at += 1;
    }
    steps
};

/// Bit 0 of a state: the axes are exchanged; bit 1: both are turned around.
const fn one_level(state: usize, x: usize, y: usize) -> (usize, usize) {
    let turned = state >> 1;
    let (x, y) = (x ^ turned, y ^ turned);
    let (x, y) = if state & 1 == 1 { (y, x) } else { (x, y) };
    let next = if y == 1 { state } else { state ^ 1 ^ (x << 1) };
    ((3 * x) ^ y, next)
}

/// The position of a cell on the curve over `2^levels` by `2^levels` cells; columns eastwards, rows southwards. At most 32
/// levels.
#[inline]
pub(crate) fn position(x: u32, y: u32, levels: u32) -> u64 {
    let (mut state, mut position, mut left) = (0usize, 0u64, levels);
    while !left.is_multiple_of(4) {
        left -= 1;
        let (digit, next) = one_level(state, (x >> left & 1) as usize, (y >> left & 1) as usize);
        (position, state) = (position << 2 | digit as u64, next);
    }
    while left > 0 {
        left -= 4;
        let step = STEPS[state << 8 | ((x >> left & 15) << 4 | y >> left & 15) as usize];
        (position, state) = (position << 8 | u64::from(step & 0xff), usize::from(step >> 8));
    }
    position
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The loop of the PMTiles specification, level by level.
    fn by_level(x: u32, y: u32, levels: u32) -> u64 {
        let (mut x, mut y, mut d) = (u64::from(x), u64::from(y), 0u64);
        for level in (0..levels).rev() {
            let s = 1u64 << level;
            let (rx, ry) = (x >> level & 1, y >> level & 1);
            d = d << 2 | ((3 * rx) ^ ry);
            (x, y) = (x & (s - 1), y & (s - 1));
            if ry == 0 {
                if rx == 1 {
                    (x, y) = (s - 1 - x, s - 1 - y);
                }
                std::mem::swap(&mut x, &mut y);
            }
        }
        d
    }

    #[test]
    fn equals_the_curve_level_by_level() {
        for levels in 0..=32u32 {
            let last = if levels == 0 { 0 } else { u32::MAX >> (32 - levels) };
            let mut state = 7u32;
            for _ in 0..200 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let (x, y) = (state & last, state.rotate_left(13).wrapping_mul(2_654_435_761) & last);
                assert_eq!(position(x, y, levels), by_level(x, y, levels), "{x} {y} {levels}");
            }
            assert_eq!(position(last, last, levels), by_level(last, last, levels));
        }
    }
}
