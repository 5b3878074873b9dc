//! The ways that events go: to a server, into a file, onto the console.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::url::masked;

/// A way that events go.
#[derive(Debug)]
pub(in crate::events) enum Transport {
    /// Each one is a request.
    Http(Http),
    /// Each one is a line of a file; without `append`, a file of its own.
    File { path: PathBuf, append: bool },
    /// Each one is a line on stderr.
    Console,
    /// Nowhere.
    Noop,
    /// Several ways, one after the other.
    Composite(Vec<Self>),
}

/// A server that takes events.
#[derive(Debug)]
#[cfg_attr(not(feature = "remote"), allow(dead_code, reason = "nothing is sent without the network"))]
pub(in crate::events) struct Http {
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) timeout: Duration,
    pub(super) gzip: bool,
    retries: u32,
    /// Seconds that the first pause is made of; each further one is twice as long.
    backoff: f64,
    /// Statuses that are worth another try.
    again: Vec<u16>,
}

/// The longest pause between two tries.
#[cfg(feature = "remote")]
const LONGEST_PAUSE: f64 = 120.0;

fn wrong(problem: impl Into<String>) -> Error {
    Error::argument("OpenLineage's transport", problem.into())
}

impl Transport {
    /// Reads what a configuration says.
    ///
    /// # Errors
    /// Where the type is not one of these, or something that it needs is not said.
    pub(super) fn of(said: &Value) -> Result<Self> {
        let kind = said["type"].as_str().unwrap_or_default();
        match kind {
            "http" | "async_http" => Http::of(said).map(Self::Http),
            "file" => {
                let path = said["log_file_path"].as_str().ok_or_else(|| wrong("type file needs log_file_path"))?;
                let path = path.strip_prefix("file://").unwrap_or(path);
                if path.contains("://") {
                    let path = masked(path);
                    return Err(wrong(format!("log_file_path {path} lies on a network; give a local path")));
                }
                Ok(Self::File { path: path.into(), append: truth(&said["append"]).unwrap_or(false) })
            }
            "console" => Ok(Self::Console),
            "noop" => Ok(Self::Noop),
            "composite" => {
                let all: Vec<&Value> = match &said["transports"] {
                    Value::Object(map) => map.values().collect(),
                    Value::Array(list) => list.iter().collect(),
                    _ => return Err(wrong("type composite needs transports")),
                };
                // An empty one is how a name is left out.
                let all = all.into_iter().filter(|one| one.as_object().is_none_or(|one| !one.is_empty()));
                Ok(Self::Composite(all.map(Self::of).collect::<Result<_>>()?))
            }
            other => {
                Err(wrong(format!("type {other:?} is not one of http, async_http, file, console, composite and noop")))
            }
        }
    }

    /// Sends an event; the thread waits. `say` prints a line; `given_up` is asked before each further try.
    ///
    /// # Errors
    /// Why it did not go, in words. Of a composite one, of the first that failed; the others are tried all the same.
    pub(super) fn send(
        &self,
        event: &str,
        say: &dyn Fn(&str),
        given_up: &dyn Fn(Duration) -> bool,
    ) -> std::result::Result<(), String> {
        match self {
            Self::Http(http) => http.send(event, given_up),
            Self::File { path, append: true } => write(path, event, true),
            Self::File { path, append: false } => {
                let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                let time = humantime::format_rfc3339_micros(SystemTime::UNIX_EPOCH + since).to_string();
                let digits: String = time.chars().filter(char::is_ascii_digit).collect();
                let (day, rest) = digits.split_at(8);
                let (clock, micros) = rest.split_at(6);
                let file = crate::local::with_ending(path, format!("-{day}-{clock}.{micros}.json"));
                write(&file, event, false)
            }
            Self::Console => {
                say(event);
                Ok(())
            }
            Self::Noop => Ok(()),
            Self::Composite(all) => {
                let sent: Vec<_> = all.iter().map(|one| one.send(event, say, given_up)).collect();
                sent.into_iter().collect()
            }
        }
    }
}

/// Writes a line by one call, so that lines of several processes don't mix. Readable by its owner and group: events name what an
/// organisation has.
fn write(path: &Path, event: &str, append: bool) -> std::result::Result<(), String> {
    let mut options = OpenOptions::new();
    options.create(true).append(append).write(!append).truncate(!append);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
    let written = options.open(path).and_then(|mut file| file.write_all(format!("{event}\n").as_bytes()));
    written.map_err(|error| format!("{}: {error}", path.display()))
}

/// True or false, as a value or as the text of a variable.
fn truth(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| value.as_str()?.to_lowercase().parse().ok())
}

#[cfg(feature = "remote")]
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}

