//! The features of an index, read with GDAL's vector drivers. One of the few files that know GDAL's types.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use ::gdal::vector::{Feature, Layer, LayerAccess};
use ::gdal::{Dataset, DatasetOptions, GdalOpenFlags, Metadata};

use super::{Entry, Header, Index, Named};
use crate::error::{Error, Result};
use crate::export::columns::{BAND, COLUMNS, LOCATION, MORE_NODATA, OFFSET, PARTS, SCALE, UNIT, values_of};
use crate::progress::Progress;
use crate::raster::Adjustment;
use crate::raster::gdal::{INDICES, check_crs, failed, prepare};
use crate::store::DataType;
use crate::tile::{Bounds, web_mercator};

/// Reads all features of the layer that is an index: the one that the file's item `TILE_INDEX_LAYER` names, else the only
/// one with a field for locations, which the layer's item `LOCATION_FIELD` names (`location`).
///
/// # Errors
/// Where GDAL can't read the file or no such layer is there.
pub(super) fn read(path: &Path, progress: &dyn Progress) -> Result<Index> {
    prepare();
    let flags = GdalOpenFlags::GDAL_OF_VECTOR | GdalOpenFlags::GDAL_OF_VERBOSE_ERROR;
    // An index is a file of one of these formats, never a description of a service.
    let options =
        DatasetOptions { open_flags: flags, allowed_drivers: Some(INDICES.as_slice()), ..DatasetOptions::default() };
    let dataset = Dataset::open_ex(path, options).map_err(failed(path, "can't be read as a tile index"))?;
    let mut layer = choose(&dataset, path)?;
    let location = location_field(&layer).unwrap_or_default();
    let columns = Columns::of(&layer);
    let mut index = Index::default();
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut known = HashSet::new();
    progress.begin("reading the index", layer.try_feature_count(), "features");
    for feature in layer.features() {
        if index.entries.len() % 1024 == 0 && progress.interrupted() {
            return Err(Error::Interrupted);
        }
        let text = feature.field_as_string(location).ok().flatten().filter(|l| !l.is_empty());
        let Some(location) = text else {
            let problem = "names no raster";
            let part = format!("feature {}", feature.fid().unwrap_or_default());
            return Err(Error::invalid(part, problem, "complete it or take it out of the index").with_path(path));
        };
        let of = Fields { columns: &columns, feature: &feature };
        let identity = of.text("source").zip(of.text("path")).map(|(name, below)| {
            let new = index.sources.len();
            let number = *numbers.entry(name.clone()).or_insert(new);
            if number == new {
                index.sources.push(of.source(name).map_err(|e| e.with_path(path))?);
            } else if of.values() != index.sources[number].values() {
                // Files of one source that are read in different ways; each record then says its own.
                index.sources[number].mixed = true;
            }
            Ok::<_, Error>((number, below))
        });
        let identity = identity.transpose()?;
        if let Some(crs) = of.text("crs").filter(|crs| !known.contains(crs)) {
            check_crs(&crs).map_err(|e| {
                let part = format!("feature {}", feature.fid().unwrap_or_default());
                let problem = format!("has a crs that is none: {e}");
                Error::invalid(part, problem, "correct it, or export the index again").with_path(path)
            })?;
            known.insert(crs);
        }
        index.entries.push(Entry { location, identity, header: of.header() });
        progress.advance(1);
    }
    progress.end();
    Ok(index)
}

fn choose<'a>(dataset: &'a Dataset, path: &Path) -> Result<Layer<'a>> {
    let named = dataset.metadata_item("TILE_INDEX_LAYER", "");
    let fits = |layer: &Layer| match &named {
        Some(name) => layer.name() == *name,
        None => location_field(layer).is_some(),
    };
    let mut layers: Vec<Layer> = dataset.layers().filter(fits).collect();
    match (layers.pop(), layers.is_empty()) {
        (Some(layer), true) if location_field(&layer).is_some() => Ok(layer),
        (found, _) => {
            let problem = match found {
                Some(_) if named.is_none() => format!("has several layers with a field {LOCATION:?}"),
                _ => format!("has no layer with a field {LOCATION:?} that names rasters"),
            };
            let remedy =
                "make an index with `export::export` or gdaltindex; a raster is given by a pattern such as 'dem*.gpkg'";
            Err(Error::invalid("tile index", problem, remedy).with_path(path))
        }
    }
}

