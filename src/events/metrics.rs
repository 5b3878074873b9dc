//! A run as metrics, in Prometheus' text format 0.0.4: a file that node_exporter's textfile collector reads.
//!
//! The crate that the server uses writes OpenMetrics, where a counter's name lacks `_total` in its type. The collector takes these for
//! samples without a type.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::live::State;
use super::run::{End, Run};
use crate::atomic::AtomicFile;
use crate::error::{Error, Result};
use crate::process::taken_by_all;
use crate::quality::Finding;
use crate::text::one_line;

/// Writes the metrics of a run into a file, which appears whole.
///
/// # Errors
/// Where it can't be written.
pub(super) fn write(path: &Path, run: &Run, state: &State, end: Option<&End>) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.file().write_all(text(run, state, end).as_bytes()).map_err(Error::io("write", path))?;
    file.commit()
}

/// The families of a document, one after the other.
struct Document {
    text: String,
    /// On every sample.
    labels: String,
}

/// A sample: its label, where it has one, and its value, where that is known.
type Sample<'a> = (Option<(&'a str, String)>, Option<f64>);

#[derive(Clone, Copy)]
enum Type {
    Gauge,
    Counter,
}

impl Document {
    /// A family; its samples by their label, where they have one. Nothing, where no sample has a value.
    fn family<'a>(&mut self, name: &str, kind: Type, help: &str, samples: impl IntoIterator<Item = Sample<'a>>) {
        let mut begun = false;
        for (label, value) in samples {
            let Some(value) = value else { continue };
            if !begun {
                begun = true;
                let kind = if matches!(kind, Type::Gauge) { "gauge" } else { "counter" };
                let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            }
            let label = label.map_or(String::new(), |(key, value)| format!(",{key}=\"{}\"", escaped(&value)));
            let _ = writeln!(self.text, "{name}{{{}{label}}} {value}", self.labels);
        }
    }

    /// What was held against rules: values, limits, and whether these were passed.
    fn findings(&mut self, findings: &[Finding]) {
        let mut family = |name: &str, help: &str, value: &dyn Fn(&Finding) -> Option<f64>| {
            let mut samples = String::new();
            for found in findings {
                let Some(value) = value(found) else { continue };
                let figure = &found.figure;
                let source = escaped(figure.source.as_deref().unwrap_or_default());
                let severity = found.severity.map_or(String::new(), |s| format!(",severity=\"{}\"", s.name()));
                let labels = format!("{},rule=\"{}\",source=\"{source}\"{severity}", self.labels, figure.rule.name());
                let _ = writeln!(samples, "{name}{{{labels}}} {value}");
            }
            if !samples.is_empty() {
                let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} gauge\n{samples}");
            }
        };
        let limited = |found: &Finding| found.limit.map(|_| f64::from(u8::from(found.raised)));
        family("hypso_alert", "1 where a rule's limit was passed.", &limited);
        family("hypso_alert_limit", "The limit of a rule: the one passed, or the first one.", &|found| found.limit);
        family("hypso_quality", "What was measured, in the unit of the rule.", &|found| Some(found.figure.value));
    }

    fn one(&mut self, name: &str, kind: Type, help: &str, value: Option<f64>) {
        self.family(name, kind, help, [(None, value)]);
    }
}

/// A value of a label.
fn escaped(text: &str) -> String {
    one_line(text, 200).replace('\\', "\\\\").replace('"', "\\\"")
}

fn seconds(at: SystemTime) -> Option<f64> {
    at.duration_since(SystemTime::UNIX_EPOCH).ok().map(|since| since.as_secs_f64())
}

/// The whole document.
fn text(run: &Run, state: &State, end: Option<&End>) -> String {
    let output = run.outputs.first().and_then(|output| output.file_name());
    let output = output.map_or(String::new(), |name| escaped(&name.to_string_lossy()));
    let labels = format!("command=\"{}\",output=\"{output}\"", run.command);
    let mut document = Document { text: String::new(), labels };
    of_run(&mut document, run, end);
    of_machine(&mut document, state);
    of_work(&mut document, state);
    if let Some(report) = &state.report {
        of_report(&mut document, report);
    }
    document.findings(&state.quality);
    document.text
}

