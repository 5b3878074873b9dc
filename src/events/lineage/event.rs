//! One event of a run.

use std::time::SystemTime;

use serde_json::{Map, Value, json};

use super::facets::{self, PRODUCER, SPEC, put, put_own};
use crate::events::facts::Facts;
use crate::events::live::Stage;
use crate::events::run::{End, Run};
use crate::events::settings::Settings;

/// What an event tells.
#[derive(Debug, Clone)]
pub(in crate::events) enum Moment {
    /// The run begins.
    Start,
    /// It goes on, and stands here.
    Running(Option<Stage>),
    /// It has ended.
    Ended(End),
}

impl Moment {
    fn name(&self) -> &'static str {
        match self {
            Self::Start => "START",
            Self::Running(_) => "RUNNING",
            Self::Ended(End::Complete(_)) => "COMPLETE",
            Self::Ended(End::Fail(..)) => "FAIL",
            Self::Ended(End::Abort(_)) => "ABORT",
        }
    }
}

/// All that an event is made of.
pub(in crate::events) struct Event<'a> {
    pub(in crate::events) run: &'a Run,
    pub(in crate::events) settings: &'a Settings,
    pub(in crate::events) moment: Moment,
    pub(in crate::events) inputs: &'a [Facts],
    pub(in crate::events) outputs: &'a [Facts],
    /// Names and values of variables that are told.
    pub(in crate::events) environment: &'a [(String, String)],
}

impl Event<'_> {
    /// The event as JSON, one line.
    pub(in crate::events) fn text(&self) -> String {
        let namespace = &self.settings.namespace;
        let name = self.settings.job.clone().unwrap_or_else(|| self.run.job());
        json!({
            "eventType": self.moment.name(),
            "eventTime": time(SystemTime::now()),
            "producer": PRODUCER,
            "schemaURL": format!("{SPEC}#/$defs/RunEvent"),
            "run": {"runId": self.run.id.as_str(), "facets": self.run_facets()},
            "job": {"namespace": namespace, "name": name, "facets": self.job_facets()},
            "inputs": self.inputs.iter().map(|facts| facets::input(facts, namespace)).collect::<Vec<_>>(),
            "outputs": self.outputs.iter().map(|facts| facets::output(facts, namespace)).collect::<Vec<_>>(),
        })
        .to_string()
    }

    fn job_facets(&self) -> Map<String, Value> {
        let mut set = Map::new();
        let pattern = json!({"eventTrigger": "EVENT_BASED", "eventContentMode": "ACCUMULATIVE"});
        let kind = json!({"processingType": "BATCH", "integration": "HYPSO", "jobType": "COMMAND", "emissionPattern": pattern});
        put(&mut set, "jobType", "2-0-4", "JobTypeJobFacet", kind);
        let about = json!({"description": format!("hypso {}: {}", self.run.command, self.run.about)});
        put(&mut set, "documentation", "1-1-0", "DocumentationJobFacet", about);
        set
    }

    fn run_facets(&self) -> Map<String, Value> {
        let mut set = Map::new();
        if let Some(parent) = &self.settings.parent {
            facets::parent(&mut set, parent, self.settings.root.as_ref());
        }
        if let Some(nominal) = self.settings.nominal {
            put(&mut set, "nominalTime", "1-0-1", "NominalTimeRunFacet", json!({"nominalStartTime": time(nominal)}));
        }
        let version = env!("CARGO_PKG_VERSION");
        let engine = json!({"name": "hypso", "version": version, "openlineageAdapterVersion": version});
        put(&mut set, "processing_engine", "1-1-1", "ProcessingEngineRunFacet", engine);
        if matches!(self.moment, Moment::Start) {
            let parameter = |(n, value): (usize, &String)| json!({"key": n.to_string(), "value": value});
            let all: Vec<Value> = self.run.arguments.iter().enumerate().map(parameter).collect();
            put(&mut set, "executionParameters", "1-0-0", "ExecutionParametersRunFacet", json!({"parameters": all}));
            if !self.environment.is_empty() {
                let variable = |(name, value): &(String, String)| json!({"name": name, "value": value});
                let all: Vec<Value> = self.environment.iter().map(variable).collect();
                let body = json!({"environmentVariables": all});
                put(&mut set, "environmentVariables", "1-0-0", "EnvironmentVariablesRunFacet", body);
            }
        }
        match &self.moment {
            Moment::Ended(end) => {
                if let Some(message) = end.message() {
                    let body = json!({"message": message, "programmingLanguage": "Rust"});
                    put(&mut set, "errorMessage", "1-0-1", "ErrorMessageRunFacet", body);
                }
                let body = json!({"exitCode": end.code()});
                put_own(&mut set, "hypso_end", "RunFacet", body);
            }
            Moment::Running(Some(stage)) => {
                let body = json!({
                    "stage": stage.what, "unit": stage.unit, "done": stage.done, "total": stage.total,
                    "secondsLeft": stage.left.map(|left| left.as_secs()),
                });
                put_own(&mut set, "hypso_progress", "RunFacet", body);
            }
            Moment::Start | Moment::Running(None) => {}
        }
        set
    }
}

/// A time as RFC 3339 writes it, milliseconds, UTC.
fn time(at: SystemTime) -> String {
    humantime::format_rfc3339_millis(at).to_string()
}
