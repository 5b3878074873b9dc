//! Tables that are written and read again, those of other shapes, and damaged ones.

use std::path::Path;

use parquet::schema::parser::parse_message_type;
use serde_json::{Value, json};

use super::table::Place;
use super::*;
use crate::altered::{altered, check_message};
use crate::error::Result;
use crate::progress::Silent;

const SCHEMA: &str = "message m {
    required binary id (STRING);
    optional binary note (STRING);
    required group pair { required double x; optional int64 n; }
    required group tags (LIST) { repeated group list { required binary element (STRING); } }
    required group links (LIST) { repeated group list { required group element { required binary href (STRING); required binary rel (STRING); } } }
}";

fn texts<'a>(texts: &[&'a str]) -> Cell<'a> {
    Cell::List(texts.iter().map(|&text| text.into()).collect())
}

fn write(path: &Path, rows: usize) -> Vec<Value> {
    let mut table = Writer::new(std::fs::File::create(path).unwrap(), SCHEMA, vec![("a".into(), "b".into())]).unwrap();
    let mut expected = Vec::new();
    for n in 0..rows {
        let id = format!("row {n}");
        let note = if n % 3 == 0 { Cell::Missing } else { "ä".into() };
        let number = if n % 2 == 0 { Cell::Missing } else { Cell::Integer(-(n as i64)) };
        let tags = ["a", "b", "c"];
        let tags = &tags[..n % 4];
        let links = if n == 1 { [texts(&["h", "i"]), texts(&["self", "x"])] } else { [texts(&[]), texts(&[])] };
        let row = [Cell::Text(id.clone().into()), note, Cell::Real(n as f64 / 8.0), number, texts(tags)];
        table.put(row.into_iter().chain(links)).unwrap();
        let mut row = json!({"id": id, "pair": {"x": n as f64 / 8.0}});
        for (here, name, value) in [(n % 3 > 0, "note", json!("ä")), (!tags.is_empty(), "tags", json!(tags))] {
            if here {
                row[name] = value;
            }
        }
        if n % 2 > 0 {
            row["pair"]["n"] = json!(-(n as i64));
        }
        if n == 1 {
            row["links"] = json!([{"href": "h", "rel": "self"}, {"href": "i", "rel": "x"}]);
        }
        expected.push(row);
    }
    table.finish().unwrap();
    expected
}

fn read(path: &Path, wanted: &dyn Fn(&[&str]) -> bool) -> Result<Vec<Value>> {
    let table = Table::open(path, wanted)?;
    let mut rows = Vec::new();
    table.each(&Silent, &mut |number, row| {
        assert_eq!(number, rows.len() as u64);
        rows.push(row);
        Ok(())
    })?;
    Ok(rows)
}

#[test]
fn rows_that_are_written_are_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    // Two groups of rows, and one without any.
    for rows in [40_000, 5, 0] {
        let expected = write(&path, rows);
        assert!(read(&path, &|_| true).unwrap() == expected);
    }
    write(&path, 2);
    let table = Table::open(&path, &|names| matches!(names, ["id"] | ["links", "rel"])).unwrap();
    assert!(table.has("id") && table.has("links") && !table.has("note") && !table.has("rel"));
    let some = read(&path, &|names| matches!(names, ["id"] | ["links", "rel"])).unwrap();
    assert_eq!(some[1], json!({"id": "row 1", "links": [{"rel": "self"}, {"rel": "x"}]}));
}

#[test]
fn lists_of_every_spelling_have_one_place() {
    let place = |column: &str, names: &[&str]| {
        let schema = parse_message_type(&format!("message m {{ {column} }}")).unwrap();
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        Place::of(&schema, &names).map(|place| place.path().join("."))
    };
    let known = |path: &str| Some(path.to_string());
    let list = |inner: &str| format!("optional group a (LIST) {{ {inner} }}");
    let three = list("repeated group list { optional binary element; }");
    assert_eq!(place(&three, &["a", "list", "element"]), known("a"));
    let of_groups = list("repeated group bag { optional group item { optional binary b; optional binary c; } }");
    assert_eq!(place(&of_groups, &["a", "bag", "item", "b"]), known("a.b"));
    // Older ones: of groups without one in between, of values alone, and without a group around them.
    let two = list("repeated group element { optional binary b; optional binary c; }");
    assert_eq!(place(&two, &["a", "element", "c"]), known("a.c"));
    assert_eq!(place(&list("repeated group array { optional binary b; }"), &["a", "array", "b"]), known("a.b"));
    assert_eq!(place(&list("repeated binary element;"), &["a", "element"]), known("a"));
    assert_eq!(place("repeated binary a;", &["a"]), known("a"));
    assert_eq!(place("repeated group a { optional binary b; }", &["a", "b"]), known("a.b"));
    assert_eq!(place("required group a { optional group b { required binary c; } }", &["a", "b", "c"]), known("a.b.c"));
    let lists = list("repeated group list { optional group element (LIST) { repeated binary x; } }");
    assert_eq!(place(&lists, &["a", "list", "element", "x"]), None);
}

/// A damaged file is refused by name or read, and nothing else.
#[test]
fn damaged_files_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    write(&path, 40);
    let whole = std::fs::read(&path).unwrap();
    let mut refused = 0;
    for seed in 0..3000 {
        std::fs::write(&path, altered(&whole, seed)).unwrap();
        if let Err(error) = read(&path, &|_| true) {
            check_message(&error, "a.parquet");
            refused += 1;
        }
    }
    assert!(refused > 1000, "{refused}");
}
