//! Tokens of an image: literals, hits in the colour cache, and copies (RFC 9649, 3.6 and 3.7).

/// A token's kind is in its upper two bits. A literal holds its three colours.
pub(super) const KIND: u32 = 30;
pub(super) const LITERAL: u32 = 0;
/// Holds the slot.
pub(super) const CACHED: u32 = 1;
/// Holds the distance code minus 1 and, in the low 12 bits, the length minus 1.
pub(super) const COPY: u32 = 2;

/// How many pixels are looked at together.
pub(super) const AT_ONCE: usize = 16;

/// The longest copy.
pub(super) const LONGEST: usize = 4096;
/// The longest distance that a token can hold.
pub(super) const FARTHEST: usize = (1 << 18) - 120;

/// A copy.
#[inline]
pub(super) fn copy(length: usize, code: usize) -> u32 {
    COPY << KIND | (code as u32 - 1) << 12 | (length as u32 - 1)
}

/// A copy's length and distance code.
#[inline]
pub(super) fn copy_parts(token: u32) -> (usize, usize) {
    ((token & 0xfff) as usize + 1, ((token >> 12) & 0x3_ffff) as usize + 1)
}

/// How many pixels a token stands for.
#[inline]
pub(super) fn pixels_of(token: u32) -> usize {
    if token >> KIND == COPY { (token & 0xfff) as usize + 1 } else { 1 }
}

/// The first symbol of slots among the greens.
pub(super) const SLOTS: u32 = 280;

/// Whether a token is a literal.
#[inline]
pub(super) fn is_literal(token: u32) -> bool {
    token >> KIND == LITERAL
}

/// The symbol of a literal or a slot in the code of greens.
#[inline]
pub(super) fn green_symbol(token: u32) -> usize {
    let literal = u32::from(is_literal(token)).wrapping_neg();
    ((literal & (token >> 8 & 255)) | (!literal & (SLOTS + (token & 0xfff)))) as usize
}

/// The symbol of a token that is known to be a slot.
#[inline]
pub(super) fn slot_symbol(token: u32) -> usize {
    (SLOTS + (token & 0xfff)) as usize
}

/// Whether all pixels are of one colour.
pub(super) fn is_run(pixels: &[u32], color: u32) -> bool {
    pixels.iter().fold(0, |all, pixel| all | (pixel ^ color)) == 0
}

/// For each pixel its token if it is no copy. Copied pixels enter the cache as well, so that this does not depend on which are.
pub(super) fn symbols(pixels: &[u32], cache_bits: u32, cache: &mut Vec<u32>, out: &mut Vec<u32>) {
    if cache_bits == 0 {
        out.clear();
        out.extend(pixels.iter().map(|p| LITERAL << KIND | (p & 0xff_ffff)));
        return;
    }
    cache.clear();
    cache.resize(1 << cache_bits, 0);
    out.resize(pixels.len(), 0);
    let slot_of = |pixel: u32| pixel.wrapping_mul(0x1e35_a7bd) >> (32 - cache_bits);
    let mut last = 0;
    for (pixels, out) in pixels.chunks(AT_ONCE).zip(out.chunks_mut(AT_ONCE)) {
        // Within a run.
        if is_run(pixels, last) {
            let slot = slot_of(last);
            if cache[slot as usize] == last {
                out.fill(CACHED << KIND | slot);
                continue;
            }
        }
        last = pixels[pixels.len() - 1];
        for (out, &pixel) in out.iter_mut().zip(pixels) {
            let slot = slot_of(pixel);
            let held = std::mem::replace(&mut cache[slot as usize], pixel);
            // No branch, because it can't be predicted.
            let hit = u32::from(held == pixel).wrapping_neg();
            *out = (hit & (CACHED << KIND | slot)) | (!hit & (LITERAL << KIND | (pixel & 0xff_ffff)));
        }
    }
}

/// The prefix symbol of a length or a distance code, its extra bits, and how many they are.
#[inline]
pub(super) fn prefix(value: usize) -> (usize, u32, u32) {
    let v = value as u32 - 1;
    if v < 4 {
        return (v as usize, 0, 0);
    }
    let extra = v.ilog2() - 1;
    ((2 * (extra + 1) + (v >> extra & 1)) as usize, v & ((1 << extra) - 1), extra)
}

