//! Tests of `parts.rs`: what changes the digest, and what does not.

use super::*;

fn put(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn digest(folder: &Path, name: &str) -> u64 {
    Folders::default().digest(&folder.join(name)).unwrap()
}

fn vrt(sources: &[&str]) -> String {
    let source = |name: &&str| {
        format!(
            "<SimpleSource><SourceFilename relativeToVRT=\"1\">{name}</SourceFilename><SrcRect xSize=\"2\" ySize=\"2\"/>\
             <DstRect xSize=\"2\" ySize=\"2\"/></SimpleSource>"
        )
    };
    let sources: String = sources.iter().map(source).collect();
    format!("<VRTDataset><VRTRasterBand band=\"1\">{sources}</VRTRasterBand></VRTDataset>")
}

#[test]
fn a_file_alone_has_no_parts_and_its_neighbours_do_not_count() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.tif", "ab.tfw", "a.txt", "a.tif.ovr", "a.b.prj", "b.prj", "a.tif.md5"] {
        put(folder.path(), name, "x");
    }
    assert_eq!(digest(folder.path(), "a.tif"), 0);
}

#[test]
fn every_sidecar_that_changes_pixels_or_place_counts() {
    for (raster, side) in [
        ("a.tif", "a.tif.msk"),
        ("a.tif", "a.tfw"),
        ("a.tif", "a.TIFW"),
        ("a.tif", "a.wld"),
        ("A.TIF", "a.tfw"),
        ("n.5.flt", "n.5.hdr"),
        ("n.flt", "n.prj"),
        ("n.bil", "n.blw"),
        ("n.img", "n.ige"),
        ("w.adf", "hdr.adf"),
        ("1107CATD.DDF", "1107CEL0.DDF"),
        ("a.sdat", "a.sgrd"),
        ("a.ers", "a"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), raster, "x");
        assert_eq!(digest(folder.path(), raster), 0, "{raster}");
        put(folder.path(), side, "1");
        let before = digest(folder.path(), raster);
        assert_ne!(before, 0, "{side}");
        put(folder.path(), side, "12");
        assert_ne!(digest(folder.path(), raster), before, "{side}");
    }
}

#[test]
fn statistics_in_aux_xml_change_nothing_and_georeference_does() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "a.tif", "x");
    let aux = |inner: &str| put(folder.path(), "a.tif.aux.xml", &format!("<PAMDataset>{inner}</PAMDataset>"));
    let statistics = "<PAMRasterBand band=\"1\"><Histograms><HistItem><HistMin>0</HistMin></HistItem></Histograms>\
        <Metadata><MDI key=\"STATISTICS_MEAN\">1</MDI></Metadata></PAMRasterBand>";
    aux(statistics);
    assert_eq!(digest(folder.path(), "a.tif"), 0);
    aux("<SRS>EPSG:4326</SRS>");
    let placed = digest(folder.path(), "a.tif");
    assert_ne!(placed, 0);
    aux(&format!("\n  <SRS> EPSG:4326 </SRS>\n{statistics}"));
    assert_eq!(digest(folder.path(), "a.tif"), placed);
    aux("<PAMRasterBand band=\"1\"><NoDataValue>0</NoDataValue></PAMRasterBand>");
    assert_ne!(digest(folder.path(), "a.tif"), placed);
    aux("<broken");
    assert_ne!(digest(folder.path(), "a.tif"), 0);
}

#[test]
fn a_vrt_consists_of_all_that_lies_below_it() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "top.vrt", &vrt(&["x/mid.vrt", "x/one.tif"]));
    put(folder.path(), "x/mid.vrt", &vrt(&["../two.tif"]));
    for name in ["x/one.tif", "two.tif"] {
        put(folder.path(), name, "x");
    }
    let mut seen = vec![digest(folder.path(), "top.vrt")];
    for (name, text) in
        [("x/one.tif", "xy"), ("two.tif", "xyz"), ("two.tif.msk", "1"), ("x/mid.vrt", &(vrt(&["../two.tif"]) + " "))]
    {
        put(folder.path(), name, text);
        let now = digest(folder.path(), "top.vrt");
        assert!(!seen.contains(&now), "{name}");
        seen.push(now);
    }
    // Overviews are read where a VRT resamples.
    put(folder.path(), "two.tif.ovr", "1");
    assert_eq!(digest(folder.path(), "top.vrt"), seen[4]);
    put(folder.path(), "x/mid.vrt", &vrt(&["../two.tif"]).replacen("xSize=\"2\"", "xSize=\"4\"", 1));
    let resampled = digest(folder.path(), "top.vrt");
    put(folder.path(), "two.tif.ovr", "12");
    assert_ne!(digest(folder.path(), "top.vrt"), resampled);
}

#[test]
fn a_vrt_that_leads_nowhere_or_back_to_itself_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let problem = |name: &str| Folders::default().digest(&folder.path().join(name)).unwrap_err().to_string();
    put(folder.path(), "a.vrt", &vrt(&["gone.tif"]));
    assert!(problem("a.vrt").contains("gone.tif, which is not there"));
    put(folder.path(), "b.vrt", &vrt(&["c.vrt"]));
    put(folder.path(), "c.vrt", &vrt(&["b.vrt"]));
    put(folder.path(), "d.vrt", &vrt(&["d.vrt"]));
    assert!(problem("b.vrt").contains("refers to itself") && problem("d.vrt").contains("d.vrt refers to itself"));
    // The same source twice is no circle, and what lies elsewhere is not looked for.
    put(folder.path(), "e.tif", "x");
    put(folder.path(), "f.vrt", &vrt(&["e.tif", "e.tif"]));
    put(
        folder.path(),
        "g.vrt",
        &vrt(&["f.vrt", "f.vrt", "/vsicurl/https://example.org/a.tif", "NETCDF:&quot;no.nc&quot;:z"]),
    );
    assert_ne!(digest(folder.path(), "g.vrt"), digest(folder.path(), "f.vrt"));
}
