//! Where events go, as OpenLineage's clients are told: `openlineage.yml`, variables `OPENLINEAGE__…`, or `OPENLINEAGE_URL`.
//!
//! What a file says goes before variables, and both before `OPENLINEAGE_URL`. Without any of them there are no events.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::transport::Transport;
use crate::error::{Error, Result};
use crate::url::masked;

/// A larger file is no configuration, bytes.
const LARGEST: u64 = 1 << 20;

/// Variables that are told without being asked for: they can change what a run makes.
const TOLD: [&str; 8] =
    ["GDAL_DATA", "GDAL_CACHEMAX", "GDAL_NUM_THREADS", "PROJ_DATA", "PROJ_NETWORK", "HYPSO_CONFIG", "HYPSO_JOB", "TZ"];

/// Where events go, and what they tell of the environment.
#[derive(Debug)]
pub(in crate::events) struct Config {
    pub(in crate::events) transport: Transport,
    /// Names and values.
    pub(in crate::events) environment: Vec<(String, String)>,
}

impl Config {
    /// Reads configuration and environment; `None` where no events are wanted.
    ///
    /// # Errors
    /// Where a file can't be read or a transport is impossible.
    pub(in crate::events) fn read() -> Result<Option<Self>> {
        let variables: Vec<(String, String)> =
            std::env::vars_os().filter_map(|(n, v)| Some((n.into_string().ok()?, v.into_string().ok()?))).collect();
        let home = std::env::var_os("HOME").map(PathBuf::from);
        Self::of(&variables, Path::new(""), home.as_deref())
    }

    fn of(variables: &[(String, String)], here: &Path, home: Option<&Path>) -> Result<Option<Self>> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(n, _)| n == name).map(|(_, value)| value.trim().to_owned());
            found.filter(|value| !value.is_empty())
        };
        if variable("OPENLINEAGE_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let mut config = of_variables(variables);
        if let Some(path) = file(variable("OPENLINEAGE_CONFIG"), here, home) {
            merge(&mut config, of_file(&path)?);
        }
        let simple = variable("OPENLINEAGE_URL").map(|url| {
            let mut http = json!({"type": "http", "url": url});
            if let Some(endpoint) = variable("OPENLINEAGE_ENDPOINT") {
                http["endpoint"] = endpoint.into();
            }
            if let Some(key) = variable("OPENLINEAGE_API_KEY") {
                http["auth"] = json!({"type": "api_key", "apiKey": key});
            }
            http
        });
        let transport = match (config.get("transport").filter(|t| t.get("type").is_some()), simple) {
            (Some(said), simple) => {
                let mut said = said.clone();
                // A composite one also has what the simple variables say, under a name that can be set to {} to leave it out.
                let all = said["transports"].as_object_mut();
                if let (Some(all), Some(simple)) = (all, simple) {
                    all.entry("default_http").or_insert(simple);
                }
                Transport::of(&said)?
            }
            (None, Some(simple)) => Transport::of(&simple)?,
            (None, None) => return Ok(None),
        };
        Ok(Some(Self { transport, environment: told(variables, &config) }))
    }
}

/// The file that is read: the one that is named, else the one in the current folder, else the one at home.
fn file(named: Option<String>, here: &Path, home: Option<&Path>) -> Option<PathBuf> {
    let places = [
        named.map(PathBuf::from),
        Some(here.join("openlineage.yml")),
        home.map(|home| home.join(".openlineage/openlineage.yml")),
    ];
    places.into_iter().flatten().find(|path| path.is_file())
}

fn of_file(path: &Path) -> Result<Map<String, Value>> {
    let text = crate::local::text(path, LARGEST)?;
    let wrong = |problem: String| {
        Error::invalid("configuration of events", problem, "correct it, or set OPENLINEAGE_DISABLED=true")
            .with_path(path)
    };
    match serde_saphyr::from_str::<Value>(&text) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(_) => Err(wrong("is no mapping: expected transport: with a type:".into())),
        Err(error) => Err(wrong(error.to_string().trim_end().to_owned())),
    }
}

/// What variables `OPENLINEAGE__A__B` say: `{"a": {"b": …}}`. Values may be JSON. A shorter name replaces what longer ones say.
fn of_variables(variables: &[(String, String)]) -> Map<String, Value> {
    let mut found: Vec<(Vec<String>, &str)> = variables
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix("OPENLINEAGE__")?, value.as_str())))
        .map(|(name, value)| (name.split("__").map(str::to_lowercase).collect(), value))
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    let mut config = Map::new();
    for (keys, value) in found {
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        insert(&mut config, &keys, value);
    }
    config
}

