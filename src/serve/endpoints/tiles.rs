//! Tiles, and tiles of lineage: their bytes as they are stored.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode, header};

use crate::serve::answer::{content, etag_of};
use crate::serve::app::App;
use crate::serve::dataset::{Dataset, Part};
use crate::serve::heavy::far;
use crate::serve::options::Missing;
use crate::serve::problem::{Answer, Problem};
use crate::serve::router::Captures;
use crate::serve::tileset::Tileset;
use crate::tile::TileCoord;

/// `/tiles/{id}/{z}/{x}/{y}`, with an extension or without.
pub async fn tile(State(app): State<Arc<App>>, path: Captures, headers: HeaderMap) -> Answer {
    answer(&app, &path, &headers, |dataset| dataset.tiles.as_ref().ok_or_else(|| Problem::lacks("tiles"))).await
}

/// `/lineage/{id}/{z}/{x}/{y}`.
pub async fn lineage(State(app): State<Arc<App>>, path: Captures, headers: HeaderMap) -> Answer {
    answer(&app, &path, &headers, |dataset| dataset.lineage.as_ref().ok_or_else(|| Problem::lacks("lineage"))).await
}

/// A tile of the archive that `of` chooses.
async fn answer(
    app: &App,
    path: &Captures,
    headers: &HeaderMap,
    of: impl Fn(&Dataset) -> Answer<&Arc<Part<Tileset>>>,
) -> Answer {
    let catalogue = app.catalogue();
    let dataset = catalogue.dataset(path.get("id"))?;
    let tiles = &of(dataset)?.content;
    let tile = coordinates(path, tiles)?;
    let bytes = if tiles.is_far() {
        let part = Arc::clone(of(dataset)?);
        // In a box: each connection keeps room for the largest of its answers.
        Box::pin(far(app, move || Ok(part.content.tile(tile)?))).await?
    } else {
        tiles.tile(tile)?
    };
    let Some(bytes) = bytes else {
        return match app.options.missing {
            Missing::NotFound => Err(Problem::not_found("there is no such tile")),
            Missing::NoContent => {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::NO_CONTENT;
                response.headers_mut().insert(header::CACHE_CONTROL, dataset.cache_control.clone());
                Ok(response)
            }
        };
    };
    let etag = etag_of(&bytes);
    Ok(content(headers, etag, |headers| {
        headers.insert(header::CONTENT_TYPE, tiles.content_type().clone());
        headers.insert(header::CACHE_CONTROL, dataset.cache_control.clone());
        if let Some(encoding) = tiles.content_encoding() {
            headers.insert(header::CONTENT_ENCODING, encoding.clone());
        }
        bytes
    }))
}

/// The tile that a path names. The extension has to be that of the tiles.
fn coordinates(path: &Captures, tiles: &Tileset) -> Answer<TileCoord> {
    let (y, extension) = match path.get("y").split_once('.') {
        Some((y, extension)) => (y, Some(extension)),
        None => (path.get("y"), None),
    };
    if let Some(extension) = extension
        && extension != tiles.extension()
        && !(extension == "jpeg" && tiles.extension() == "jpg")
        && !(extension == "mvt" && tiles.extension() == "pbf")
    {
        return Err(Problem::bad(format!("these tiles are .{}, not .{extension}", tiles.extension())));
    }
    let expected = || Problem::bad("expected z/x/y with z up to 31, x and y below 2^z");
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u32>().ok().filter(|_| digits).ok_or_else(expected)
    };
    let z = u8::try_from(number(path.get("z"))?).map_err(|_| expected())?;
    TileCoord::new(z, number(path.get("x"))?, number(y)?).ok_or_else(expected)
}
