//! Names of rasters on the network: how they are spelled, joined and shown.
//!
//! One object has one name, a URL, however the user wrote it: `/vsis3/bucket/a.tif` is `s3://bucket/a.tif`. So it has one id in a store,
//! and messages can be pasted into other programs.

use std::borrow::Cow;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Schemes, and GDAL's file systems for them. Where two have one file system, the first is how a name is spelled.
const SYSTEMS: [(&str, &str); 7] = [
    ("s3://", "/vsis3/"),
    ("gs://", "/vsigs/"),
    ("az://", "/vsiaz/"),
    ("adls://", "/vsiadls/"),
    ("oss://", "/vsioss/"),
    ("https://", "/vsicurl/https://"),
    ("http://", "/vsicurl/http://"),
];

/// The URL of something on the network; `None` for any other name. No slash stands at its end.
#[cfg(feature = "engine")]
pub(crate) fn of(text: &str) -> Option<String> {
    let (scheme, rest) = SYSTEMS.iter().find_map(|(scheme, system)| {
        let known = text.get(..scheme.len()).filter(|start| start.eq_ignore_ascii_case(scheme));
        let rest = known.map(|start| &text[start.len()..]).or_else(|| text.strip_prefix(system));
        rest.map(|rest| (scheme, rest))
    })?;
    let rest = rest.trim_end_matches('/');
    (!rest.is_empty()).then(|| format!("{scheme}{rest}"))
}

/// True for a path that is a URL.
pub(crate) fn is_one(path: &Path) -> bool {
    let text = path.as_os_str().as_encoded_bytes();
    // Most paths begin otherwise.
    text.iter().take(9).any(|&b| b == b':') && path.to_str().is_some_and(is_url)
}

fn is_url(text: &str) -> bool {
    SYSTEMS.iter().any(|(scheme, _)| text.starts_with(scheme) && text.len() > scheme.len())
}

/// True where names below a URL can be listed: object stores, not the web.
#[cfg(feature = "engine")]
pub(crate) fn can_be_listed(url: &str) -> bool {
    !url.starts_with("http")
}

/// What GDAL calls a path.
#[cfg(feature = "gdal")]
pub(crate) fn for_gdal(path: &Path) -> Cow<'_, Path> {
    let Some(text) = path.to_str().filter(|_| is_one(path)) else { return Cow::Borrowed(path) };
    let name = SYSTEMS.iter().find_map(|(scheme, system)| Some(format!("{system}{}", text.strip_prefix(scheme)?)));
    name.map_or(Cow::Borrowed(path), |name| Cow::Owned(name.replace('\\', "/").into()))
}

/// What a path below a root stands for. A path that is a URL itself stands for itself. On the network `./`, which tells a second part of a
/// file from the first, would be a part of the name.
pub(crate) fn join(root: &Path, path: &str) -> PathBuf {
    let plain = path.strip_prefix("./").unwrap_or(path);
    if is_url(plain) {
        return PathBuf::from(plain);
    }
    match root.to_str().filter(|_| is_one(root)) {
        Some(root) => PathBuf::from(format!("{root}/{plain}")),
        None => root.join(path),
    }
}

/// What to do where an object can't be had.
pub(crate) fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotFound => "check its name; if it was there before, put it back or take it out of the source",
        ErrorKind::PermissionDenied => {
            "check the credentials (AWS_..., GS_..., AZURE_... in the environment, see docs/remote.md) and the rights of the bucket; a token \
             may have expired"
        }
        ErrorKind::Unsupported => "fetch it first, or say `allow_remote` to let requests be sent there",
        _ => "the network or the server fails: try again later; what is finished is kept",
    }
}

/// A text without what opens doors: passwords and queries in URLs, which may be signatures and tokens, become `***`.
pub(crate) fn masked(text: &str) -> Cow<'_, str> {
    if !text.contains("://") {
        return Cow::Borrowed(text);
    }
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>' | ')' | ']' | '}' | ';');
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find("://") {
        let web =
            rest[..at].to_ascii_lowercase().ends_with("http") || rest[..at].to_ascii_lowercase().ends_with("https");
        out += &rest[..at + 3];
        rest = &rest[at + 3..];
        let (url, after) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
        let host = url.find(['/', '?']).unwrap_or(url.len());
        let start = url[..host].rfind('@').map_or(0, |at| at + 1);
        if start > 0 {
            out += "***@";
        }
        match url[start..].split_once('?').filter(|_| web) {
            // What a message says about the URL follows behind a colon or a comma.
            Some((before, query)) => {
                let tail = query.len() - query.trim_end_matches([':', ',', '.']).len();
                out += before;
                out += "?***";
                out += &query[query.len() - tail..];
            }
            None => out += &url[start..],
        }
        rest = after;
    }
    out += rest;
    Cow::Owned(out)
}

/// True where a text holds what opens doors.
pub(crate) fn holds_secret(text: &str) -> bool {
    text.contains("://") && masked(text) != text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "engine")]
    #[test]
    fn one_object_has_one_name() {
        for (text, url) in [
            ("s3://b/k/a.tif", "s3://b/k/a.tif"),
            ("S3://b/k/", "s3://b/k"),
            ("/vsis3/b/k", "s3://b/k"),
            ("/vsigs/b", "gs://b"),
            ("/vsiaz/c/k", "az://c/k"),
            ("HTTPS://h/a.tif?x=1", "https://h/a.tif?x=1"),
            ("/vsicurl/http://h/a", "http://h/a"),
        ] {
            assert_eq!(of(text).as_deref(), Some(url), "{text}");
            assert!(is_one(Path::new(url)));
        }
        for text in ["a.tif", "/a/b", "C:/a", "ftp://h/a", "s3://", "/vsizip/a.zip/b", "/vsicurl?url=x", "s3:/b"] {
            assert_eq!(of(text), None, "{text}");
            assert!(!is_one(Path::new(text)), "{text}");
        }
    }

    #[test]
    fn paths_are_joined_to_urls_and_to_folders() {
        let join = |root: &str, path: &str| join(Path::new(root), path).display().to_string();
        assert_eq!(join("s3://b/dem", "x/a.tif"), "s3://b/dem/x/a.tif");
        assert_eq!(join("s3://b/dem", "./x/a.tif"), "s3://b/dem/x/a.tif");
        assert_eq!(join("/dem", "./gs://b/a.tif"), "gs://b/a.tif");
        assert_eq!(join("/dem", "./a.tif"), "/dem/./a.tif");
    }

    #[cfg(feature = "gdal")]
    #[test]
    fn gdal_has_names_of_its_own() {
        let name = |path: &str| for_gdal(Path::new(path)).display().to_string();
        assert_eq!(name("s3://b/k"), "/vsis3/b/k");
        assert_eq!(name("https://h/a?b"), "/vsicurl/https://h/a?b");
        assert_eq!(name("/a/b.tif"), "/a/b.tif");
    }

    #[test]
    fn secrets_are_masked_and_all_else_stays() {
        for (text, shown) in [
            ("https://h/a.tif?sig=abc: can't open", "https://h/a.tif?***: can't open"),
            ("a (/vsicurl/https://me:pw@h/a?t=1,u) b", "a (/vsicurl/https://***@h/a?***) b"),
            ("\"http://h?k=1\", s3://k@b/a?.tif, ok?", "\"http://h?***\", s3://***@b/a?.tif, ok?"),
            ("no url, and why?", "no url, and why?"),
            ("https://h/a@b/c", "https://h/a@b/c"),
        ] {
            assert_eq!(masked(text), shown);
        }
    }
}
