//! The island: heights at any place, with as much detail as a survey can see.
//!
//! Mountains are a ridged multifractal (Musgrave, in Ebert et al., Texturing and Modeling, chapter 16) whose octaves fade
//! where the slope is steep (Quilez's derivative damping), so that crests stay sharp and slopes smooth as under erosion.
//! Valleys are cut along the zero lines of a wide noise, deeper the higher the land, so that they run from the crests to
//! the coast.

use super::noise::{fractal, noise};

/// The middle of the island, degrees.
pub(super) const CENTER: (f64, f64) = (139.0, 34.2);

/// Metres in a degree of longitude and of latitude at the centre (GRS80).
const DEGREE: (f64, f64) = (92_180.0, 110_930.0);

/// The island as a function.
#[derive(Debug, Clone, Copy)]
pub(super) struct Land {
    pub(super) seed: u64,
    /// Half the island's width, metres.
    pub(super) radius: f64,
}

/// The widest mountains, metres.
const WIDEST: f64 = 9_000.0;

impl Land {
    /// Metres east and north of the centre.
    pub(super) fn place(lon: f64, lat: f64) -> (f64, f64) {
        ((lon - CENTER.0) * DEGREE.0, (lat - CENTER.1) * DEGREE.1)
    }

    /// The height at a longitude and latitude, metres; below 0 under the sea. `shortest` is the shortest wavelength that a
    /// survey sees, metres: twice its cell.
    pub(super) fn height(&self, lon: f64, lat: f64, shortest: f64) -> f64 {
        let (x, y) = Self::place(lon, lat);
        // The domain is bent, so that nothing follows the lattice of the noise.
        let bend = |s: u64| 1_400.0 * fractal(self.seed ^ s, x / 7_000.0, y / 7_000.0, shortest / 7_000.0);
        let (x, y) = (x + bend(0xa1), y + bend(0xb2));
        let shore = 1.0 - (x / self.radius).hypot(y / (self.radius * 0.8))
            + 0.35 * fractal(self.seed ^ 0xc3, x / 6_000.0, y / 6_000.0, shortest / 6_000.0);
        // Rises from the beach to the mountains over the first part of the way inland.
        let inland = (shore / 0.55).clamp(-1.0, 1.0);
        let rise = if inland > 0.0 { inland * inland * (3.0 - 2.0 * inland) } else { inland };
        let mountains = self.ridges(x / WIDEST, y / WIDEST, shortest / WIDEST);
        let plain = 60.0 * rise
            + 25.0 * inland.max(0.0) * fractal(self.seed ^ 0xd4, x / 1_500.0, y / 1_500.0, shortest / 1_500.0);
        let raw = plain + 1_900.0 * rise * mountains;
        if raw <= 0.0 { raw.min(shore * 200.0) } else { raw - self.valleys(x, y, raw, shortest) }
    }

    /// 0..about 1.3.
    fn ridges(&self, x: f64, y: f64, shortest: f64) -> f64 {
        let (mut sum, mut height, mut frequency, mut weight) = (0.0, 0.5, 1.0, 1.0);
        let (mut dx, mut dy) = (0.0, 0.0);
        let mut octave = 0u64;
        while frequency * shortest <= 1.0 && octave < 16 {
            let (n, gx, gy) = noise(self.seed ^ (0x100 + octave), x * frequency, y * frequency);
            let ridge = 1.0 - (n.abs() * 1.7).min(1.0);
            let sharp = ridge * ridge * weight;
            // The sum of slopes so far: steep places get less of the finer octaves.
            (dx, dy) = (dx + gx * height, dy + gy * height);
            sum += height * sharp / (1.0 + 0.6 * (dx * dx + dy * dy));
            weight = (sharp * 1.8).clamp(0.12, 1.0);
            height *= 0.52;
            frequency *= 2.03;
            octave += 1;
        }
        sum * 1.35
    }

    /// How deep water has cut here, metres.
    fn valleys(&self, x: f64, y: f64, height: f64, shortest: f64) -> f64 {
        let mut depth = 0.0;
        for (seed, wide, share) in [(0xe5u64, 5_200.0, 0.42), (0xf6, 1_900.0, 0.22), (0x17, 700.0, 0.10)] {
            let line = fractal(self.seed ^ seed, x / wide, y / wide, (shortest / wide).max(0.2));
            let narrow = line * line / 0.012;
            depth += share * height / (1.0 + narrow);
        }
        depth.min(height * 0.7)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_island_with_mountains_in_the_sea() {
        let land = Land { seed: 1, radius: 16_000.0 };
        let mut heights = Vec::new();
        for i in 0..60 {
            for j in 0..60 {
                heights.push(land.height(
                    CENTER.0 - 0.2 + 0.4 * f64::from(i) / 59.0,
                    CENTER.1 - 0.16 + 0.32 * f64::from(j) / 59.0,
                    60.0,
                ));
            }
        }
        let highest = heights.iter().copied().fold(f64::MIN, f64::max);
        let sea = heights.iter().filter(|&&h| h <= 0.0).count() as f64 / heights.len() as f64;
        assert!((700.0..3_000.0).contains(&highest), "{highest}");
        assert!((0.25..0.8).contains(&sea), "{sea}");
        assert!(heights.iter().all(|h| h.is_finite()));
    }
}
