//! The figures of one report, or of two beside one another.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::read::{Archive, RunReport, Seconds, Source, Work, Zoom};
use crate::quality::Rule;
use crate::text;

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
    /// Percent.
    Percent,
    /// Metres.
    Metres,
}

impl Unit {
    /// Its name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Count => "",
            Self::Bytes => "bytes",
            Self::Seconds => "seconds",
            Self::Percent => "percent",
            Self::Metres => "metres",
        }
    }

    /// A value for people.
    #[must_use]
    pub fn shown(self, value: f64) -> String {
        match self {
            Self::Count => text::count(value as u64),
            Self::Bytes => text::bytes(value as u64),
            Self::Seconds => Duration::try_from_secs_f64(value).map_or_else(|_| "-".into(), text::duration),
            Self::Percent => format!("{value:.2} %"),
            Self::Metres => format!("{value:.2} m"),
        }
    }

    /// How the second value differs from the first: in percent of it, percentages in points.
    #[must_use]
    pub fn change(self, from: f64, to: f64) -> String {
        let sign = |value: f64, unit: &str| if value.abs() < 0.05 { "0".into() } else { format!("{value:+.1} {unit}") };
        match self {
            _ if from == to => "0".into(),
            Self::Percent => sign(to - from, "points"),
            Self::Metres => format!("{:+.2} m", to - from),
            _ if from == 0.0 => "new".into(),
            _ => sign((to - from) / from.abs() * 100.0, "%"),
        }
    }
}

/// A figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What it is of.
    pub name: String,
    /// Its value in each report, where that has one.
    pub values: Vec<Option<f64>>,
    /// Its unit.
    pub unit: Unit,
}

/// Figures that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// What they are.
    pub title: &'static str,
    /// The figures.
    pub rows: Vec<Row>,
}

/// A figure that each report has.
fn row(reports: &[RunReport], name: &str, unit: Unit, of: impl Fn(&RunReport) -> Option<f64>) -> Row {
    Row { name: name.into(), values: reports.iter().map(of).collect(), unit }
}

/// Figures by name: each name that a report has, in order; of reports without it no value.
fn by_name<K: Ord + Clone>(
    reports: &[RunReport],
    unit: Unit,
    keys: impl Fn(&RunReport) -> Vec<(K, f64)>,
    name: impl Fn(&K) -> String,
) -> Vec<Row> {
    let each: Vec<BTreeMap<K, f64>> = reports.iter().map(|report| keys(report).into_iter().collect()).collect();
    let all: BTreeSet<&K> = each.iter().flat_map(BTreeMap::keys).collect();
    let values = |key: &K| each.iter().map(|values| values.get(key).copied()).collect();
    all.into_iter().map(|key| Row { name: name(key), values: values(key), unit }).collect()
}

/// All figures of reports; sections without any are left out.
#[must_use]
pub fn sections(reports: &[RunReport]) -> Vec<Section> {
    use Unit::{Bytes, Count, Percent};
    let zooms = |unit, of: fn(&Zoom) -> u64| {
        let keys = move |r: &RunReport| r.zooms.iter().map(|z| (z.zoom, of(z) as f64)).collect();
        by_name(reports, unit, keys, |zoom| format!("zoom {zoom}"))
    };
    let sources = |unit, of: fn(&Source) -> Option<f64>| {
        let keys = move |r: &RunReport| r.sources.iter().filter_map(|s| Some((s.name.clone(), of(s)?))).collect();
        by_name(reports, unit, keys, String::clone)
    };
    let sections = [
        ("output", output(reports)),
        ("tiles", tiles(reports)),
        ("tiles by zoom", zooms(Count, |z| z.tiles)),
        ("bytes by zoom", zooms(Bytes, |z| z.bytes)),
        ("time", time(reports)),
        ("time of all workers", time_of_workers(reports)),
        ("memory", memory(reports)),
        ("work", work(reports)),
        ("pixels by source", sources(Count, |s| Some(s.pixels as f64))),
        ("voids by source", sources(Percent, |s| s.nodata_share.map(|share| share * 100.0))),
        ("quality", quality(reports)),
    ];
    let known = |mut rows: Vec<Row>| {
        rows.retain(|row| row.values.iter().any(Option::is_some));
        rows
    };
    let sections = sections.map(|(title, rows)| Section { title, rows: known(rows) });
    sections.into_iter().filter(|section| !section.rows.is_empty()).collect()
}

fn output(reports: &[RunReport]) -> Vec<Row> {
    let archive = |of: fn(&Archive) -> u64| move |r: &RunReport| r.output.as_ref().map(|a| of(a) as f64);
    vec![
        row(reports, "tiles", Unit::Count, archive(|a| a.tiles)),
        row(reports, "bytes of tiles", Unit::Bytes, archive(|a| a.tile_bytes)),
        row(reports, "file", Unit::Bytes, archive(|a| a.file_bytes)),
        row(reports, "lineage", Unit::Bytes, |r| r.lineage.as_ref().map(|a| a.file_bytes as f64)),
    ]
}

