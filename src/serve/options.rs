//! What is served and how: options in code, or from a file `serve.toml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::endpoints::is_taken;
use crate::error::{Error, Result};
use crate::local;
use crate::url;

/// What to do about a wrong configuration.
const REMEDY: &str = "correct it; docs/serving.md lists the keys";

/// The largest configuration that is read, bytes.
const LARGEST: u64 = 1 << 20;

/// How a server runs. [`Options::default`] listens on port 8080 of this machine alone.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Options {
    /// Where requests are taken: an address and a port; port 0 is any free one. Not used where a supervisor hands over a socket
    /// (`LISTEN_FDS`).
    pub listen: String,
    /// Where `/metrics` is answered, apart from the public address; the second socket of a supervisor takes its place. `None`:
    /// nowhere.
    pub admin: Option<String>,
    /// What stands before every path that is handed out, such as `https://terrain.example.org/v1`. Empty: paths of this server.
    pub public_url: String,
    /// What is answered where a tileset has no tile.
    pub missing: Missing,
    /// The dataset that answers where an interface names none (`/api/v1/lookup`, `/height`, `/maps/api/elevation/json`).
    /// `None`: the first with heights, by name.
    pub default_dataset: Option<String>,
    /// How long clients may keep tiles, seconds.
    pub max_age: u64,
    /// Where requests are logged, one JSON document a line. `None`: nowhere. (`-` is stdout for the program, see
    /// [`Server::log_to`](super::Server::log_to).)
    pub access_log: Option<PathBuf>,
    /// A file whose first line is a key that requests must carry (`Authorization: Bearer KEY`). `/health` and `/ready` need none.
    pub key_file: Option<PathBuf>,
    /// Bytes of decoded tiles that are kept to answer heights from tiles, for each tileset.
    pub decoded_bytes: u64,
    /// Whether files are read into memory as soon as they are opened, while requests are answered. Of files that with those before them take
    /// more than half of the memory that is left nothing is, or the directories if they are PMTiles.
    pub preload: bool,
    /// Milliseconds between two looks for files that were replaced, added or removed.
    pub look_every: u64,
    /// Seconds that open requests have to end in when the server is asked to stop.
    pub drain: u64,
    /// Bounds on what clients may ask for.
    pub limits: Limits,
    /// Datasets by their names.
    pub datasets: BTreeMap<String, DatasetOptions>,
    /// Files and folders, whose datasets are named after their files.
    pub inputs: Vec<Input>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".into(),
            admin: None,
            public_url: String::new(),
            missing: Missing::NotFound,
            default_dataset: None,
            max_age: 3600,
            access_log: None,
            key_file: None,
            decoded_bytes: 256 << 20,
            preload: true,
            look_every: 1000,
            drain: 30,
            limits: Limits::default(),
            datasets: BTreeMap::new(),
            inputs: Vec::new(),
        }
    }
}

/// What is answered where a tileset has no tile.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, strum::Display, strum::EnumString, strum::VariantNames,
)]
#[non_exhaustive]
pub enum Missing {
    /// 404: map libraries draw the coarser tile.
    #[default]
    #[serde(rename = "404")]
    #[strum(serialize = "404")]
    NotFound,
    /// 204 with an empty body: map libraries draw nothing.
    #[serde(rename = "204")]
    #[strum(serialize = "204")]
    NoContent,
}

/// Bounds on what clients may ask for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Limits {
    /// Places in one request.
    pub locations: usize,
    /// Samples of one profile.
    pub samples: usize,
    /// Bytes of a path with its query.
    pub url_bytes: usize,
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Seconds in which the head of a request must arrive, and then its body.
    pub read_seconds: u64,
    /// Seconds in which a client must take some bytes of an answer.
    pub write_seconds: u64,
    /// Connections at a time; more wait.
    pub connections: usize,
    /// Pieces of long work (decoding, profiles, statistics) at a time; 0: twice the processors.
    pub work: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            locations: 1000,
            samples: 10_000,
            url_bytes: 8192,
            body_bytes: 1 << 20,
            read_seconds: 10,
            write_seconds: 60,
            connections: 10_000,
            work: 0,
        }
    }
}

