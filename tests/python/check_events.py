"""Holds events of hypso against OpenLineage's Python client: every part must be one of its types, with the fields that these have.

With HYPSO_OPENLINEAGE_SPEC, the folder `spec` of OpenLineage's repository, also against the published JSON schemas.
"""

import importlib
import json
import os
import pkgutil
import sys
from pathlib import Path

import attr
import openlineage.client.generated as generated
from openlineage.client import event_v2

OWN = ("hypso_",)


def types():
    """Facet types by the URL of their schema."""
    found = {}
    for module in pkgutil.iter_modules(generated.__path__):
        for value in vars(importlib.import_module(f"{generated.__name__}.{module.name}")).values():
            if isinstance(value, type) and attr.has(value) and hasattr(value, "_get_schema"):
                found[value._get_schema()] = value
    return found


def check_facets(facets, known, where):
    count = 0
    for key, facet in facets.items():
        url = facet["_schemaURL"]
        if key.startswith(OWN):
            assert url.startswith("https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/"), (where, key, url)
            continue
        kind = known.get(url)
        assert kind, f"{where}: {key}: the client knows no {url}"
        fields = {field.name for field in attr.fields(kind)}
        body = {name: value for name, value in facet.items() if name not in ("_producer", "_schemaURL")}
        assert set(body) <= fields, f"{where}: {key}: {set(body) - fields} are no fields of {kind}"
        init = {field.alias for field in attr.fields(kind) if field.init}
        kind(**{name: value for name, value in body.items() if name in init})
        count += 1
    return count


def check(event, known):
    run, job = event["run"], event["job"]
    count = check_facets(run["facets"], known, "run") + check_facets(job["facets"], known, "job")
    for part in ("inputs", "outputs"):
        for dataset in event[part]:
            count += check_facets(dataset.get("facets", {}), known, dataset["name"])
            count += check_facets(dataset.get(f"{part[:-1]}Facets", {}), known, dataset["name"])
    event_v2.RunEvent(
        eventType=event_v2.RunState[event["eventType"]],
        eventTime=event["eventTime"],
        run=event_v2.Run(runId=run["runId"]),
        job=event_v2.Job(namespace=job["namespace"], name=job["name"]),
        producer=event["producer"],
        inputs=[event_v2.InputDataset(namespace=d["namespace"], name=d["name"]) for d in event["inputs"]],
        outputs=[event_v2.OutputDataset(namespace=d["namespace"], name=d["name"]) for d in event["outputs"]],
    )
    return count


def check_schemas(events, folder):
    from jsonschema import Draft202012Validator, FormatChecker
    from referencing import Registry, Resource

    documents = [json.loads(path.read_text()) for path in [folder / "OpenLineage.json", *(folder / "facets").glob("*.json")]]
    registry = Registry().with_resources([(d["$id"], Resource.from_contents(d)) for d in documents])
    at = {document["$id"] for document in documents}
    formats = FormatChecker()
    assert "date-time" in formats.checkers, "rfc3339-validator is missing"

    def valid(value, url):
        Draft202012Validator({"$ref": url}, registry=registry, format_checker=formats).validate(value)

    count = 0
    for event in events:
        valid(event, event["schemaURL"])
        sets = [event["run"]["facets"], event["job"]["facets"]]
        for part in ("inputs", "outputs"):
            for dataset in event[part]:
                sets += [dataset.get("facets", {}), dataset.get(f"{part[:-1]}Facets", {})]
        for facet in (facet for facets in sets for facet in facets.values()):
            url = facet["_schemaURL"]
            assert url.split("#")[0] in at, f"there is no schema {url}"
            valid(facet, url)
            count += 1
    return count


def main():
    events = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
    known = types()
    assert len(known) > 40, len(known)
    count = sum(check(event, known) for event in events)
    print(f"{len(events)} events, {count} facets checked by types")
    spec = os.environ.get("HYPSO_OPENLINEAGE_SPEC")
    if spec:
        print(f"{check_schemas(events, Path(spec))} facets checked by schemas")


main()