/// Puts a value where keys lead to.
fn insert(config: &mut Map<String, Value>, keys: &[String], value: Value) {
    match keys {
        [] => {}
        [last] => drop(config.insert(last.clone(), value)),
        [first, rest @ ..] => {
            let inner = config.entry(first.clone()).or_insert_with(|| Value::Object(Map::new()));
            if !inner.is_object() {
                *inner = Value::Object(Map::new());
            }
            if let Value::Object(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

/// Puts one mapping over another.
fn merge(below: &mut Map<String, Value>, above: Map<String, Value>) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            (_, value) => drop(below.insert(key, value)),
        }
    }
}

/// Variables that events tell, without secrets: those that are asked for (`facets: environment_variables:`), else some that can change
/// what a run makes.
fn told(variables: &[(String, String)], config: &Map<String, Value>) -> Vec<(String, String)> {
    let asked = config.get("facets").and_then(|facets| facets.get("environment_variables"));
    let asked: Vec<&str> = match asked {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(names)) => names.split(',').map(str::trim).collect(),
        _ => TOLD.to_vec(),
    };
    let is_secret = |name: &str| {
        let name = name.to_uppercase();
        ["KEY", "TOKEN", "SECRET", "PASSW", "CREDENTIAL", "AUTH", "SIGNATURE"].iter().any(|word| name.contains(word))
    };
    let shown = |(name, value): &(String, String)| {
        let value = if is_secret(name) { "***".into() } else { masked(value).into_owned() };
        (name.clone(), value)
    };
    variables.iter().filter(|(name, _)| asked.contains(&name.as_str())).map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::super::transport::Http;
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Option<Config> {
        let variables: Vec<_> = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let nowhere = tempfile::tempdir().unwrap();
        Config::of(&variables, nowhere.path(), None).unwrap()
    }

    fn http(pairs: &[(&str, &str)]) -> Http {
        match of(pairs).unwrap().transport {
            Transport::Http(http) => http,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nothing_is_sent_unless_somebody_asks() {
        assert!(of(&[]).is_none());
        assert!(of(&[("OPENLINEAGE_DISABLED", "TRUE"), ("OPENLINEAGE_URL", "http://a")]).is_none());
        assert!(of(&[("OPENLINEAGE_NAMESPACE", "x")]).is_none());
    }

    #[test]
    fn the_examples_of_the_documentation_mean_what_they_say() {
        let simple = http(&[
            ("OPENLINEAGE_URL", "http://a:5000"),
            ("OPENLINEAGE_ENDPOINT", "api/v2/events"),
            ("OPENLINEAGE_API_KEY", "secret"),
        ]);
        assert_eq!(simple.url, "http://a:5000/api/v2/events");
        assert!(simple.headers.contains(&("Authorization".into(), "Bearer secret".into())));

        let long = http(&[
            ("OPENLINEAGE__TRANSPORT__TYPE", "http"),
            ("OPENLINEAGE__TRANSPORT__URL", "http://localhost:5050"),
            ("OPENLINEAGE__TRANSPORT__ENDPOINT", "/api/v1/lineage"),
            ("OPENLINEAGE__TRANSPORT__AUTH", r#"{"type":"api_key", "apiKey":"random_token"}"#),
            ("OPENLINEAGE__TRANSPORT__COMPRESSION", "gzip"),
            ("OPENLINEAGE__TRANSPORT__TIMEOUT", "2.5"),
            ("OPENLINEAGE_URL", "http://other"),
        ]);
        assert_eq!((long.url.as_str(), long.gzip), ("http://localhost:5050/api/v1/lineage", true));
        assert_eq!(long.timeout, std::time::Duration::from_millis(2500));

        let whole = r#"{"type":"console"}"#;
        let found = of(&[("OPENLINEAGE__TRANSPORT", whole), ("OPENLINEAGE__TRANSPORT__TYPE", "http")]).unwrap();
        assert!(matches!(found.transport, Transport::Console));

        let both = of(&[
            ("OPENLINEAGE__TRANSPORT__TYPE", "composite"),
            ("OPENLINEAGE__TRANSPORT__TRANSPORTS__FIRST__TYPE", "http"),
            ("OPENLINEAGE__TRANSPORT__TRANSPORTS__FIRST__URL", "http://localhost:5050"),
            ("OPENLINEAGE__TRANSPORT__TRANSPORTS__SECOND__TYPE", "console"),
            ("OPENLINEAGE_URL", "http://more"),
        ]);
        let Transport::Composite(all) = both.unwrap().transport else { panic!("no composite") };
        assert_eq!(all.len(), 3);
    }

    #[test]
    fn a_file_goes_before_variables_and_one_in_the_folder_before_one_at_home() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        std::fs::create_dir_all(home.join(".openlineage")).unwrap();
        let write = |path: PathBuf, name: &str| {
            std::fs::write(path, format!("transport:\n  type: file\n  log_file_path: {name}\n  append: true\n"))
                .unwrap();
        };
        write(home.join(".openlineage/openlineage.yml"), "/at-home");
        let variables = [("OPENLINEAGE__TRANSPORT__TYPE".to_owned(), "console".to_owned())];
        let place = |variables: &[(String, String)]| match Config::of(variables, folder.path(), Some(&home))
            .unwrap()
            .unwrap()
            .transport
        {
            Transport::File { path, append: true } => path.display().to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(place(&variables), "/at-home");
        write(folder.path().join("openlineage.yml"), "/here");
        assert_eq!(place(&variables), "/here");
        let named = folder.path().join("x.yml");
        write(named.clone(), "/named");
        assert_eq!(place(&[("OPENLINEAGE_CONFIG".into(), named.display().to_string())]), "/named");
        std::fs::write(&named, "transport: [").unwrap();
        let error = Config::of(&[("OPENLINEAGE_CONFIG".into(), named.display().to_string())], folder.path(), None);
        assert!(error.unwrap_err().to_string().contains("x.yml"));
    }

    #[test]
    fn secrets_of_the_environment_are_not_told() {
        let names = r#"["MY_API_KEY", "MY_URL", "PLAIN"]"#;
        let found = of(&[
            ("OPENLINEAGE_URL", "http://a"),
            ("OPENLINEAGE__FACETS__ENVIRONMENT_VARIABLES", names),
            ("MY_API_KEY", "secret1"),
            ("MY_URL", "https://me:secret2@h/a?sig=secret3"),
            ("PLAIN", "x"),
            ("OTHER", "secret4"),
        ]);
        let told = found.unwrap().environment;
        assert_eq!(told.len(), 3);
        assert!(!format!("{told:?}").contains("secret"), "{told:?}");
    }
}
