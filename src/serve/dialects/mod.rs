//! The interfaces of other elevation services, so that their clients need no change: a file for each.
//!
//! Three things are not as over there. A place without data is `null`, never 0 or -9999. Limits are this server's. And
//! what is wrong with a request is said in the other's form, with this server's words.

mod cubic;
pub mod google;
pub mod open_elevation;
pub mod opentopodata;
pub mod valhalla;

use std::sync::Arc;

use super::app::App;
use super::ask::{ask, at_all, bounded, rounded};
use super::catalogue::Catalogue;
use super::cost::Question;
use super::dataset::{Dataset, ElevationFrom};
use super::problem::{Answer, Problem};
use crate::heights::{Height, HeightQueries, Sampling, Spacing};
use crate::tile::LonLat;
use crate::track;

/// How heights between pixels are found.
#[derive(Debug, Clone, Copy)]
enum How {
    Plain(Sampling),
    /// Of the sixteen pixels around.
    Cubic,
}

impl Default for How {
    fn default() -> Self {
        Self::Plain(Sampling::default())
    }
}

/// A place and what was found there.
#[derive(Debug, Clone, Copy)]
struct Found {
    point: LonLat,
    /// Metres, to the millimetre.
    metres: Option<f64>,
    /// Metres of a pixel on the ground.
    resolution: Option<f64>,
}

/// The dataset of interfaces that name none: the one of the options, else the first with heights.
fn default_dataset<'a>(app: &App, catalogue: &'a Catalogue) -> Answer<&'a Arc<Dataset>> {
    if let Some(name) = &app.options.default_dataset {
        return catalogue.dataset(name);
    }
    let missing = || Problem::not_found("no dataset has heights; /catalog lists what each dataset has");
    catalogue.behind(None).find(|dataset| dataset.elevation_from().is_some()).ok_or_else(missing)
}

/// A place from its latitude and longitude, the order of these interfaces.
fn lat_lng(lat: f64, lng: f64) -> Answer<LonLat> {
    let bad = |_| {
        let swapped = lat.abs() > 90.0 && lat.abs() <= 360.0 && lng.abs() <= 90.0;
        let hint = if swapped { " (are latitude and longitude swapped?)" } else { "" };
        Problem::bad(format!("{lat},{lng} is no place: the order is LAT,LNG in degrees, latitude within -90..90{hint}"))
    };
    LonLat::new(lng, lat).map_err(bad)
}

/// `LAT,LNG|LAT,LNG|…`.
fn list(text: &str) -> Answer<Vec<LonLat>> {
    let place = |text: &str| {
        let numbers = text.split_once(',').and_then(|(a, b)| Some((a.trim().parse().ok()?, b.trim().parse().ok()?)));
        let bad = || Problem::bad(format!("expected LAT,LNG in degrees, found {text:?}"));
        numbers.ok_or_else(bad).and_then(|(lat, lng)| lat_lng(lat, lng))
    };
    text.split('|').map(place).collect()
}

/// An encoded polyline, of at least one place.
fn polyline(text: &str, decimals: u32) -> Answer<Vec<LonLat>> {
    Ok(track::decode_polyline(text, decimals)?)
}

/// The heights at places, or at so many places at equal distances along the line through them.
async fn heights(
    app: &App,
    dataset: &Arc<Dataset>,
    points: Vec<LonLat>,
    spacing: Option<Spacing>,
    how: How,
) -> Answer<Vec<Found>> {
    bounded(points.len(), app.options.limits.locations)?;
    if let Some(Spacing::Count(count)) = spacing
        && count > app.options.limits.samples
    {
        let most = app.options.limits.samples;
        return Err(Problem::bad(format!("{count} samples are too many; ask for at most {most}")));
    }
    let from = dataset.elevation_from().unwrap_or(ElevationFrom::Tiles);
    let many = match (spacing, how) {
        (Some(_), _) => usize::MAX,
        (None, How::Plain(_)) => points.len(),
        (None, How::Cubic) => points.len() * 16,
    };
    ask(app, dataset, many, move |heights| {
        let plain = if let How::Plain(how) = how { how } else { Sampling::default() };
        let found: Vec<(LonLat, Option<Height>)> = match spacing {
            None => points.iter().copied().zip(at_all(heights, &points, &plain)?).collect(),
            Some(spacing) => {
                let samples = if let Spacing::Count(count) = spacing { count } else { usize::MAX };
                Question { from, shape: *heights.shape(), max_zoom: None }.profile(&points, samples)?;
                let profile = heights.along(&points, spacing, &plain)?;
                profile.points.iter().map(|sample| (sample.point, sample.height)).collect()
            }
        };
        found.into_iter().map(|(point, height)| told(heights, point, height, how)).collect()
    })
    .await
}

fn told(heights: &dyn HeightQueries, point: LonLat, height: Option<Height>, how: How) -> Answer<Found> {
    let Some(height) = height else { return Ok(Found { point, metres: None, resolution: None }) };
    let metres = match how {
        How::Plain(_) => height.metres,
        How::Cubic => cubic::cubic(heights, point, height)?,
    };
    let resolution = heights.shape().pixel_size(height.zoom, point.lat());
    Ok(Found { point, metres: Some(rounded(metres, 3)), resolution: Some(rounded(resolution, 3)) })
}