fn of_run(document: &mut Document, run: &Run, end: Option<&End>) {
    use Type::Gauge;
    let now = SystemTime::now();
    let labels = std::mem::take(&mut document.labels);
    document.labels = format!("{labels},run=\"{}\",version=\"{}\"", run.id, env!("CARGO_PKG_VERSION"));
    document.one("hypso_run_info", Gauge, "The run and the program that makes it.", Some(1.0));
    document.labels = labels;
    let states = ["running", "complete", "fail", "abort"];
    let state = end.map_or("running", End::word);
    let samples = states.map(|name| (Some(("state", name.to_owned())), Some(f64::from(u8::from(name == state)))));
    document.family("hypso_run_state", Gauge, "1 for the state that the run is in.", samples);
    let began = seconds(run.began);
    document.one("hypso_run_start_time_seconds", Gauge, "When the run began, seconds since 1970.", began);
    let ended = end.and_then(|_| seconds(now));
    document.one("hypso_run_end_time_seconds", Gauge, "When the run ended, seconds since 1970.", ended);
    let took = now.duration_since(run.began).unwrap_or(Duration::ZERO).as_secs_f64();
    document.one("hypso_run_duration_seconds", Gauge, "How long the run takes, or took.", Some(took));
    let code = end.map(|end| f64::from(end.code()));
    document.one("hypso_run_exit_code", Gauge, "The exit code of a run that has ended.", code);
}

fn of_machine(document: &mut Document, state: &State) {
    use Type::{Counter, Gauge};
    let taken = taken_by_all();
    let number = |value: Option<u64>| value.map(|value| value as f64);
    let status = state.status.as_ref();
    document.one("hypso_run_cpu_seconds_total", Counter, "Processor time of all processes.", taken.cpu_seconds);
    let memory = status.map(|status| status.memory).or(taken.own_bytes);
    document.one("hypso_run_memory_bytes", Gauge, "Memory of all processes, shared pages once.", number(memory));
    let peak = (state.peak > 0).then_some(state.peak);
    document.one("hypso_run_memory_peak_bytes", Gauge, "The most memory of all processes so far.", number(peak));
    let budget = status.and_then(|status| status.memory_budget);
    document.one("hypso_run_memory_budget_bytes", Gauge, "What all processes may take together.", number(budget));
    let (read, written) = (number(taken.read_bytes), number(taken.written_bytes));
    document.one("hypso_run_disk_read_bytes_total", Counter, "Bytes read from disks by all processes.", read);
    document.one("hypso_run_disk_written_bytes_total", Counter, "Bytes written to disks by all processes.", written);
    let free = number(status.and_then(|status| status.disk_free));
    document.one("hypso_run_disk_free_bytes", Gauge, "What is free on the fullest volume in use.", free);
}

fn of_work(document: &mut Document, state: &State) {
    use Type::{Counter, Gauge};
    if let Some(stage) = &state.stage {
        let label = || Some(("stage", stage.what.clone()));
        let help = format!("Steps of the present stage that are done ({}).", stage.unit);
        document.family("hypso_run_stage_done", Gauge, &help, [(label(), Some(stage.done as f64))]);
        let total = stage.total.map(|total| total as f64);
        document.family("hypso_run_stage_steps", Gauge, "Steps of the present stage in all.", [(label(), total)]);
        let left = stage.left.map(|left| left.as_secs_f64());
        document.family("hypso_run_stage_left_seconds", Gauge, "The time left, guessed.", [(label(), left)]);
    }
    let Some(status) = state.status.as_ref().filter(|_| state.report.is_none()) else { return };
    document.one("hypso_run_tile_bytes_total", Counter, "Bytes of tiles made.", Some(status.bytes as f64));
    document.one("hypso_run_units_retried_total", Counter, "Tries repeated.", Some(status.retried as f64));
    document.one("hypso_run_units_set_aside", Gauge, "Units that kept failing.", Some(status.set_aside as f64));
}

