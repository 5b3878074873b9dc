//! Holds ARCHITECTURE.md against the code: who imports whom, where some names live, how long files are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What every module may use.
const FREE: [&str; 10] =
    ["error", "data_type", "progress", "atomic", "local", "memory", "mmap", "text", "threads", "tile"];
/// Re-exports of the crate's root: the name and the module behind it.
const ROOT: [(&str, &str); 5] =
    [("Error", "error"), ("Result", "error"), ("Store", "store"), ("Container", "container"), ("Handle", "container")];
const LONGEST: usize = 500;

type Table = BTreeMap<String, BTreeSet<String>>;

/// The rows of the table with the header `| module | imports |`.
fn table(document: &str) -> Table {
    let rows = document.lines().skip_while(|l| l.trim() != "| module | imports |").skip(2);
    rows.take_while(|l| l.starts_with('|'))
        .filter_map(|line| {
            let mut cells = line.trim_matches('|').split('|').map(str::trim);
            let module = cells.next()?.to_string();
            let imports = cells.next()?.split(',').map(str::trim).filter(|i| *i != "-").map(String::from).collect();
            Some((module, imports))
        })
        .collect()
}

/// Code without comments and without what follows `#[cfg(test)]` (tests may use anything).
fn code(text: &str) -> Vec<(usize, String)> {
    let mut out = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim() == "#[cfg(test)]" || line.trim_start().starts_with("#[cfg(all(test") {
            break;
        }
        let line = line.split("//").next().unwrap_or("");
        if !line.trim().is_empty() {
            out.push((number + 1, line.to_string()));
        }
    }
    out
}

/// The modules of this crate that a line names after `crate::`, groups included.
fn imports(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for part in line.split("crate::").skip(1) {
        let names: Vec<&str> = match part.strip_prefix('{') {
            Some(group) => group.split(',').map(|n| n.trim().split("::").next().unwrap_or("")).collect(),
            None => vec![part],
        };
        for name in names {
            let name: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if !name.is_empty() {
                found.push(name);
            }
        }
    }
    found
}

/// What is wrong with the imports of one file of `module`.
fn illegal(module: &str, file: &str, text: &str, table: &Table) -> Vec<String> {
    let Some(allowed) = table.get(module) else {
        return vec![format!("{file}: module {module} is not in ARCHITECTURE.md's table")];
    };
    let mut problems = Vec::new();
    for (number, line) in code(text) {
        for name in imports(&line) {
            let target = ROOT.iter().find(|(n, _)| *n == name).map_or(name.as_str(), |(_, m)| m);
            let known = table.contains_key(target) || FREE.contains(&target);
            if known && target != module && !FREE.contains(&target) && !allowed.contains(target) {
                problems.push(format!("{file}:{number}: {module} must not import {target}"));
            }
        }
    }
    problems
}

fn sources() -> Vec<(String, PathBuf)> {
    fn walk(folder: &Path, out: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, out);
            } else if path.extension().is_some_and(|e| e == "rs") {
                out.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    walk(&root.join("src"), &mut files);
    files.sort();
    files.into_iter().map(|p| (p.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/"), p)).collect()
}

fn document() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap()
}

#[test]
fn modules_import_only_what_the_table_says() {
    let table = table(&document());
    assert!(table.len() >= 14, "the table is read: {table:?}");
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    for (name, path) in sources() {
        let Some((module, _)) = name.strip_prefix("src/").and_then(|n| n.split_once('/')) else { continue };
        seen.insert(module.to_string());
        if !FREE.contains(&module) {
            problems.extend(illegal(module, &name, &std::fs::read_to_string(&path).unwrap(), &table));
        }
    }
    assert_eq!(problems, Vec::<String>::new());
    let unknown: Vec<_> = table.keys().filter(|m| !seen.contains(*m)).collect();
    assert!(unknown.is_empty(), "in the table, but not in src/: {unknown:?}");
}

#[test]
fn some_names_have_one_home() {
    // What, and the paths (by prefix) where it may stand.
    let homes: [(&str, &[&str]); 7] = [
        ("::gdal::", &["src/raster/gdal", "src/export/gti.rs", "src/catalog/scan.rs", "src/catalog/tile_index/ogr.rs"]),
        ("memmap2", &["src/mmap.rs"]),
        ("unsafe ", &["src/mmap", "src/index/rtree/node.rs"]),
        ("println!", &["src/cli/"]),
        ("eprint!", &["src/cli/"]),
        ("io::stdout", &["src/cli/"]),
        ("io::stderr", &["src/cli/"]),
    ];
    let mut problems = Vec::new();
    for (name, path) in sources() {
        for (number, line) in code(&std::fs::read_to_string(&path).unwrap()) {
            for (what, allowed) in homes {
                let own = what == "::gdal::" && line.contains("raster::gdal::") && !line.contains(" ::gdal::");
                if line.contains(what) && !own && !allowed.iter().any(|a| name.starts_with(a)) {
                    problems.push(format!("{name}:{number}: {what} lives in {allowed:?}"));
                }
            }
        }
    }
    assert_eq!(problems, Vec::<String>::new());
}

#[test]
fn files_hold_one_idea() {
    let long: Vec<String> = sources()
        .into_iter()
        .map(|(name, path)| (name, std::fs::read_to_string(path).unwrap().lines().count()))
        .filter(|(_, lines)| *lines > LONGEST)
        .map(|(name, lines)| format!("{name}: {lines} lines; what second idea lives inside?"))
        .collect();
    assert_eq!(long, Vec::<String>::new());
}

#[test]
fn the_checks_can_fail() {
    let table = table("x\n| module | imports |\n|---|---|\n| a | - |\n| b | a |\n| cli | a, b |\n\nmore");
    assert_eq!(table["cli"], ["a", "b"].map(String::from).into());
    let bad = illegal(
        "a",
        "a.rs",
        "use crate::error::Result;\nuse crate::{tile::X, b::Y};\n// crate::b\n#[cfg(test)]\nuse crate::b;",
        &table,
    );
    assert_eq!(bad, ["a.rs:2: a must not import b"]);
    assert_eq!(illegal("b", "b.rs", "fn f() { crate::a::g() }", &table), Vec::<String>::new());
    assert_eq!(illegal("c", "c.rs", "", &table).len(), 1);
}
