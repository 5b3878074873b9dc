//! Logs and metrics of runs.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{clean, has, with, works};
use crate::program::{HYPSO, fails, scratch, stderr, surveyed};

const RUN: &str = "0191a5a0-0000-7000-8000-0000000000aa";

#[test]
fn each_line_of_a_log_has_the_run_and_file_and_console_have_levels_of_their_own() {
    let (folder, at) = scratch();
    surveyed(folder.path());
    let log = at("run.log");
    let file = ["--log-file", &log, "--run-id", RUN];
    let (store, tiles) = (at("s.hypso"), at("t.pmtiles"));
    let run = [&["aggregate", &store, "-o", &tiles, "--jobs", "2"][..], &file].concat();
    let said = works(&[], &[&run[..], &["--log-file-level", "debug"]].concat());
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.lines().count() > 5 && text.lines().all(|line| line.ends_with(&format!("run={RUN}"))), "{text}");
    // What is said stands in the file too, and what is logged at debug stands there alone; workers log there as well.
    assert!(said.contains("next: hypso verify") && text.contains("next: hypso verify"), "{text}");
    assert!(text.contains("worker starts") && !said.contains("worker starts"), "{said}");
    assert!(text.contains("ended: complete, exit code 0"), "{text}");

    let json = at("json.log");
    let output = with(
        &[("HYPSO_LOG_FILE", &json)],
        &["merge", &at("no.pmtiles"), "-o", &at("m.pmtiles"), "--log-format", "json"],
    );
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let text = std::fs::read_to_string(&json).unwrap();
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"))).collect();
    assert!(lines.iter().all(|line| line["run"].as_str().is_some_and(|run| run.len() == 36)), "{text}");
    assert!(
        lines.iter().any(|line| line["level"] == "ERROR" && line["message"].as_str().unwrap().contains("no.pmtiles")),
        "{text}"
    );
    fails(1, &["no/such"], &["info", &at("s.hypso"), "--log-file", &at("no/such.log")]);
    fails(2, &["at least 4k"], &["info", &at("s.hypso"), "--log-rotate", "1"]);
}

#[test]
fn a_log_file_is_begun_anew_at_its_size() {
    let (folder, at) = scratch();
    surveyed(folder.path());
    let log = at("run.log");
    for n in 0..3 {
        let output = at(&format!("t{n}.pmtiles"));
        works(
            &[],
            &[
                "aggregate",
                &at("s.hypso"),
                "-o",
                &output,
                "--jobs",
                "2",
                "--log-file",
                &log,
                "--log-file-level",
                "trace",
                "--log-rotate",
                "4k",
            ],
        );
    }
    let files = std::fs::read_dir(folder.path()).unwrap().flatten();
    let files: Vec<_> = files.filter(|file| file.file_name().to_string_lossy().starts_with("run.log")).collect();
    assert!(files.len() > 1, "{files:?}");
    let starts = files.iter().map(|file| std::fs::read_to_string(file.path()).unwrap().matches(" aggregate ").count());
    assert_eq!(starts.sum::<usize>(), 3, "no line is lost");
}

/// The value of a sample whose line begins so.
fn value(text: &str, start: &str) -> f64 {
    let line = text.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no {start} in\n{text}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn metrics_are_there_while_it_runs_and_at_its_end_and_prometheus_takes_them() {
    let (folder, at) = scratch();
    surveyed(folder.path());
    let metrics = at("x.prom");
    let mut command = Command::new(HYPSO);
    clean(&mut command);
    let arguments = ["aggregate", &at("s.hypso"), "-o", &at("t.pmtiles"), "--jobs", "2", "--metrics-file", &metrics];
    let mut child = command.args(arguments).stderr(std::process::Stdio::null()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while !Path::new(&metrics).exists() {
        assert!(Instant::now() < until, "no metrics while it runs");
        std::thread::sleep(Duration::from_millis(2));
    }
    let first = std::fs::read_to_string(&metrics).unwrap();
    assert_eq!(value(&first, "hypso_run_state{command=\"aggregate\",output=\"t.pmtiles\",state=\"running\"}"), 1.0);
    assert!(child.wait().unwrap().success());
    let text = std::fs::read_to_string(&metrics).unwrap();
    assert_eq!(value(&text, "hypso_run_state{command=\"aggregate\",output=\"t.pmtiles\",state=\"complete\"}"), 1.0);
    assert_eq!(value(&text, "hypso_run_exit_code{"), 0.0);
    let report: Value = serde_json::from_slice(&std::fs::read(at("t.report.json")).unwrap()).unwrap();
    let same = |sample: &str, pointer: &str| {
        assert_eq!(value(&text, sample), report.pointer(pointer).unwrap().as_f64().unwrap(), "{sample}");
    };
    let labels = "{command=\"aggregate\",output=\"t.pmtiles\"";
    same(&format!("hypso_run_tiles_total{labels},kind=\"made\"}}"), "/tiles/made");
    same(&format!("hypso_run_units_total{labels},kind=\"made\"}}"), "/units/made");
    same(&format!("hypso_run_records{labels},kind=\"used\"}}"), "/records/used");
    same(&format!("hypso_run_units_retried_total{labels}}}"), "/units/retried");
    for (n, source) in report["sources"].as_array().unwrap().iter().enumerate() {
        let name = source["name"].as_str().unwrap();
        same(&format!("hypso_source_pixels_total{labels},source=\"{name}\"}}"), &format!("/sources/{n}/pixels"));
        same(&format!("hypso_source_void_ratio{labels},source=\"{name}\"}}"), &format!("/sources/{n}/nodata_share"));
    }
    if cfg!(target_os = "linux") {
        // Workers have ended, and count.
        let work = report["worker_seconds"].as_object().unwrap().values().map(|s| s.as_f64().unwrap()).sum::<f64>();
        let cpu = value(&text, "hypso_run_cpu_seconds_total");
        assert!(cpu > work * 0.3, "{cpu} {work}");
        assert!(value(&text, "hypso_run_disk_written_bytes_total") >= 0.0);
        assert!(value(&text, "hypso_run_memory_peak_bytes") > 1e6);
    }
    for text in [first, text] {
        if has("promtool") {
            let mut promtool = Command::new("promtool");
            promtool.args(["check", "metrics"]).stdin(std::process::Stdio::piped());
            let mut child =
                promtool.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
            std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
            let output = child.wait_with_output().unwrap();
            let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
            assert!(output.status.success() && said.trim().is_empty(), "{said}\n{text}");
        }
    }
    let failed = with(&[("HYPSO_METRICS_FILE", &metrics)], &["merge", &at("none"), "-o", &at("m.pmtiles")]);
    assert_eq!(failed.status.code(), Some(1));
    let text = std::fs::read_to_string(&metrics).unwrap();
    assert_eq!(value(&text, "hypso_run_state{command=\"merge\",output=\"m.pmtiles\",state=\"fail\"}"), 1.0);
    assert_eq!(value(&text, "hypso_run_exit_code{"), 1.0);
}
