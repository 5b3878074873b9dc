//! A GeoPackage that GDAL 3.9 and later open as a raster (GTI, the raster tile index), and that every GIS opens as a
//! table of footprints. One of the few files that know GDAL's types.

use std::path::Path;

use ::gdal::vector::{Defn, Feature, Geometry, LayerAccess, LayerOptions, OGRFieldType, OGRwkbGeometryType};
use ::gdal::{DriverManager, Metadata};

use super::LAYER;
use super::columns::{COLUMNS, Kind, Value, values};
use super::mosaic;
use super::rows::Rows;
use crate::error::Result;
use crate::raster::gdal::{failed, prepare, spatial_ref};
use crate::tile::Bounds;

/// Writes the table in EPSG:3857 with its spatial index to `path`, under which there must be no file yet; `target` is
/// what messages name.
///
/// # Errors
/// Where GDAL can't write the file or has no GeoPackage driver, or the store is damaged.
pub(super) fn write(rows: &Rows, path: &Path, target: &Path) -> Result<()> {
    prepare();
    let driver = DriverManager::get_driver_by_name("GPKG").map_err(failed(target, "GDAL has no GeoPackage driver"))?;
    let refused = || failed(target, "GDAL can't write the GeoPackage");
    let mut dataset = driver.create_vector_only(path).map_err(refused())?;
    let mut transaction = dataset.start_transaction().map_err(refused())?;
    let crs = spatial_ref("EPSG:3857")?;
    let options = LayerOptions { name: LAYER, srs: Some(&crs), ty: OGRwkbGeometryType::wkbPolygon, options: None };
    let mut layer = transaction.create_layer(options).map_err(refused())?;
    let fields = COLUMNS.map(|(name, kind)| {
        let kind = match kind {
            Kind::Text => OGRFieldType::OFTString,
            Kind::Integer => OGRFieldType::OFTInteger64,
            Kind::Real => OGRFieldType::OFTReal,
        };
        (name, kind)
    });
    layer.create_defn_fields(&fields).map_err(refused())?;
    for (name, value) in mosaic::items(rows.records()) {
        layer.set_metadata_item(name, &value, "").map_err(refused())?;
    }
    let table = Defn::from_layer(&layer);
    rows.for_each(|row| {
        let mut feature = Feature::new(&table).map_err(refused())?;
        for (i, value) in values(row).iter().enumerate() {
            let set = match value {
                Value::Integer(number) => feature.set_field_integer64(i, *number),
                Value::Real(number) => feature.set_field_double(i, *number),
                other => match other.text() {
                    Some(text) => feature.set_field_string(i, &text),
                    None => Ok(()),
                },
            };
            set.map_err(refused())?;
        }
        feature.set_geometry(polygon(&row.record.bounds()).map_err(refused())?).map_err(refused())?;
        feature.create(&layer).map_err(refused())
    })?;
    rows.finish("committing", || transaction.commit()).map_err(refused())?;
    rows.finish("indexing", || dataset.close()).map_err(refused())
}

/// A footprint as a polygon of its corners, to the last bit.
fn polygon(bounds: &Bounds) -> ::gdal::errors::Result<Geometry> {
    let mut ring = Geometry::empty(OGRwkbGeometryType::wkbLinearRing)?;
    for corner in super::corners(bounds) {
        ring.add_point_2d(corner);
    }
    let mut polygon = Geometry::empty(OGRwkbGeometryType::wkbPolygon)?;
    polygon.add_geometry(ring)?;
    Ok(polygon)
}
