//! Longitudes and latitudes as positions in a raster's CRS, by PROJ alone.

use ::gdal::spatial_ref::CoordTransform;

use super::super::Degrees;
use super::{failed, prepare, said, spatial_ref, transform};
use crate::error::Result;

/// The way between degrees on WGS 84 and a CRS. Stays on its thread.
pub struct GdalDegrees {
    forward: CoordTransform,
    back: CoordTransform,
}

impl GdalDegrees {
    /// The way to a CRS given as `EPSG:n`, WKT or anything else that PROJ knows. Costs some milliseconds: keep it.
    ///
    /// # Errors
    /// Where the CRS is not known, or there is no way to it.
    pub fn new(crs: &str) -> Result<Self> {
        prepare();
        said();
        let (degrees, other) = (spatial_ref("EPSG:4326")?, spatial_ref(crs)?);
        let make = |from, to| {
            CoordTransform::new(from, to).map_err(failed(std::path::Path::new(crs), "no transformation from degrees"))
        };
        Ok(Self { forward: make(&degrees, &other)?, back: make(&other, &degrees)? })
    }
}

impl Degrees for GdalDegrees {
    fn to_crs(&self, xs: &mut [f64], ys: &mut [f64]) {
        transform(&self.forward, xs, ys);
    }

    fn to_degrees(&self, xs: &mut [f64], ys: &mut [f64]) {
        transform(&self.back, xs, ys);
    }
}

impl std::fmt::Debug for GdalDegrees {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GdalDegrees").finish_non_exhaustive()
    }
}
