//! Tables of footprints, by GDAL's vector drivers.

use std::collections::HashMap;
use std::path::Path;

use ::gdal::vector::{Defn, Feature, Geometry, Layer, LayerAccess, LayerOptions, OGRFieldType, OGRwkbGeometryType};
use ::gdal::{Dataset, DatasetOptions, DriverManager, GdalOpenFlags, Metadata};

use super::super::table::{self, FieldKind, FieldValue, FootprintTables, PutRow, TableForm};
use super::local::INDICES;
use super::{failed, prepare, spatial_ref};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::tile::Bounds;
use crate::url;

/// Tables through GDAL.
pub(super) struct GdalTables;

impl FootprintTables for GdalTables {
    fn read(
        &self,
        path: &Path,
        location: &str,
        progress: &dyn Progress,
        each: &mut dyn FnMut(&dyn table::Feature) -> Result<()>,
    ) -> Result<()> {
        prepare();
        let flags = GdalOpenFlags::GDAL_OF_VECTOR | GdalOpenFlags::GDAL_OF_VERBOSE_ERROR;
        // An index is a file of one of these formats, never a description of a service.
        let allowed_drivers = Some(INDICES.as_slice());
        let options = DatasetOptions { open_flags: flags, allowed_drivers, ..DatasetOptions::default() };
        if url::is_one(path) && !super::local::remote_allowed() {
            return Err(Error::io("open", path)(std::io::Error::new(
                std::io::ErrorKind::Unsupported,
                "it lies on the network",
            )));
        }
        let dataset =
            Dataset::open_ex(url::for_gdal(path), options).map_err(failed(path, "can't be read as a tile index"))?;
        let mut layer = choose(&dataset, path, location)?;
        let location = location_field(&layer, location).unwrap_or_default();
        let fields = layer.defn().fields().enumerate().map(|(n, field)| (field.name(), n)).collect();
        let metres = layer.spatial_ref().is_some_and(|crs| crs.auth_code().is_ok_and(|code| code == 3857));
        progress.begin("reading the index", layer.try_feature_count(), "features");
        for (n, feature) in layer.features().enumerate() {
            if n % 1024 == 0 && progress.interrupted() {
                return Err(Error::Interrupted);
            }
            each(&Row { fields: &fields, location, metres, feature: &feature })?;
            progress.advance(1);
        }
        progress.end();
        Ok(())
    }

    fn write(
        &self,
        path: &Path,
        target: &Path,
        form: &TableForm<'_>,
        rows: &mut dyn FnMut(&mut PutRow<'_>) -> Result<()>,
    ) -> Result<()> {
        prepare();
        let driver =
            DriverManager::get_driver_by_name("GPKG").map_err(failed(target, "GDAL has no GeoPackage driver"))?;
        let refused = || failed(target, "GDAL can't write the GeoPackage");
        let mut dataset = driver.create_vector_only(path).map_err(refused())?;
        let mut transaction = dataset.start_transaction().map_err(refused())?;
        let crs = spatial_ref("EPSG:3857")?;
        let ty = OGRwkbGeometryType::wkbPolygon;
        let options = LayerOptions { name: form.layer, srs: Some(&crs), ty, options: None };
        let mut layer = transaction.create_layer(options).map_err(refused())?;
        let fields: Vec<_> = form.fields.iter().map(|&(name, kind)| (name, field_type(kind))).collect();
        layer.create_defn_fields(&fields).map_err(refused())?;
        for (name, value) in form.items {
            layer.set_metadata_item(name, value, "").map_err(refused())?;
        }
        let defn = Defn::from_layer(&layer);
        rows(&mut |values, bounds| put(&layer, &defn, values, bounds).map_err(refused()))?;
        transaction.commit().map_err(refused())?;
        dataset.close().map_err(refused())
    }
}

fn field_type(kind: FieldKind) -> OGRFieldType::Type {
    match kind {
        FieldKind::Text => OGRFieldType::OFTString,
        FieldKind::Integer => OGRFieldType::OFTInteger64,
        FieldKind::Real => OGRFieldType::OFTReal,
    }
}

fn put(layer: &Layer<'_>, defn: &Defn, values: &[FieldValue<'_>], bounds: &Bounds) -> ::gdal::errors::Result<()> {
    let mut feature = Feature::new(defn)?;
    for (i, value) in values.iter().enumerate() {
        match value {
            FieldValue::Missing => {}
            FieldValue::Text(text) => feature.set_field_string(i, text)?,
            FieldValue::Integer(number) => feature.set_field_integer64(i, *number)?,
            FieldValue::Real(number) => feature.set_field_double(i, *number)?,
        }
    }
    feature.set_geometry(polygon(bounds)?)?;
    feature.create(layer)
}

/// A footprint as a polygon of its corners, to the last bit.
fn polygon(bounds: &Bounds) -> ::gdal::errors::Result<Geometry> {
    let mut ring = Geometry::empty(OGRwkbGeometryType::wkbLinearRing)?;
    for corner in bounds.corners() {
        ring.add_point_2d(corner);
    }
    let mut polygon = Geometry::empty(OGRwkbGeometryType::wkbPolygon)?;
    polygon.add_geometry(ring)?;
    Ok(polygon)
}

fn choose<'a>(dataset: &'a Dataset, path: &Path, location: &str) -> Result<Layer<'a>> {
    let named = dataset.metadata_item("TILE_INDEX_LAYER", "");
    let fits = |layer: &Layer| match &named {
        Some(name) => layer.name() == *name,
        None => location_field(layer, location).is_some(),
    };
    let mut layers: Vec<Layer> = dataset.layers().filter(fits).collect();
    match (layers.pop(), layers.is_empty()) {
        (Some(layer), true) if location_field(&layer, location).is_some() => Ok(layer),
        (found, _) => {
            let problem = match found {
                Some(_) if named.is_none() => format!("has several layers with a field {location:?}"),
                _ => format!("has no layer with a field {location:?} that names rasters"),
            };
            let remedy =
                "make an index with `export::export` or gdaltindex; a raster is given by a pattern such as 'dem*.gpkg'";
            Err(Error::invalid("tile index", problem, remedy).with_path(path))
        }
    }
}

fn location_field(layer: &Layer, location: &str) -> Option<usize> {
    let name = layer.metadata_item("LOCATION_FIELD", "").unwrap_or_else(|| location.to_string());
    layer.defn().field_index(name).ok()
}

/// A feature, and where its fields stand.
struct Row<'a> {
    fields: &'a HashMap<String, usize>,
    location: usize,
    metres: bool,
    feature: &'a Feature<'a>,
}

impl Row<'_> {
    fn at(&self, field: usize) -> Option<String> {
        self.feature.field_as_string(field).ok().flatten().filter(|text| !text.is_empty())
    }
}

impl table::Feature for Row<'_> {
    fn number(&self) -> u64 {
        self.feature.fid().unwrap_or_default()
    }

    fn location(&self) -> Option<String> {
        self.at(self.location)
    }

    fn has(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    fn text(&self, field: &str) -> Option<String> {
        self.at(*self.fields.get(field)?)
    }

    fn integer(&self, field: &str) -> Option<i64> {
        self.feature.field_as_integer64(*self.fields.get(field)?).ok().flatten()
    }

    fn real(&self, field: &str) -> Option<f64> {
        self.feature.field_as_double(*self.fields.get(field)?).ok().flatten()
    }

    fn bounds(&self) -> Option<Bounds> {
        let envelope = self.feature.geometry().filter(|_| self.metres)?.envelope();
        Some(Bounds::new(envelope.MinX, envelope.MinY, envelope.MaxX, envelope.MaxY))
    }
}
