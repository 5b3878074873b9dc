//! What operators hear and see of runs: events, logs, metrics, the audit log, who may read what, and what runs at night.

mod access;
mod audit;
mod events;
mod logs;
mod quality;
mod scheduled;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::program::{HYPSO, stderr};

/// The program with variables of its own, and none of OpenLineage's or hypso's from outside.
fn with(variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new(HYPSO);
    command.args(arguments).env("NO_COLOR", "1").stdin(Stdio::null());
    clean(&mut command);
    command.envs(variables.iter().copied()).output().unwrap()
}

fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("OPENLINEAGE") || text.starts_with("HYPSO_") && text != "HYPSO_SHARED" {
            command.env_remove(&name);
        }
    }
}

/// Runs what must work; gives stderr.
fn works(variables: &[(&str, &str)], arguments: &[&str]) -> String {
    let output = with(variables, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    stderr(&output)
}

/// The lines of a file, each a document.
fn lines(path: impl AsRef<Path>) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"))).collect()
}

/// The Python that the tests' packages are installed for; `None` where one of these is missing. Missing under CI is a failure.
pub(super) fn python(modules: &str) -> Option<std::path::PathBuf> {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin/python");
    let python = if kept.exists() { kept } else { "python3".into() };
    let found = Command::new(&python).args(["-c", &format!("import {modules}")]).output();
    if found.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    assert!(std::env::var_os("CI").is_none(), "CI is set, but {} can't import {modules}", python.display());
    println!("skipped: {} can't import {modules}", python.display());
    None
}

/// True where a program is there.
fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        println!("skipped in part: {program} is missing");
    }
    found
}
