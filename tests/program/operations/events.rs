//! Lineage events: what they say, that others can read them, and that nothing they meet makes a run fail or wait.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{clean, lines, python, with, works};
use crate::program::{HYPSO, fails, scratch, stderr, surveyed};

const PARENT: &str = "s3://jobs/x/nightly/0191a5a0-0000-7000-8000-000000000001";

/// A transport into a file.
fn to_file(path: &str) -> String {
    json!({"type": "file", "log_file_path": path, "append": true}).to_string()
}

/// The only dataset with this end of its name.
fn named<'a>(datasets: &'a Value, end: &str) -> &'a Value {
    let found: Vec<&Value> =
        datasets.as_array().unwrap().iter().filter(|d| d["name"].as_str().unwrap().ends_with(end)).collect();
    assert_eq!(found.len(), 1, "{end}: {datasets:#}");
    found[0]
}

#[test]
fn events_tell_what_was_read_and_made_and_others_can_read_them() {
    let (folder, at) = scratch();
    surveyed(folder.path());
    let (transport, events) = (to_file(&at("events")), at("events"));
    let variables = [
        ("OPENLINEAGE__TRANSPORT", transport.as_str()),
        ("OPENLINEAGE_NAMESPACE", "terrain"),
        ("OPENLINEAGE_PARENT_ID", PARENT),
        ("HYPSO_NOMINAL_TIME", "2026-01-31T02:00:00Z"),
        ("HYPSO_RUNNING_EVERY", "0.05"),
        ("GDAL_CACHEMAX", "64"),
    ];
    works(&variables, &["build", "-o", &at("t.hypso"), "--config", &at("s/hypso.toml")]);
    works(&variables, &["aggregate", &at("t.hypso"), "-o", &at("t.pmtiles"), "--lineage", "--jobs", "2"]);
    works(&variables, &["convert", &at("t.pmtiles"), "-o", &at("t.mbtiles")]);
    works(&variables, &["merge", &at("t.mbtiles"), "-o", &at("m.pmtiles")]);
    let failed = with(&variables, &["merge", &at("t.mbtiles"), &at("t.pmtiles"), "-o", &at("no.pmtiles")]);
    assert_eq!(failed.status.code(), Some(1), "{}", stderr(&failed));

    let all = lines(&events);
    let of = |kind: &str, job: &str| -> Vec<&Value> {
        all.iter().filter(|e| e["eventType"] == kind && e["job"]["name"] == job).collect()
    };
    for job in ["build.t.hypso", "aggregate.t.pmtiles", "convert.t.mbtiles", "merge.m.pmtiles"] {
        assert_eq!((of("START", job).len(), of("COMPLETE", job).len()), (1, 1), "{job}");
        let (first, last) = (of("START", job)[0], of("COMPLETE", job)[0]);
        assert_eq!(first["run"]["runId"], last["run"]["runId"]);
        assert_eq!(last["job"]["namespace"], "terrain");
        assert_eq!(last["run"]["facets"]["parent"]["run"]["runId"], "0191a5a0-0000-7000-8000-000000000001");
        assert_eq!(last["run"]["facets"]["parent"]["job"], json!({"namespace": "s3://jobs/x", "name": "nightly"}));
        let nominal = &last["run"]["facets"]["nominalTime"]["nominalStartTime"];
        assert!(nominal.as_str().unwrap().starts_with("2026-01-31T02:00:00"), "{nominal}");
        assert!(first["run"]["facets"]["environmentVariables"].to_string().contains("GDAL_CACHEMAX"));
    }
    assert!(!of("RUNNING", "aggregate.t.pmtiles").is_empty(), "a run that goes on says so");
    let fail = of("FAIL", "merge.no.pmtiles")[0];
    let message = fail["run"]["facets"]["errorMessage"]["message"].as_str().unwrap();
    assert!(message.contains("--on-overlap"), "{message}");

    // Every source is a dataset, before the work and after it, under one name.
    let (first, last) = (of("START", "build.t.hypso")[0], of("COMPLETE", "build.t.hypso")[0]);
    let made = of("COMPLETE", "aggregate.t.pmtiles")[0];
    for source in ["lidar2", "dem10", "aw30"] {
        named(&first["inputs"], &format!("/s/{source}"));
        for event in [last, made] {
            let found = named(&event["inputs"], &format!("/s/{source}"));
            assert_eq!(found["facets"]["symlinks"]["identifiers"][0]["name"], source);
            assert_eq!(found["facets"]["version"]["datasetVersion"].as_str().unwrap().len(), 16);
            assert!(found["facets"]["hypso_elevation"]["crs"].to_string().contains("EPSG"), "{found:#}");
            assert!(found["inputFacets"]["inputStatistics"]["fileCount"].as_u64().unwrap() > 0);
        }
        let quality = &named(&made["inputs"], &format!("/s/{source}"))["inputFacets"]["dataQualityMetrics"];
        assert!(quality["columnMetrics"]["height"]["count"].as_u64().unwrap() > 0, "{quality}");
    }
    // What one run writes, the next one reads: same name, same version.
    let chain = [
        ("build.t.hypso", "aggregate.t.pmtiles", "/t.hypso"),
        ("aggregate.t.pmtiles", "convert.t.mbtiles", "/t.pmtiles"),
    ];
    for (writer, reader, name) in chain {
        let (out, read) = (of("COMPLETE", writer)[0], of("COMPLETE", reader)[0]);
        let (out, read) = (named(&out["outputs"], name), named(&read["inputs"], name));
        assert_eq!((&out["namespace"], &out["name"]), (&read["namespace"], &read["name"]));
        assert_eq!(out["facets"]["version"], read["facets"]["version"]);
    }
    let output = named(&made["outputs"], "/t.pmtiles");
    let statistics = &output["outputFacets"]["outputStatistics"];
    assert_eq!(statistics["size"].as_u64().unwrap(), std::fs::metadata(at("t.pmtiles")).unwrap().len());
    assert!(statistics["rowCount"].as_u64().unwrap() > 10);
    named(&made["outputs"], "/t-lineage.pmtiles");
    same_names_in_provenance(&at("t.hypso"), made);
    others_read(&events);
}

