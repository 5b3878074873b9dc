//! Holds ARCHITECTURE.md against the code: who imports whom, where some names live, how long files and functions are.

#[path = "common/promise.rs"]
mod promise;
#[path = "common/source.rs"]
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use source::{Source, What};

const LONGEST_FILE: usize = 500;
const LONGEST_FUNCTION: usize = 80;
type Table = BTreeMap<String, BTreeSet<String>>;

/// What the document says: the table, and the modules that every other one may use.
struct Plan {
    table: Table,
    free: BTreeSet<String>,
    /// Re-exports of the crate's root: the name and the module behind it.
    root: BTreeMap<String, String>,
}

impl Plan {
    fn new(document: &str, root: &[(String, String)]) -> Self {
        let sentence = document.lines().find(|line| line.starts_with("Everything may use `")).unwrap_or_default();
        let names = sentence.split('.').next().unwrap_or_default().split('`').skip(1).step_by(2);
        Self { table: table(document), free: names.map(String::from).collect(), root: root.iter().cloned().collect() }
    }
}

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

/// What is wrong with the imports of one file of `module`.
fn illegal(module: &str, file: &str, source: &Source, plan: &Plan) -> Vec<String> {
    let Some(allowed) = plan.table.get(module) else {
        return vec![format!("{file}: module {module} is not in ARCHITECTURE.md's table")];
    };
    let mut problems = Vec::new();
    for named in &source.named {
        let What::Inside(path) = &named.what else { continue };
        let Some(first) = path.first() else {
            // `use crate::*` would hide what is imported.
            problems.push(format!("{file}:{}: names what it imports from the crate's root", named.line));
            continue;
        };
        let target = plan.root.get(first).unwrap_or(first);
        let free = plan.free.contains(target) && !plan.free.contains(module);
        if plan.table.contains_key(target) && target != module && !free && !allowed.contains(target) {
            problems.push(format!("{file}:{}: {module} must not import {target}", named.line));
        }
    }
    problems
}

/// The module of a file below `src/`: its names from the crate's root on.
fn module_of(file: &str) -> Vec<&str> {
    let file = file.strip_prefix("src/").unwrap_or(file);
    let file = file.strip_suffix("/mod.rs").or(file.strip_suffix(".rs")).unwrap_or(file);
    if matches!(file, "lib" | "main" | "main_rasters") { Vec::new() } else { file.split('/').collect() }
}

fn rust_files(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// A file below `src/`: its name, how many lines it has, what it names.
type Read = (String, usize, Source);

/// All files that are not for tests alone.
static SOURCES: LazyLock<Vec<Read>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    rust_files(&root.join("src"), &mut files);
    files.sort();
    let mut read = Vec::new();
    let mut tests = BTreeSet::new();
    for path in files {
        let name = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
        let text = std::fs::read_to_string(&path).unwrap();
        let source = source::read(&text, &module_of(&name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let roots = ["/mod.rs", "/lib.rs", "/main.rs"];
        let folder = roots.iter().find_map(|root| name.strip_suffix(root)).or(name.strip_suffix(".rs")).unwrap();
        for (module, file) in &source.test_modules {
            match file {
                Some(file) => tests.extend([format!("{}/{file}", name.rsplit_once('/').unwrap().0)]),
                None => tests.extend([format!("{folder}/{module}.rs"), format!("{folder}/{module}/mod.rs")]),
            }
        }
        read.push((name, text.lines().count(), source));
    }
    read.retain(|(name, ..)| !tests.contains(name));
    read
});

fn document() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap()
}

#[test]
fn modules_import_only_what_the_table_says() {
    let library = SOURCES.iter().find(|(name, ..)| name == "src/lib.rs").unwrap();
    let plan = Plan::new(&document(), &library.2.reexports);
    assert!(plan.table.len() >= 14 && plan.free.len() >= 7 && plan.root.len() >= 3, "the plan is read");
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    for (name, _, source) in &*SOURCES {
        let Some(&module) = module_of(name).first() else { continue };
        seen.insert(module.to_string());
        problems.extend(illegal(module, name, source, &plan));
    }
    assert_eq!(problems, Vec::<String>::new());
    let unknown: Vec<_> = plan.table.keys().filter(|m| !seen.contains(*m)).collect();
    assert!(unknown.is_empty(), "in the table, but not in src/: {unknown:?}");
}