/// The code of a distance in pixels: the 120 nearest places have the smallest ones.
pub(super) fn distance_code(distance: usize, width: usize) -> usize {
    // Seen from a pixel, `up` rows above and `left` pixels to the left; negative is to the right.
    // Narrow numbers are divided in half the time; distances and widths fit.
    let (near, across) = (distance as u32, width as u32);
    let (mut up, mut left) = ((near / across) as usize, (near % across) as isize);
    if left > 8 && left > width as isize - 8 {
        left -= width as isize;
        up += 1;
    }
    match (up, left) {
        (0..8, -7..=8) if NEAR[up][(left + 7) as usize] > 0 => usize::from(NEAR[up][(left + 7) as usize]),
        _ => distance + 120,
    }
}

/// The places of the codes from 1 on: to the left, up.
#[rustfmt::skip]
const PLACES: [(i8, u8); 120] = [
    (0, 1), (1, 0), (1, 1), (-1, 1), (0, 2), (2, 0), (1, 2), (-1, 2), (2, 1), (-2, 1), (2, 2), (-2, 2), (0, 3), (3, 0),
    (1, 3), (-1, 3), (3, 1), (-3, 1), (2, 3), (-2, 3), (3, 2), (-3, 2), (0, 4), (4, 0), (1, 4), (-1, 4), (4, 1),
    (-4, 1), (3, 3), (-3, 3), (2, 4), (-2, 4), (4, 2), (-4, 2), (0, 5), (3, 4), (-3, 4), (4, 3), (-4, 3), (5, 0),
    (1, 5), (-1, 5), (5, 1), (-5, 1), (2, 5), (-2, 5), (5, 2), (-5, 2), (4, 4), (-4, 4), (3, 5), (-3, 5), (5, 3),
    (-5, 3), (0, 6), (6, 0), (1, 6), (-1, 6), (6, 1), (-6, 1), (2, 6), (-2, 6), (6, 2), (-6, 2), (4, 5), (-4, 5),
    (5, 4), (-5, 4), (3, 6), (-3, 6), (6, 3), (-6, 3), (0, 7), (7, 0), (1, 7), (-1, 7), (5, 5), (-5, 5), (7, 1),
    (-7, 1), (4, 6), (-4, 6), (6, 4), (-6, 4), (2, 7), (-2, 7), (7, 2), (-7, 2), (3, 7), (-3, 7), (7, 3), (-7, 3),
    (5, 6), (-5, 6), (6, 5), (-6, 5), (8, 0), (4, 7), (-4, 7), (7, 4), (-7, 4), (8, 1), (8, 2), (6, 6), (-6, 6),
    (8, 3), (5, 7), (-5, 7), (7, 5), (-7, 5), (8, 4), (6, 7), (-6, 7), (7, 6), (-7, 6), (8, 5), (7, 7), (-7, 7),
    (8, 6), (8, 7),
];

static NEAR: [[u8; 16]; 8] = near();

const fn near() -> [[u8; 16]; 8] {
    let mut table = [[0; 16]; 8];
    let mut code = 0;
    while code < PLACES.len() {
        let (left, up) = PLACES[code];
        table[up as usize][(left + 7) as usize] = code as u8 + 1;
        code += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_codes_lead_back_to_their_distance() {
        for width in [1usize, 2, 3, 7, 8, 9, 15, 16, 17, 64, 512] {
            for distance in 1..width * 9 + 20 {
                let code = distance_code(distance, width);
                let back = match code {
                    121.. => code - 120,
                    _ => {
                        let (left, up) = PLACES[code - 1];
                        (isize::from(left) + up as isize * width as isize).max(1) as usize
                    }
                };
                assert_eq!(back, distance, "{width} {code}");
            }
        }
    }

    #[test]
    fn prefixes() {
        let back = |(symbol, extra, bits): (usize, u32, u32)| {
            if symbol < 4 {
                return symbol as u32 + 1;
            }
            assert_eq!(bits, (symbol as u32 - 2) >> 1);
            ((2 + (symbol as u32 & 1)) << bits) + extra + 1
        };
        for value in 1..300_000 {
            assert_eq!(back(prefix(value)), value as u32);
        }
        assert_eq!(prefix(LONGEST).0, 23);
        assert!(prefix(1 << 20).0 < 40);
    }
}