/// `provenance` and events name the same datasets.
fn same_names_in_provenance(store: &str, event: &Value) {
    let info: Value = serde_json::from_str(&crate::program::printed(&["info", store, "--format", "json"])).unwrap();
    let bounds = info["bounds_degrees"].as_array().or(info["bounds"].as_array()).cloned();
    let bounds = bounds.unwrap_or_else(|| panic!("{info:#}"));
    let middle = |a: usize, b: usize| (bounds[a].as_f64().unwrap() + bounds[b].as_f64().unwrap()) / 2.0;
    let place = format!("{},{}", middle(0, 2), middle(1, 3));
    let found = crate::program::printed(&["provenance", store, &place, "--format", "json"]);
    let found: Value = serde_json::from_str(&found).unwrap();
    let rows = found["candidates"].as_array().unwrap();
    assert!(!rows.is_empty(), "{place}");
    for row in rows {
        let dataset = named(&event["inputs"], row["dataset"]["name"].as_str().unwrap());
        assert_eq!(dataset["namespace"], row["dataset"]["namespace"]);
        assert_eq!(dataset["facets"]["symlinks"]["identifiers"][0]["name"], row["source"]);
    }
}

/// The types of OpenLineage's Python client take the events, and so do the published schemas, where `HYPSO_OPENLINEAGE_SPEC` names the
/// folder `spec` of its repository.
pub(super) fn others_read(events: &str) {
    let Some(python) = python("openlineage.client, jsonschema, rfc3339_validator") else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/check_events.py");
    let output = Command::new(python).arg(script).arg(events).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("facets checked"), "{said}");
}

/// A server that takes events; the answers are given in turn, the last one for ever. Gives what it gets.
fn receiver(answers: &'static [u16]) -> (String, Receiver<(Vec<String>, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (give, take) = channel();
    std::thread::spawn(move || {
        for (n, stream) in listener.incoming().enumerate() {
            let Ok(mut stream) = stream else { return };
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut head = Vec::new();
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
                    break;
                }
                head.push(line.trim().to_owned());
            }
            let header = |name: &str| {
                let found =
                    head.iter().find_map(|line| line.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)));
                found.map(|(_, value)| value.to_owned())
            };
            let mut body = vec![0; header("content-length").and_then(|n| n.parse().ok()).unwrap_or(0)];
            reader.read_exact(&mut body).unwrap();
            let code = answers[n.min(answers.len() - 1)];
            let _ = write!(stream, "HTTP/1.1 {code} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            if code < 300 && give.send((head, serde_json::from_slice(&body).unwrap_or(Value::Null))).is_err() {
                return;
            }
        }
    });
    (address, take)
}