impl Http {
    fn of(said: &Value) -> Result<Self> {
        let url = said["url"].as_str().ok_or_else(|| wrong("type http needs url"))?;
        let endpoint = said["endpoint"].as_str().unwrap_or("api/v1/lineage");
        let url = format!("{}/{}", url.trim_end_matches('/'), endpoint.trim_start_matches('/'));
        if truth(&said["verify"]) == Some(false) {
            return Err(wrong("verify: false is not offered; add the server's authority to the system's certificates"));
        }
        #[cfg(feature = "remote")]
        crate::remote::check(&url)?;
        #[cfg(not(feature = "remote"))]
        return Err(wrong(format!("{}: this hypso was built without the network (its feature remote)", masked(&url))));
        #[cfg(feature = "remote")]
        {
            let mut headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
            headers.extend(authorization(&said["auth"])?);
            for (name, value) in said["custom_headers"].as_object().into_iter().flatten() {
                headers.push((name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
            }
            let gzip = said["compression"].as_str() == Some("gzip");
            if gzip {
                headers.push(("Content-Encoding".into(), "gzip".into()));
            }
            let retry = &said["retry"];
            let timeout = Duration::try_from_secs_f64(number(&said["timeout"]).unwrap_or(5.0));
            let statuses = retry["status_forcelist"].as_array();
            let statuses = statuses.map(|all| all.iter().filter_map(|n| n.as_u64()?.try_into().ok()).collect());
            Ok(Self {
                url,
                headers,
                timeout: timeout.map_err(|error| wrong(format!("timeout: {error}")))?,
                gzip,
                retries: number(&retry["total"]).unwrap_or(5.0).clamp(0.0, 1000.0) as u32,
                backoff: number(&retry["backoff_factor"]).unwrap_or(0.3).clamp(0.0, LONGEST_PAUSE),
                again: statuses.unwrap_or_else(|| vec![500, 502, 503, 504]),
            })
        }
    }

    #[cfg(not(feature = "remote"))]
    fn send(&self, _: &str, _: &dyn Fn(Duration) -> bool) -> std::result::Result<(), String> {
        Err("built without the network".into())
    }

    #[cfg(feature = "remote")]
    fn send(&self, event: &str, given_up: &dyn Fn(Duration) -> bool) -> std::result::Result<(), String> {
        use crate::remote::{Post, Refused};
        let gzip = || crate::archive::gzip(event.as_bytes(), 6);
        let body = if self.gzip { gzip() } else { event.as_bytes().to_vec() };
        let mut tries = 0;
        loop {
            let (url, headers, timeout) = (self.url.clone(), self.headers.clone(), self.timeout);
            let refused = match (Post { url, headers, body: body.clone(), timeout }).send() {
                Ok(()) => return Ok(()),
                Err(refused) => refused,
            };
            let (problem, again) = match refused {
                Refused::Status(status, words) => {
                    let words = if words.is_empty() { String::new() } else { format!(": {words}") };
                    (format!("it answered {status}{words}"), self.again.contains(&status))
                }
                Refused::Silent(problem) => (problem, true),
            };
            tries += 1;
            let pause = (self.backoff * f64::from(tries - 1).exp2()).min(LONGEST_PAUSE);
            let pause = if tries == 1 { Duration::ZERO } else { Duration::from_secs_f64(pause) };
            if !again || tries > self.retries || given_up(pause) {
                let times = if tries == 1 { String::new() } else { format!(" ({tries} tries)") };
                return Err(format!("{}: {problem}{times}", masked(&self.url)));
            }
        }
    }
}

/// The header that lets events in.
#[cfg(feature = "remote")]
fn authorization(said: &Value) -> Result<Option<(String, String)>> {
    if said.as_object().is_none_or(serde_json::Map::is_empty) {
        return Ok(None);
    }
    let kind = said["type"].as_str().unwrap_or_default();
    if kind != "api_key" {
        return Err(wrong(format!("auth of type {kind:?} is not offered; use api_key, or custom_headers")));
    }
    let key = ["apiKey", "apikey", "api_key"].iter().find_map(|name| said[*name].as_str());
    let key = key.ok_or_else(|| wrong("auth of type api_key needs apiKey"))?;
    Ok(Some(("Authorization".into(), format!("Bearer {key}"))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn impossible_transports_are_refused_with_a_reason() {
        for (said, words) in [
            (json!({"type": "kafka"}), "kafka"),
            (json!({"type": "file"}), "log_file_path"),
            (json!({"type": "file", "log_file_path": "s3://b/a"}), "local path"),
            (json!({"type": "composite"}), "transports"),
            (json!({"type": "http"}), "url"),
            (json!({"type": "http", "url": "http://a", "verify": "false"}), "certificates"),
            #[cfg(feature = "remote")]
            (json!({"type": "http", "url": "a:b"}), "https://server"),
            #[cfg(feature = "remote")]
            (json!({"type": "http", "url": "http://a", "auth": {"type": "jwt"}}), "jwt"),
        ] {
            let error = Transport::of(&said).unwrap_err().to_string();
            assert!(error.contains(words), "{said}: {error}");
        }
    }

    #[test]
    fn files_get_a_line_or_a_file_for_each_event() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        for append in [true, false] {
            let transport = Transport::File { path: path.clone(), append };
            for _ in 0..2 {
                transport.send("{}", &|_| {}, &|_| true).unwrap();
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{}\n{}\n");
        let names = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        assert_eq!(names.len(), 3, "{names:?}");
        // events-20260131-020000.123456.json
        assert!(
            names[1].len() == "events-20260131-020000.123456.json".len() && names[1].ends_with(".json"),
            "{names:?}"
        );
        let nowhere = Transport::File { path: folder.path().join("no/such"), append: true };
        assert!(nowhere.send("{}", &|_| {}, &|_| true).unwrap_err().contains("no/such"));
    }
}
