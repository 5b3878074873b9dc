use super::*;
use crate::altered::altered;
use crate::raster::{State, Window};

/// A file of 4 x 3 cells of 0.2 seconds.
fn text(list: &str, start: &str) -> String {
    format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<Dataset xmlns:gml=\"http://www.opengis.net/gml/3.2\" \
         xmlns=\"http://fgd.gsi.go.jp/spec/2008/FGD_GMLSchema\"><gml:name>基盤</gml:name><DEM gml:id=\"DEM001\"><type>5m</type><coverage>\
         <gml:Envelope srsName=\"fguuid:jgd2011.bl\"><gml:lowerCorner>35.0 138.0</gml:lowerCorner>\
         <gml:upperCorner>35.000166666667 138.000222222</gml:upperCorner></gml:Envelope>\
         <gml:GridEnvelope><gml:low>0 0</gml:low><gml:high>3 2</gml:high></gml:GridEnvelope>\r\n\
         <gml:tupleList>\r\n{list}</gml:tupleList>\
         <gml:sequenceRule order=\"+x-y\">Linear</gml:sequenceRule><gml:startPoint>{start}</gml:startPoint>\
         </coverage></DEM></Dataset>"
    )
}

fn heights(grid: &Grid) -> Vec<Option<f32>> {
    (0..12).map(|cell| grid.at(cell)).collect()
}

/// The message of a refusal.
fn refused(text: &str) -> String {
    parse(text.as_bytes()).unwrap_err()
}

#[test]
fn tuples_fill_the_grid_from_the_start_point_and_the_list_may_end_early() {
    let list = "地表面,1.50\r\nデータなし,7.\r\nその他,-9999.00\r\n海水面,-9999.\r\n内水面,0.00\r\n表層面,-3.25\r\n";
    let grid = parse(text(list, "2 0").as_bytes()).unwrap();
    let none = None;
    let expected = [none, none, Some(1.5), none, none, none, Some(0.0), Some(-3.25), none, none, none, none];
    assert_eq!(heights(&grid), expected);
    assert_eq!((grid.frame.width, grid.frame.height), (4, 3));
    let [west, across, _, north, _, down] = grid.frame.transform.0;
    assert_eq!((west, north), (138.0, 35.000_166_666_667));
    assert!((across - 0.2 / 3600.0).abs() < 1e-9 && (down + 0.2 / 3600.0).abs() < 1e-9);
    // Nothing, in both spellings.
    for empty in [text("", "0 0"), text("", "0 0").replace("<gml:tupleList>\r\n</gml:tupleList>", "<gml:tupleList/>")] {
        assert_eq!(heights(&parse(empty.as_bytes()).unwrap()), [None; 12]);
    }
    // All twelve, and not one more.
    let full = "a,1\n".repeat(12);
    assert_eq!(heights(&parse(text(&full, "0 0").as_bytes()).unwrap()), [Some(1.0); 12]);
    assert!(refused(&text(&full, "1 0")).contains("lists more heights than its 4 x 3 cells"));
}

#[test]
fn a_grid_may_begin_at_another_cell_than_the_first() {
    let moved = text("a,1\n", "12 21").replace("<gml:low>0 0<", "<gml:low>10 20<").replace(">3 2<", ">13 22<");
    let grid = parse(moved.as_bytes()).unwrap();
    assert_eq!(grid.frame.start, 6);
}

#[test]
fn cells_without_data_are_known_in_each_encoding() {
    let shell = text("@,5\n@,6\n", "0 0").replace("UTF-8", "Shift_JIS");
    let (before, after) = shell.trim_start_matches('\u{feff}').split_once('@').unwrap();
    let (between, after) = after.split_once('@').unwrap();
    // 地表面 and データなし; the name of the data set in Shift_JIS is no UTF-8.
    for (ground, none) in [(&b"\x92\x6e\x95\x5c\x96\xca"[..], NO_DATA[1]), (b"\xc3\xcf\xc9\xbd\xcc\xcc", NO_DATA[2])] {
        let name: &[u8] = b"\x8a\xee\x94\xd5";
        let before = before.replace("基盤", "@");
        let (start, rest) = before.split_once('@').unwrap();
        let bytes =
            [start.as_bytes(), name, rest.as_bytes(), ground, between.as_bytes(), none, after.as_bytes()].concat();
        assert_eq!(heights(&parse(&bytes).unwrap())[..3], [Some(5.0), None, None]);
    }
}

