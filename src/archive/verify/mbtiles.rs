//! The checks of MBTiles.

use std::path::Path;

use super::content::{Contents, stride};
use super::{Outside, Report, TileCheck, VerifyOptions};
use crate::archive::coverage::Coverage;
use crate::archive::hash;
use crate::archive::mbtiles::{APPLICATION_ID, MbtilesReader};
use crate::archive::metadata::{parse_bounds, parse_center};
use crate::archive::{OpenOptions, TileFormat, TileSource};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::tile::{MAX_ZOOM, TileCoord, TileId};

pub(super) fn verify(
    path: &Path,
    options: VerifyOptions,
    open: OpenOptions,
    check: TileCheck<'_>,
    progress: &dyn Progress,
) -> Result<Report> {
    let reader = MbtilesReader::open_with(path, open)?;
    let mut report = Report::default();
    check_rows(&reader, &mut report);
    check_database(&reader, options.sample.is_none(), &mut report)?;
    if let Some(odd) = reader.about_rows() {
        report.warning(None, odd, "rewrite it (`archive::convert`)");
    }
    let ids = match addresses(&reader, &mut report) {
        Err(error @ Error::Io { .. }) => return Err(error),
        Err(error) => {
            report.failure(None, "", &error);
            return Ok(report);
        }
        Ok(ids) => ids,
    };
    let (mut coverage, mut outside) = (Coverage::new(), Outside::of(reader.metadata()));
    for &id in &ids {
        coverage.push(id, 1);
        id.coord().iter().for_each(|&tile| outside.look(tile));
    }
    let row = |name: &str| reader.rows().get(name).and_then(|v| v.trim().parse::<u8>().ok());
    report.check_described(reader.metadata(), coverage, row("minzoom").zip(row("maxzoom")), &outside);

    let step = stride(options.sample, ids.len() as u64);
    progress.begin("decoding tiles", Some((ids.len() as u64).div_ceil(step)), "tiles");
    let read = |tile: &TileCoord| reader.tile(*tile);
    let contents = Contents::new(&read, reader.metadata(), check, progress);
    let chosen = ids.iter().step_by(usize::try_from(step).unwrap_or(usize::MAX));
    contents.check_all(&mut chosen.filter_map(|id| id.coord()).map(|tile| (tile, tile)), &mut report)?;
    progress.end();
    hash::check(&reader, options, progress, &mut report)?;
    Ok(report)
}

/// The rows that the specification demands or that clients read.
fn check_rows(reader: &MbtilesReader, report: &mut Report) {
    let rows = reader.rows();
    for name in ["name", "format"] {
        if !rows.contains_key(name) {
            report.error(
                None,
                format!("the metadata have no row \"{name}\", which MBTiles demands"),
                "rewrite it (`archive::convert`)",
            );
        }
    }
    for name in ["minzoom", "maxzoom"] {
        match rows.get(name) {
            None => {
                report.warning(None, format!("the metadata have no row \"{name}\""), "rewrite it (`archive::convert`)")
            }
            Some(text) if !text.trim().parse::<u8>().is_ok_and(|z| z <= MAX_ZOOM) => {
                report.error(
                    None,
                    format!("the row \"{name}\" is {text:?}, expected a zoom"),
                    "rewrite it (`archive::convert`)",
                );
            }
            Some(_) => {}
        }
    }
    for (name, expected, good) in [
        ("bounds", "west,south,east,north", rows.get("bounds").is_none_or(|text| parse_bounds(text).is_some())),
        ("center", "longitude,latitude,zoom", rows.get("center").is_none_or(|text| parse_center(text).is_some())),
    ] {
        if !good {
            report.error(
                None,
                format!("the row \"{name}\" is {:?}, expected {expected}", rows.get(name).map_or("", String::as_str)),
                "rewrite it (`archive::convert`), which takes it from the tiles",
            );
        }
    }
    let declared = rows.get("format").map(|name| TileFormat::from_name(name));
    if let Some(TileFormat::Other(name)) = declared {
        report.warning(
            None,
            format!("the format {name:?} is none that MBTiles names"),
            "expected pbf, jpg, png or webp",
        );
    }
}

fn check_database(reader: &MbtilesReader, thorough: bool, report: &mut Report) -> Result<()> {
    let id = reader.application_id()?;
    if id != APPLICATION_ID {
        report.warning(
            None,
            format!("the application id is {id:#010x}, expected {APPLICATION_ID:#010x}"),
            "harmless for most readers; `archive::convert` writes it",
        );
    }
    if let Some(dangling) = reader.dangling()?.filter(|&n| n > 0) {
        report.error(
            None,
            format!("{dangling} addresses lead to a content that isn't there"),
            "those tiles are lost: make the archive again, or remove the addresses",
        );
    }
    if thorough {
        for problem in reader.quick_check()? {
            report.error(None, format!("the database is damaged: {problem}"), "copy or make it again");
        }
    }
    if reader.has_unique_index()? == Some(false) {
        report.warning(
            None,
            "there is no unique index on zoom_level, tile_column, tile_row: look-ups scan, and a tile can stand twice",
            "CREATE UNIQUE INDEX tile_index ON tiles (zoom_level, tile_column, tile_row)",
        );
    }
    Ok(())
}

/// All addresses in order, each once; those that repeat or lie outside of the grid go into the report.
fn addresses(reader: &MbtilesReader, report: &mut Report) -> Result<Vec<TileId>> {
    let mut ids = Vec::new();
    reader.addresses(&mut |zoom, column, row, _| {
        match reader.coord(zoom, column, row) {
            Some(tile) => ids.push(TileId::from(tile)),
            None => report.error(
                None,
                format!("zoom {zoom}, column {column}, TMS row {row} lies outside of the zoom's grid"),
                "remove the row, or make the archive again",
            ),
        }
        Ok(())
    })?;
    ids.sort_unstable();
    let mut looks = Report::KEPT;
    for same in ids.chunk_by(|a, b| a == b).filter(|same| same.len() > 1) {
        let Some(tile) = same[0].coord() else { continue };
        // Only what is kept by name is looked into: through a view, each look may be a walk over all rows.
        let contents = match looks.checked_sub(1).map(|_| reader.differ(tile)) {
            Some(Err(error @ Error::Io { .. })) => return Err(error),
            Some(Ok(false)) => "with the same content",
            Some(_) => "with different contents",
            None => "with contents that were not compared",
        };
        looks = looks.saturating_sub(1);
        let remedy =
            "remove one, or rewrite it (`archive::convert`) with `on_duplicate = first` or `on_duplicate = last`";
        report.error(Some(tile), format!("stands in the archive twice, {contents}"), remedy);
    }
    ids.dedup();
    Ok(ids)
}
