//! What counts of an `.aux.xml` file, GDAL's sidecar of a raster: all but statistics.

use xxhash_rust::xxh3::Xxh3Default;

/// Longer files are identified by size and time.
pub(super) const LONGEST: u64 = 16 << 20;

/// A number for all that can change pixels or their place; 0 where there is nothing of the kind; `None` where the text is no XML.
pub(super) fn digest(text: &str) -> Option<u64> {
    let document = roxmltree::Document::parse(text).ok()?;
    let mut sum = Xxh3Default::new();
    let mut some = false;
    let mut path = Vec::new();
    walk(document.root_element(), &mut path, &mut |part: &str| {
        some = true;
        sum.update(part.as_bytes());
        sum.update(b"\0");
    });
    Some(if some { sum.digest().max(1) } else { 0 })
}

/// Gives every text with the elements around it, except those of statistics, histograms and tables for display.
fn walk<'a>(node: roxmltree::Node<'a, 'a>, path: &mut Vec<String>, say: &mut impl FnMut(&str)) {
    if path.len() > 64 {
        return;
    }
    let name = node.tag_name().name();
    let key = node.attribute("key").unwrap_or("");
    let statistics = key.to_ascii_uppercase().starts_with("STATISTICS_");
    if statistics || matches!(name, "Histograms" | "GDALRasterAttributeTable" | "CategoryNames") {
        return;
    }
    let attributes = node.attributes().map(|a| format!(" {}={:?}", a.name(), a.value())).collect::<String>();
    path.push(format!("<{name}{attributes}>"));
    let text = node.children().filter(roxmltree::Node::is_text).filter_map(|n| n.text()).map(str::trim);
    let text = text.collect::<Vec<_>>().join(" ");
    if !text.trim().is_empty() {
        say(&format!("{}{}", path.concat(), text.trim()));
    }
    for child in node.children().filter(roxmltree::Node::is_element) {
        walk(child, path, say);
    }
    path.pop();
}
