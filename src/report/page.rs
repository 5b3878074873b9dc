//! One report, or two, as a page of HTML that needs nothing else: no script, no file, no network.

use std::fmt::Write;

use super::chart::{Series, bars, escaped, lines};
use super::compare::{Row, Section, sections};
use super::read::{Alert, Finding, RunReport};
use crate::quality::Rule;

/// How many lines of a chart are shown; the rest is summed up in words.
const LINES: usize = 40;

/// What each chart shows, by the title of its section.
const TITLES: [(&str, &str); 6] = [
    ("tiles by zoom", "Tiles by zoom"),
    ("bytes by zoom", "Bytes by zoom"),
    ("time", "Time"),
    ("time of all workers", "Time of all workers, by stage"),
    ("pixels by source", "Pixels by source"),
    ("voids by source", "Pixels without a height, by source"),
];

const STYLE: &str = include_str!("page.css");

/// The page of one or two reports, each with the name that it has for the reader.
#[must_use]
pub fn page(reports: &[(String, RunReport)]) -> String {
    let all: Vec<RunReport> = reports.iter().map(|(_, report)| report.clone()).collect();
    let long = reports.iter().map(|(name, _)| escaped(name));
    let names: Vec<String> =
        if reports.len() > 1 { vec!["first".into(), "second".into()] } else { vec!["value".into()] };
    let sections = sections(&all);
    let title = match all.first().and_then(|report| report.archive.as_deref()) {
        Some(archive) => escaped(archive),
        None => "Run".into(),
    };
    let mut body = format!("<h1>{title}</h1>\n<ul class=\"key\">\n");
    for (n, (name, report)) in long.zip(&all).enumerate() {
        let name = if all.len() > 1 { format!("{}: {name}", names[n]) } else { name };
        let state = if report.complete { "" } else { ", <strong>not complete</strong>" };
        let kind = if report.update.is_some() { ", an update" } else { "" };
        let version = escaped(&report.version);
        let _ = writeln!(body, "<li class=\"k{n}\">{name} <small>hypso {version}{kind}{state}</small></li>");
    }
    body += "</ul>\n";
    let runs = if all.len() > 1 { names.clone() } else { vec![String::new()] };
    body += &alerts(&runs, &all);
    body += &figures(&names, &sections);
    for (key, title) in TITLES {
        if let Some(section) = sections.iter().find(|section| section.title == key) {
            body += &chart(title, &section.rows);
        }
        if key == "time of all workers" {
            body += &memory(&all);
        }
    }
    body += &rules(&runs, &all);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, \
         initial-scale=1\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n"
    )
}

/// What was raised, before all else.
fn alerts(names: &[String], reports: &[RunReport]) -> String {
    let mut out = String::new();
    for (name, report) in names.iter().zip(reports) {
        for found in report.quality.iter().filter(|found| found.raised) {
            let severity = if found.severity.as_deref() == Some("fail") { "fail" } else { "warn" };
            let what = escaped(&label(found));
            let [value, limit] = [Some(found.value), found.limit].map(|v| shown(&found.rule, v));
            let _ = writeln!(
                out,
                "<p class=\"alert {severity}\"><b>{severity}</b> {what}: {value}, limit {limit} <small>{name}</small></p>"
            );
        }
        for alert in &report.alerts {
            if let Alert::Text(text) = alert {
                let _ =
                    writeln!(out, "<p class=\"alert fail\"><b>alert</b> {} <small>{name}</small></p>", escaped(text));
            }
        }
    }
    out
}

fn label(found: &Finding) -> String {
    let rule = found.rule.replace('_', " ");
    found.source.as_ref().map_or_else(|| rule.clone(), |source| format!("{rule}, {source}"))
}

/// A value in the unit of its rule.
fn shown(rule: &str, value: Option<f64>) -> String {
    let Some(value) = value else { return "–".into() };
    let unit = Rule::of_name(rule).map_or("", Rule::unit);
    format!("{} {}", (value * 1000.0).round() / 1000.0, escaped(unit)).trim_end().to_owned()
}

/// The figures that have no chart, and the totals.
fn figures(names: &[String], sections: &[Section]) -> String {
    let mut rows = String::new();
    let plain = ["output", "tiles", "memory", "work"];
    for section in sections.iter().filter(|section| plain.contains(&section.title)) {
        for row in &section.rows {
            let _ = write!(rows, "<tr><th scope=\"row\">{}: {}</th>", escaped(section.title), escaped(&row.name));
            for value in &row.values {
                let text = value.map_or_else(|| "–".into(), |value| escaped(&row.unit.shown(value)));
                let _ = write!(rows, "<td>{text}</td>");
            }
            if let [Some(from), Some(to)] = row.values[..] {
                let _ = write!(rows, "<td class=\"change\">{}</td>", escaped(&row.unit.change(from, to)));
            }
            rows += "</tr>\n";
        }
    }
    format!("<h2>Figures</h2>\n<div class=\"wide\"><table>\n{}{rows}</table></div>\n", head("", names, names.len() > 1))
}

fn head(first: &str, names: &[String], change: bool) -> String {
    let mut out = format!("<tr><td>{first}</td>");
    for (n, name) in names.iter().enumerate() {
        let _ = write!(out, "<th scope=\"col\" class=\"k{n}\">{name}</th>");
    }
    if change {
        out += "<th scope=\"col\">change</th>";
    }
    out + "</tr>\n"
}

