//! What operators ask for: `[operations]` and `[alerts]` of `hypso.toml`, and the environment, which goes before it.
//!
//! ```toml
//! [operations]
//! audit_log = "/var/log/hypso/audit.jsonl"   # HYPSO_AUDIT_LOG
//! namespace = "terrain"                      # OPENLINEAGE_NAMESPACE: of jobs
//! job = "nightly"                            # HYPSO_JOB: the name of the job, in place of COMMAND.OUTPUT
//! running_every = 60                         # HYPSO_RUNNING_EVERY: seconds between two events of a run that goes on
//!
//! [alerts]                                   # see `quality`
//! voids = { warn = 5, fail = 10 }
//! ```
//!
//! The file is the one that `HYPSO_CONFIG` names, else `hypso.toml` in the current folder.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Deserialize;

use super::run::Parent;
use crate::error::{Error, Result};
use crate::quality::Rules;

/// A larger file is no configuration, bytes.
const LARGEST: u64 = 64 << 20;

/// What a configuration holds that asks for something here.
const WORDS: [&[u8]; 2] = [b"operations", b"alerts"];

/// The namespace of jobs where none is said.
const NAMESPACE: &str = "hypso";

/// What operators ask for.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Where commands that write are noted; nowhere where none is said.
    pub audit_log: Option<PathBuf>,
    /// The namespace of jobs.
    pub namespace: String,
    /// The name of the job, where it is not that of command and output.
    pub job: Option<String>,
    /// The time between two events of a run that goes on.
    pub running_every: Duration,
    /// The run that started this one.
    pub parent: Option<Parent>,
    /// The run at the root of all.
    pub root: Option<Parent>,
    /// When the run was to begin by its schedule.
    pub nominal: Option<SystemTime>,
    /// The limits of what is measured.
    pub rules: Rules,
}

#[derive(Debug, Default, Deserialize)]
struct Document {
    #[serde(default)]
    operations: Table,
    alerts: Option<Rules>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    audit_log: Option<PathBuf>,
    namespace: Option<String>,
    job: Option<String>,
    running_every: Option<f64>,
}

impl Settings {
    /// Reads configuration and environment.
    ///
    /// # Errors
    /// Where the file that `HYPSO_CONFIG` names can't be read, a configuration is malformed, or a variable has an impossible value.
    pub fn read() -> Result<Self> {
        Self::of(&|name| std::env::var(name).ok().filter(|value| !value.trim().is_empty()))
    }

    fn of(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let document = document(variable)?;
        let table = document.operations;
        let parent = |name: &str| variable(name).map(|text| Parent::parse(&text)).transpose();
        let every = match variable("HYPSO_RUNNING_EVERY") {
            Some(text) => Some(text.trim().parse::<f64>().map_err(|error| {
                Error::argument("HYPSO_RUNNING_EVERY", format!("{text:?} is no number of seconds: {error}"))
            })?),
            None => table.running_every,
        };
        let every = Duration::try_from_secs_f64(every.unwrap_or(60.0)).ok().filter(|every| !every.is_zero());
        Ok(Self {
            audit_log: variable("HYPSO_AUDIT_LOG").map(PathBuf::from).or(table.audit_log),
            namespace: variable("OPENLINEAGE_NAMESPACE").or(table.namespace).unwrap_or_else(|| NAMESPACE.into()),
            job: variable("HYPSO_JOB").or(table.job),
            running_every: every
                .ok_or_else(|| Error::argument("running_every", "must be a number of seconds above 0"))?,
            parent: parent("OPENLINEAGE_PARENT_ID")?,
            root: parent("OPENLINEAGE_ROOT_PARENT_ID")?,
            nominal: nominal(variable)?,
            rules: document.alerts.unwrap_or_default(),
        })
    }
}

/// The limits that a configuration of sources sets, where it has `[alerts]`.
///
/// # Errors
/// Where it can't be read, or a rule is none; the message names the line.
pub fn rules_of(path: &Path) -> Result<Option<Rules>> {
    Ok(read(path)?.alerts)
}

fn document(variable: &dyn Fn(&str) -> Option<String>) -> Result<Document> {
    let named = variable("HYPSO_CONFIG");
    let path = named.as_deref().map_or(Path::new("hypso.toml"), Path::new);
    if named.is_none() && !path.is_file() {
        return Ok(Document::default());
    }
    // One that nobody named, and that asks for nothing here, may be anything: commands that read sources from it say what is wrong.
    let holds = |bytes: &[u8], word: &[u8]| bytes.windows(word.len()).any(|part| part == word);
    let asks = |bytes: Vec<u8>| WORDS.iter().any(|word| holds(&bytes, word));
    if named.is_none() && !crate::local::read(path, LARGEST).is_ok_and(asks) {
        return Ok(Document::default());
    }
    read(path)
}