#[test]
fn a_server_gets_them_in_order_with_the_key_and_failures_are_tried_again() {
    let (_folder, at) = scratch();
    let (url, events) = receiver(&[503, 500, 201]);
    let variables = [("OPENLINEAGE_URL", url.as_str()), ("OPENLINEAGE_API_KEY", "the-key"), ("HYPSO_JOB", "make")];
    let said = works(&variables, &["sample", "-o", &at("s"), "--size", "small"]);
    assert!(!said.contains("warning"), "{said}");
    let got: Vec<_> = std::iter::from_fn(|| events.recv_timeout(Duration::from_secs(5)).ok()).take(2).collect();
    let kinds: Vec<_> = got.iter().map(|(_, event)| event["eventType"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["START", "COMPLETE"]);
    assert_eq!(got[0].1["job"]["name"], "make");
    assert!(got[0].0[0].starts_with("POST /api/v1/lineage "), "{:?}", got[0].0);
    assert!(got[0].0.iter().any(|line| line.eq_ignore_ascii_case("authorization: Bearer the-key")), "{:?}", got[0].0);
}

#[test]
fn no_server_makes_a_run_fail_or_wait_for_long() {
    let (_folder, at) = scratch();
    // One refuses, one answers 400, one takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_url = format!("http://{}", silent.local_addr().unwrap());
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone_url = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let (refusing, _events) = receiver(&[400]);
    for (n, url) in [gone_url, refusing, silent_url].iter().enumerate() {
        let since = Instant::now();
        let output = at(&format!("s{n}"));
        let said = works(&[("OPENLINEAGE_URL", url)], &["sample", "-o", &output, "--size", "small"]);
        assert!(said.contains("warning:") && said.contains("events of this run"), "{said}");
        assert!(since.elapsed() < Duration::from_secs(60), "{:?}", since.elapsed());
    }
    drop(silent);
    for transport in [r#"{"type": "kafka"}"#, r#"{"type": "http", "url": "nonsense"}"#] {
        let said = works(
            &[("OPENLINEAGE__TRANSPORT", transport)],
            &["sample", "-o", &at("k"), "--size", "small", "--overwrite"],
        );
        assert!(said.contains("warning: no events are sent"), "{said}");
    }
    // What only hypso's own variables say is an option like others.
    let wrong = with(&[("OPENLINEAGE_PARENT_ID", "x")], &["sample", "-o", &at("k"), "--size", "small", "--overwrite"]);
    assert_eq!(wrong.status.code(), Some(2), "{}", stderr(&wrong));
    fails(2, &["UUID"], &["info", "x.hypso", "--run-id", "x"]);
}

#[cfg(unix)]
#[test]
fn a_run_that_is_interrupted_tells_so() {
    let (folder, at) = scratch();
    surveyed(folder.path());
    let transport = to_file(&at("events"));
    let mut command = Command::new(HYPSO);
    clean(&mut command);
    command.env("OPENLINEAGE__TRANSPORT", &transport).env("HYPSO_AUDIT_LOG", at("audit"));
    command.args([
        "aggregate",
        &at("s.hypso"),
        "-o",
        &at("t.pmtiles"),
        "--coverage",
        "full",
        "--max-zoom",
        "17",
        "--metrics-file",
        &at("m.prom"),
    ]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while !Path::new(&at("t.pmtiles.work")).exists() {
        assert!(Instant::now() < until, "it never began");
        std::thread::sleep(Duration::from_millis(10));
    }
    let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(asked.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let kinds: Vec<_> =
        lines(at("events")).iter().map(|event| event["eventType"].as_str().unwrap().to_owned()).collect();
    assert_eq!((kinds.first().unwrap().as_str(), kinds.last().unwrap().as_str()), ("START", "ABORT"), "{kinds:?}");
    let noted = lines(at("audit"));
    assert_eq!((noted.len(), noted[0]["result"].as_str()), (1, Some("abort")));
    assert!(std::fs::read_to_string(at("m.prom")).unwrap().contains("state=\"abort\"} 1"));
}

/// Others' server: OpenLineage's Python client sends to the same receiver what it reads of ours, so both speak alike.
#[test]
fn the_python_client_is_configured_by_the_same_file() {
    let Some(python) = python("openlineage.client, yaml") else { return };
    let (_folder, at) = scratch();
    let config = at("openlineage.yml");
    let ours = at("events");
    std::fs::write(&config, format!("transport:\n  type: file\n  log_file_path: {ours}\n  append: true\n")).unwrap();
    works(&[("OPENLINEAGE_CONFIG", &config)], &["sample", "-o", &at("s"), "--size", "small"]);
    let code = "import datetime, uuid\nfrom openlineage.client import OpenLineageClient\nfrom openlineage.client.event_v2 import Job, Run, \
                RunEvent, RunState\nOpenLineageClient().emit(RunEvent(eventType=RunState.COMPLETE, \
                eventTime=datetime.datetime.now(datetime.timezone.utc).isoformat(), run=Run(runId=str(uuid.uuid4())), \
                job=Job(namespace='a', name='b'), producer='urn:x:y'))";
    let output = Command::new(python).args(["-c", code]).env("OPENLINEAGE_CONFIG", &config).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let kinds: Vec<_> = lines(&ours).iter().map(|event| event["job"]["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["sample.s", "sample.s", "b"]);
}
