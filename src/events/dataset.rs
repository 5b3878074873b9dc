//! Names of datasets, as OpenLineage's naming has them: a namespace that says where, and a name in it.

use std::path::Path;

use crate::error::Result;
use crate::store::SourceRef;
use crate::url;

/// A dataset: a file, a folder of rasters, an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dataset {
    /// `file` for files of this machine, else scheme and server or bucket: `s3://bucket`.
    pub namespace: String,
    /// The path.
    pub name: String,
}

impl Dataset {
    /// The dataset at a path or a URL. Of a URL, passwords and queries are left out. A path is made absolute, its links are followed.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        if let Some(url) = url::of(&path.to_string_lossy()) {
            let shown = url::masked(&url).replace("***@", "");
            let shown = shown.split('?').next().unwrap_or_default();
            let (scheme, rest) = shown.split_once("://").unwrap_or(("", shown));
            let (place, name) = rest.split_once('/').unwrap_or((rest, ""));
            let name = if name.is_empty() { "/" } else { name };
            return Self { namespace: format!("{scheme}://{place}"), name: name.to_owned() };
        }
        let full = path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_path_buf());
        Self { namespace: "file".into(), name: full.to_string_lossy().into_owned() }
    }

    /// The dataset of a source of a store: the folder that its rasters lie in. Where several sources have one folder, the source's name
    /// follows behind a `#`.
    ///
    /// # Errors
    /// Where the store is damaged.
    pub fn of_source(source: &SourceRef<'_>) -> Result<Self> {
        let root = source.root()?;
        let mut dataset = Self::at(Path::new(&*root));
        for other in source.store().sources().iter().filter(|other| other.index() != source.index()) {
            if other.root()? == root {
                dataset.name += &format!("#{}", source.name()?);
                break;
            }
        }
        Ok(dataset)
    }

    /// Both parts as one URI.
    #[must_use]
    pub fn uri(&self) -> String {
        if self.namespace == "file" {
            format!("file://{}", self.name)
        } else {
            format!("{}/{}", self.namespace, self.name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datasets_are_named_by_where_they_lie_and_without_secrets() {
        for (path, namespace, name) in [
            ("s3://bucket/dem/1a", "s3://bucket", "dem/1a"),
            ("/vsis3/bucket/dem", "s3://bucket", "dem"),
            ("https://me:secret@host:8080/a/b.tif?sig=secret", "https://host:8080", "a/b.tif"),
            ("gs://bucket", "gs://bucket", "/"),
            ("/no/such/./place", "file", "/no/such/place"),
        ] {
            let found = Dataset::at(Path::new(path));
            assert_eq!((found.namespace.as_str(), found.name.as_str()), (namespace, name), "{path}");
        }
        assert_eq!(Dataset::at(Path::new("/no/such")).uri(), "file:///no/such");
    }
}
