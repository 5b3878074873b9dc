//! Which coordinate systems go around the world, asked of PROJ.

use ::gdal::spatial_ref::{AxisMappingStrategy, CoordTransform, SpatialRef};

use super::{said, spatial_ref, transform};
use crate::error::Result;
use crate::raster::turn::{Around, LATITUDE, around};

/// How a coordinate system goes around the world; `None` where it does not. `definition` is its code or its WKT. Costs some milliseconds
/// for the first raster of a thread in each projected CRS.
pub(super) fn of(crs: &SpatialRef, definition: &str) -> Option<Around> {
    let found = if crs.is_geographic() { Some(geographic(crs, definition)) } else { projected(definition) };
    said();
    found
}

/// Radians in a unit of angle.
fn unit(crs: &SpatialRef) -> f64 {
    let unit = crs.angular_units();
    if unit > 0.0 { unit } else { 1f64.to_radians() }
}

/// Geographic coordinates: degrees or others. Those with rotated poles are cut at no latitude, since theirs is not the Earth's.
fn geographic(crs: &SpatialRef, definition: &str) -> Around {
    let turn = std::f64::consts::TAU / unit(crs);
    // Degrees are kept as radians with rounding: 360.00000000000006 would move cells.
    let turn = if (turn - 360.0).abs() < 1e-6 { 360.0 } else { turn };
    let limit = turn / 360.0 * LATITUDE;
    let upright = || -> Result<bool> {
        let (own, degrees) = (spatial_ref(definition)?, spatial_ref("EPSG:4326")?);
        let Ok(by) = CoordTransform::new(&own, &degrees) else { return Ok(true) };
        let (mut xs, mut ys) = ([0.0], [limit]);
        transform(&by, &mut xs, &mut ys);
        Ok(ys[0].is_nan() || (ys[0] - LATITUDE).abs() < 0.5)
    };
    let rotated = !definition.starts_with("EPSG:") && !upright().unwrap_or(true);
    Around { turn, limits: (!rotated).then_some((-limit, limit)) }
}

/// Projected coordinates, where they are cylindrical.
fn projected(definition: &str) -> Option<Around> {
    let crs = spatial_ref(definition).ok().filter(SpatialRef::is_projected)?;
    let mut degrees = crs.geog_cs().ok()?;
    degrees.set_axis_mapping_strategy(AxisMappingStrategy::TraditionalGisOrder);
    let by = CoordTransform::new(&degrees, &crs).ok()?;
    let units = 1f64.to_radians() / unit(&degrees);
    around(&|xs, ys| {
        xs.iter_mut().chain(ys.iter_mut()).for_each(|v| *v *= units);
        transform(&by, xs, ys);
        Ok(())
    })
    .ok()
    .flatten()
}
