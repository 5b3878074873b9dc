//! The checks of PMTiles.

use std::collections::HashSet;

use super::content::{Contents, stride};
use super::{Outside, Report, TileCheck, VerifyOptions};
use crate::archive::TileSource;
use crate::archive::coverage::Coverage;
use crate::archive::hash;
use crate::archive::metadata::sane_bounds;
use crate::archive::pmtiles::{Entry, HEADER_BYTES, Header, PmtilesReader, ROOT_LIMIT};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::tile::TileId;

const AGAIN: &str = "make the archive again";

pub(super) fn verify(
    reader: Result<PmtilesReader>,
    options: VerifyOptions,
    check: TileCheck<'_>,
    progress: &dyn Progress,
) -> Result<Report> {
    let reader = reader?;
    let mut report = Report::default();
    check_header(reader.header(), reader.file_len(), &mut report);
    let survey = match walk(&reader, &mut report, progress)? {
        Some(survey) => survey,
        None => return Ok(report),
    };
    let header = reader.header();
    check_counts(header, &survey, &mut report);
    let outside = outside(&reader)?;
    let (extent, _) = report.check_coverage(survey.coverage, Some((header.min_zoom, header.max_zoom)));
    report.check_place(reader.metadata(), extent, &outside);
    report.check_metadata(reader.metadata());

    let step = stride(options.sample, survey.entries);
    progress.begin("decoding tiles", Some(survey.entries.div_ceil(step)), "tiles");
    let (mut last, mut failed) = (None, None);
    let entries = reader.entries().map_while(|entry| entry.map_err(|error| failed = Some(error)).ok());
    let chosen = entries.enumerate().filter(|(n, _)| (*n as u64).is_multiple_of(step)).filter(|(_, entry)| {
        // The same content again, as with tiles of the sea, has nothing new.
        let content = (entry.offset, entry.len);
        let new = last.replace(content) != Some(content);
        if !new {
            progress.advance(1);
        }
        new
    });
    let in_order = step == 1;
    let read =
        |entry: &Entry| if in_order { reader.content_in_order(*entry) } else { reader.content(*entry) }.map(Some);
    let contents = Contents::new(&read, reader.metadata(), check, progress);
    let mut jobs = chosen.filter_map(|(_, entry)| Some((TileId(entry.id).coord()?, entry)));
    contents.check_all(&mut jobs, &mut report)?;
    drop(jobs);
    if let Some(error) = failed {
        return Err(error);
    }
    progress.end();
    hash::check(&reader, options, progress, &mut report)?;
    Ok(report)
}

/// What the directories hold.
#[derive(Default)]
struct Survey {
    coverage: Coverage,
    tiles: u64,
    entries: u64,
    /// Distinct offsets of contents; `None` where there are too many to hold.
    contents: Option<HashSet<u64>>,
    clustered: bool,
    outside: u64,
}

/// How many contents are distinguished in an archive that isn't clustered: about 150 MB.
const CONTENTS_CAP: usize = 8_000_000;

/// Walks every directory. `None` where one of them is damaged; the report says which.
fn walk(reader: &PmtilesReader, report: &mut Report, progress: &dyn Progress) -> Result<Option<Survey>> {
    let data_length = reader.header().data_length;
    let mut survey = Survey { clustered: true, contents: Some(HashSet::new()), ..Survey::default() };
    let mut expected = 0u64;
    progress.begin("reading directories", None, "entries");
    for entry in reader.entries() {
        if progress.interrupted() {
            return Err(Error::Interrupted);
        }
        let entry: Entry = match entry {
            Ok(entry) => entry,
            Err(error) if error.is_outside() => return Err(error),
            Err(error) => {
                report.failure(None, "", &error);
                return Ok(None);
            }
        };
        progress.advance(1);
        survey.entries += 1;
        survey.tiles += u64::from(entry.run);
        survey.coverage.push(TileId(entry.id), u64::from(entry.run));
        let end = entry.offset.saturating_add(u64::from(entry.len));
        if end > data_length {
            survey.outside += 1;
        }
        // Clustered: contents stand in the order of the tiles; only a content that came before may be named again.
        if entry.offset > expected {
            survey.clustered = false;
        }
        if entry.offset == expected {
            expected = end;
        }
        if let Some(contents) = &mut survey.contents {
            contents.insert(entry.offset);
        }
        if survey.contents.as_ref().is_some_and(|set| set.len() > CONTENTS_CAP) {
            survey.contents = None;
        }
    }
    progress.end();
    Ok(Some(survey))
}

