//! Facets: parts of events with a schema each. Every one names its schema and who wrote it.

use serde_json::{Map, Value, json};

use crate::events::dataset::Dataset;
use crate::events::facts::{Elevation, Facts, Kind};
use crate::events::run::Parent;
use crate::quality::{Finding, Severity};
use crate::url::masked;

/// Who writes these events.
pub(super) const PRODUCER: &str = concat!("urn:hypso:program:", env!("CARGO_PKG_VERSION"));

/// The specification that events follow.
pub(super) const SPEC: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json";

/// Puts a facet of the specification into a set: its key, version and schema.
pub(super) fn put(set: &mut Map<String, Value>, key: &str, version: &str, schema: &str, mut body: Value) {
    body["_producer"] = PRODUCER.into();
    body["_schemaURL"] = format!("https://openlineage.io/spec/facets/{version}/{schema}.json#/$defs/{schema}").into();
    set.insert(key.to_owned(), body);
}

/// Puts a facet of our own into a set; `base` is the kind of facet that it extends.
pub(super) fn put_own(set: &mut Map<String, Value>, key: &str, base: &str, mut body: Value) {
    body["_producer"] = PRODUCER.into();
    body["_schemaURL"] = format!("{SPEC}#/$defs/{base}").into();
    set.insert(key.to_owned(), body);
}

/// The facet of the run that started this one, and of the one at the root.
pub(super) fn parent(set: &mut Map<String, Value>, parent: &Parent, root: Option<&Parent>) {
    let of = |p: &Parent| json!({"run": {"runId": p.run.as_str()}, "job": {"namespace": p.namespace, "name": p.job}});
    let mut body = of(parent);
    body["root"] = of(root.unwrap_or(parent));
    put(set, "parent", "1-2-0", "ParentRunFacet", body);
}

fn identifier(dataset: &Dataset, kind: &str) -> Value {
    json!({"namespace": dataset.namespace, "name": dataset.name, "type": kind})
}

/// A dataset with the facets that do not depend on whether it is read or written. `namespace` is that of the job, in which sources have the
/// names that users gave them.
fn dataset(facts: &Facts, namespace: &str) -> Value {
    let mut set = Map::new();
    if let Some(version) = &facts.version {
        put(&mut set, "version", "1-0-1", "DatasetVersionDatasetFacet", json!({"datasetVersion": version}));
    }
    if !facts.fields.is_empty() {
        let field = |(n, (name, kind)): (usize, &(String, String))| {
            let mut field = json!({"name": name, "type": kind, "ordinal_position": n + 1});
            if facts.kind == Kind::Source {
                field["description"] = "height of a cell, in the unit of its raster".into();
            }
            field
        };
        let fields: Vec<Value> = facts.fields.iter().enumerate().map(field).collect();
        put(&mut set, "schema", "1-2-0", "SchemaDatasetFacet", json!({"fields": fields}));
    }
    let source = json!({"name": facts.dataset.namespace, "uri": facts.dataset.uri()});
    put(&mut set, "dataSource", "1-0-1", "DatasourceDatasetFacet", source);
    put(&mut set, "datasetType", "1-0-1", "DatasetTypeDatasetFacet", json!({"datasetType": facts.kind.name()}));
    if let Some(alias) = &facts.alias {
        let place = if facts.kind == Kind::Source { namespace } else { "file" };
        let other = Dataset { namespace: place.to_owned(), name: masked(alias).into_owned() };
        let kind = if facts.kind == Kind::Source { "SOURCE" } else { "LINK" };
        put(&mut set, "symlinks", "1-0-1", "SymlinksDatasetFacet", json!({"identifiers": [identifier(&other, kind)]}));
    }
    if let Some(elevation) = &facts.elevation {
        put_own(&mut set, "hypso_elevation", "DatasetFacet", own(elevation));
    }
    json!({"namespace": facts.dataset.namespace, "name": facts.dataset.name, "facets": set})
}

fn own(elevation: &Elevation) -> Value {
    let text = |text: &String| (!text.is_empty()).then(|| text.clone());
    let mut body = Map::new();
    let mut set = |key: &str, value: Value| {
        if !value.is_null() {
            body.insert(key.to_owned(), value);
        }
    };
    set("verticalDatum", json!(text(&elevation.vertical_datum)));
    set("attribution", json!(text(&elevation.attribution)));
    set("licence", json!(text(&elevation.licence)));
    set("crs", if elevation.crs.is_empty() { Value::Null } else { json!(elevation.crs) });
    set("pixelSizeMetres", elevation.pixel_size.map_or(Value::Null, |(min, max)| json!({"min": min, "max": max})));
    set("zooms", elevation.zooms.map_or(Value::Null, |(min, max)| json!({"min": min, "max": max})));
    set("encoding", json!(elevation.encoding));
    Value::Object(body)
}

fn statistics(facts: &Facts) -> Option<Value> {
    let mut body = Map::new();
    for (key, number) in [("rowCount", facts.rows), ("size", facts.bytes), ("fileCount", facts.files)] {
        if let Some(number) = number {
            body.insert(key.to_owned(), number.into());
        }
    }
    (!body.is_empty()).then_some(Value::Object(body))
}

/// A rule that was asked; the specification's word for what makes a pipeline fail is `error`.
fn assertion(found: &Finding) -> Value {
    let severity = if found.severity == Some(Severity::Fail) { "error" } else { "warn" };
    let mut body = json!({
        "assertion": found.figure.rule.name(), "success": !found.raised, "severity": severity, "description": found.to_string(),
        "actual": found.figure.value.to_string(),
    });
    if let Some(limit) = found.limit {
        body["expected"] = limit.to_string().into();
    }
    body
}

/// A dataset that is read.
pub(super) fn input(facts: &Facts, namespace: &str) -> Value {
    let mut set = Map::new();
    if let Some(body) = statistics(facts) {
        put(&mut set, "inputStatistics", "1-0-0", "InputStatisticsInputDatasetFacet", body);
    }
    if let Some(quality) = facts.quality {
        let height = json!({"count": quality.filled + quality.void, "nullCount": quality.void});
        let mut body = json!({"columnMetrics": {"height": height}});
        if let Some(rows) = facts.rows {
            body["rowCount"] = rows.into();
        }
        put(&mut set, "dataQualityMetrics", "1-0-3", "DataQualityMetricsInputDatasetFacet", body);
    }
    let limited = facts.findings.iter().filter(|found| found.limit.is_some());
    let assertions: Vec<Value> = limited.map(assertion).collect();
    if !assertions.is_empty() {
        let body = json!({"assertions": assertions});
        put(&mut set, "dataQualityAssertions", "1-1-0", "DataQualityAssertionsDatasetFacet", body);
    }
    let mut dataset = dataset(facts, namespace);
    dataset["inputFacets"] = set.into();
    dataset
}

/// A dataset that is written.
pub(super) fn output(facts: &Facts, namespace: &str) -> Value {
    let mut set = Map::new();
    if let Some(body) = statistics(facts) {
        put(&mut set, "outputStatistics", "1-0-2", "OutputStatisticsOutputDatasetFacet", body);
    }
    let mut dataset = dataset(facts, namespace);
    dataset["outputFacets"] = set.into();
    dataset
}
