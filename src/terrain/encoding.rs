//! How a height becomes 24 bits.
//!
//! - Terrarium (Mapzen): `height = R * 256 + G + B / 256 - 32768` metres, steps of 1/256 m.
//! - Mapbox Terrain-RGB: `height = -10000 + (R * 65536 + G * 256 + B) * 0.1` metres.
//!
//! Before that, heights are rounded to a step that depends on the zoom, `2^(19 - z) / 256` m and never less than 1/256 m,
//! **half away from zero**: finer steps than the pixels deserve only cost bytes.

use strum::VariantNames as _;

use crate::error::Error;

/// The encoding of heights in RGB.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantNames,
)]
#[strum(serialize_all = "kebab-case", parse_err_ty = Error, parse_err_fn = unknown)]
#[non_exhaustive]
pub enum Encoding {
    /// `R * 256 + G + B / 256 - 32768`.
    Terrarium,
    /// `-10000 + (R * 65536 + G * 256 + B) * 0.1`.
    Mapbox,
}

fn unknown(text: &str) -> Error {
    Error::unknown_name("encoding", text, Encoding::VARIANTS)
}

/// The vertical step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display, strum::EnumString, strum::VariantNames)]
#[strum(serialize_all = "kebab-case", parse_err_ty = Error, parse_err_fn = unknown_resolution)]
#[non_exhaustive]
pub enum VerticalResolution {
    /// `2^(19 - z) / 256` metres.
    ByZoom,
    /// The finest step of the encoding at every zoom.
    Full,
}

fn unknown_resolution(text: &str) -> Error {
    Error::unknown_name("vertical resolution", text, VerticalResolution::VARIANTS)
}

impl VerticalResolution {
    /// The step at a zoom, metres; a power of two.
    #[must_use]
    pub fn step(self, z: u8) -> f64 {
        match self {
            Self::ByZoom => f64::from(19 - i32::from(z.min(19))).exp2() / 256.0,
            Self::Full => 1.0 / 256.0,
        }
    }
}

const LAST: f64 = 16_777_215.0;

/// How many heights are worked on at once.
const AT_ONCE: usize = 64;

/// Half away from zero, as [`f64::round`], which is a call where the machine's instructions can't be taken for granted; this is a few
/// operations that work on several numbers at once.
#[inline]
fn round(x: f64) -> f64 {
    const WHOLE: f64 = (1u64 << 52) as f64;
    let size = x.abs();
    // Above 2^52 there are no fractions: the sum drops them, and takes the even one of two neighbours.
    let even = (size + WHOLE) - WHOLE;
    let away = if size - even >= 0.5 { even + 1.0 } else { even };
    (if size < WHOLE { away } else { size }).copysign(x)
}

/// The integer in a number from 0 to 2^32 - 1 without fraction.
#[inline]
fn integer(x: f64) -> u32 {
    (x + (1u64 << 52) as f64).to_bits() as u32
}

#[inline]
fn limited(code: f64) -> f64 {
    // What is no number is 0.
    if code > 0.0 { code.min(LAST) } else { 0.0 }
}

/// Where codes lie.
#[derive(Clone, Copy)]
struct Line {
    lowest: f64,
    step: f64,
    /// Codes of a metre: 256, 10.
    codes: f64,
}

impl Line {
    #[inline]
    fn position(self, height: f64) -> f64 {
        (height - self.lowest) * self.codes
    }

    #[inline]
    fn height(self, code: f64) -> f32 {
        (code * self.step + self.lowest) as f32
    }
}

/// Rounds heights to what their codes of Terrarium hold; see [`Encoding::quantize`]. All of it is exact in an `f32`: steps are powers of
/// two, and codes have 24 bits.
fn quantize_terrarium(step: f64, heights: &mut [f32], valid: &mut [u8]) -> u64 {
    const WHOLE: f32 = (1u32 << 23) as f32;
    const LOWEST: f32 = -32_768.0;
    const HIGHEST: f32 = 32_768.0 - 1.0 / 256.0;
    let step = step.max(1.0 / 256.0) as f32;
    let inverse = 1.0 / step;
    let mut clamped = 0;
    for (value, valid) in heights.iter_mut().zip(valid) {
        // As `round` does it.
        let x = *value * inverse;
        let size = x.abs();
        let even = (size + WHOLE) - WHOLE;
        let away = if size - even >= 0.5 { even + 1.0 } else { even };
        let rounded = (if size < WHOLE { away } else { size }).copysign(x) * step;
        let is_valid = (*valid != 0) & !value.is_nan();
        let held = rounded.clamp(LOWEST, HIGHEST);
        clamped += u32::from(is_valid & (held != rounded));
        // There is no negative zero among the codes.
        *value = if is_valid { held + 0.0 } else { 0.0 };
        *valid = u8::from(is_valid);
    }
    clamped.into()
}

