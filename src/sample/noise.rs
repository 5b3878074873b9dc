//! Gradient noise out of integer hashes: the same on every machine.

/// A hash of a lattice point (SplitMix64's finaliser; Steele, Lea and Flood 2014).
pub(super) fn hash(seed: u64, x: i64, y: i64) -> u64 {
    let mut h = seed ^ (x as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (y as u64).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    h = (h ^ (h >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    h ^ (h >> 31)
}

/// A number in -1..1 out of a hash.
pub(super) fn unit(h: u64) -> f64 {
    (h >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

/// Value and gradient of gradient noise (Perlin 2002: quintic blend) at a point; about -0.7..0.7.
pub(super) fn noise(seed: u64, x: f64, y: f64) -> (f64, f64, f64) {
    let (fx, fy) = (x.floor(), y.floor());
    let (i, j) = (fx as i64, fy as i64);
    let (u, v) = (x - fx, y - fy);
    let corner = |di: i64, dj: i64| {
        let h = hash(seed, i + di, j + dj);
        let (gx, gy) = (unit(h), unit(h.rotate_left(32) ^ 0x5555));
        (gx, gy, gx * (u - di as f64) + gy * (v - dj as f64))
    };
    let (a, b, c, d) = (corner(0, 0), corner(1, 0), corner(0, 1), corner(1, 1));
    let blend = |t: f64| t * t * t * (t * (t * 6.0 - 15.0) + 10.0);
    let slope = |t: f64| 30.0 * t * t * (t * (t - 2.0) + 1.0);
    let (su, sv, du, dv) = (blend(u), blend(v), slope(u), slope(v));
    let mix = |p: f64, q: f64, t: f64| p + (q - p) * t;
    let value = mix(mix(a.2, b.2, su), mix(c.2, d.2, su), sv);
    let gx = mix(mix(a.0, b.0, su), mix(c.0, d.0, su), sv) + du * mix(b.2 - a.2, d.2 - c.2, sv);
    let gy = mix(mix(a.1, b.1, su), mix(c.1, d.1, su), sv) + dv * (mix(c.2, d.2, su) - mix(a.2, b.2, su));
    (value, gx, gy)
}

/// A sum of octaves, each half as wide and half as high as the one before; `shortest` is the shortest wavelength in units
/// of the first one.
pub(super) fn fractal(seed: u64, x: f64, y: f64, shortest: f64) -> f64 {
    let (mut sum, mut height, mut frequency) = (0.0, 1.0, 1.0);
    let mut octave = 0;
    while frequency * shortest <= 1.0 && octave < 16 {
        sum += height * noise(seed + octave, x * frequency, y * frequency).0;
        height *= 0.5;
        frequency *= 2.0;
        octave += 1;
    }
    sum
}
