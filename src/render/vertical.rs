//! Heights brought to one vertical datum while tiles are sampled.

use std::collections::HashMap;
use std::rc::Rc;

use super::sampler::{Area, Sampler};
use crate::error::{Error, Result};
use crate::raster::VerticalShift;
use crate::store::RecordRef;
use crate::terrain::ElevationTile;

/// Pixels between places where the shift is asked for; between them it is bilinear. Geoid models are far smoother.
const STEP: usize = 16;

/// The ways from the sources' datums to the wanted one.
pub(super) struct Vertical {
    pub(super) wanted: String,
    /// By source; `None` where its heights are over the wanted datum.
    known: HashMap<u16, Option<Rc<dyn VerticalShift>>>,
}

impl Vertical {
    pub(super) fn new(wanted: &str) -> Self {
        Self { wanted: wanted.to_string(), known: HashMap::new() }
    }
}

impl Sampler<'_> {
    /// Adds a source's shift to the pixels that `record` gave a value just now: those that are valid and were not before.
    pub(super) fn shift(
        &mut self,
        area: &Area,
        record: &RecordRef<'_>,
        before: &[u8],
        out: &mut ElevationTile,
    ) -> Result<()> {
        let Some(shift) = self.way(record)? else { return Ok(()) };
        let side = area.size as usize;
        let nodes = side.div_ceil(STEP) + 1;
        let step = area.resolution();
        let node = |i: usize| {
            let (col, row) = ((i % nodes * STEP) as f64, (i / nodes * STEP) as f64);
            (area.bounds.min_x + (col + 0.5) * step, area.bounds.max_y - (row + 0.5) * step)
        };
        let (xs, ys): (Vec<f64>, Vec<f64>) = (0..nodes * nodes).map(node).unzip();
        let at = shift.shifts(&xs, &ys)?;
        for (pixel, value) in out.values.iter_mut().enumerate() {
            if out.valid[pixel] == 1 && before[pixel] == 0 {
                let (x, y) = (pixel % side, pixel / side);
                let (i, fx, fy) = ((y / STEP) * nodes + x / STEP, (x % STEP) as f64, (y % STEP) as f64);
                let (fx, fy) = (fx / STEP as f64, fy / STEP as f64);
                let north = at[i] * (1.0 - fx) + at[i + 1] * fx;
                let south = at[i + nodes] * (1.0 - fx) + at[i + nodes + 1] * fx;
                *value += (north * (1.0 - fy) + south * fy) as f32;
            }
        }
        Ok(())
    }

    /// The way from the datum of a record's source; `None` where there is nothing to do.
    fn way(&mut self, record: &RecordRef<'_>) -> Result<Option<Rc<dyn VerticalShift>>> {
        let Some(vertical) = &mut self.vertical else { return Ok(None) };
        let source = record.source_index();
        if let Some(known) = vertical.known.get(&source) {
            return Ok(known.clone());
        }
        let damaged = || Error::invalid("store", "has a record without a source", "build it again");
        let own = record.source().ok_or_else(damaged)?.vertical_datum()?.into_owned();
        let way = if own == vertical.wanted {
            None
        } else {
            Some(Rc::from(self.pool.opener.vertical(&own, &vertical.wanted)?))
        };
        vertical.known.insert(source, way.clone());
        Ok(way)
    }
}
