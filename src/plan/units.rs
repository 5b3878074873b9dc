//! Groups cut into steps, steps into units.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::{Coverage, Extent, Pattern, ZoomRange, bound};

use crate::error::{Error, Result};
use crate::store::Store;
use crate::tile::{Area, TileCoord, TileId};

/// Zooms in a step at most; a unit then has at most 64 + 16 + 4 + 1 tiles.
const STEP_ZOOMS: u8 = 4;

/// What to plan. By default: all native tiles, in balanced groups.
#[derive(Debug, Clone, Default)]
pub struct PlanOptions {
    /// The coarsest zoom; 0 by default.
    pub min_zoom: Option<u8>,
    /// The finest zoom; by default the store's finest native zoom.
    pub max_zoom: Option<u8>,
    /// The wanted area; `None` for everything.
    pub area: Option<Arc<Area>>,
    /// Which tiles exist.
    pub coverage: Coverage,
    /// How the zooms are cut into groups.
    pub pattern: Pattern,
    /// True where the tiles one zoom below the finest are read from an archive instead of being made.
    pub finer_given: bool,
}

/// What a run makes.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The wanted zooms and area.
    pub extent: Extent,
    /// Finest first.
    pub groups: Vec<Group>,
}

/// A zoom range that becomes an archive of its own.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its zooms.
    pub zooms: ZoomRange,
    /// False for zooms below the wanted ones, whose tiles are only made because others are means of them.
    pub kept: bool,
    /// Finest first.
    pub steps: Vec<Step>,
}

/// Zooms whose units depend only on the step before.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its zooms.
    pub zooms: ZoomRange,
    /// The zoom of the units' blocks.
    pub block_zoom: u8,
    /// In Hilbert order of their blocks.
    pub units: Vec<Unit>,
}

/// The tiles of a step below one ancestor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    /// The ancestor; never finer than the coarsest zoom.
    pub block: TileCoord,
    /// The zooms of its tiles.
    pub zooms: ZoomRange,
    /// How many tiles it has at most; some may turn out to have no valid pixel.
    pub tiles: u64,
}

impl Unit {
    /// The tiles of these zooms below a block.
    ///
    /// # Errors
    /// Where the block is finer than the coarsest zoom, or more zooms lie below it than a step has.
    pub fn new(block: TileCoord, zooms: ZoomRange, tiles: u64) -> Result<Self> {
        if block.z() <= zooms.min && zooms.max - block.z() < STEP_ZOOMS {
            return Ok(Self { block, zooms, tiles });
        }
        let problem = format!("zooms {zooms} below {block} are no part of a plan");
        Err(Error::invalid("unit", problem, "make the plan again"))
    }

    /// A name that is the same in every plan of the same store and options, such as `z11-14_11_1814_808`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("z{}_{}_{}_{}", self.zooms, self.block.z(), self.block.x(), self.block.y())
    }
}

/// A unit cut up, so that each piece takes less memory and time.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The parts, which are made like units of their own, each of a quarter of the block.
    pub units: [Unit; 4],
    /// The unit that is left: the zoom of the block itself, which is made from the parts.
    pub rest: Option<Unit>,
}

impl Unit {
    /// Cuts the block into its four children. `None` for a unit of a single tile.
    #[must_use]
    pub fn parts(&self) -> Option<Parts> {
        let at_block = self.block.z() == self.zooms.min;
        if at_block && self.zooms.min == self.zooms.max {
            return None;
        }
        let zooms = ZoomRange { min: self.zooms.min + u8::from(at_block), max: self.zooms.max };
        let units = self.block.children_by_id()?.map(|block| Self { block, zooms, tiles: self.tiles.div_ceil(4) });
        let top = ZoomRange { min: self.zooms.min, max: self.zooms.min };
        Some(Parts { units, rest: at_block.then_some(Self { block: self.block, zooms: top, tiles: 1 }) })
    }
}

impl Step {
    /// The zoom of the blocks of a step over these zooms.
    #[must_use]
    pub fn block_zoom(zooms: ZoomRange) -> u8 {
        zooms.max.saturating_sub(STEP_ZOOMS - 1).min(zooms.min)
    }

    /// How many tiles its units have.
    #[must_use]
    pub fn tiles(&self) -> u64 {
        self.units.iter().map(|u| u.tiles).sum()
    }
}

impl Plan {
    /// Plans a run.
    ///
    /// # Errors
    /// Where the store is empty, the zooms are impossible, the area holds no record, the pattern does not cover the
    /// zooms, or there are more tiles or units than a run can make; nothing is enumerated then, and the record that causes most
    /// is named.
    pub fn new(store: &Store, options: &PlanOptions) -> Result<Self> {
        let Some(native_max) = store.tiles().max_zoom() else {
            return Err(Error::argument("store", "holds no record; build one from rasters first"));
        };
        let max = options.max_zoom.unwrap_or(native_max);
        let min = options.min_zoom.unwrap_or(0);
        ZoomRange::new(min, max)?;
        if options.coverage == Coverage::Native && min > native_max {
            let problem = format!(
                "{min} is finer than the finest record (native zoom {native_max}); lower it, or say `coverage = full`"
            );
            return Err(Error::argument("min_zoom", problem));
        }
        let top = if options.coverage == Coverage::Native { max.min(native_max) } else { max };
        let extent =
            Extent { coverage: options.coverage, zooms: ZoomRange { min, max: top }, area: options.area.clone() };
        let mut groups = Vec::new();
        if native_max > top && !options.finer_given {
            groups.push(Group { zooms: ZoomRange { min: top + 1, max: native_max }, kept: false, steps: Vec::new() });
        }
        let count = |z| TileCoord::new(0, 0, 0).map_or(0, |world| extent.count(store, world, z));
        let kept = options.pattern.groups(ZoomRange { min, max: top }, &count)?;
        groups.extend(kept.into_iter().map(|zooms| Group { zooms, kept: true, steps: Vec::new() }));
        bound::check_tiles(store, &extent, &groups)?;
        let mut room = bound::MOST_UNITS;
        for group in &mut groups {
            group.steps = steps(store, &extent, group.zooms, 0, &mut room)?;
        }
        let plan = Self { extent, groups };
        if plan.tiles() == 0 {
            return Err(Error::argument(
                "area",
                "no record lies in the area at these zooms; `store::report` shows what the store covers",
            ));
        }
        Ok(plan)
    }