#[test]
fn what_is_wrong_is_said_with_what_was_expected() {
    let good = text("地表面,1.50\n", "0 0");
    for (from, to, problem) in [
        ("地表面,1.50", "地表面;1.50", "its tuple 1 is \"地表面;1.50\" instead of a type, a comma and a height"),
        ("1.50", "abc", "its tuple 1 is"),
        ("1.50", "NaN", "its tuple 1 is"),
        ("1.50", "1e999", "its tuple 1 is"),
        ("1.50", "<x/>", "tupleList holds something besides tuples"),
        ("1.50\n", "1.50\n<!-- -->地表面,2", "tupleList holds something besides tuples"),
        ("+x-y", "-x+y", "sequenceRule has the order \"-x+y\", and +x-y is expected"),
        (">0 0</gml:start", ">4 0</gml:start", "startPoint 4 0 lies outside of its 4 x 3 cells"),
        (">0 0</gml:start", ">0 -1</gml:start", "lies outside"),
        (">0 0</gml:start", ">0</gml:start", "startPoint is \"0\" instead of two numbers"),
        (">3 2<", ">31622 31622<", "from 0 0 (low) to 31622 31622 (high)"),
        (">3 2<", ">9223372036854775807 9223372036854775807<", "one of up to 16777216 cells is expected"),
        (">3 2<", ">-1 2<", "its grid goes"),
        (">3 2<", ">224 149<", "do not make square cells"),
        ("35.0 138.0<", "138.0 35.0<", "its corners 138.0 35.0"),
        ("35.0 138.0<", "36.0 138.0<", "do not make square cells"),
        ("35.0 138.0<", "NaN 138.0<", "do not make square cells"),
        ("<DEM ", "<BldA ", "is no whole XML document"),
        ("DEM", "BldA", "has no DEM"),
        ("gml:startPoint", "gml:end", "has no startPoint"),
        ("tupleList", "list", "has no list of heights (tupleList)"),
        ("</DEM>", "<gml:tupleList>a,1</gml:tupleList></DEM>", "has several tupleList"),
        ("</DEM>", "</DEM><DEM></DEM>", "has several DEM"),
        ("</Dataset>", "", "is no whole XML document"),
    ] {
        let bad = good.replace(from, to);
        assert_ne!(bad, good, "{from}");
        let said = refused(&bad);
        assert!(said.contains(problem), "{from} {to}: {said}");
    }
    // Entities that grow, and elements without end.
    let bomb = "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;\">]>";
    let start = good.find("<Dataset").unwrap();
    assert!(refused(&format!("{bomb}{}", &good[start..])).contains("is no whole XML document"));
    assert!(refused(&good.replace("<DEM ", &format!("{}<DEM ", "<a/>".repeat(20_000)))).contains("no whole XML"));
    assert!(refused(&good.replace("<DEM ", &format!("{}<DEM ", "<a>x</a>".repeat(200_000)))).contains("bytes besides"));
}

#[test]
fn altered_files_are_refused_or_stay_within_their_grid() {
    let whole = text(&"地表面,145.25\r\nその他,-9999.\r\n".repeat(5), "1 0").into_bytes();
    let (mut taken, mut refused) = (0, 0);
    for seed in 0..5000 {
        match parse(&altered(&whole, seed)) {
            Ok(grid) => {
                taken += 1;
                let cells = grid.frame.width as usize * grid.frame.height as usize;
                assert!(grid.frame.start + grid.values.len() <= cells && cells as u64 <= MOST_CELLS, "{seed}");
            }
            Err(said) => {
                refused += 1;
                assert!(said.len() < 400 && !said.contains(char::is_control), "{said}");
            }
        }
    }
    assert!(taken > 500 && refused > 1500, "{taken} {refused}");
}

#[test]
fn a_file_is_known_by_its_name_or_its_first_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        is_one(&path)
    };
    assert!(write("FG-GML-5339-45-00-DEM5A-20161001.xml", "") && write("fg-gml-5339-45-dem10b-20161001.XML", ""));
    assert!(write("mine.xml", &text("", "0 0")) && !write("mine.tif", &text("", "0 0")));
    assert!(!write("mine.aux.xml", &text("", "0 0")) && !write("fmdid15-3101.xml", "<Metadata/>"));
    assert!(!write("FG-GML-533945-BldA-20160101-0001.xml", &text("", "0 0").replace("DEM", "BldA")));
}

#[test]
fn values_are_adjusted_as_those_of_any_raster() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.xml");
    std::fs::write(&path, text("a,1\na,2\na,-9999\na,3\n", "0 0")).unwrap();
    let read = |by: &Adjustment| {
        let mut raster = open(&path, None, by).unwrap();
        assert_eq!((raster.info().crs.as_str(), raster.block().width), ("EPSG:6668", 4));
        let mut cells = Cells::outside(Window { col: -1, row: 0, width: 6, height: 1 });
        raster.read_into(&mut cells).unwrap();
        cells
    };
    let (yes, no, out) = (State::VALID, State::NODATA, State::OUTSIDE);
    let plain = read(&Adjustment::default());
    assert_eq!(
        (&plain.state[..], &plain.values[..]),
        (&[out, yes, yes, no, yes, out][..], &[0., 1., 2., 0., 3., 0.][..])
    );
    let by = Adjustment { offset: 0.5, nodata: vec![2.0], unit: 0.3, scale: 10.0, ..Adjustment::default() };
    let adjusted = read(&by);
    assert_eq!((&adjusted.state[1..5], &adjusted.values[1..5]), (&[yes, no, no, yes][..], &[3.5, 0., 0., 9.5][..]));
    let second = open(&path, None, &Adjustment { band: 2, ..by }).unwrap_err();
    assert!(second.to_string().contains("band 2 is asked for"), "{second}");
    // A system of another name needs to be told.
    std::fs::write(&path, text("", "0 0").replace("jgd2011", "tokyo")).unwrap();
    let unknown = open(&path, None, &Adjustment::default()).unwrap_err();
    assert!(matches!(&unknown, Unusable::NoCrs(words) if words.contains("fguuid:tokyo.bl")), "{unknown}");
    assert_eq!(open(&path, Some("EPSG:4301"), &Adjustment::default()).unwrap().info().crs, "EPSG:4301");
}

#[test]
fn cells_that_are_kept_no_longer_are_read_again_unless_the_file_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.xml");
    std::fs::write(&path, text("a,1\n", "0 0")).unwrap();
    let mut raster = open(&path, None, &Adjustment::default()).unwrap();
    let mut read = || {
        grids().remove(&raster.key);
        let mut cells = Cells::outside(Window { col: 0, row: 0, width: 1, height: 1 });
        raster.read_into(&mut cells).map(|()| cells.values[0])
    };
    assert_eq!(read().unwrap(), 1.0);
    std::fs::write(&path, text("a,22\n", "0 0")).unwrap();
    assert!(matches!(read(), Err(Error::Changed { in_use: true, .. })));
}
