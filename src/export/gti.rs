//! What GDAL's raster tile index (GTI) says about the mosaic of its rasters.
//!
//! The names are those of the driver's documentation, <https://gdal.org/drivers/raster/gti.html>. What the store does not
//! know is left out; GDAL then looks it up in one of the rasters.

use super::columns::{LOCATION, RANK};
use crate::store::{DataType, RecordRef};
use crate::tile::Bounds;

/// The metadata items of the layer of a tile index in EPSG:3857. The resolution is that of the finest record, in metres.
///
/// GDAL draws in the order of `SORT_FIELD` and the last one stays on top: so ranks are sorted downwards, and the record
/// that wins in a store wins in the mosaic.
pub(super) fn items<'a>(records: impl Iterator<Item = RecordRef<'a>>) -> Vec<(&'static str, String)> {
    let mut extent: Option<Bounds> = None;
    let (mut finest, mut data_type, mut nodata) = (f64::INFINITY, None, None);
    for record in records {
        let bounds = record.bounds();
        extent = Some(extent.map_or(bounds, |e| e.union(&bounds)));
        finest = finest.min(record.pixel_size());
        if record.data_type() != DataType::Unknown {
            data_type = Some(data_type.map_or(record.data_type(), |t| common(t, record.data_type())));
        }
        if let Some(value) = record.nodata()
            && nodata.is_none_or(|(rank, _)| record.rank() < rank)
        {
            nodata = Some((record.rank(), value));
        }
    }
    // GDAL counts the columns and rows of a mosaic with 31 bits.
    let side = extent.map_or(0.0, |e| e.width().max(e.height()));
    let resolution = finest.max(side / f64::from(i32::MAX - 1));
    let mut items = vec![
        ("LOCATION_FIELD", LOCATION.to_string()),
        ("SORT_FIELD", RANK.to_string()),
        ("SORT_FIELD_ASC", "NO".to_string()),
        ("SRS", "EPSG:3857".to_string()),
        ("RESX", resolution.to_string()),
        ("RESY", resolution.to_string()),
        ("RESAMPLING", "bilinear".to_string()),
        ("BAND_COUNT", "1".to_string()),
    ];
    items.extend(data_type.map(|t: DataType| ("DATA_TYPE", t.gdal_name().to_string())));
    items.extend(nodata.map(|(_, value)| ("NODATA", value.to_string().to_lowercase())));
    items
}

/// A type that holds the heights of both: the same one, or a float.
fn common(a: DataType, b: DataType) -> DataType {
    match (a, b) {
        _ if a == b => a,
        _ if a.fits_float() && b.fits_float() => DataType::F32,
        _ => DataType::F64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_joined_without_loss() {
        assert_eq!(common(DataType::I16, DataType::I16), DataType::I16);
        assert_eq!(common(DataType::I16, DataType::F32), DataType::F32);
        assert_eq!(common(DataType::I32, DataType::F32), DataType::F64);
    }
}
