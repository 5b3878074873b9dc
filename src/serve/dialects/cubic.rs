//! Cubic convolution between pixels (Keys 1981, with a = -1/2): exact for surfaces of the second degree.

use crate::error::Result;
use crate::heights::{Height, HeightQueries, Interpolation, Sampling};
use crate::tile::{LonLat, web_mercator};

/// The height at a place, metres, of the sixteen pixels around it, of the zoom that `bilinear` was found at. Where one of
/// them has no height, it is the bilinear one.
pub fn cubic(heights: &dyn HeightQueries, point: LonLat, bilinear: Height) -> Result<f64> {
    let pixel = web_mercator::resolution(bilinear.zoom, heights.shape().size);
    let how = Sampling::default().interpolation(Interpolation::Nearest).up_to_zoom(bilinear.zoom);
    let (x, y) = point.metres();
    let (u, v) = ((x + web_mercator::HALF_WORLD) / pixel - 0.5, (web_mercator::HALF_WORLD - y) / pixel - 0.5);
    let (across, down) = (weights(u - u.floor()), weights(v - v.floor()));
    let mut sum = 0.0;
    for (j, down) in (0i32..).zip(down) {
        for (i, across) in (0i32..).zip(across) {
            let x = (u.floor() + f64::from(i) - 0.5) * pixel - web_mercator::HALF_WORLD;
            let y = web_mercator::HALF_WORLD - (v.floor() + f64::from(j) - 0.5) * pixel;
            let (lon, lat) = web_mercator::to_lon_lat(x, y);
            match heights.sample(LonLat::new(lon, lat)?, &how)? {
                Some(height) => sum += across * down * height.metres,
                None => return Ok(bilinear.metres),
            }
        }
    }
    Ok(sum)
}

/// The weights of the four pixels around a place that lies `t` of a pixel behind the second one.
fn weights(t: f64) -> [f64; 4] {
    let near = |d: f64| (1.5 * d - 2.5) * d * d + 1.0;
    let far = |d: f64| ((-0.5 * d + 2.5) * d - 4.0) * d + 2.0;
    [far(1.0 + t), near(t), near(1.0 - t), far(2.0 - t)]
}

#[cfg(test)]
mod tests {
    use super::weights;

    #[test]
    fn surfaces_of_the_second_degree_are_exact() {
        for surface in [|_: f64| 1.0, |x: f64| x, |x: f64| x * x - 3.0 * x] {
            for t in [0.0, 0.1, 0.5, 0.99] {
                let found: f64 = (-1i32..).zip(weights(t)).map(|(at, weight)| weight * surface(f64::from(at))).sum();
                assert!((found - surface(t)).abs() < 1e-12, "{t}: {found}");
            }
        }
    }
}