fn location_field(layer: &Layer) -> Option<usize> {
    let name = layer.metadata_item("LOCATION_FIELD", "").unwrap_or_else(|| LOCATION.to_string());
    layer.defn().field_index(name).ok()
}

/// Where the columns of an export stand in a layer.
struct Columns {
    places: HashMap<&'static str, usize>,
    /// True where the layer's coordinates are EPSG:3857 metres.
    metres: bool,
}

impl Columns {
    fn of(layer: &Layer) -> Self {
        let places = COLUMNS.iter().filter_map(|(name, _)| Some((*name, layer.defn().field_index(name).ok()?)));
        let metres = layer.spatial_ref().is_some_and(|crs| crs.auth_code().is_ok_and(|code| code == 3857));
        Self { places: places.collect(), metres }
    }
}

/// The fields of one feature, by name; `None` for what is not there.
struct Fields<'a> {
    columns: &'a Columns,
    feature: &'a Feature<'a>,
}

impl Fields<'_> {
    fn text(&self, name: &str) -> Option<String> {
        let place = *self.columns.places.get(name)?;
        self.feature.field_as_string(place).ok().flatten().filter(|t| !t.is_empty())
    }

    fn integer(&self, name: &str) -> Option<i64> {
        self.feature.field_as_integer64(*self.columns.places.get(name)?).ok().flatten()
    }

    fn source(&self, name: String) -> Result<Named> {
        let text = |name| self.text(name).unwrap_or_default();
        let place = self.columns.places.get(OFFSET);
        let offset = place.and_then(|&at| self.feature.field_as_double(at).ok().flatten()).unwrap_or(0.0);
        let nodata = values_of(&text(MORE_NODATA)).filter(|_| offset.is_finite());
        let Some(nodata) = nodata else {
            let problem =
                format!("has an offset or cell values without a height that are no numbers, of source {name:?}");
            return Err(Error::invalid("index", problem, "export it again"));
        };
        Ok(Named {
            adjustment: Adjustment { offset, nodata, ..self.values() },
            mixed: false,
            name,
            priority: self.integer("priority").unwrap_or(i64::MAX),
            attribution: text("attribution"),
            licence: text("licence"),
            vertical_datum: text("vertical_datum"),
        })
    }

    /// How the values of the raster are to be read.
    fn values(&self) -> Adjustment {
        let real = |name| self.columns.places.get(name).and_then(|&at| self.feature.field_as_double(at).ok().flatten());
        let number = |name| real(name).filter(|v: &f64| v.is_finite()).unwrap_or(0.0);
        let band = self.integer(BAND).and_then(|b| u32::try_from(b).ok()).unwrap_or(0);
        Adjustment { band, unit: number(UNIT).max(0.0), scale: number(SCALE), ..Adjustment::default() }
    }

    /// What tells the raster's further files from others; `None` where the index does not say, or says nothing that can be read.
    fn parts(&self) -> Option<u64> {
        self.columns.places.get(PARTS)?;
        self.text(PARTS).map_or(Some(0), |text| u64::from_str_radix(&text, 16).ok())
    }

    /// What the header said, where all of it is there and possible.
    fn header(&self) -> Option<Header> {
        if !self.columns.metres || !["crs", "nodata"].iter().all(|c| self.columns.places.contains_key(c)) {
            return None;
        }
        let e = self.feature.geometry()?.envelope();
        let bounds = Bounds::new(e.MinX, e.MinY, e.MaxX, e.MaxY);
        let half = web_mercator::HALF_WORLD;
        let inside = bounds.has_area() && Bounds::new(-half, -half, half, half).contains(&bounds);
        let pixel_size = self.feature.field_as_double(*self.columns.places.get("pixel_size")?).ok().flatten()?;
        let size = |name| self.integer(name).and_then(|v| u32::try_from(v).ok()).filter(|&v| v > 0);
        let data_type = self.text("data_type")?;
        let nodata = match self.text("nodata") {
            Some(text) => Some(text.parse().ok()?),
            None => None,
        };
        let header = Header {
            bounds,
            pixel_size,
            width: size("width")?,
            height: size("height")?,
            crs: self.text("crs").unwrap_or_default(),
            nodata,
            data_type: DataType::from_name(&data_type)?,
            file_size: self.integer("file_size").and_then(|v| u64::try_from(v).ok())?,
            modified_ns: self.integer("modified_ns")?,
            parts: self.parts().unwrap_or(0),
            values: self.values(),
        };
        Some(header).filter(|h| inside && h.pixel_size.is_finite() && h.pixel_size > 0.0)
    }
}