/// The files of a dataset.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct DatasetOptions {
    /// PMTiles, MBTiles, heights, stores: one of each kind; a tileset of lineage counts as a kind of its own.
    pub files: Vec<PathBuf>,
    /// How long clients may keep tiles, seconds; `None`: as for all.
    pub max_age: Option<u64>,
    /// What the pixels of its tiles mean, where the archive does not say: `terrarium` or `mapbox`.
    pub encoding: Option<String>,
}

/// A file or a folder that is served.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
#[non_exhaustive]
pub struct Input {
    /// The dataset; `None`: the file's name without extension.
    pub name: Option<String>,
    /// A file, or a folder: then all files in it that can be served, also those that come later. Or PMTiles at a URL (`https`, `s3`, `gs`,
    /// `az`).
    pub path: PathBuf,
}

impl Input {
    /// From `NAME=PATH` or `PATH`. A path that exists as it is written is never cut at a `=`.
    ///
    /// # Errors
    /// Where the name is none: letters, digits, `.`, `_` and `-`, at most 100, no dot at the start, no path of the server.
    pub fn parse(text: &str) -> Result<Self> {
        match text.split_once('=') {
            Some((name, path)) if !name.contains(['/', '\\']) && !Path::new(text).exists() => {
                check_name(name)?;
                Ok(Self { name: Some(name.to_owned()), path: path.into() })
            }
            _ => Ok(Self { name: None, path: text.into() }),
        }
    }
}