/// Whether something that is named is what `rule` says: a crate (`gdal::`), the end of a path (`io::stdout`), a macro
/// (`print!`) or `unsafe`.
fn is(what: &What, rule: &str) -> bool {
    match what {
        What::Outside { path, extern_crate } => {
            (*extern_crate && rule.strip_suffix("::") == Some(&path[0])) || path.join("::").ends_with(rule)
        }
        What::Macro(name) => rule.strip_suffix('!') == Some(name),
        What::Unsafe => rule == "unsafe",
        What::Inside(_) => false,
    }
}

#[test]
fn some_names_have_one_home() {
    // What, and the paths (by prefix) where it may stand.
    let homes: [(&str, &[&str]); 12] = [
        ("gdal::", &["src/raster/gdal", "src/raster/opener.rs", "src/render/mod.rs"]),
        ("gdal_sys::", &["src/raster/gdal/vsi.rs"]),
        ("memmap2::", &["src/mmap.rs"]),
        ("object_store::", &["src/remote/"]),
        ("rustls::", &["src/remote/wait.rs"]),
        // vsi.rs: what GDAL's crate does not wrap. Nothing in it decides about sizes or lifetimes but GDAL's documentation.
        ("unsafe", &["src/mmap", "src/index/rtree/node.rs", "src/raster/gdal/vsi.rs"]),
        ("print!", &["src/cli/"]),
        ("println!", &["src/cli/"]),
        ("eprint!", &["src/cli/"]),
        ("eprintln!", &["src/cli/"]),
        ("io::stdout", &["src/cli/"]),
        ("io::stderr", &["src/cli/"]),
    ];
    let mut problems = Vec::new();
    for (name, _, source) in &*SOURCES {
        for (rule, allowed) in homes {
            let here = source.named.iter().filter(|named| is(&named.what, rule));
            if !allowed.iter().any(|a| name.starts_with(a)) {
                problems.extend(here.map(|named| format!("{name}:{}: {rule} lives in {allowed:?}", named.line)));
            }
        }
    }
    assert_eq!(problems, Vec::<String>::new());
}

/// Crates of which no promised signature speaks, so that another version of them breaks nobody.
const INSIDE: [&str; 2] = ["serde_json", "bytemuck"];

#[test]
fn no_promise_speaks_of_a_crate_that_is_ours_to_change() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = |file: &str| std::fs::read_to_string(root.join(file)).unwrap();
    let hidden = promise::hidden_modules(&text("src/lib.rs")).unwrap();
    assert!(hidden.len() >= 6 && hidden.contains(&"worker".into()), "{hidden:?}");
    let mut problems = Vec::new();
    for (name, ..) in &*SOURCES {
        let room = module_of(name).first().map_or("", |room| *room);
        // Nothing below `cli` can be named from outside.
        if room == "cli" || hidden.iter().any(|hidden| hidden == room) {
            continue;
        }
        let named = promise::named(&text(name), &INSIDE).unwrap();
        problems.extend(named.iter().map(|(line, path)| format!("{name}:{line}: a public signature names {path}")));
    }
    assert_eq!(problems, Vec::<String>::new());

    let named = |text: &str| promise::named(text, &INSIDE).unwrap().len();
    for bad in [
        "pub fn f() -> serde_json::Value { g() }",
        "use serde_json::{Map, Value as V}; pub struct S { pub a: Map<String, V> }",
        "use bytemuck::{self, Pod}; pub trait T: Pod {} pub fn f<T>() where T: bytemuck::NoUninit {}",
        "struct S; impl From<serde_json::Value> for S {} impl S { pub fn f(&self) -> Option<serde_json::Value> { None } }",
        "pub enum E { A(Box<serde_json::Value>), B { b: serde_json::Value } }",
        "pub mod m { pub type A = serde_json::Value; pub trait T { fn f(a: serde_json::Value); } }",
    ] {
        let expected = if bad.starts_with("pub fn") { 1 } else { 2 };
        assert_eq!(named(bad), expected, "{bad}");
    }
    for good in [
        "pub(crate) fn f() -> serde_json::Value { g() }",
        "#[doc(hidden)] pub fn f() -> serde_json::Value { g() }",
        "pub struct S(serde_json::Value); impl S { fn f(&self) -> serde_json::Value { g() } }",
        "mod m { pub trait T: bytemuck::Pod {} }",
        "pub fn f() { serde_json::Value::Null; }",
        "use crate::Value; pub fn f() -> Value { g() }",
    ] {
        assert_eq!(named(good), 0, "{good}");
    }
}

