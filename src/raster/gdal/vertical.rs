//! Heights over one vertical datum as heights over another, by PROJ and its grids.

use ::gdal::spatial_ref::{CoordTransform, CoordTransformOptions, SpatialRef};

use super::{prepare, said, shorten, spatial_ref};
use crate::error::{Error, Result};
use crate::raster::VerticalShift;
use crate::tile::web_mercator;

/// What stands for heights over the WGS 84 ellipsoid.
const ELLIPSOID: &str = "ellipsoid";

/// PROJ's way between two vertical datums. Stays on its thread.
pub struct GdalVertical {
    by: CoordTransform,
    names: (String, String),
}

impl GdalVertical {
    /// The way from one datum to another, each given as `EPSG:n` of a vertical CRS, or `ellipsoid`. Guesses ("ballpark"
    /// transformations) are not allowed. Costs some milliseconds: keep it.
    ///
    /// # Errors
    /// Where a datum is not known, or PROJ knows no way between them, as where a grid is not installed.
    pub fn new(from: &str, to: &str) -> Result<Self> {
        prepare();
        said();
        let (source, target) = (with_heights(from)?, with_heights(to)?);
        let make = || {
            let mut options = CoordTransformOptions::new()?;
            options.set_ballpark_allowed(false)?;
            CoordTransform::new_with_options(&source, &target, &options)
        };
        let by = make().map_err(|e| {
            let words = said();
            no_way(from, to, if words.is_empty() { e.to_string() } else { words })
        })?;
        Ok(Self { by, names: (from.to_string(), to.to_string()) })
    }
}

/// Refuses a definition that is no vertical datum.
///
/// # Errors
/// Naming what is expected.
pub fn check_vertical_datum(datum: &str) -> Result<()> {
    prepare();
    said();
    with_heights(datum).map(drop)
}

fn no_way(from: &str, to: &str, words: impl std::fmt::Display) -> Error {
    let problem = format!(
        "PROJ knows no way from heights over {from} to {to} ({words}); install its grids (projsync, or the package proj-data), \
         or give the source a constant offset in hypso.toml"
    );
    Error::argument("vertical_datum", problem)
}

/// WGS 84 with heights over a datum.
fn with_heights(datum: &str) -> Result<SpatialRef> {
    if datum == ELLIPSOID {
        return spatial_ref("EPSG:4979");
    }
    let wrong = || {
        let name = shorten(datum);
        Error::argument(
            "vertical_datum",
            format!("{name:?} is no vertical CRS; give EPSG:n, such as EPSG:5773, or {ELLIPSOID}"),
        )
    };
    let code = datum.strip_prefix("EPSG:").filter(|c| c.parse::<u32>().is_ok()).ok_or_else(wrong)?;
    let vertical = spatial_ref(datum).map_err(|_| wrong())?;
    if !vertical.is_vertical() {
        return Err(wrong());
    }
    spatial_ref(&format!("EPSG:4326+{code}"))
}

impl VerticalShift for GdalVertical {
    fn shifts(&self, xs: &[f64], ys: &[f64]) -> Result<Vec<f64>> {
        let (mut lons, mut lats): (Vec<f64>, Vec<f64>) =
            xs.iter().zip(ys).map(|(&x, &y)| web_mercator::to_lon_lat(x, y)).unzip();
        let mut heights = vec![0.0; lons.len()];
        let done = self.by.transform_coords(&mut lons, &mut lats, &mut heights);
        let words = said();
        if done.is_err() || heights.iter().any(|h| !h.is_finite()) {
            let (lon, lat) = xs.first().zip(ys.first()).map_or((0.0, 0.0), |(&x, &y)| web_mercator::to_lon_lat(x, y));
            let place = format!("near {lon:.4} {lat:.4}: {words}");
            return Err(no_way(&self.names.0, &self.names.1, place));
        }
        Ok(heights)
    }
}

impl std::fmt::Debug for GdalVertical {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "GdalVertical({} to {})", self.names.0, self.names.1)
    }
}
