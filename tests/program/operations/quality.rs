//! Quality gates: rules of `hypso.toml` that pass, warn or fail, where they are told, and what is then not published.

use std::path::Path;

use serde_json::{Value, json};

use super::{lines, with, works};
use crate::program::{World, fails, hypso, names, ok, printed, scratch, stderr, surveyed};

/// Writes rules, and gives the variable that names them.
fn rules(path: &str, text: &str) -> [(&'static str, String); 1] {
    std::fs::write(path, format!("[alerts]\n{text}\n")).unwrap();
    [("HYPSO_CONFIG", path.to_owned())]
}

fn document(path: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The findings of a rule in a report or an answer.
fn of<'a>(list: &'a Value, rule: &str) -> Vec<&'a Value> {
    list.as_array().unwrap().iter().filter(|found| found["rule"] == rule).collect()
}

/// Options of a run of few tiles, which has voids, and records that give no pixel.
const PART: [&str; 8] = ["--min-zoom", "13", "--bbox", "138.98", "34.2", "138.99", "34.21", "--overwrite"];

#[test]
fn rules_pass_warn_or_fail_and_are_told_in_report_metrics_and_events() {
    let world = World::get();
    let (_folder, at) = scratch();
    let (store, out, events) = (world.path("s.hypso"), at("a.pmtiles"), at("events"));
    let transport = json!({"type": "file", "log_file_path": events, "append": true}).to_string();
    let metrics = at("a.prom");
    let arguments = [&["aggregate", &store, "-o", &out, "--metrics-file", &metrics][..], &PART].concat();
    for (text, code, raised) in [
        ("unused_records = { warn = 99, fail = 100 }", 0, None),
        ("unused_records = { warn = 5, fail = 100 }", 0, Some("warn")),
        ("unused_records = { warn = 5, fail = 10 }", 4, Some("fail")),
    ] {
        let config = rules(&at("hypso.toml"), &format!("{text}\nhighest_height = {{ fail = 9000 }}"));
        let variables = [("HYPSO_CONFIG", config[0].1.as_str()), ("OPENLINEAGE__TRANSPORT", &transport)];
        let output = with(&variables, &arguments);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{text}: {said}");
        assert!(Path::new(&out).exists(), "the archive is made in any case");
        let line = said.lines().find(|line| line.contains("gave no pixel")).unwrap_or_default();
        assert_eq!(line.starts_with("warning: "), raised == Some("warn"), "{said}");
        assert_eq!(line.starts_with("alert: "), raised == Some("fail"), "{said}");
        let report = document(&at("a.report.json"));
        let found = of(&report["quality"], "unused_records")[0];
        assert_eq!(found["raised"], raised.is_some(), "{found}");
        assert!(found["value"].as_f64().unwrap() > 5.0 && found["limit"].as_f64().unwrap() >= 5.0, "{found}");
        assert_eq!(report["alerts"].as_array().unwrap().len(), usize::from(raised.is_some()));
        assert_eq!(
            of(&report["alerts"], "unused_records").first().map(|f| &f["severity"]),
            raised.map(Value::from).as_ref()
        );
        assert_eq!(of(&report["quality"], "highest_height")[0]["raised"], false);

        let told = std::fs::read_to_string(&metrics).unwrap();
        let line = |name: &str| {
            let found =
                told.lines().find(|line| line.starts_with(&format!("{name}{{")) && line.contains("\"unused_records\""));
            found.unwrap_or_else(|| panic!("no {name}: {told}")).to_owned()
        };
        assert!(line("hypso_alert").ends_with(if raised.is_some() { " 1" } else { " 0" }), "{told}");
        assert!(line("hypso_alert").contains(&format!("severity=\"{}\"", raised.unwrap_or("warn"))), "{told}");
        assert!(line("hypso_quality").contains("command=\"aggregate\"") && !line("hypso_alert_limit").is_empty());

        let last = lines(&events).pop().unwrap();
        let inputs = last["inputs"].as_array().unwrap();
        let store = inputs.iter().find(|d| d["name"].as_str().unwrap().ends_with("/s.hypso")).unwrap();
        let all = store["inputFacets"]["dataQualityAssertions"]["assertions"].as_array().unwrap();
        let assertion = all.iter().find(|a| a["assertion"] == "unused_records").unwrap();
        assert_eq!(assertion["success"], raised.is_none(), "{assertion}");
        assert_eq!(assertion["severity"], if raised == Some("fail") { "error" } else { "warn" });
    }
    super::events::others_read(&events);
}