impl TryFrom<String> for Input {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

/// Whether a text can name a dataset: letters, digits, `.`, `_` and `-`, at most 100, no dot at the start.
///
/// # Errors
/// Where it can't.
pub(super) fn check_name(name: &str) -> Result<()> {
    let fits = !name.is_empty()
        && name.len() <= 100
        && !name.starts_with('.')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if !fits {
        let problem = format!("{name:?} can't be a name; take letters, digits, dots, '_' and '-', no dot at the start");
        return Err(Error::argument("dataset", problem));
    }
    if is_taken(name) {
        return Err(Error::argument("dataset", format!("{name:?} is a path of the server; take another name")));
    }
    Ok(())
}

impl Options {
    /// Reads `serve.toml`. Paths in it begin at its folder.
    ///
    /// # Errors
    /// Where it can't be read, is no TOML, or says what is not known.
    pub fn read(path: &Path) -> Result<Self> {
        let text = local::text(path, LARGEST)?;
        let mut options: Self = toml::from_str(&text).map_err(|error| {
            let problem = error.to_string().trim_end().replace('\n', "; ");
            Error::invalid("configuration", problem, REMEDY).with_path(path)
        })?;
        // What is wrong here is no option of a command line.
        let named = options.inputs.iter().filter_map(|input| input.name.as_deref());
        let mut names = named.chain(options.datasets.keys().map(|name| &**name));
        let checked = names.try_for_each(check_name).and_then(|()| options.check_values());
        checked.map_err(|error| match error {
            Error::Argument { field, problem } => Error::invalid(field, problem, REMEDY).with_path(path),
            other => other,
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let inputs = options.inputs.iter_mut().map(|input| &mut input.path);
        let files = options.datasets.values_mut().flat_map(|dataset| &mut dataset.files);
        let others =
            options.key_file.iter_mut().chain(options.access_log.as_mut().filter(|log| log.as_os_str() != "-"));
        let joined = |path: &mut PathBuf| {
            *path = path.to_str().map_or_else(|| folder.join(&path), |text| url::join(folder, text))
        };
        inputs.chain(files).chain(others).for_each(joined);
        Ok(options)
    }

    /// The bearer key, where one is asked for.
    ///
    /// # Errors
    /// Where its file can't be read or its first line is empty.
    pub(super) fn key(&self) -> Result<Option<String>> {
        let Some(path) = &self.key_file else { return Ok(None) };
        let text = local::text(path, 1 << 16)?;
        let key = text.lines().next().unwrap_or_default().trim();
        if key.is_empty() {
            return Err(Error::invalid("key", "the first line is empty", "write the key into it").with_path(path));
        }
        Ok(Some(key.to_owned()))
    }

    /// Checks what can be checked without opening a served file.
    pub(super) fn check(&self) -> Result<()> {
        self.check_values()?;
        if self.datasets.is_empty() && self.inputs.is_empty() {
            return Err(Error::argument("inputs", "nothing to serve; give files, folders or a configuration"));
        }
        self.key().map(drop)
    }

    fn check_values(&self) -> Result<()> {
        for (name, dataset) in &self.datasets {
            check_name(name)?;
            if dataset.files.is_empty() {
                return Err(Error::argument(format!("datasets.{name}"), "names no file; list its files under files"));
            }
            if let Some(encoding) = &dataset.encoding {
                encoding.parse::<crate::terrain::Encoding>()?;
            }
        }
        self.default_dataset.as_deref().map_or(Ok(()), check_name)?;
        let url = &self.public_url;
        if !(url.is_empty() || url.starts_with("https://") || url.starts_with("http://")) {
            return Err(Error::argument("public_url", format!("{url:?} does not begin with https:// or http://")));
        }
        if self.limits.locations == 0 || self.limits.connections == 0 || self.limits.url_bytes < 64 {
            return Err(Error::argument("limits", "locations and connections must be 1 or more, url_bytes 64 or more"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_off_and_checked() {
        let input = Input::parse("japan=/srv/x.pmtiles").unwrap();
        assert_eq!((input.name.as_deref(), input.path), (Some("japan"), PathBuf::from("/srv/x.pmtiles")));
        assert_eq!(Input::parse("/srv/a=b.pmtiles").unwrap().name, None);
        for bad in ["", ".x", "a/b", "a b", "tiles", "metrics", "ä"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        check_name("dem-10.v2_x").unwrap();
    }

    #[test]
    fn a_configuration_says_what_is_wrong_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("serve.toml");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Options::read(&path)
        };
        let good = "listen = \"[::1]:9000\"\nmissing = \"204\"\ndefault_dataset = \"fuji\"\ninputs = [\"a=x.pmtiles\", \"folder\"]\n[limits]\nlocations = 5\n[datasets.fuji]\nfiles = [\"f.heights\"]\n";
        let options = read(good).unwrap();
        assert_eq!(options.missing, Missing::NoContent);
        assert_eq!((options.limits.locations, options.default_dataset.as_deref()), (5, Some("fuji")));
        assert_eq!(options.inputs[0].path, folder.path().join("x.pmtiles"));
        assert_eq!(options.datasets["fuji"].files[0], folder.path().join("f.heights"));
        options.check().unwrap();
        let message = read("lisen = 1").unwrap_err().to_string();
        assert!(message.contains("lisen") && message.contains("listen") && message.contains("serve.toml"), "{message}");
        for (wrong, words) in [
            ("public_url = \"ftp://x\"", "public_url"),
            ("default_dataset = \"a b\"", "dataset"),
            ("inputs = [\".x=a.pmtiles\"]", "can't be a name"),
            ("[datasets.\"a b\"]\nfiles = [\"f\"]", "can't be a name"),
            ("[limits]\nlocations = 0", "limits"),
            ("[datasets.x]\nfiles = []", "datasets.x"),
            ("[datasets.x]\nfiles = [\"f\"]\nencoding = \"y\"", "encoding"),
        ] {
            let message = read(wrong).unwrap_err().to_string();
            assert!(message.contains("serve.toml") && message.contains(words), "{message}");
        }
        assert!(Options::default().check().unwrap_err().to_string().contains("nothing to serve"));
    }
}
