//! Made-up heights.

/// A number from 0 to 1 for a place, without pattern.
fn noise(x: i32, y: i32, seed: u64) -> f64 {
    let mut z =
        ((x as u32 as u64) << 32 | y as u32 as u64).wrapping_add(seed << 17).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

/// Noise between the places, smoothly.
fn smooth(x: f64, y: f64, seed: u64) -> f64 {
    let (x0, y0) = (x.floor(), y.floor());
    let ease = |t: f64| t * t * (3.0 - 2.0 * t);
    let (u, v) = (ease(x - x0), ease(y - y0));
    let at = |dx: i32, dy: i32| noise(x0 as i32 + dx, y0 as i32 + dy, seed);
    (at(0, 0) * (1.0 - u) + at(1, 0) * u) * (1.0 - v) + (at(0, 1) * (1.0 - u) + at(1, 1) * u) * v
}

/// Fractal heights around 800 m.
pub fn height(x: f64, y: f64) -> f64 {
    let octaves = (0..9).map(|o| {
        let scale = f64::from(1 << o) / 300.0;
        smooth(x * scale, y * scale, o as u64) * 900.0 / 1.9f64.powi(o)
    });
    octaves.sum::<f64>() - 200.0
}
