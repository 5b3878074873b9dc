//! Asking a dataset for heights, and how answers tell them.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::app::App;
use super::dataset::{Dataset, ElevationFrom};
use super::heavy::heavy;
use super::params::Params;
use super::problem::{Answer, Problem};
use crate::heights::{Height, HeightQueries, Interpolation, Sampling, Shape};
use crate::tile::LonLat;

/// So many points of a file of heights are looked up without waiting for a turn: some microseconds.
const FEW: usize = 32;

/// The name that a lineage gives to pixels that were filled from their surroundings.
const FILLED: &str = "interpolated";

/// Asks the heights of a dataset: at once where that takes microseconds, else beside the threads that answer, when it is the
/// request's turn. `points` is how many places are looked up, `usize::MAX` where that is not known.
///
/// # Errors
/// 404 where the dataset has no heights, 503 where no turn came, and what the question returns.
pub async fn ask<T: Send + 'static>(
    app: &App,
    dataset: &Arc<Dataset>,
    points: usize,
    question: impl FnOnce(&dyn HeightQueries) -> Answer<T> + Send + 'static,
) -> Answer<T> {
    if dataset.elevation_from() == Some(ElevationFrom::Heights) && points <= FEW {
        return question(dataset.elevation()?.queries());
    }
    let dataset = Arc::clone(dataset);
    // The first question to tiles decodes one of them.
    heavy(app, move || question(dataset.elevation()?.queries())).await
}

/// How points are sampled: `interpolation` and `max_zoom` of a query.
///
/// # Errors
/// Where one of them is none.
pub fn sampling(params: &Params) -> Answer<Sampling> {
    let how = match params.text("interpolation")? {
        None | Some("bilinear") => Sampling::default(),
        Some("nearest") => Sampling::default().interpolation(Interpolation::Nearest),
        Some(other) => {
            return Err(Problem::bad(format!("interpolation: expected bilinear or nearest, found {other:?}")));
        }
    };
    Ok(max_zoom(params)?.map_or(how, |zoom| how.up_to_zoom(zoom)))
}

/// The finest zoom that is looked at.
///
/// # Errors
/// Where it is none.
pub fn max_zoom(params: &Params) -> Answer<Option<u8>> {
    let expected = "a whole number from 0 to 31";
    match params.value::<u8>("max_zoom", expected)? {
        Some(zoom) if zoom > 31 => Err(Problem::bad(format!("max_zoom: expected {expected}, found {zoom}"))),
        zoom => Ok(zoom),
    }
}

/// No more places than `most`, as many as a request may name.
///
/// # Errors
/// 400 where there are more, or none.
pub fn bounded(places: usize, most: usize) -> Answer<()> {
    match places {
        0 => Err(Problem::bad("no place is given")),
        n if n > most => Err(Problem::bad(format!("{n} places are too many; ask for at most {most} at a time"))),
        _ => Ok(()),
    }
}

/// A number of so many decimals.
pub fn rounded(value: f64, decimals: i32) -> f64 {
    let scale = 10f64.powi(decimals);
    (value * scale).round() / scale
}

/// What an answer tells of a height: `null` everywhere where there is none.
#[derive(Debug, Default, Serialize)]
pub struct Told {
    /// Metres, to the millimetre.
    pub elevation: Option<f64>,
    /// The name of the source, where lineage is known.
    #[serde(serialize_with = "name")]
    pub source: Option<Arc<str>>,
    /// Metres of a pixel on the ground.
    pub resolution: Option<f64>,
    pub zoom: Option<u8>,
    /// The height was filled in from its surroundings, so that no source measured it.
    pub interpolated: bool,
}

/// A name that many answers share.
pub fn name<S: Serializer>(name: &Option<Arc<str>>, serializer: S) -> Result<S::Ok, S::Error> {
    name.as_deref().serialize(serializer)
}

/// What is needed to tell heights.
pub struct Facts {
    shape: Shape,
    sources: Vec<Arc<str>>,
}

impl Facts {
    /// # Errors
    /// Where the file is damaged.
    pub fn of(heights: &dyn HeightQueries) -> Answer<Self> {
        Ok(Self { shape: *heights.shape(), sources: heights.sources()?.into_iter().map(Arc::from).collect() })
    }

    pub fn tell(&self, point: LonLat, height: Option<Height>) -> Told {
        let Some(height) = height else { return Told::default() };
        let source = height.source.and_then(|number| self.sources.get(usize::from(number))).cloned();
        Told {
            elevation: Some(rounded(height.metres, 3)),
            resolution: Some(self.resolution(point, height.zoom)),
            zoom: Some(height.zoom),
            interpolated: height.source == Some(crate::terrain::INTERPOLATED) || source.as_deref() == Some(FILLED),
            source,
        }
    }

    /// Metres of a pixel on the ground.
    pub fn resolution(&self, point: LonLat, zoom: u8) -> f64 {
        rounded(self.shape.pixel_size(zoom, point.lat()), 3)
    }
}

/// The heights at points, in their order.
///
/// # Errors
/// Where the file is damaged.
pub fn at_all(heights: &dyn HeightQueries, points: &[LonLat], how: &Sampling) -> Answer<Vec<Option<Height>>> {
    if let [point] = points {
        return Ok(vec![heights.sample(*point, how)?]);
    }
    let mut found = Vec::new();
    heights.at_many(points, how, &mut found)?;
    Ok(found)
}