#[test]
fn options_are_the_same_rules_and_go_before_those_of_the_file() {
    let world = World::get();
    let (_folder, at) = scratch();
    let (store, out) = (world.path("s.hypso"), at("a.pmtiles"));
    let config = rules(&at("hypso.toml"), "unused_records = { warn = 5, fail = 10 }");
    let variables = [("HYPSO_CONFIG", config[0].1.as_str())];
    let arguments = [&["aggregate", &store, "-o", &out][..], &PART].concat();
    works(&variables, &[&arguments[..], &["--alert-unused", "100"]].concat());
    let output = with(&variables, &[&arguments[..], &["--alert-unused", "5"]].concat());
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
}

#[test]
fn a_rule_that_is_none_is_refused_before_the_work_with_file_and_line() {
    let (_folder, at) = scratch();
    let world = World::get();
    for (text, words) in [
        ("voids = { fail = 1 }\nviods = { fail = 1 }", ["line 3", "viods"]),
        ("voids = { fail = 1, warn = 200 }", ["voids", "0 to 100"]),
        ("voids = { maybe = 1 }", ["line 2", "maybe"]),
    ] {
        let config = rules(&at("hypso.toml"), text);
        let variables = [("HYPSO_CONFIG", config[0].1.as_str())];
        for arguments in [
            ["aggregate", &world.path("s.hypso"), "-o", &at("a.pmtiles")],
            ["publish", &world.path("s.pmtiles"), "-o", &at("published")],
        ] {
            let output = with(&variables, &arguments);
            let said = stderr(&output);
            assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
            assert!(words.iter().all(|word| said.contains(word)) && said.contains("hypso.toml"), "{said}");
            assert!(!said.contains("panicked"), "{said}");
        }
        let output = with(&[], &["build", "-o", &at("b.hypso"), "--config", &at("hypso.toml")]);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    }
    assert_eq!(names(Path::new(&at(""))), ["hypso.toml"]);
}

