//! The CRS of a dataset as one text.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;

use ::gdal::Dataset;
use ::gdal::spatial_ref::{AxisMappingStrategy, SpatialRef};

use super::{around, failed, geokeys, said, spatial_ref};
use crate::error::Result;
use crate::raster::turn::Around;

/// What is known of a CRS.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Crs {
    /// `EPSG:n` where that code stands for just this CRS, else WKT.
    pub(super) definition: String,
    /// How it goes around the world, where it does.
    pub(super) around: Option<Around>,
    pub(super) wkt: String,
    /// What GDAL calls the unit of a band, where nothing but the CRS tells it.
    pub(super) unit: Option<String>,
}

/// Names of coordinate systems that a thread remembers.
const MOST: usize = 1000;

thread_local! {
    /// By their WKT, and by the keys of GeoTIFFs: making a WKT of these takes half a millisecond, comparing it with its code a tenth.
    static KNOWN: RefCell<HashMap<Vec<u8>, Crs>> = RefCell::new(HashMap::new());
}

fn known(by: &[u8]) -> Option<Crs> {
    KNOWN.with_borrow(|known| known.get(by).cloned())
}

fn remember(by: Vec<u8>, crs: &Crs) {
    KNOWN.with_borrow_mut(|known| {
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(by, crs.clone());
    });
}

/// The CRS of a dataset, or the assumed one; `Err` with what the file says where it has none that can be used.
pub(super) fn of(dataset: &Dataset, path: &Path, assumed: Option<&str>) -> Result<std::result::Result<Crs, String>> {
    let keys = geokeys::of(dataset, path);
    if let Some(known) = keys.as_ref().and_then(|keys| known(&keys.bytes)) {
        return Ok(Ok(known));
    }
    let own = dataset.spatial_ref().ok().filter(|crs| !crs.to_wkt().unwrap_or_default().is_empty());
    said();
    let local = own.as_ref().filter(|crs| crs.is_local()).map(|crs| crs.name().unwrap_or_default());
    let keys = keys.filter(|_| own.is_some() && local.is_none());
    let crs = match (own.filter(|_| local.is_none()), assumed) {
        (Some(crs), _) => crs,
        (None, Some(definition)) => spatial_ref(definition)?,
        (None, None) => {
            let words = local.map(|name| format!("its CRS {name:?} is a local one, which leads nowhere on the Earth"));
            return Ok(Err(words.unwrap_or_default()));
        }
    };
    let wkt = crs.to_wkt().map_err(failed(path, "can't describe its CRS"))?;
    let mut found = match known(wkt.as_bytes()) {
        Some(known) => known,
        None => described(&crs, wkt),
    };
    if let Some(keys) = keys {
        found.unit = keys.tell_unit.then(|| dataset.rasterband(1).map(|band| band.unit()).unwrap_or_default());
        remember(keys.bytes, &found);
    }
    Ok(Ok(found))
}

/// What is known of a CRS with this WKT, found once.
fn described(crs: &SpatialRef, wkt: String) -> Crs {
    let code = crs.authority().ok().filter(|code| stands_for(code, crs, &wkt));
    let definition = code.unwrap_or_else(|| wkt.clone());
    let found = Crs { around: around::of(crs, &definition), definition, wkt, unit: None };
    said();
    remember(found.wkt.clone().into_bytes(), &found);
    found
}

/// True where PROJ knows the code, and knows it as this CRS. A transformation to WGS 84 in the file does not make it a different CRS.
fn stands_for(code: &str, crs: &SpatialRef, wkt: &str) -> bool {
    let Ok(known) = spatial_ref(code) else { return false };
    let same = |other: &SpatialRef| {
        let mut other = other.clone();
        other.set_axis_mapping_strategy(AxisMappingStrategy::TraditionalGisOrder);
        other == known
    };
    same(crs)
        || without(wkt, ",TOWGS84[").is_some_and(|plain| SpatialRef::from_wkt(&plain).is_ok_and(|plain| same(&plain)))
}

/// The text without the first node that begins so, up to its closing bracket.
fn without(wkt: &str, node: &str) -> Option<String> {
    let start = wkt.find(node)?;
    let end = start + wkt[start..].find(']')? + 1;
    Some(format!("{}{}", &wkt[..start], &wkt[end..]))
}
