//! The viewer: the page of a server, and the scripts and styles that the page names.
//!
//! They are built from `viewer/src/` by `viewer/build.sh`, packed with gzip and embedded. Names hold a hash of the content, apart
//! from the page's own.

mod table;

use std::io::Read;

use flate2::read::GzDecoder;

/// The name of the page in the table. It is served as `/`, under no name of its own.
const INDEX: &str = "index.html";

/// A file of the viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asset {
    /// The last part of its path: `map-4F2A90C1.js`.
    pub name: &'static str,
    /// Its media type, with the charset of texts.
    pub content_type: &'static str,
    /// A strong entity tag of the content that is not packed, with its quotes.
    pub etag: &'static str,
    /// The content, packed with gzip.
    pub gzip: &'static [u8],
    /// Bytes of the content that is not packed.
    pub length: usize,
}

impl Asset {
    /// How long it may be kept: for ever where the name changes with the content.
    #[must_use]
    pub fn cache_control(&self) -> &'static str {
        if self.name == INDEX { "no-cache" } else { "public, max-age=31536000, immutable" }
    }

    /// The content without gzip, for clients that don't take it.
    #[must_use]
    pub fn unpacked(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.length);
        // What is embedded was tested; a broken file would end early, not in a panic.
        let _ = GzDecoder::new(self.gzip).read_to_end(&mut out);
        out
    }
}

/// The file with this name; `None` for the page, which has none.
#[must_use]
pub fn asset(name: &str) -> Option<Asset> {
    let at = table::ASSETS.binary_search_by(|asset| asset.name.cmp(name)).ok()?;
    (name != INDEX).then_some(table::ASSETS[at])
}

/// The page.
#[must_use]
pub fn index() -> Asset {
    let page = |asset: &&Asset| asset.name == INDEX;
    *table::ASSETS.iter().find(page).unwrap_or(&table::ASSETS[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(asset: Asset) -> String {
        String::from_utf8(asset.unpacked()).unwrap()
    }

    /// What stands between `before` and the next `after`, everywhere in a text.
    fn between<'a>(text: &'a str, before: &str, after: char) -> Vec<&'a str> {
        text.split(before).skip(1).filter_map(|rest| rest.split(after).next()).collect()
    }

    #[test]
    fn every_file_is_found_by_its_name_and_unpacks_to_its_length() {
        assert!(table::ASSETS.is_sorted_by(|a, b| a.name < b.name), "the search needs the order");
        for file in table::ASSETS {
            assert_eq!(file.unpacked().len(), file.length, "{}", file.name);
            assert!(file.etag.starts_with('"') && file.etag.ends_with('"') && file.etag.len() == 34, "{}", file.name);
            assert!(file.length > 100 && file.gzip.len() < 400_000, "{}", file.name);
            if file.name != INDEX {
                assert_eq!(asset(file.name), Some(file));
            }
        }
        assert_eq!(index().name, INDEX);
        assert_eq!(index().content_type, "text/html; charset=utf-8");
        for name in ["", INDEX, "map.js", "../table.rs", "zzz"] {
            assert_eq!(asset(name), None, "{name}");
        }
        assert!(table::ASSETS.iter().map(|file| file.gzip.len()).sum::<usize>() < 700_000, "the program stays small");
    }

    #[test]
    fn only_the_page_changes_below_its_name() {
        assert_eq!(index().cache_control(), "no-cache");
        for file in table::ASSETS.into_iter().filter(|file| file.name != INDEX) {
            assert!(file.cache_control().contains("immutable"));
            let (_, hash) = file.name.rsplit_once('.').unwrap().0.rsplit_once('-').unwrap();
            assert!(
                hash.len() == 8 && hash.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()),
                "{}",
                file.name
            );
        }
    }

    #[test]
    fn the_page_and_its_scripts_name_only_files_that_there_are() {
        let page = text(index());
        let mut named = between(&page, "href=\"", '"');
        named.extend(between(&page, "src=\"", '"'));
        let files: Vec<_> = named.into_iter().filter(|name| !name.starts_with('#')).collect();
        assert!(files.len() >= 5, "{files:?}");
        for name in files {
            let name = name.strip_prefix("assets/").unwrap_or_else(|| panic!("{name} is no file of ours"));
            assert!(asset(name).is_some(), "{name}");
        }
        for script in table::ASSETS.into_iter().filter(|file| file.name.ends_with(".js")) {
            for name in between(&text(script), "\"./", '"').into_iter().filter(|name| name.ends_with(".js")) {
                assert!(asset(name).is_some(), "{} names {name}", script.name);
            }
        }
    }

    #[test]
    fn nothing_is_fetched_from_elsewhere() {
        let page = text(index());
        assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("//cdn"));
        assert!(page.contains("default-src 'self'"), "the browser holds the page to its own server");
        for style in table::ASSETS.into_iter().filter(|file| file.name.ends_with(".css")) {
            let css = text(style);
            assert!(!css.contains("@import"), "{}", style.name);
            for url in between(&css, "url(", ')') {
                assert!(url.trim_matches(['"', '\'']).starts_with("data:"), "{} fetches {url}", style.name);
            }
        }
    }

    #[test]
    fn the_licences_of_what_is_embedded_are_there() {
        let file = table::ASSETS.into_iter().find(|file| file.name.starts_with("LICENSES-")).unwrap();
        let licences = text(file);
        for package in ["maplibre-gl 6", "maplibre-contour 0", "earcut 3", "@maplibre/maplibre-gl-style-spec"] {
            assert!(licences.contains(package), "{package}");
        }
        assert!(text(index()).contains(file.name), "the page says where they are");
    }
}
