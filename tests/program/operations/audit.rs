//! The audit log of the program.

use std::process::Command;

use super::{clean, lines, with, works};
use crate::program::{HYPSO, scratch, stderr, surveyed};

#[test]
fn each_command_that_writes_leaves_one_line_that_can_be_checked() {
    let (folder, at) = scratch();
    surveyed(folder.path());
    let log = at("audit.jsonl");
    let variables = [("HYPSO_AUDIT_LOG", log.as_str())];
    works(&variables, &["aggregate", &at("s.hypso"), "-o", &at("t.pmtiles"), "--jobs", "2"]);
    works(&variables, &["info", &at("s.hypso")]);
    works(&variables, &["convert", &at("t.pmtiles"), "-o", &at("t.mbtiles")]);
    let failed = with(&variables, &["convert", &at("t.pmtiles"), "-o", &at("t.mbtiles")]);
    assert_eq!(failed.status.code(), Some(1));
    let found = lines(&log);
    let summary: Vec<_> = found
        .iter()
        .map(|l| (l["command"].as_str().unwrap(), l["result"].as_str().unwrap(), l["exit_code"].as_u64().unwrap()))
        .collect();
    assert_eq!(summary, [("aggregate", "complete", 0), ("convert", "complete", 0), ("convert", "fail", 1)]);
    let line = &found[0];
    for name in ["time", "began", "run", "user", "host", "folder", "version"] {
        assert!(line[name].as_str().is_some_and(|text| !text.is_empty()), "{name}: {line:#}");
    }
    assert!(line["arguments"].to_string().contains("t.pmtiles"));
    assert!(line["inputs"].as_array().unwrap().iter().all(|input| input["version"].as_str().unwrap().len() == 16));
    assert!(found[2]["error"].as_str().unwrap().contains("t.mbtiles"));
    // Anybody can compare the digests.
    let sums = Command::new("sha256sum").arg(at("t.mbtiles")).output().unwrap();
    let sum = String::from_utf8(sums.stdout).unwrap();
    assert_eq!(found[1]["outputs"][0]["sha256"].as_str().unwrap(), sum.split(' ').next().unwrap());

    let good = with(&variables, &["audit", "verify"]);
    assert!(good.status.success(), "{}", stderr(&good));
    let text = std::fs::read_to_string(&log).unwrap();
    std::fs::write(&log, text.replacen("\"complete\"", "\"fail\"", 1)).unwrap();
    let bad = with(&variables, &["audit", "verify"]);
    assert_eq!(bad.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&bad.stdout).contains("line 2"), "{}", String::from_utf8_lossy(&bad.stdout));
    assert_eq!(with(&[], &["audit", "verify"]).status.code(), Some(2));
    assert_eq!(with(&[], &["audit", "verify", &at("none")]).status.code(), Some(1));
    assert_eq!(with(&[], &["audit", "verify", &at("")]).status.code(), Some(2));
    let devices = with(&[], &["audit", "verify", "/dev/zero"]);
    assert!(stderr(&devices).contains("a pipe or a device"), "{}", stderr(&devices));
    // What is no log has a problem in each line, and is listed in part.
    std::fs::write(at("noise"), b"\xff\n".repeat(1000)).unwrap();
    let noise = with(&[], &["audit", "verify", &at("noise")]);
    assert_eq!(noise.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&noise.stdout).contains("and 900 more problems"));
}

#[test]
fn a_configuration_asks_for_a_log_and_many_processes_share_it() {
    let (folder, at) = scratch();
    surveyed(folder.path());
    std::fs::write(at("hypso.toml"), "[operations]\naudit_log = \"audit.jsonl\"\n").unwrap();
    let children: Vec<_> = (0..6)
        .map(|n| {
            let mut command = Command::new(HYPSO);
            clean(&mut command);
            command.current_dir(folder.path()).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
            command.args(["export", "s.hypso", "-o", &format!("x{n}.geojson")]).spawn().unwrap()
        })
        .collect();
    children.into_iter().for_each(|mut child| assert!(child.wait().unwrap().success()));
    assert_eq!(lines(at("audit.jsonl")).len(), 6);
    works(&[], &["audit", "verify", &at("audit.jsonl")]);
    // A configuration that may ask for a log and can't be understood is an error; one that asks for nothing is no concern.
    for (text, code) in [("[operations]\naudit = 1\n", 1), ("[operations\n", 1), ("no TOML", 0)] {
        std::fs::write(at("hypso.toml"), text).unwrap();
        let mut command = Command::new(HYPSO);
        clean(&mut command);
        command.current_dir(folder.path()).args(["export", "s.hypso", "-o", "y.geojson", "--overwrite"]);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{text}: {}", stderr(&output));
    }
    std::fs::remove_file(at("y.geojson")).unwrap();
    // Nothing is made where it can't be noted.
    let missing = at("no/such");
    let output = with(&[("HYPSO_AUDIT_LOG", &missing)], &["export", &at("s.hypso"), "-o", &at("y.geojson")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("audit log") && !std::path::Path::new(&at("y.geojson")).exists(),
        "{}",
        stderr(&output)
    );
}
