//! What a URL means: a store, and the name of an object in it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::http::HttpBuilder;
use object_store::multipart::MultipartStore;
use object_store::path::Path as Key;
use object_store::{BackoffConfig, ClientConfigKey, ObjectStore, RetryConfig};

use super::{fault, wait};
use crate::error::{Error, Result};
use crate::url::masked;

/// How long one request may take: a slow line has time for some megabytes. Seconds.
const TIMEOUT: u64 = 120;
/// How long a server may take to accept a connection, seconds.
const CONNECT_TIMEOUT: u64 = 10;

/// An object at a URL, or a folder of them; nothing was asked yet.
#[derive(Clone)]
pub(crate) struct Place {
    pub(super) store: Arc<dyn ObjectStore>,
    /// The same store, where objects can be put into it part by part.
    pub(super) parts: Option<Arc<dyn MultipartStore>>,
    pub(super) key: Key,
    pub(super) name: String,
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Place").field(&self.name).finish()
    }
}

/// The parts of a URL of a kind that is read.
fn split(path: &Path) -> Option<(&str, &str)> {
    let (scheme, rest) = path.to_str()?.split_once("://")?;
    let known = ["https", "http", "s3", "gs", "az"].into_iter().find(|known| known.eq_ignore_ascii_case(scheme))?;
    Some((known, rest))
}

/// What every client is told.
fn client_options() -> [(ClientConfigKey, String); 3] {
    let agent = format!("hypso/{}", env!("CARGO_PKG_VERSION"));
    [
        (ClientConfigKey::Timeout, format!("{TIMEOUT} seconds")),
        (ClientConfigKey::ConnectTimeout, format!("{CONNECT_TIMEOUT} seconds")),
        (ClientConfigKey::UserAgent, agent),
    ]
}

/// Six more tries, further and further apart up to some seconds: what a busy bucket needs (503, "slow down").
fn retries() -> RetryConfig {
    let backoff =
        BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(10), base: 2.0 };
    RetryConfig { backoff, max_retries: 6, retry_timeout: Duration::from_secs(90) }
}

impl Place {
    /// What a URL stands for; `None` for a path.
    ///
    /// # Errors
    /// Where the URL is none, or the environment's settings for its kind are impossible.
    pub(crate) fn of(path: &Path) -> Option<Result<Self>> {
        split(path).map(|(scheme, rest)| Self::parse(path, scheme, rest))
    }

    fn parse(path: &Path, scheme: &str, rest: &str) -> Result<Self> {
        let name = masked(&path.display().to_string()).into_owned();
        let wrong = |problem: String| Error::argument(name.clone(), problem);
        if matches!(scheme, "http" | "https") {
            // All of the URL is the place, so that its query and its escapes go out as they are.
            let url = format!("{scheme}://{rest}");
            let host = url::Url::parse(&url).map_err(|error| wrong(format!("is no URL: {error}")))?;
            if host.host_str().is_none_or(str::is_empty) {
                return Err(wrong("names no server: expected https://server/path".into()));
            }
            let mut builder = HttpBuilder::new().with_url(url).with_retry(retries());
            for (key, value) in client_options() {
                builder = builder.with_config(key, value);
            }
            builder = builder.with_config(ClientConfigKey::AllowHttp, (scheme == "http").to_string());
            let store = wait::inside(|| builder.build())?.map_err(|error| wrong(fault::text(&error)))?;
            return Ok(Self { store: Arc::new(store), parts: None, key: Key::default(), name });
        }
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(wrong(format!("names no bucket: expected {scheme}://bucket/name")));
        }
        let key = Key::parse(key).map_err(|error| wrong(format!("is no name of an object: {error}")))?;
        let Bucket { store, parts } = Bucket::of(scheme, bucket)?.map_err(|error| wrong(fault::text(&error)))?;
        Ok(Self { store, parts: Some(parts), key, name })
    }

    /// The URL as it may be shown.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

/// The client of a bucket.
#[derive(Clone)]
struct Bucket {
    store: Arc<dyn ObjectStore>,
    parts: Arc<dyn MultipartStore>,
}

impl Bucket {
    /// The client of a bucket: one for all its objects, so that they share connections and credentials.
    fn of(scheme: &str, bucket: &str) -> Result<object_store::Result<Self>> {
        static KNOWN: Mutex<Option<HashMap<String, Bucket>>> = Mutex::new(None);
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, name) = (known.get_or_insert_default(), format!("{scheme}://{bucket}"));
        if let Some(bucket) = known.get(&name) {
            return Ok(Ok(bucket.clone()));
        }
        let made = wait::inside(|| Self::make(scheme, bucket))?;
        if let Ok(bucket) = &made {
            known.insert(name, bucket.clone());
        }
        Ok(made)
    }

    fn make(scheme: &str, bucket: &str) -> object_store::Result<Self> {
        Ok(match scheme {
            "s3" => {
                let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retries());
                for (key, value) in client_options() {
                    builder = builder.with_config(AmazonS3ConfigKey::Client(key), value);
                }
                Self::both(builder.build()?)
            }
            "gs" => {
                let mut builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(bucket).with_retry(retries());
                for (key, value) in client_options() {
                    builder = builder.with_config(GoogleConfigKey::Client(key), value);
                }
                Self::both(builder.build()?)
            }
            _ => {
                let mut builder = MicrosoftAzureBuilder::from_env().with_container_name(bucket).with_retry(retries());
                for (key, value) in client_options() {
                    builder = builder.with_config(AzureConfigKey::Client(key), value);
                }
                Self::both(builder.build()?)
            }
        })
    }

    fn both(store: impl ObjectStore + MultipartStore) -> Self {
        let store = Arc::new(store);
        Self { store: store.clone(), parts: store }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_and_secrets_are_not_shown() {
        let name = |url: &str| Place::of(Path::new(url)).map(|place| place.map(|place| place.name));
        for (url, expected) in [
            ("https://a.org/x.pmtiles", "https://a.org/x.pmtiles"),
            ("HTTPS://me:secret@a.org:8080/x.pmtiles?sig=secret", "HTTPS://***@a.org:8080/x.pmtiles?***"),
            ("http://127.0.0.1:1/a%20b", "http://127.0.0.1:1/a%20b"),
            ("http://a.org?sig=secret", "http://a.org?***"),
        ] {
            assert_eq!(name(url).unwrap().unwrap(), expected);
        }
        for path in ["a.pmtiles", "C:/a", "file:///a", "pmtiles://https://a.org/b", "s3:/a/b"] {
            assert!(name(path).is_none(), "{path}");
        }
        for (url, words) in
            [("https://", "is no URL"), ("s3:///a", "names no bucket"), ("s3://a/b//c", "is no name of an object")]
        {
            let error = name(url).unwrap().unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