#[test]
fn files_and_functions_hold_one_idea() {
    let mut long = Vec::new();
    for (name, lines, source) in &*SOURCES {
        if *lines > LONGEST_FILE {
            long.push(format!("{name}: {lines} lines; what second idea lives inside?"));
        }
        for function in source.functions.iter().filter(|f| f.lines > LONGEST_FUNCTION) {
            long.push(format!("{name}:{}: {} has {} lines", function.line, function.name, function.lines));
        }
    }
    assert_eq!(long, Vec::<String>::new());
}

#[test]
fn the_checks_can_fail() {
    let document = "Everything may use `error` and `tile`. Nothing else.\n| module | imports |\n|---|---|\n| error | - |\n\
                    | a | - |\n| b | a |\n| tile | error |\n| cli | a, b |\n\nmore";
    let plan = Plan::new(document, &[("B".into(), "b".into())]);
    assert_eq!(plan.table["cli"], ["a", "b"].map(String::from).into());
    let check = |module: &str, text: &str| {
        let source = source::read(text, &[module, "part"]).unwrap();
        illegal(module, "f.rs", &source, &plan)
    };
    let bad = |module: &str, text: &str, problem: &str| assert_eq!(check(module, text), [problem], "{text}");
    let good = |module: &str, text: &str| assert_eq!(check(module, text), [""; 0], "{text}");

    bad("a", "use crate::error::Result;\nuse crate::{tile::X, b::Y};", "f.rs:2: a must not import b");
    bad("a", "use crate::{\n    tile::X,\n    b::{\n        Z::W as V,\n    }\n};", "f.rs:4: a must not import b");
    bad("a", "fn f(x: crate::b::X) {}", "f.rs:1: a must not import b");
    bad("a", "fn f() { vec![1, crate::b::X] }", "f.rs:1: a must not import b");
    bad("a", "use super::super::b;", "f.rs:1: a must not import b");
    bad("a", "mod m { use super::super::super::b; }", "f.rs:1: a must not import b");
    bad("a", "#[cfg(test)]\nmod tests { use crate::b; }\nuse crate::b;", "f.rs:3: a must not import b");
    bad("a", "use crate::B;", "f.rs:1: a must not import b");
    bad("tile", "use crate::a::X;", "f.rs:1: tile must not import a");
    bad("a", "use crate::*;", "f.rs:1: names what it imports from the crate's root");
    bad("c", "", "f.rs: module c is not in ARCHITECTURE.md's table");
    good("a", "// crate::b\n/// crate::b\nconst B: &str = \"crate::b\";\n#[cfg(test)]\nuse crate::b;");
    good("a", "#[cfg(all(test, unix))]\nfn f() { crate::b::g() }\nuse super::super::error;");
    good("b", "fn f() { crate::a::g() }");

    let named = |text: &str| source::read(text, &["a"]).unwrap().named;
    let has = |text: &str, rule: &str| named(text).iter().any(|named| is(&named.what, rule));
    assert!(has("use gdal::Dataset;", "gdal::") && has("fn f() { ::gdal::x() }", "gdal::"));
    assert!(has("fn f() { gdal::x() }", "gdal::") && !has("mod gdal;\nfn f() { gdal::x() }", "gdal::"));
    assert!(has("fn f() { unsafe { g() } }", "unsafe") && has("unsafe impl Send for X {}", "unsafe"));
    assert!(
        has("use std::io;\nfn f() { io::stdout() }", "io::stdout") && has("use std::io::{self, stdout};", "io::stdout")
    );
    assert!(has("fn f() { if x { println!(\"a\") } }", "println!") && !has("/// println!\nfn f() {}", "println!"));
    let functions = source::read("/// Doc.\n#[inline]\nfn f() {\n    g();\n}", &["a"]).unwrap().functions;
    assert_eq!(functions.iter().map(|f| f.lines).collect::<Vec<_>>(), [3]);
}
