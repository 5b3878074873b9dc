//! What runs at night: the examples, and the commands that docs/operations.md shows.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::{clean, has, lines, python};
use crate::program::{HYPSO, run, scratch, stderr, surveyed};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// A shell in a folder, where `hypso` is ours and `python` that of the tests.
fn shell(folder: &Path, script: &str, variables: &[(&str, &str)]) -> Output {
    let bin = folder.join("bin");
    if !bin.exists() {
        std::fs::create_dir(&bin).unwrap();
        std::os::unix::fs::symlink(HYPSO, bin.join("hypso")).unwrap();
    }
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin");
    let path = std::env::var("PATH").unwrap();
    let mut command = Command::new("sh");
    clean(&mut command);
    command.args(["-euc", script]).current_dir(folder);
    command.env("PATH", format!("{}:{}:{path}", bin.display(), venv.display())).env("EXAMPLES", examples());
    command.envs(variables.iter().copied()).output().unwrap()
}

#[test]
fn the_nightly_script_updates_and_gives_exit_codes_on() {
    let (folder, at) = scratch();
    surveyed(folder.path());
    let night = |variables: &[(&str, &str)]| {
        let all = [&[("HYPSO_DATA", "s"), ("HYPSO_OUT", ".")][..], variables].concat();
        let all: Vec<_> =
            all.iter().map(|(n, v)| (*n, if *n == "HYPSO_DATA" { at(v) } else { (*v).to_owned() })).collect();
        let all: Vec<_> = all.iter().map(|(n, v)| (*n, v.as_str())).collect();
        shell(folder.path(), "exec sh $EXAMPLES/scheduled/nightly.sh", &all)
    };
    for n in 0..2 {
        let output = night(&[]);
        assert_eq!(output.status.code(), Some(0), "night {n}: {}", stderr(&output));
    }
    assert!(Path::new(&at("terrain.pmtiles")).exists() && Path::new(&at("terrain-lineage.pmtiles")).exists());
    assert!(Path::new(&at("published/current/terrain-lineage.pmtiles")).exists());
    let raster = std::fs::read_dir(at("s/aw30")).unwrap().flatten().map(|entry| entry.path());
    let raster = raster.into_iter().find(|path| path.extension().is_some_and(|e| e == "tif")).unwrap();
    let copy = raster.with_file_name("broken.tif");
    std::fs::write(&copy, "no raster").unwrap();
    let output = night(&[]);
    assert_eq!(output.status.code(), Some(4), "an alert: {}", stderr(&output));
    std::fs::remove_file(copy).unwrap();
    let held = shell(
        folder.path(),
        "exec 9>nightly.lock; flock 9; HYPSO_DATA=s HYPSO_OUT=. sh $EXAMPLES/scheduled/nightly.sh",
        &[],
    );
    assert_eq!(held.status.code(), Some(75), "{}", stderr(&held));
    std::fs::write(at("terrain.pmtiles"), "no archive").unwrap();
    // What is wrong with an output that nobody of ours wrote is an option to change: code 2.
    let failed = night(&[]);
    assert_eq!(failed.status.code(), Some(2), "{}", stderr(&failed));
    assert!(stderr(&failed).contains("nightly: aggregate ended with exit code 2"), "{}", stderr(&failed));
}

#[test]
fn the_units_of_systemd_are_valid() {
    if !Command::new("systemd-analyze").arg("--version").output().is_ok_and(|o| o.status.success()) {
        println!("skipped: there is no systemd-analyze");
        return;
    }
    let (_folder, at) = scratch();
    let unit = std::fs::read_to_string(examples().join("scheduled/hypso-nightly.service")).unwrap();
    let script = examples().join("scheduled/nightly.sh").display().to_string();
    std::fs::write(at("hypso-nightly.service"), unit.replace("/usr/local/lib/hypso/nightly.sh", &script)).unwrap();
    std::fs::copy(examples().join("scheduled/hypso-nightly.timer"), at("hypso-nightly.timer")).unwrap();
    let output = Command::new("systemd-analyze")
        .args(["verify", &at("hypso-nightly.service"), &at("hypso-nightly.timer")])
        .output()
        .unwrap();
    let said = stderr(&output);
    let ours: Vec<_> = said.lines().filter(|line| line.contains("hypso-nightly")).collect();
    assert!(ours.is_empty(), "{ours:?}");
    let time = run("systemd-analyze", &["calendar", "*-*-* 02:00:00"]);
    assert!(time.contains("02:00:00"), "{time}");
}

#[test]
fn the_pipeline_runs_its_steps_below_one_run() {
    let Some(_) = python("hamilton") else { return };
    let (folder, at) = scratch();
    surveyed(folder.path());
    let transport = format!(r#"{{"type": "file", "log_file_path": "{}", "append": true}}"#, at("events"));
    let id = "0191a5a0-0000-7000-8000-0000000000bb";
    let variables = [("OPENLINEAGE__TRANSPORT", transport.as_str()), ("HYPSO_PIPELINE_RUN", id)];
    let pipeline =
        |variables: &[(&str, &str)]| shell(folder.path(), "python $EXAMPLES/pipeline.py s/hypso.toml .", variables);
    for _ in 0..2 {
        let output = pipeline(&variables);
        assert!(output.status.success(), "{}", stderr(&output));
    }
    let done = lines(at("events"));
    let done: Vec<_> = done.iter().filter(|event| event["eventType"] == "COMPLETE").collect();
    let jobs: Vec<_> = done.iter().map(|event| event["job"]["name"].as_str().unwrap()).collect();
    let once = ["build.terrain.hypso", "aggregate.terrain.pmtiles", "publish.terrain.pmtiles"];
    assert_eq!(jobs, [once, once].concat());
    assert!(done.iter().all(|event| event["run"]["facets"]["parent"]["run"]["runId"] == id));
    std::fs::write(at("terrain.hypso"), "no store").unwrap();
    let failed = pipeline(&variables);
    assert_eq!(failed.status.code(), Some(1), "{}", stderr(&failed));
    assert!(stderr(&failed).contains("pipeline: hypso build ended with exit code 1"), "{}", stderr(&failed));
}

/// Blocks of shell commands in a document.
fn blocks(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("```sh\n") {
        let (block, after) = after.split_once("```").unwrap();
        found.push(block.to_owned());
        rest = after;
    }
    found
}

#[test]
fn every_command_block_of_the_operators_guide_runs() {
    if python("hamilton").is_none() {
        return;
    }
    // Debian's package `prometheus` has it, with more than a test should install.
    let promtool = has("promtool");
    let (folder, at) = scratch();
    surveyed(folder.path());
    std::fs::rename(at("s"), at("dem")).unwrap();
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md")).unwrap();
    let blocks = blocks(&text);
    assert!(blocks.len() >= 6, "{}", blocks.len());
    for block in blocks {
        let block = if promtool { block } else { block.replace("promtool check metrics < dem.prom\n", "") };
        let output = shell(folder.path(), &block, &[]);
        assert!(output.status.success(), "{block}\n{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
        if block.contains("jq") {
            let printed = String::from_utf8_lossy(&output.stdout);
            assert!(printed.contains("COMPLETE\taggregate.dem.pmtiles\t"), "{printed}");
        }
    }
}