#[test]
fn a_build_takes_the_rules_of_the_file_that_lists_its_sources() {
    let (folder, at) = scratch();
    surveyed(folder.path());
    std::fs::write(at("s/aw30/broken.tif"), "no raster").unwrap();
    let sources = std::fs::read_to_string(at("s/hypso.toml")).unwrap();
    let build = ["build", "-o", &at("b.hypso"), "--config", &at("s/hypso.toml"), "--on-error", "skip", "--overwrite"];
    for (rule, code, word) in [("warn = 1", 0, "warning: "), ("fail = 1", 4, "alert: "), ("fail = 50", 0, "skipped")] {
        std::fs::write(at("s/hypso.toml"), format!("{sources}\n[alerts]\nskipped_files = {{ {rule} }}\n")).unwrap();
        let output = hypso(&build);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn seams_and_the_range_of_heights_are_measured() {
    let report = document(&World::get().path("s.report.json"));
    let between = report["seams"]["between"].as_array().unwrap();
    assert!(!between.is_empty(), "{report:#}");
    for pair in between {
        assert!(pair["pairs"].as_u64().unwrap() > 0 && pair["mean_step"].as_f64().unwrap() >= 0.0, "{pair}");
    }
    assert!(report["seams"]["inside"]["pairs"].as_u64().unwrap() > 1000);
    let [low, high] = ["lowest", "highest"].map(|key| report["heights"][key].as_f64().unwrap());
    let verified: Value =
        serde_json::from_str(&printed(&["verify", &World::get().path("s.pmtiles"), "--format", "json"])).unwrap();
    assert_eq!((verified["lowest"].as_f64(), verified["highest"].as_f64()), (Some(low), Some(high)));
    let by_zoom: u64 = report["zooms"].as_array().unwrap().iter().map(|zoom| zoom["tiles"].as_u64().unwrap()).sum();
    let bytes: u64 = report["zooms"].as_array().unwrap().iter().map(|zoom| zoom["bytes"].as_u64().unwrap()).sum();
    assert_eq!(Some(by_zoom), report["output"]["tiles"].as_u64());
    assert_eq!(Some(bytes), report["output"]["tile_bytes"].as_u64());
}

/// The same store makes the same figures, with lineage and without.
#[test]
fn seams_do_not_depend_on_whether_lineage_is_made() {
    let world = World::get();
    let (_folder, at) = scratch();
    let seams = |name: &str, more: &[&str]| {
        ok(&[&["aggregate", &world.path("s.hypso"), "-o", &at(name), "--jobs", "2"][..], more].concat());
        document(&at(&name.replace("pmtiles", "report.json")))["seams"].clone()
    };
    assert_eq!(seams("a.pmtiles", &[]), document(&world.path("s.report.json"))["seams"]);
    assert_eq!(seams("b.pmtiles", &["--blend", "500"]), seams("c.pmtiles", &["--blend", "500", "--lineage"]));
}

#[test]
fn verify_holds_an_archive_against_the_rules() {
    let (_folder, at) = scratch();
    let archive = World::get().path("s.pmtiles");
    for (text, code) in
        [("highest_height = { fail = 10 }", 4), ("highest_height = { warn = 10 }", 0), ("voids = { fail = 99 }", 0)]
    {
        let config = rules(&at("hypso.toml"), text);
        let output = with(&[("HYPSO_CONFIG", &config[0].1)], &["verify", &archive, "--format", "json"]);
        assert_eq!(output.status.code(), Some(code), "{text}: {}", stderr(&output));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(found["alerts"].as_array().unwrap().len(), usize::from(text.contains("10 }")), "{found}");
    }
}

#[test]
fn a_version_that_fails_a_rule_is_not_put_in_use() {
    let (folder, at) = scratch();
    let world = World::get();
    for name in ["s.pmtiles", "s-lineage.pmtiles", "s.report.json"] {
        std::fs::copy(world.path(name), at(name)).unwrap();
    }
    let to = at("published");
    let config = |text: &str| rules(&at("hypso.toml"), text)[0].1.clone();
    let publish = |variables: &[(&str, &str)], more: &[&str]| {
        with(variables, &[&["publish", &at("s.pmtiles"), "-o", &to], more].concat())
    };
    let current = || std::fs::read_link(format!("{to}/current")).ok();

    // What the report beside it says counts, and what is measured of the tiles themselves.
    for text in ["source_voids = { fail = 0.1 }", "highest_height = { fail = 10 }"] {
        let output = publish(&[("HYPSO_CONFIG", &config(text))], &[]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output);
        assert_eq!(output.status.code(), Some(4), "{text}: {said}");
        assert!(
            said.contains("not published: ") && said.contains("alert: ") && said.contains("limit in hypso.toml"),
            "{said}"
        );
        assert_eq!(current(), None);
    }
    assert_eq!(names(&folder.path().join("published/versions")), Vec::<String>::new());
    let changes = config("changed_pixels = { warn = 0.001, fail = 20 }\ngreatest_change = { fail = 100000 }");
    let variables = [("HYPSO_CONFIG", changes.as_str())];
    assert_eq!(publish(&variables, &[]).status.code(), Some(0), "there is no version before");
    let first = current().unwrap();

    // A small change warns and is recorded; a large one is refused.
    ok(&["extract", &at("s.pmtiles"), "-o", &at("part.pmtiles"), "--min-zoom", "1"]);
    std::fs::rename(at("part.pmtiles"), at("s.pmtiles")).unwrap();
    let output = publish(&variables, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("of the pixels differ from the version before"), "{}", stderr(&output));
    let second = current().unwrap();
    assert_ne!(first, second);
    let list: Value = serde_json::from_str(&printed(&["publish", "--list", "--format", "json", "-o", &to])).unwrap();
    let alerts = &list["versions"][1]["alerts"];
    assert_eq!((&alerts[0]["rule"], &alerts[0]["severity"]), (&json!("changed_pixels"), &json!("warn")), "{list:#}");

    ok(&["extract", &at("s.pmtiles"), "-o", &at("part.pmtiles"), "--max-zoom", "10"]);
    std::fs::rename(at("part.pmtiles"), at("s.pmtiles")).unwrap();
    let output = publish(&variables, &["--format", "json"]);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&said["published"], &said["alerts"][0]["rule"]), (&Value::Null, &json!("changed_pixels")), "{said}");
    assert_eq!(current(), Some(second));
    assert_eq!(names(&folder.path().join("published/versions")).len(), 2);
}