/// Rounds heights to what their codes hold, whatever the step of these; see [`Encoding::quantize`].
fn quantize(line: Line, step: f64, heights: &mut [f32], valid: &mut [u8]) -> u64 {
    // Steps are powers of two, so that their inverse is exact.
    let inverse = 1.0 / step;
    let (mut codes, mut held) = ([0.0; AT_ONCE], [0.0; AT_ONCE]);
    let mut clamped = 0;
    for (heights, valid) in heights.chunks_mut(AT_ONCE).zip(valid.chunks_mut(AT_ONCE)) {
        // All of them, valid or not, so that the compiler can take several at once.
        for ((value, code_at), held) in heights.iter().zip(&mut codes).zip(&mut held) {
            *code_at = round(line.position(round(f64::from(*value) * inverse) * step));
            *held = limited(*code_at);
        }
        for (((value, valid), code), held) in heights.iter_mut().zip(valid).zip(codes).zip(held) {
            let is_valid = *valid != 0 && !code.is_nan();
            clamped += u32::from(is_valid & (held != code));
            *value = if is_valid { line.height(held) } else { 0.0 };
            *valid = u8::from(is_valid);
        }
    }
    clamped.into()
}

impl Encoding {
    /// All encodings.
    pub const ALL: [Self; 2] = [Self::Terrarium, Self::Mapbox];

    /// The name as options and metadata write it: `terrarium`, `mapbox`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The difference between the heights of two neighbouring codes, metres.
    #[must_use]
    pub const fn finest_step(self) -> f64 {
        match self {
            Self::Terrarium => 1.0 / 256.0,
            Self::Mapbox => 0.1,
        }
    }

    /// The height of code 0, metres.
    #[must_use]
    pub const fn lowest(self) -> f64 {
        match self {
            Self::Terrarium => -32_768.0,
            Self::Mapbox => -10_000.0,
        }
    }

    #[inline]
    fn line(self) -> Line {
        Line { lowest: self.lowest(), step: self.finest_step(), codes: 1.0 / self.finest_step() }
    }

    /// Rounds every valid height, metres, to a multiple of `step`, a power of two, and to what its code holds (with Terrarium multiples of
    /// 1/256 m, so that finer steps are as that one); returns how many were beyond the encoding's range and had to be clamped. Pixels that are not numbers lose their mask; pixels without one get the height 0.
    pub fn quantize(self, step: f64, heights: &mut [f32], valid: &mut [u8]) -> u64 {
        match self {
            Self::Terrarium => quantize_terrarium(step, heights, valid),
            _ => quantize(self.line(), step, heights, valid),
        }
    }

    /// The 24-bit code of a height, and whether it had to be clamped into the encoding's range.
    #[must_use]
    pub fn code(self, height: f64, step: f64) -> (u32, bool) {
        // Steps are powers of two, so that the quotient is exact.
        let code = round(self.line().position(round(height / step) * step));
        (integer(limited(code)), !(0.0..=LAST).contains(&code))
    }

    /// The code of a height that was rounded before: the nearest one.
    #[must_use]
    #[inline]
    pub fn nearest_code(self, height: f64) -> u32 {
        integer(limited(round(self.line().position(height))))
    }

    /// The codes of heights that were rounded before, as pixels `0xRRGGBB`; `nodata` is the code of those that are not valid.
    pub fn write(self, heights: &[f32], valid: &[u8], nodata: u32, pixels: &mut [u32]) {
        let line = self.line();
        match self {
            Self::Terrarium => write(heights, valid, nodata, pixels, |height| {
                // A whole number of up to 24 bits with its sign, which an `f32` holds; half away from zero if it is none.
                let x = height * 256.0;
                ((x + 0.5f32.copysign(x)) as i32).clamp(-0x80_0000, 0x7f_ffff).wrapping_add(0x80_0000) as u32
            }),
            _ => write(heights, valid, nodata, pixels, |height| {
                integer(limited(round(line.position(f64::from(height)))))
            }),
        }
    }

    /// Reads the heights of pixels, whose first 3 bytes of `channels` are their codes; those that are not valid get the height 0.
    pub fn read(self, pixels: &[u8], channels: usize, valid: &[u8], heights: &mut [f32]) {
        let line = self.line();
        for ((value, pixel), &valid) in heights.iter_mut().zip(pixels.chunks_exact(channels)).zip(valid) {
            let height = line.height(f64::from(u32::from_be_bytes([0, pixel[0], pixel[1], pixel[2]])));
            *value = if valid == 1 { height } else { 0.0 };
        }
    }

    /// The height of a code, metres.
    #[must_use]
    #[inline]
    pub fn height(self, code: u32) -> f32 {
        self.line().height(f64::from(code))
    }
}

