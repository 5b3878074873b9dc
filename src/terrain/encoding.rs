//! How a height becomes 24 bits.
//!
//! - Terrarium (Mapzen): `height = R * 256 + G + B / 256 - 32768` metres, steps of 1/256 m.
//! - Mapbox Terrain-RGB: `height = -10000 + (R * 65536 + G * 256 + B) * 0.1` metres.
//!
//! Before that, heights are rounded to a step that depends on the zoom, `2^(19 - z) / 256` m and never less than 1/256 m,
//! **half away from zero**: finer steps than the pixels deserve only cost bytes.

use crate::error::{Error, Result};

/// The encoding of heights in RGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// `R * 256 + G + B / 256 - 32768`.
    Terrarium,
    /// `-10000 + (R * 65536 + G * 256 + B) * 0.1`.
    Mapbox,
}

/// The vertical step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VerticalResolution {
    /// `2^(19 - z) / 256` metres.
    ByZoom,
    /// The finest step of the encoding at every zoom.
    Full,
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

impl Encoding {
    /// The 24-bit code of a height, and whether it had to be clamped into the encoding's range.
    #[must_use]
    pub fn code(self, height: f64, step: f64) -> (u32, bool) {
        // `round` rounds half away from zero; steps are powers of two, so that the quotient is exact.
        let code = self.position((height / step).round() * step);
        (code.clamp(0.0, LAST) as u32, !(0.0..=LAST).contains(&code))
    }

    /// The code of a height that was rounded before: the nearest one.
    #[must_use]
    pub fn nearest_code(self, height: f64) -> u32 {
        self.position(height).clamp(0.0, LAST) as u32
    }

    fn position(self, height: f64) -> f64 {
        match self {
            Self::Terrarium => ((height + 32_768.0) * 256.0).round(),
            Self::Mapbox => ((height + 10_000.0) * 10.0).round(),
        }
    }

    /// The height of a code, metres.
    #[must_use]
    pub fn height(self, code: u32) -> f32 {
        match self {
            // 24 bits in 1/256: exact in an f32.
            Self::Terrarium => (f64::from(code) / 256.0 - 32_768.0) as f32,
            Self::Mapbox => (f64::from(code) * 0.1 - 10_000.0) as f32,
        }
    }
}

impl std::fmt::Display for Encoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Terrarium => "terrarium",
            Self::Mapbox => "mapbox",
        })
    }
}

impl std::str::FromStr for Encoding {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "terrarium" => Ok(Self::Terrarium),
            "mapbox" => Ok(Self::Mapbox),
            _ => Err(Error::argument("encoding", format!("{text:?} is not terrarium or mapbox"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_its_own_height() {
        for encoding in [Encoding::Terrarium, Encoding::Mapbox] {
            // Up to 500 km for Terrain-RGB: an f32 can't tell its last codes (1,667 km) apart.
            let end = if encoding == Encoding::Terrarium { 0x100_0000 } else { 5_100_000 };
            for code in (0..end).step_by(7) {
                assert_eq!(encoding.nearest_code(f64::from(encoding.height(code))), code, "{encoding} {code}");
            }
        }
        assert_eq!(Encoding::Terrarium.height(128 << 16), 0.0);
        assert_eq!(Encoding::Terrarium.height((128 + 14) << 16 | 192 << 8 | 64), 3776.25);
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