/// What a run of tiles found, from the report beside its output.
fn of_report(document: &mut Document, report: &Value) {
    use Type::{Counter, Gauge};
    let at = |path: &str| report.pointer(path).and_then(Value::as_f64);
    let labelled = |key: &'static str, all: &[(&str, &str)]| -> Vec<Sample<'static>> {
        all.iter().map(|(label, path)| (Some((key, (*label).to_owned())), at(path))).collect()
    };
    let tiles = [("made", "/tiles/made"), ("intermediate", "/tiles/intermediate"), ("empty", "/tiles/without_data")];
    document.family("hypso_run_tiles_total", Counter, "Tiles, by what became of them.", labelled("kind", &tiles));
    document.one("hypso_run_tile_bytes_total", Counter, "Bytes of tiles made.", at("/tiles/bytes"));
    let units = [("made", "/units/made"), ("found", "/units/found"), ("split", "/units/split")];
    document.family("hypso_run_units_total", Counter, "Units, by what became of them.", labelled("kind", &units));
    document.one("hypso_run_units_retried_total", Counter, "Tries repeated.", at("/units/retried"));
    let aside = report.pointer("/units/set_aside").and_then(Value::as_array).map(|all| all.len() as f64);
    document.one("hypso_run_units_set_aside", Gauge, "Units that kept failing.", aside);
    let records = [("used", "/records/used"), ("unused", "/records/unused")];
    document.family("hypso_run_records", Gauge, "Records, by whether they gave a pixel.", labelled("kind", &records));
    document.one("hypso_run_pixels_total", Counter, "Pixels of tiles made.", at("/tiles/pixels"));
    document.one("hypso_run_pixels_void_total", Counter, "Pixels without a height.", at("/tiles/pixels_without_data"));
    let work = [
        ("read", "/worker_seconds/read"),
        ("warp", "/worker_seconds/warp_and_merge"),
        ("encode", "/worker_seconds/encode_and_decode"),
        ("write", "/worker_seconds/write"),
    ];
    document.family("hypso_run_work_seconds_total", Counter, "Time of workers by work.", labelled("work", &work));
    document.one("hypso_run_output_bytes", Gauge, "The size of the output.", at("/output/file_bytes"));
    let empty = Vec::new();
    let sources = report["sources"].as_array().unwrap_or(&empty);
    let by_source = |key: &str| -> Vec<Sample<'static>> {
        let name = |source: &Value| source["name"].as_str().unwrap_or_default().to_owned();
        sources.iter().map(|source| (Some(("source", name(source))), source[key].as_f64())).collect()
    };
    document.family("hypso_source_records", Gauge, "Records of a source.", by_source("records"));
    document.family("hypso_source_pixels_total", Counter, "Pixels that a source gave.", by_source("pixels"));
    let help = "The part of the pixels that a source was asked for and has no height for.";
    document.family("hypso_source_void_ratio", Gauge, help, by_source("nodata_share"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::run::RunId;
    use crate::quality::{Figure, Rule, Rules, Severity};

    #[test]
    fn every_sample_has_a_type_and_labels_are_escaped() {
        let run = Run::new(RunId::new(), "aggregate", String::new(), Vec::new(), vec!["/a/x\"y\\\n.pmtiles".into()]);
        let report = serde_json::json!({
            "tiles": {"made": 5, "intermediate": 1, "without_data": 0, "bytes": 10},
            "units": {"made": 2, "set_aside": []},
            "sources": [{"name": "dem1a", "records": 3, "pixels": 100, "nodata_share": 0.25}],
        });
        let mut rules = Rules::default();
        rules.set(Rule::SourceVoids, Severity::Fail, 20.0);
        let figures = [Figure::share(Rule::SourceVoids, 1, 4).of("a\"b"), Figure::new(Rule::Voids, 1.0)];
        let state = State { report: Some(report), quality: rules.judge(&figures), ..State::default() };
        let text = text(&run, &state, Some(&End::Complete(0)));
        let mut typed = Vec::new();
        for line in text.lines() {
            match line.strip_prefix("# TYPE ") {
                Some(line) => typed.push(line.split(' ').next().unwrap().to_owned()),
                None if !line.starts_with('#') => {
                    let name = line.split('{').next().unwrap();
                    assert_eq!(typed.last().map(String::as_str), Some(name), "{line}");
                    line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
                }
                None => {}
            }
        }
        assert!(text.contains(r#"output="x\"y\\ .pmtiles""#), "{text}");
        assert!(text.contains(r#"source="dem1a"} 0.25"#) && text.contains(r#"state="complete"} 1"#), "{text}");
        assert!(text.contains(r#"rule="source_voids",source="a\"b",severity="fail"} 1"#), "{text}");
        assert!(text.contains(r#"rule="voids",source=""} 1"#) && text.matches("hypso_alert{").count() == 1, "{text}");
        let once: std::collections::BTreeSet<_> = typed.iter().collect();
        assert_eq!(once.len(), typed.len(), "a family stands twice");
    }
}
