//! Heights of one zoom as a Cloud-Optimised GeoTIFF, for GIS and GDAL.

use std::collections::BTreeSet;
use std::path::Path;

use super::Coding;
use crate::archive::convert::nothing_chosen;
use crate::archive::pipeline::{batches, in_order, threads};
use crate::archive::{Located, Selection, TileSource};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::raster::{self, CogForm, GeoTransform};
use crate::terrain::ElevationTile;
use crate::tile::web_mercator::WORLD;
use crate::tile::{MAX_ZOOM, TileCoord, Zooms};

/// What stands where there is no height, metres. No encoding reaches it.
pub const NODATA: f32 = -99_999.0;
/// Tiles in one piece of work.
const BATCH: usize = 4;

/// What [`write_geotiff`] wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GeoTiff {
    /// The zoom whose pixels the cells are.
    pub zoom: u8,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Tiles that gave cells.
    pub tiles: u64,
    /// The size of the file, bytes.
    pub file_size: u64,
}

/// Writes the heights of the chosen tiles as a Cloud-Optimised GeoTIFF: 32-bit floats in metres, EPSG:3857, a cell for each pixel, [`NODATA`]
/// where there is none. Of several zooms the finest is taken. Where the area lies on both sides of the 180th meridian, the
/// raster goes on beyond it.
///
/// Memory holds a few tiles. Beside the output the cells wait uncompressed, 4 bytes each.
///
/// # Errors
/// Where no tile is chosen, the tiles hold no heights or differ in size, the raster would have more columns or rows than a TIFF can have, the
/// output exists and `overwrite` is false, or GDAL can't write it; where the user interrupts.
pub fn write_geotiff(
    source: &dyn TileSource,
    selection: &Selection,
    path: &Path,
    overwrite: bool,
    progress: &dyn Progress,
) -> Result<GeoTiff> {
    let Coding::Elevation(codec) = Coding::of(source)? else {
        let problem = "holds lineage, which has no heights";
        return Err(Error::other_kind(problem, "give the archive of terrain beside it").with_path(source.path()));
    };
    let (zoom, selection) = finest(source, selection)?;
    let filter = selection.filter()?;
    let place = Place::of(source, &selection, zoom)?;
    let decode = |tile: TileCoord, at: Located| -> Result<ElevationTile> {
        let mut bytes = Vec::new();
        source.read(at, &mut bytes)?;
        codec.decode(&bytes).map_err(|error| error.of_part(format_args!("tile {tile}"), Some(source.path())))
    };
    let Some(first) = filter.chosen(source)?.next().transpose()? else {
        return Err(nothing_chosen(source));
    };
    let size = match first.id.coord() {
        Some(tile) => decode(tile, first)?.size,
        None => 0,
    };
    let form = place.form(size)?;
    progress.begin("writing heights", Some(place.tiles), "tiles");
    raster::reader()?.write_cog(path, &form, overwrite, &mut |put| {
        let work = |batch: Vec<Located>| -> Result<Vec<(TileCoord, ElevationTile)>> {
            let coords = batch.into_iter().filter_map(|at| Some((at.id.coord()?, at)));
            coords.map(|(tile, at)| Ok((tile, decode(tile, at)?))).collect()
        };
        in_order(threads(), batches(filter.chosen(source)?, BATCH, progress), work, |tiles| {
            for (tile, heights) in tiles {
                if heights.size != size {
                    let problem = format!("has {} pixels a side, others have {size}", heights.size);
                    let error = Error::invalid(format!("tile {tile}"), problem, "take tiles of one size");
                    return Err(error.with_path(source.path()));
                }
                put(place.corner(tile).map(|tiles| tiles * size), &cells(&heights))?;
                progress.advance(1);
            }
            Ok(())
        })
    })?;
    progress.end();
    let file_size = std::fs::metadata(path).map_err(Error::io("read the size of", path))?.len();
    Ok(GeoTiff { zoom, width: form.width, height: form.height, tiles: place.tiles, file_size })
}

/// Writes the heights of one tile, as [`write_geotiff`] does.
///
/// # Errors
/// Where the output exists and `overwrite` is false, or GDAL can't write it.
pub fn write_tile_geotiff(at: TileCoord, tile: &ElevationTile, path: &Path, overwrite: bool) -> Result<()> {
    let place = Place { zoom: at.z(), first: [at.x(), at.y()], count: [1, 1], tiles: 1 };
    let form = place.form(tile.size)?;
    raster::reader()?.write_cog(path, &form, overwrite, &mut |put| put([0, 0], &cells(tile)))
}

/// Heights row by row, with a number where there is none.
fn cells(tile: &ElevationTile) -> Vec<f32> {
    tile.values.iter().zip(&tile.valid).map(|(&value, &valid)| if valid == 1 { value } else { NODATA }).collect()
}