#[inline]
fn write(heights: &[f32], valid: &[u8], nodata: u32, pixels: &mut [u32], code: impl Fn(f32) -> u32) {
    for ((pixel, &height), &valid) in pixels.iter_mut().zip(heights).zip(valid) {
        let held = code(height);
        *pixel = if valid == 1 { held } else { nodata };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_its_own_height() {
        assert_eq!(Encoding::ALL.map(Encoding::name), Encoding::VARIANTS);
        for encoding in Encoding::ALL {
            // Up to 2^23 steps, which an f32 tells apart: 839 km for Terrain-RGB, whose last code is at 1,667 km.
            let end = encoding.nearest_code(encoding.finest_step() * f64::from(1 << 23));
            for code in (0..=end).step_by(7) {
                assert_eq!(encoding.nearest_code(f64::from(encoding.height(code))), code, "{encoding} {code}");
            }
        }
        assert_eq!(Encoding::Terrarium.height(128 << 16), 0.0);
        assert_eq!(Encoding::Terrarium.height((128 + 14) << 16 | 192 << 8 | 64), 3776.25);
    }

    #[test]
    fn rounding_is_half_away_from_zero() {
        let halves = (-2000..2000).map(|i| f64::from(i) / 4.0);
        let near =
            [0.49999999999999994, 0.5, 1.5, 2.5, 4503599627370495.5, 4503599627370496.0, 9e15, 1e300, f64::INFINITY];
        for x in halves.chain(near).flat_map(|x| [x, -x, x.next_up(), x.next_down()]) {
            assert_eq!(round(x), x.round(), "{x:e}");
        }
        assert!(round(f64::NAN).is_nan());
        assert_eq!([0.0, 1.0, LAST, 4294967295.0].map(integer), [0, 1, 0xff_ffff, u32::MAX]);
    }

    #[test]
    fn all_at_once_is_as_one_by_one() {
        let mut heights: Vec<f32> = (0..1000).map(|i| ((i * 7919) % 1000) as f32 * 50.3 - 11_000.0).collect();
        // Halves, what is just below and above them, and what is beyond all bounds.
        let near = [-0.0, 0.25, 0.75, 1.25, 4095.75, 1e-40, 32_767.5, 32_767.75, 32_768.0, 1e9, 3e38, f32::INFINITY];
        let near = near.into_iter().flat_map(|x: f32| [x, -x, x.next_up(), x.next_down()]);
        heights.iter_mut().skip(100).zip(near).for_each(|(height, x)| *height = x);
        let valid: Vec<u8> = (0..1000).map(|i| u8::from(i % 7 != 0)).collect();
        for encoding in Encoding::ALL {
            let (mut held, mut kept) = (heights.clone(), valid.clone());
            held[3] = f32::NAN;
            let clamped = encoding.quantize(0.5, &mut held, &mut kept);
            let mut pixels = vec![0; heights.len()];
            encoding.write(&held, &kept, 5, &mut pixels);
            let mut expected = 0;
            for i in 0..1000 {
                let (code, out) = encoding.code(f64::from(heights[i]), 0.5);
                let is_valid = valid[i] == 1 && i != 3;
                expected += u64::from(out && is_valid);
                assert_eq!((held[i], kept[i]), if is_valid { (encoding.height(code), 1) } else { (0.0, 0) }, "{i}");
                assert_eq!(pixels[i], if is_valid { code } else { 5 }, "{i}");
            }
            assert!(clamped == expected && expected > 0, "{clamped} {expected}");
        }
    }

    #[test]
    fn steps_and_ties() {
        assert_eq!(VerticalResolution::ByZoom.step(19), 1.0 / 256.0);
        assert_eq!(VerticalResolution::ByZoom.step(22), 1.0 / 256.0);
        assert_eq!(VerticalResolution::ByZoom.step(8), 8.0);
        let round =
            |h: f64, z| Encoding::Terrarium.height(Encoding::Terrarium.code(h, VerticalResolution::ByZoom.step(z)).0);
        assert_eq!((round(4.0, 8), round(-4.0, 8), round(3.999, 8), round(-12.0, 8)), (8.0, -8.0, 0.0, -16.0));
        assert_eq!(round(0.5 / 256.0, 19), 1.0 / 256.0);
        assert_eq!(round(-0.5 / 256.0, 19), -1.0 / 256.0);
    }

    #[test]
    fn what_is_out_of_range_is_clamped_and_said() {
        assert_eq!(Encoding::Terrarium.code(40_000.0, 1.0 / 256.0), (0xff_ffff, true));
        assert_eq!(Encoding::Terrarium.code(-32_769.0, 1.0), (0, true));
        assert_eq!(Encoding::Mapbox.code(-10_001.0, 1.0), (0, true));
        assert_eq!(Encoding::Mapbox.code(f64::NAN, 1.0), (0, true));
    }
}