#[test]
fn reports_are_shown_compared_and_drawn() {
    let world = World::get();
    let (_folder, at) = scratch();
    let (store, out) = (world.path("s.hypso"), at("a.pmtiles"));
    ok(&["aggregate", &store, "-o", &out, "--max-zoom", "11", "--jobs", "1"]);
    let one = printed(&["report", &out]);
    for word in
        ["a.report.json", "tiles by zoom", "zoom 11", "pixels by source", "lidar2", "all processes", "lowest_height"]
    {
        assert!(one.contains(word), "{word}: {one}");
    }
    let two = printed(&["report", &world.path("s.pmtiles"), &at("a.report.json"), "--html", &at("p.html")]);
    assert!(two.contains("first: ") && two.contains("change") && two.contains(" %"), "{two}");
    let page = std::fs::read_to_string(at("p.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("Bytes by zoom") && page.ends_with("</html>\n"));
    fails(1, &["p.html", "exists already", "--overwrite"], &["report", &out, "--html", &at("p.html")]);
    ok(&["report", &out, "--html", &at("p.html"), "--overwrite"]);
    assert_ne!(page, std::fs::read_to_string(at("p.html")).unwrap());
    let refused = hypso(&["report", &out, "--html", &at("a.report.json"), "--overwrite"]);
    assert!(
        !refused.status.success() && document(&at("a.report.json"))["format"] == "hypso report 1",
        "an input stays"
    );
    let json: Value = serde_json::from_str(&printed(&[
        "report",
        &at("a.report.json"),
        &world.path("s.report.json"),
        "--format",
        "json",
    ]))
    .unwrap();
    let rows = json["rows"].as_array().unwrap();
    let made = rows.iter().find(|row| row["section"] == "tiles" && row["name"] == "made").unwrap();
    assert_eq!(made["values"][0], document(&at("a.report.json"))["tiles"]["made"].as_f64().unwrap());
    assert!(document(&at("a.report.json"))["memory"]["over_time"].as_array().is_some_and(|all| !all.is_empty()));
}

#[test]
fn what_is_no_report_is_refused_and_an_old_one_is_shown() {
    let (_folder, at) = scratch();
    for (name, text) in [
        ("t.report.json", "{\"format\": \"hypso report 1\", \"til"),
        ("o.json", "{\"format\": \"hypso report 9\"}"),
        ("e.json", ""),
    ] {
        std::fs::write(at(name), text).unwrap();
        fails(1, &[name, "name a report of a run"], &["report", &at(name)]);
    }
    fails(1, &["none.pmtiles"], &["report", &at("none.pmtiles")]);
    fails(
        1,
        &["has no report beside it", "alone.pmtiles"],
        &["report", &{
            std::fs::copy(World::get().path("s.pmtiles"), at("alone.pmtiles")).unwrap();
            at("alone.pmtiles")
        }],
    );
    std::fs::File::create(at("large.json")).unwrap().set_len(300 << 20).unwrap();
    fails(1, &["large.json", "314572800 bytes"], &["report", &at("large.json")]);

    // As the first versions wrote it: alerts in words, no figures of quality.
    let old = json!({
        "format": "hypso report 1", "version": "0.0.1", "complete": true, "output": {"path": "/x/old.pmtiles", "tiles": 3, "tile_bytes": 9, "file_bytes": 10},
        "tiles": {"made": 3, "without_data": 0}, "sources": [{"name": "<script>alert(1)</script>", "records": 1, "pixels": 5, "nodata_share": null}],
        "memory": {"all_processes": 1000, "largest_process": 900, "budget": null}, "seconds": {"all": 1.5, "archives": 0.5, "paused": 0},
        "alerts": ["50.00 % of the tiles have no data"],
    });
    std::fs::write(at("old.report.json"), old.to_string()).unwrap();
    let said = printed(&["report", &at("old.report.json"), "--html", &at("old.html")]);
    assert!(said.contains("alert: ") && said.contains("50.00 % of the tiles"), "{said}");
    let page = std::fs::read_to_string(at("old.html")).unwrap();
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
}
