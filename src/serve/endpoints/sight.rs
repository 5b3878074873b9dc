//! `/sight/{id}`: whether one place sees another.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::{Value, json};

use crate::heights::{Sampling, Seen, Sight, distance};
use crate::serve::answer;
use crate::serve::app::App;
use crate::serve::ask::{ask, max_zoom, rounded};
use crate::serve::cost::Question;
use crate::serve::dataset::ElevationFrom;
use crate::serve::params::Params;
use crate::serve::problem::{Answer, Problem};
use crate::serve::router::Captures;

/// `?from=LON,LAT&to=LON,LAT`.
pub async fn get(State(app): State<Arc<App>>, path: Captures, params: Params, headers: HeaderMap) -> Answer {
    let catalogue = app.catalogue();
    let dataset = catalogue.dataset(path.get("id"))?;
    let (Some(from), Some(to)) = (params.point("from")?, params.point("to")?) else {
        return Err(Problem::bad("give from=LON,LAT and to=LON,LAT"));
    };
    let mut sight = Sight::new(from, to);
    let (eye, target) = (params.number("eye")?, params.number("target")?);
    sight = sight.above_ground(eye.unwrap_or(sight.eye), target.unwrap_or(sight.target));
    sight = sight.refraction(params.number("refraction")?.unwrap_or(sight.refraction));
    let max_zoom = max_zoom(&params)?;
    let how = max_zoom.map_or(Sampling::default(), |zoom| Sampling::default().up_to_zoom(zoom));
    let source = dataset.elevation_from().unwrap_or(ElevationFrom::Tiles);
    let seen = ask(&app, dataset, usize::MAX, move |heights| {
        let question = Question { from: source, shape: *heights.shape(), max_zoom };
        question.sight([from, to], distance(from, to))?;
        Ok(heights.sees(&sight, &how)?)
    });
    answer::json(&headers, &document(&seen.await?))
}

fn document(seen: &Seen) -> Value {
    match seen {
        Seen::Clear => json!({"visible": true, "blocked": null}),
        Seen::Unknown => json!({"visible": null, "blocked": null}),
        Seen::Blocked { point, distance, ground, above } => json!({
            "visible": false,
            "blocked": {
                "lon": rounded(point.lon(), 8), "lat": rounded(point.lat(), 8), "distance": rounded(*distance, 3),
                "ground": rounded(ground.metres, 3), "above": rounded(*above, 3),
            },
        }),
    }
}