fn chart(title: &str, rows: &[Row]) -> String {
    let most = |rows: &[Row]| rows.iter().flat_map(|row| &row.values).flatten().copied().fold(0.0, f64::max);
    let mut out = format!("<h2>{title}</h2>\n<div class=\"chart\">\n");
    let mut shown: Vec<&Row> = rows.iter().collect();
    if rows.len() > LINES {
        // The largest ones say most.
        let size = |row: &Row| row.values.iter().flatten().copied().fold(0.0, f64::max);
        shown.sort_by(|a, b| size(b).total_cmp(&size(a)));
        shown.truncate(LINES);
    }
    let most = most(rows);
    for row in shown {
        out += &bars(&row.name, &row.values, row.unit, most);
    }
    if rows.len() > LINES {
        let _ = writeln!(out, "<p><small>{} smaller ones are left out.</small></p>", rows.len() - LINES);
    }
    out + "</div>\n"
}

fn memory(reports: &[RunReport]) -> String {
    if reports.iter().all(|report| report.memory.over_time.is_empty()) {
        return String::new();
    }
    let series = |report: &'_ RunReport| (report.memory.every_seconds, report.memory.over_time.clone());
    let all: Vec<(f64, Vec<u64>)> = reports.iter().map(series).collect();
    let series: Vec<Series<'_>> = all.iter().map(|(every, values)| Series { every: *every, values }).collect();
    format!("<h2>Memory of all processes, over time</h2>\n{}", lines(&series))
}

/// Everything that was measured for rules, with the limits.
fn rules(runs: &[String], reports: &[RunReport]) -> String {
    let mut rows = String::new();
    for (n, report) in reports.iter().enumerate() {
        for found in &report.quality {
            let state = match (found.raised, found.limit) {
                (true, _) => found.severity.as_deref().unwrap_or("raised"),
                (false, Some(_)) => "passed",
                (false, None) => "no limit",
            };
            let class = if found.raised { "raised" } else { "" };
            let _ = writeln!(
                rows,
                "<tr class=\"{class}\"><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td class=\"k{n}\">{}</td></tr>",
                escaped(&label(found)),
                shown(&found.rule, Some(found.value)),
                shown(&found.rule, found.limit),
                escaped(state),
                runs[n],
            );
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let columns = ["", "value", "limit", "result", "run"].map(|name| format!("<th scope=\"col\">{name}</th>")).concat();
    format!("<h2>Rules</h2>\n<div class=\"wide\"><table>\n<tr>{columns}</tr>\n{rows}</table></div>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(name: &str) -> RunReport {
        let text = serde_json::json!({
            "format": "hypso report 1", "version": name, "archive": name, "tiles": {"made": 5},
            "sources": [{"name": name, "pixels": 7, "nodata_share": 0.25}, {"name": "b", "pixels": 3}],
            "zooms": [{"zoom": 5, "tiles": 3, "bytes": 1000}], "memory": {"every_seconds": 0.25, "over_time": [1, 2]},
            "quality": [{"rule": name, "source": name, "value": 1.5, "limit": 1, "severity": name, "raised": true}],
            "alerts": [name],
        });
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn texts_of_files_are_texts_in_the_page() {
        let bad = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u{202e}\u{1b}[2J";
        let page = page(&[(bad.into(), report(bad)), (bad.into(), report(bad))]);
        for part in ["<script", "<img", "\u{202e}", "\u{1b}", "\"'>", "title=\"<"] {
            assert!(!page.contains(part), "{part}");
        }
        assert!(page.matches("&lt;script&gt;alert(1)").count() > 10);
    }

    #[test]
    fn the_page_asks_for_nothing_and_its_elements_are_closed() {
        for reports in
            [vec![("a".into(), report("a"))], vec![("a".into(), report("a")), ("b".into(), RunReport::default())]]
        {
            let page = page(&reports);
            for part in ["http://", "https://", "src=", "href=", "url(", "@import", "<link"] {
                assert!(!page.contains(part), "{part}");
            }
            // All of them but <meta>, <rect/> and <path/> have an end.
            for name in [
                "html", "head", "body", "main", "style", "div", "svg", "span", "table", "tr", "th", "td", "h2", "li",
                "p", "small",
            ] {
                let begun = page.matches(&format!("<{name}>")).count() + page.matches(&format!("<{name} ")).count();
                assert_eq!(begun, page.matches(&format!("</{name}>")).count(), "{name}");
            }
            for title in ["Tiles by zoom", "Bytes by zoom", "Pixels by source", "Memory of all processes", "Rules"] {
                assert!(page.contains(title), "{title}");
            }
        }
    }

    #[test]
    fn a_long_list_of_sources_is_cut_and_says_so() {
        let mut long = report("a");
        long.sources = (0..1000)
            .map(|n| super::super::read::Source { name: format!("s{n}"), pixels: n, nodata_share: None })
            .collect();
        let page = page(&[("a".into(), long)]);
        assert!(page.contains("960 smaller ones are left out") && page.contains(">s999<") && !page.contains(">s10<"));
    }
}