/// Runs of more tiles are checked only at their ends: a hostile run may have any length.
const LONG_RUN: u32 = 1 << 16;

/// The tiles outside of the declared bounds.
fn outside(reader: &PmtilesReader) -> Result<Outside> {
    let mut outside = Outside::of(reader.metadata());
    let world =
        reader.metadata().bounds.is_none_or(|b| b[0] <= -179.9 && b[1] <= -85.0 && b[2] >= 179.9 && b[3] >= 85.0);
    if !world {
        for entry in reader.entries() {
            let entry = entry?;
            let step = if entry.run > LONG_RUN { u64::from(entry.run - 1) } else { 1 };
            let ids = (entry.id..entry.end()).step_by(usize::try_from(step).unwrap_or(usize::MAX));
            ids.filter_map(|id| TileId(id).coord()).for_each(|tile| outside.look(tile));
        }
    }
    Ok(outside)
}

fn check_header(header: &Header, file_len: u64, report: &mut Report) {
    let root_end = header.root_offset.saturating_add(header.root_length);
    if root_end > ROOT_LIMIT {
        report.error(
            None,
            format!("the root directory ends at byte {root_end}, expected at most {ROOT_LIMIT}"),
            "clients read the first 16 kB only: rewrite it (`archive::convert`)",
        );
    }
    let mut sections: Vec<_> = header.sections().into_iter().filter(|(_, _, length)| *length > 0).collect();
    sections.push(("header", 0, HEADER_BYTES as u64));
    sections.sort_by_key(|&(_, offset, _)| offset);
    for pair in sections.windows(2) {
        if pair[0].1.saturating_add(pair[0].2) > pair[1].1 {
            report.error(None, format!("the {} and the {} overlap", pair[0].0, pair[1].0), AGAIN);
        }
    }
    let end = sections.last().map_or(0, |&(_, offset, length)| offset.saturating_add(length));
    if file_len > end {
        report.warning(None, format!("{} bytes behind the last section", file_len - end), "nothing reads them");
    }
    if header.min_zoom > header.max_zoom {
        report.error(None, format!("minzoom {} is above maxzoom {}", header.min_zoom, header.max_zoom), AGAIN);
    } else {
        report.check_center_zoom(header.center_zoom, (header.min_zoom, header.max_zoom));
    }
    let [west, south, east, north] = header.bounds;
    if header.bounds != [0.0; 4] && sane_bounds(header.bounds).is_none() {
        report.error(
            None,
            format!(
                "the bounds {west},{south},{east},{north} are none: expected west below east and south below north"
            ),
            "rewrite it (`archive::convert`), which takes them from the tiles",
        );
    }
}

fn check_counts(header: &Header, survey: &Survey, report: &mut Report) {
    if survey.outside > 0 {
        report.error(None, format!("{} directory entries point outside of the tile data", survey.outside), AGAIN);
    }
    let contents = survey.contents.as_ref().map(|set| set.len() as u64);
    for (what, declared, found) in [
        ("addressed tiles", header.addressed_tiles, Some(survey.tiles)),
        ("tile entries", header.tile_entries, Some(survey.entries)),
        ("tile contents", header.tile_contents, contents),
    ] {
        // 0 says that the writer didn't count.
        if let Some(found) = found.filter(|&found| declared != 0 && found != declared) {
            report.error(None, format!("the header counts {declared} {what}, the directories hold {found}"), AGAIN);
        }
    }
    if header.clustered && !survey.clustered {
        report.error(
            None,
            "the header says clustered, but the tile data are not in the order of the tiles",
            "parts can't be extracted from it: rewrite it (`archive::convert`)",
        );
    }
}
