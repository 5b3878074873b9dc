//! The features of an index as entries: what each says of its raster.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::{Entry, Index, Named};
use crate::catalog::spec;
use crate::error::{Error, Result};
use crate::export::columns::{BAND, BLOCK, LOCATION, MORE_NODATA, OFFSET, PARTS, SCALE, UNIT, values_of};
use crate::progress::Progress;
use crate::raster::{self, Adjustment, Feature};
use crate::store::{DataType, RecordInput};
use crate::tile::{Bounds, web_mercator};

/// Reads all features of an index; see [`read`](crate::raster::FootprintTables::read) for the layer.
///
/// # Errors
/// Where the file can't be read, no such layer is there, or a feature says what can't be.
pub(super) fn read(path: &Path, progress: &dyn Progress) -> Result<Index> {
    let mut index = Index::default();
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut known = HashSet::new();
    each(path, progress, &mut |feature| {
        let part = || format!("feature {}", feature.number());
        let Some(location) = feature.location() else {
            let problem = "names no raster";
            return Err(Error::invalid(part(), problem, "complete it or take it out of the index").with_path(path));
        };
        let of = Fields(feature);
        let identity = of.0.text("source").zip(of.0.text("path")).map(|(name, below)| {
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
        if let Some(crs) = of.0.text("crs").filter(|crs| !known.contains(crs)) {
            raster::reader()?.check_crs(&crs).map_err(|e| {
                let problem = format!("has a crs that is none: {e}");
                Error::invalid(part(), problem, "correct it, or export the index again").with_path(path)
            })?;
            known.insert(crs);
        }
        index.entries.push(Entry { location, identity, record: of.record() });
        Ok(())
    })?;
    Ok(index)
}

/// Gives each feature of an index to `each`, whatever the format.
fn each(path: &Path, progress: &dyn Progress, each: &mut dyn FnMut(&dyn Feature) -> Result<()>) -> Result<()> {
    if !matches!(spec::extension(path).as_str(), "parquet" | "geoparquet") {
        return raster::reader()?.tables().read(path, LOCATION, progress, each);
    }
    #[cfg(feature = "geoparquet")]
    return super::items::read(path, progress, each);
    #[cfg(not(feature = "geoparquet"))]
    Err(Error::invalid(
        "index",
        "is Parquet, which this program was built without",
        "build it with the feature geoparquet, or give the items as JSON",
    )
    .with_path(path))
}

/// The columns of an export in a feature.
struct Fields<'a>(&'a dyn Feature);

impl Fields<'_> {
    fn source(&self, name: String) -> Result<Named> {
        let text = |name| self.0.text(name).unwrap_or_default();
        let offset = self.0.real(OFFSET).unwrap_or(0.0);
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
            priority: self.0.integer("priority").unwrap_or(i64::MAX),
            attribution: text("attribution"),
            licence: text("licence"),
            vertical_datum: text("vertical_datum"),
        })
    }

    /// How the values of the raster are to be read.
    fn values(&self) -> Adjustment {
        let number = |name| self.0.real(name).filter(|v: &f64| v.is_finite()).unwrap_or(0.0);
        let band = self.0.integer(BAND).and_then(|b| u32::try_from(b).ok()).unwrap_or(0);
        Adjustment { band, unit: number(UNIT).max(0.0), scale: number(SCALE), ..Adjustment::default() }
    }

    /// The digest of the raster's further files; `None` where the index has none that can be read.
    fn parts(&self) -> Option<u64> {
        if !self.0.has(PARTS) {
            return None;
        }
        self.0.text(PARTS).map_or(Some(0), |text| u64::from_str_radix(&text, 16).ok())
    }

    /// The record without source and path, where all of it is there and possible.
    fn record(&self) -> Option<RecordInput> {
        if !["crs", "nodata"].iter().all(|column| self.0.has(column)) {
            return None;
        }
        let bounds = self.0.bounds()?;
        let half = web_mercator::HALF_WORLD;
        let inside = bounds.has_area() && Bounds::new(-half, -half, half, half).contains(&bounds);
        let pixel_size = self.0.real("pixel_size")?;
        let size = |name| self.0.integer(name).and_then(|v| u32::try_from(v).ok()).filter(|&v| v > 0);
        let data_type = self.0.text("data_type")?;
        let nodata = match self.0.text("nodata") {
            Some(text) => Some(text.parse().ok()?),
            None => None,
        };
        let [block_width, block_height, block_cell] =
            BLOCK.map(|name| self.0.integer(name).and_then(|v| u32::try_from(v).ok()).unwrap_or(0));
        let Adjustment { band, unit, scale, .. } = self.values();
        let record = RecordInput {
            source: 0,
            path: String::new(),
            bounds,
            pixel_size,
            width: size("width")?,
            height: size("height")?,
            crs: self.0.text("crs").unwrap_or_default(),
            nodata,
            data_type: DataType::from_name(&data_type)?,
            file_size: self.0.integer("file_size").and_then(|v| u64::try_from(v).ok())?,
            modified_ns: self.0.integer("modified_ns")?,
            parts: self.parts().unwrap_or(0),
            band,
            unit,
            scale,
            block_width,
            block_height,
            block_cell,
        };
        Some(record).filter(|r| inside && r.pixel_size.is_finite() && r.pixel_size > 0.0)
    }
}