    /// The same plan with a border between steps above a zoom: no unit lies on both sides, and all that is finer has blocks no coarser than
    /// it. So what lies below each tile of that zoom can be made apart.
    ///
    /// # Errors
    /// Where there are more units than a run can make.
    pub(crate) fn cut_above(&self, store: &Store, zoom: u8) -> Result<Self> {
        let mut room = bound::MOST_UNITS;
        let mut groups = Vec::new();
        for group in &self.groups {
            let ZoomRange { min, max } = group.zooms;
            let mut all = Vec::new();
            if max >= zoom {
                all = steps(store, &self.extent, ZoomRange { min: min.max(zoom), max }, zoom, &mut room)?;
            }
            if min < zoom {
                all.extend(steps(store, &self.extent, ZoomRange { min, max: max.min(zoom - 1) }, 0, &mut room)?);
            }
            groups.push(Group { steps: all, ..group.clone() });
        }
        Ok(Self { extent: self.extent.clone(), groups })
    }

    /// How many tiles all units have, kept or not.
    #[must_use]
    pub fn tiles(&self) -> u64 {
        self.groups.iter().flat_map(|g| &g.steps).map(Step::tiles).sum()
    }

    /// How many units there are.
    #[must_use]
    pub fn units(&self) -> usize {
        self.groups.iter().flat_map(|g| &g.steps).map(|s| s.units.len()).sum()
    }

    /// How many tiles the run makes at each zoom, coarsest first.
    #[must_use]
    pub fn tiles_by_zoom(&self, store: &Store) -> Vec<(u8, u64)> {
        let zooms = self.groups.iter().rev().flat_map(|g| g.zooms.iter());
        zooms.map(|z| (z, TileCoord::new(0, 0, 0).map_or(0, |world| self.extent.count(store, world, z)))).collect()
    }

    /// How many of the tiles are made but not kept, because they lie outside the wanted zooms or area.
    #[must_use]
    pub fn intermediate_tiles(&self, store: &Store) -> u64 {
        let mut count = 0;
        for group in &self.groups {
            for unit in group.steps.iter().flat_map(|s| &s.units) {
                if !group.kept {
                    count += unit.tiles;
                } else if self.extent.area.as_ref().is_some_and(|a| !a.surely_contains(&unit.block.bounds())) {
                    let tiles = unit.zooms.iter().flat_map(|z| self.extent.tiles(store, unit.block, z));
                    count += tiles.filter(|&t| !self.extent.wants(t)).count() as u64;
                }
            }
        }
        count
    }
}

/// The steps of a group, of blocks no coarser than `floor`; `room` is how many units the plan may still hold.
fn steps(store: &Store, extent: &Extent, zooms: ZoomRange, floor: u8, room: &mut usize) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    let mut max = zooms.max;
    loop {
        let min = max.saturating_sub(STEP_ZOOMS - 1).max(zooms.min);
        let step = step(store, extent, ZoomRange { min, max }, floor, *room)?;
        *room -= step.units.len();
        steps.push(step);
        if min == zooms.min {
            return Ok(steps);
        }
        max = min - 1;
    }
}

fn step(store: &Store, extent: &Extent, zooms: ZoomRange, floor: u8, room: usize) -> Result<Step> {
    let block_zoom = Step::block_zoom(zooms).max(floor);
    let blocks = blocks(store, extent, zooms.min, block_zoom, room).ok_or_else(|| bound::too_many_units(zooms))?;
    let unit =
        |block: TileCoord| Unit { block, zooms, tiles: zooms.iter().map(|z| extent.count(store, block, z)).sum() };
    let units = blocks.iter().filter_map(|&id| TileId(id).coord()).map(unit).filter(|u| u.tiles > 0).collect();
    Ok(Step { zooms, block_zoom, units })
}

/// The blocks at `block_zoom` above the tiles at zoom `z`, in Hilbert order; `None` where there are more than `most`. Coverage is
/// closed under parents: a block with a tile at any zoom of a step has one at the step's coarsest zoom.
fn blocks(store: &Store, extent: &Extent, z: u8, block_zoom: u8, most: usize) -> Option<Vec<u64>> {
    let world = TileCoord::new(0, 0, 0)?;
    let (first, first_block) = (TileId::first(z).0, TileId::first(block_zoom).0);
    let block_of = |id: u64| first_block + ((id - first) >> (2 * u32::from(z - block_zoom)));
    let mut blocks: Vec<u64> = Vec::new();
    let whole = extent.runs(store, world, z, &mut |run| {
        let after = blocks.last().map_or(0, |last| last + 1);
        for block in block_of(run.start).max(after)..=block_of(run.end - 1) {
            if blocks.len() >= most {
                return ControlFlow::Break(());
            }
            blocks.push(block);
        }
        ControlFlow::Continue(())
    });
    whole.is_continue().then_some(blocks)
}