/// The finest of the zooms that are asked for and that the archive has, and the selection of its tiles. Never a coarser one in its place: the
/// one tile of zoom 0 shares area with every box.
fn finest(source: &dyn TileSource, selection: &Selection) -> Result<(u8, Selection)> {
    selection.filter()?;
    let metadata = source.metadata();
    let (min, max) = (selection.min_zoom.unwrap_or(0), selection.max_zoom.unwrap_or(MAX_ZOOM));
    let known = Zooms::range(min.max(metadata.minzoom.unwrap_or(0)), max.min(metadata.maxzoom.unwrap_or(MAX_ZOOM)));
    let Some(zoom) = known.and(selection.zooms.unwrap_or(Zooms::ALL)).iter().next_back() else {
        return Err(nothing_chosen(source));
    };
    Ok((zoom, Selection { min_zoom: Some(zoom), max_zoom: Some(zoom), zooms: None, area: selection.area.clone() }))
}

/// The tiles that a raster is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    zoom: u8,
    /// The first column and row.
    first: [u32; 2],
    /// Columns and rows.
    count: [u32; 2],
    tiles: u64,
}

impl Place {
    fn of(source: &dyn TileSource, selection: &Selection, zoom: u8) -> Result<Self> {
        let (mut columns, mut rows, mut tiles) = (BTreeSet::new(), (u32::MAX, 0), 0);
        for tile in selection.filter()?.chosen(source)? {
            let Some(tile) = tile?.id.coord() else { continue };
            columns.insert(tile.x());
            rows = (rows.0.min(tile.y()), rows.1.max(tile.y()));
            tiles += 1;
        }
        if tiles == 0 {
            return Err(nothing_chosen(source));
        }
        let (first, count) = narrowest(&columns, zoom);
        Ok(Self { zoom, first: [first, rows.0], count: [count, rows.1 - rows.0 + 1], tiles })
    }

    /// Where a tile lies, in tiles from the first column and row.
    fn corner(&self, tile: TileCoord) -> [u32; 2] {
        let world = 1u64 << self.zoom;
        let column = (u64::from(tile.x()) + world - u64::from(self.first[0])) % world;
        [column as u32, tile.y() - self.first[1]]
    }

    /// The raster of these tiles.
    fn form(&self, size: u32) -> Result<CogForm> {
        let cells = self.count.map(|tiles| u64::from(tiles) * u64::from(size));
        let [Ok(width), Ok(height)] = cells.map(i32::try_from) else {
            let problem = format!(
                "would make a raster of {} x {} cells; choose a coarser zoom or a smaller area",
                cells[0], cells[1]
            );
            return Err(Error::argument("zooms", problem));
        };
        let tile = WORLD / (1u64 << self.zoom) as f64;
        let cell = tile / f64::from(size);
        let [west, north] =
            [f64::from(self.first[0]) * tile - WORLD / 2.0, WORLD / 2.0 - f64::from(self.first[1]) * tile];
        Ok(CogForm {
            width: width as u32,
            height: height as u32,
            window: size,
            transform: GeoTransform([west, cell, 0.0, north, 0.0, -cell]),
            crs: "EPSG:3857".into(),
            nodata: NODATA,
        })
    }
}

/// The first of the columns and how many lie from it to the last, the shorter way around the world.
fn narrowest(columns: &BTreeSet<u32>, zoom: u8) -> (u32, u32) {
    let (Some(&first), Some(&last)) = (columns.first(), columns.last()) else { return (0, 0) };
    let world = 1u64 << zoom;
    let across = (u64::from(first) + world - u64::from(last), first);
    let gaps = columns.iter().zip(columns.iter().skip(1)).map(|(&a, &b)| (u64::from(b - a), b));
    // Where gaps are equal, the raster stays on this side of the meridian.
    let (gap, start) = gaps.fold(across, |best, gap| if gap.0 > best.0 { gap } else { best });
    (start, (world - gap + 1) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_raster_goes_the_shorter_way_around_the_world() {
        for (columns, zoom, expected) in [
            (&[0][..], 0, (0, 1)),
            (&[3, 4, 6], 3, (3, 4)),
            (&[0, 7], 3, (7, 2)),
            (&[0, 1, 6, 7], 3, (6, 4)),
            (&[0, 1], 1, (0, 2)),
            (&[0, 1, 2, 3], 2, (0, 4)),
            (&[0, 2], 2, (0, 3)),
        ] {
            assert_eq!(narrowest(&columns.iter().copied().collect(), zoom), expected, "{columns:?}");
        }
        let place = Place { zoom: 3, first: [6, 2], count: [4, 1], tiles: 4 };
        assert_eq!(place.corner(TileCoord::new(3, 1, 2).unwrap()), [3, 0]);
        let form = place.form(256).unwrap();
        assert_eq!((form.width, form.height), (1024, 256));
        assert!((form.transform.0[0] - WORLD / 4.0).abs() < 1e-6 && (form.transform.0[3] - WORLD / 4.0).abs() < 1e-6);
        assert!(Place { count: [1 << 24, 1], ..place }.form(512).is_err());
    }
}