fn tiles(reports: &[RunReport]) -> Vec<Row> {
    let count = |name: &str, of: fn(&RunReport) -> u64| row(reports, name, Unit::Count, |r| Some(of(r) as f64));
    let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 * 100.0 / whole as f64);
    vec![
        count("made", |r| r.tiles.made),
        count("made for others", |r| r.tiles.intermediate),
        count("without data", |r| r.tiles.without_data),
        row(reports, "pixels without a height", Unit::Percent, |r| share(r.tiles.pixels_without_data, r.tiles.pixels)),
    ]
}

fn time(reports: &[RunReport]) -> Vec<Row> {
    let time = |name: &str, of: fn(&Seconds) -> f64| row(reports, name, Unit::Seconds, |r| Some(of(&r.seconds)));
    vec![
        time("all", |s| s.all),
        time("making tiles", |s| (s.all - s.archives - s.paused).max(0.0)),
        time("writing archives", |s| s.archives),
        time("paused", |s| s.paused),
    ]
}

fn time_of_workers(reports: &[RunReport]) -> Vec<Row> {
    let time = |name: &str, of: fn(&Work) -> f64| row(reports, name, Unit::Seconds, |r| Some(of(&r.worker_seconds)));
    vec![
        time("reading rasters", |w| w.read),
        time("warping and merging", |w| w.warp_and_merge),
        time("encoding and decoding", |w| w.encode_and_decode),
        time("writing packs", |w| w.write),
    ]
}

fn memory(reports: &[RunReport]) -> Vec<Row> {
    let known = |bytes: u64| (bytes > 0).then_some(bytes as f64);
    vec![
        row(reports, "all processes", Unit::Bytes, |r| known(r.memory.all_processes)),
        row(reports, "largest process", Unit::Bytes, |r| known(r.memory.largest_process)),
        row(reports, "allowed", Unit::Bytes, |r| r.memory.budget.and_then(known)),
    ]
}

fn work(reports: &[RunReport]) -> Vec<Row> {
    let count = |name: &str, of: fn(&RunReport) -> u64| row(reports, name, Unit::Count, |r| Some(of(r) as f64));
    vec![
        count("workers", |r| r.workers),
        count("units made", |r| r.units.made),
        count("units found", |r| r.units.found),
        count("tries repeated", |r| r.units.retried),
        count("units set aside", |r| r.units.set_aside.len() as u64),
        count("records used", |r| r.records.used),
        count("records unused", |r| r.records.unused),
    ]
}

/// What was measured for rules, those of sources apart from voids, which have a section of their own.
fn quality(reports: &[RunReport]) -> Vec<Row> {
    let own = Rule::SourceVoids.name();
    let keys = |report: &RunReport| {
        let all = report.quality.iter().filter(|found| found.rule != own);
        all.map(|found| ((found.rule.clone(), found.source.clone()), found.value)).collect()
    };
    let mut rows = Vec::new();
    for found in by_name(reports, Unit::Count, keys, |(rule, source)| match source {
        Some(source) => format!("{rule}: {source}"),
        None => rule.clone(),
    }) {
        let rule = found.name.split(':').next().and_then(Rule::of_name);
        let unit = match rule.map(Rule::unit) {
            Some("m") => Unit::Metres,
            Some("%") => Unit::Percent,
            _ => Unit::Count,
        };
        rows.push(Row { unit, ..found });
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(text: &str) -> RunReport {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_one_report_lacks_is_no_zero() {
        let old = report(r#"{"tiles": {"made": 10}, "sources": [{"name": "a", "pixels": 5}]}"#);
        let new = report(
            r#"{"tiles": {"made": 12}, "zooms": [{"zoom": 3, "tiles": 12, "bytes": 99}], "sources": [{"name": "b", "pixels": 7}],
                "quality": [{"rule": "seams", "source": "a, b", "value": 1.5}, {"rule": "of tomorrow", "value": 1}]}"#,
        );
        let all = sections(&[old, new]);
        let find = |title: &str, name: &str| {
            let section = all.iter().find(|s| s.title == title).unwrap();
            section.rows.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("{section:?}")).clone()
        };
        assert_eq!(find("tiles", "made").values, [Some(10.0), Some(12.0)]);
        assert_eq!(find("tiles by zoom", "zoom 3").values, [None, Some(12.0)]);
        assert_eq!(find("pixels by source", "a").values, [Some(5.0), None]);
        assert_eq!(find("quality", "seams: a, b").unit, Unit::Metres);
        assert_eq!(find("quality", "of tomorrow").unit, Unit::Count);
        assert!(!all.iter().any(|s| s.title == "output" || s.title == "voids by source"), "{all:?}");
    }

    #[test]
    fn changes_are_shares_points_or_metres() {
        for (unit, from, to, text) in [
            (Unit::Count, 100.0, 112.0, "+12.0 %"),
            (Unit::Count, 0.0, 5.0, "new"),
            (Unit::Bytes, 5.0, 5.0, "0"),
            (Unit::Percent, 10.0, 7.5, "-2.5 points"),
            (Unit::Metres, 1.0, 0.5, "-0.50 m"),
            (Unit::Seconds, 100_000.0, 100_001.0, "0"),
        ] {
            assert_eq!(unit.change(from, to), text);
        }
        assert_eq!(Unit::Seconds.shown(f64::MAX), "-");
    }
}
