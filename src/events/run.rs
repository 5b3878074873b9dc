//! One run of a command: what it is called, what it reads and writes, when it began, who started it, how it ended.

use std::path::PathBuf;
use std::time::SystemTime;

use crate::error::{Error, Result};
use crate::url::masked;

/// The identifier of a run: a UUID of version 7, whose order is that of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunId(String);

impl RunId {
    /// A new one.
    #[must_use]
    pub fn new() -> Self {
        Self(uuid::Uuid::now_v7().to_string())
    }

    /// One that was made by another process.
    ///
    /// # Errors
    /// Where it is no UUID.
    pub fn parse(text: &str) -> Result<Self> {
        let id = uuid::Uuid::parse_str(text.trim());
        let id = id.map_err(|error| Error::argument("run id", format!("{text:?} is no UUID: {error}")))?;
        Ok(Self(id.to_string()))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for RunId {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The run that started this one, such as that of a scheduler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// The namespace of its job.
    pub namespace: String,
    /// The name of its job.
    pub job: String,
    /// Its identifier.
    pub run: RunId,
}

impl Parent {
    /// Reads `NAMESPACE/JOB/RUN`, as OpenLineage's integrations write it; namespaces may hold slashes.
    ///
    /// # Errors
    /// Where there are no three parts, or the last one is no UUID.
    pub fn parse(text: &str) -> Result<Self> {
        let mut parts = text.trim().rsplitn(3, '/');
        let (run, job, namespace) = (parts.next(), parts.next(), parts.next());
        match (namespace, job, run) {
            (Some(namespace), Some(job), Some(run)) if !namespace.is_empty() && !job.is_empty() => {
                Ok(Self { namespace: namespace.to_owned(), job: job.to_owned(), run: RunId::parse(run)? })
            }
            _ => Err(Error::argument("parent run", format!("{text:?} is not of the form NAMESPACE/JOB/RUN"))),
        }
    }
}

/// One command that writes something.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its identifier.
    pub id: RunId,
    /// The command, such as `aggregate`.
    pub command: &'static str,
    /// What the command is for, one sentence.
    pub about: String,
    /// The arguments of the program, without secrets of URLs.
    pub arguments: Vec<String>,
    /// What it reads, as far as its options name it.
    pub inputs: Vec<PathBuf>,
    /// What it writes; the first one gives the job its name.
    pub outputs: Vec<PathBuf>,
    /// When it began.
    pub began: SystemTime,
}

impl Run {
    /// A run that begins now.
    #[must_use]
    pub fn new(id: RunId, command: &'static str, about: String, inputs: Vec<PathBuf>, outputs: Vec<PathBuf>) -> Self {
        let arguments = std::env::args_os().skip(1).map(|text| masked(&text.to_string_lossy()).into_owned()).collect();
        Self { id, command, about, arguments, inputs, outputs, began: SystemTime::now() }
    }

    /// The name of its job, the same each time that the same output is made: `aggregate.japan.pmtiles`.
    #[must_use]
    pub fn job(&self) -> String {
        let name = self.outputs.first().and_then(|output| output.file_name()).map(|name| name.to_string_lossy());
        name.map_or_else(|| self.command.to_owned(), |name| format!("{}.{name}", self.command))
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It made what it was to make; with the exit code, which may tell of an alert.
    Complete(u8),
    /// It failed: the exit code, and why.
    Fail(u8, String),
    /// It was interrupted.
    Abort(u8),
}

impl End {
    /// One word for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Complete(_) => "complete",
            Self::Fail(..) => "fail",
            Self::Abort(_) => "abort",
        }
    }

    /// The exit code of the program.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Self::Complete(code) | Self::Fail(code, _) | Self::Abort(code) => *code,
        }
    }

    /// Why it failed, without secrets.
    #[must_use]
    pub fn message(&self) -> Option<String> {
        match self {
            Self::Fail(_, message) => Some(masked(message).into_owned()),
            Self::Complete(_) | Self::Abort(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_has_three_parts_and_its_namespace_may_have_more() {
        let id = "0191a5a0-0000-7000-8000-000000000000";
        let parent = Parent::parse(&format!("s3://b/x/nightly.build/{id}")).unwrap();
        assert_eq!(
            (parent.namespace.as_str(), parent.job.as_str(), parent.run.as_str()),
            ("s3://b/x", "nightly.build", id)
        );
        for text in ["", "a/b", "a/b/c", &format!("a/{id}"), &format!("/b/{id}")] {
            assert!(Parent::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_job_has_one_name_for_one_output() {
        let run = |outputs: &[&str]| {
            Run::new(RunId::new(), "merge", String::new(), Vec::new(), outputs.iter().map(PathBuf::from).collect())
                .job()
        };
        assert_eq!(run(&["/a/japan.pmtiles"]), "merge.japan.pmtiles");
        assert_eq!(run(&["/a/japan.pmtiles", "/a/japan.hypso"]), "merge.japan.pmtiles");
        assert_eq!(run(&[]), "merge");
    }
}
