//! `hypso report`: what a run made and took, or two runs beside one another.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::inspect::Format;
use super::observed::Touched;
use super::{Outcome, exit, output};
use crate::atomic::{check_output, refuse_inputs, write_whole};
use crate::report::{self, RunReport, Section};

/// Show the report of a run, or compare those of two runs.
///
/// Each run writes one beside its output: OUTPUT.report.json. With --html, also writes a page with charts: tiles and bytes by zoom, time by
/// stage, memory over time, pixels by source, rules. The page is one file that needs no other.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso report japan.pmtiles\n  hypso report published/current/japan.pmtiles japan.pmtiles --html japan.report.html\n  hypso report old.report.json new.report.json --format json | jq .alerts"
)]
pub struct Args {
    /// The report, or the archive beside which it lies.
    #[arg(value_name = "REPORT")]
    first: PathBuf,
    /// The report of another run, such as the next one.
    #[arg(value_name = "OTHER")]
    second: Option<PathBuf>,
    /// Write the page.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Replace an existing page.
    #[arg(long, requires = "html")]
    overwrite: bool,
    /// How to print the figures.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

impl Args {
    fn inputs(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.first].into_iter().chain(&self.second)
    }

    /// What it reads and writes.
    pub fn touched(&self) -> Option<Touched> {
        Touched::of(self.inputs(), &self.html)
    }
}

pub fn run(args: &Args) -> Outcome {
    let found = args.inputs().map(|path| report::read(path)).collect::<crate::Result<Vec<_>>>()?;
    if let Some(page) = &args.html {
        check_output(page, args.overwrite)?;
        refuse_inputs(page, found.iter().map(|(path, _)| path).chain(args.inputs()))?;
    }
    let named: Vec<(String, RunReport)> =
        found.into_iter().map(|(path, report)| (path.display().to_string(), report)).collect();
    let reports: Vec<RunReport> = named.iter().map(|(_, report)| report.clone()).collect();
    let sections = report::sections(&reports);
    match args.format {
        Format::Json => output::line(serde_json::to_string_pretty(&document(&named, &sections))?)?,
        Format::Table => output::line(table(&named, &sections).trim_end())?,
    }
    if let Some(page) = &args.html {
        write_whole(page, report::page(&named).as_bytes(), args.overwrite)?;
        super::say(&format!("{}: written; open it in a browser", page.display()));
    }
    Ok(exit::OK)
}

fn document(named: &[(String, RunReport)], sections: &[Section]) -> Value {
    let raised = |report: &RunReport| -> Vec<Value> {
        let raised = report.quality.iter().filter(|found| found.raised);
        raised
            .map(|found| {
                json!({"rule": found.rule, "source": found.source, "value": found.value, "limit": found.limit, "severity": found.severity})
            })
            .collect()
    };
    let rows = sections.iter().flat_map(|section| {
        let row = |row: &report::Row| {
            json!({"section": section.title, "name": row.name, "unit": row.unit.name(), "values": row.values})
        };
        section.rows.iter().map(row)
    });
    json!({
        "reports": named.iter().map(|(path, report)| json!({"path": path, "archive": report.archive, "complete": report.complete})).collect::<Vec<_>>(),
        "rows": rows.collect::<Vec<_>>(),
        "alerts": named.iter().map(|(_, report)| raised(report)).collect::<Vec<_>>(),
    })
}

fn table(named: &[(String, RunReport)], sections: &[Section]) -> String {
    let two = named.len() > 1;
    let mut head: Vec<String> = vec![String::new(), "figure".into()];
    head.extend(if two { ["first", "second", "change"].map(String::from).to_vec() } else { vec!["value".into()] });
    let mut rows = vec![head];
    for section in sections {
        for (n, row) in section.rows.iter().enumerate() {
            let mut line = vec![if n == 0 { section.title.to_owned() } else { String::new() }, row.name.clone()];
            line.extend(row.values.iter().map(|v| v.map_or_else(|| "-".into(), |v| row.unit.shown(v))));
            if let [Some(from), Some(to)] = row.values[..] {
                line.push(row.unit.change(from, to));
            }
            rows.push(line);
        }
    }
    let mut text = String::new();
    for (word, (path, report)) in ["first", "second"].iter().zip(named) {
        let state = if report.complete { "" } else { ", not complete" };
        let word = if two { format!("{word}: ") } else { String::new() };
        text += &format!("{word}{}{state}\n", output::path(path.as_ref()));
    }
    text += "\n";
    text += &output::table(&rows, &[2, 3, 4]);
    for (path, report) in named {
        for found in report.quality.iter().filter(|found| found.raised) {
            let source = found.source.as_ref().map_or_else(String::new, |source| format!(" ({source})"));
            let severity = found.severity.as_deref().unwrap_or("alert");
            let limit = found.limit.map_or_else(String::new, |limit| format!(", limit {limit}"));
            let (path, value) = (output::path(path.as_ref()), found.value);
            text += &format!("\n{severity}: {path}: {}{source}: {value}{limit}", found.rule);
        }
        for alert in &report.alerts {
            if let report::Alert::Text(alert) = alert {
                text += &format!("\nalert: {}: {alert}", output::path(path.as_ref()));
            }
        }
    }
    text
}