fn read(path: &Path) -> Result<Document> {
    let text = crate::local::text(path, LARGEST)?;
    let mut document: Document = toml::from_str(&text).map_err(|error| {
        let problem = error.to_string().trim_end().to_owned();
        Error::invalid("configuration", problem, "correct the file and run the same command again").with_path(path)
    })?;
    // A path is relative to the file that names it.
    let folder = path.parent().unwrap_or(Path::new(""));
    document.operations.audit_log = document.operations.audit_log.map(|log| folder.join(log));
    Ok(document)
}

/// When the run was to begin: `HYPSO_NOMINAL_TIME`, or what systemd says of the timer, microseconds.
fn nominal(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<SystemTime>> {
    if let Some(text) = variable("HYPSO_NOMINAL_TIME") {
        let time = humantime::parse_rfc3339_weak(text.trim());
        return time.map(Some).map_err(|error| {
            Error::argument("HYPSO_NOMINAL_TIME", format!("{text:?} is no time such as 2026-01-31T02:00:00Z: {error}"))
        });
    }
    let timer = variable("TRIGGER_TIMER_REALTIME_USEC").and_then(|text| text.trim().parse::<u64>().ok());
    Ok(timer.and_then(|at| SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(at))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Result<Settings> {
        Settings::of(&|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_environment_goes_before_the_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hypso.toml");
        let named = path.display().to_string();
        std::fs::write(&path, "[[source]]\npath = \"a\"\n[operations]\naudit_log = \"a.jsonl\"\njob = \"nightly\"\n")
            .unwrap();
        let found = of(&[("HYPSO_CONFIG", &named)]).unwrap();
        assert_eq!(found.audit_log, Some(folder.path().join("a.jsonl")));
        assert_eq!((found.job.as_deref(), found.namespace.as_str()), (Some("nightly"), "hypso"));
        let found = of(&[("HYPSO_CONFIG", &named), ("HYPSO_AUDIT_LOG", "/b"), ("OPENLINEAGE_NAMESPACE", "n")]).unwrap();
        assert_eq!((found.audit_log.as_deref(), found.namespace.as_str()), (Some(Path::new("/b")), "n"));
        std::fs::write(&path, "[operations]\naudit_logs = \"x\"\n").unwrap();
        let error = of(&[("HYPSO_CONFIG", &named)]).unwrap_err().to_string();
        assert!(error.contains("audit_logs") && error.contains("hypso.toml"), "{error}");
        assert!(of(&[("HYPSO_CONFIG", "/no/such.toml")]).is_err());
    }

    #[test]
    fn alerts_are_read_and_a_rule_that_is_none_is_named_with_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hypso.toml");
        std::fs::write(&path, "[alerts]\nvoids = { fail = 10 }\n").unwrap();
        let named = path.display().to_string();
        assert!(of(&[("HYPSO_CONFIG", &named)]).unwrap().rules.has(crate::quality::Rule::Voids));
        assert_eq!(rules_of(&path).unwrap(), Some(of(&[("HYPSO_CONFIG", &named)]).unwrap().rules));
        std::fs::write(&path, "[[source]]\npath = \"a\"\n").unwrap();
        assert_eq!(rules_of(&path).unwrap(), None);
        std::fs::write(&path, "[alerts]\nseams = { fail = 1 }\nviods = { fail = 10 }\n").unwrap();
        let error = of(&[("HYPSO_CONFIG", &named)]).unwrap_err().to_string();
        assert!(error.contains("viods") && error.contains("line 3") && error.contains("hypso.toml"), "{error}");
    }

    #[test]
    fn times_and_parents_that_are_none_are_refused() {
        for (name, value) in [
            ("HYPSO_RUNNING_EVERY", "soon"),
            ("HYPSO_RUNNING_EVERY", "0"),
            ("HYPSO_RUNNING_EVERY", "-1"),
            ("HYPSO_NOMINAL_TIME", "noon"),
            ("OPENLINEAGE_PARENT_ID", "a/b"),
        ] {
            assert!(of(&[(name, value)]).is_err(), "{name}={value}");
        }
        let found = of(&[("TRIGGER_TIMER_REALTIME_USEC", "1500000")]).unwrap();
        assert_eq!(found.nominal, Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1500)));
    }
}
