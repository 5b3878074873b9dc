"""Terrain tiles as a graph of steps, with Hamilton (PyPI: sf-hamilton).

    python examples/pipeline.py dem/hypso.toml /srv/terrain

Each function below is a step; its parameters name the steps before it. Each step runs `hypso` with the pipeline's run as its parent
(OPENLINEAGE_PARENT_ID), so a catalogue that takes OpenLineage events shows all of them below one run. Events go where OPENLINEAGE_URL or
openlineage.yml says. The exit code is that of the step that failed; 4 where a rule below [alerts] in hypso.toml did, and then nothing is
published.
"""

import os
import subprocess
import sys
import uuid
from pathlib import Path

from hamilton import driver

NAMESPACE = os.environ.get("OPENLINEAGE_NAMESPACE", "hypso")


class Failed(Exception):
    """A step ended with an exit code that stops the pipeline."""

    def __init__(self, step, code):
        super().__init__(f"hypso {step} ended with exit code {code}")
        self.code = code


def _hypso(run, *arguments):
    """Runs a command below the pipeline's run; all but 0 ends the pipeline."""
    environment = os.environ | {"OPENLINEAGE_PARENT_ID": f"{NAMESPACE}/pipeline/{run}"}
    code = subprocess.run(["hypso", *map(str, arguments)], env=environment).returncode
    if code != 0:
        raise Failed(arguments[0], code)


def store(run: str, config: Path, out: Path) -> Path:
    """The store of all rasters; only new and changed files are opened."""
    path = out / "terrain.hypso"
    _hypso(run, "build", "-o", path, "--config", config, *(["--update"] if path.exists() else []))
    return path


def tiles(run: str, store: Path, out: Path) -> Path:
    """The archive; only changed tiles are made."""
    path = out / "terrain.pmtiles"
    _hypso(run, "aggregate", store, "-o", path, "--lineage", *(["--update"] if path.exists() else []))
    return path


def verified(run: str, tiles: Path) -> Path:
    """The archive, once every tile was read and checked."""
    _hypso(run, "verify", tiles)
    return tiles


def published(run: str, verified: Path, out: Path) -> Path:
    """The archive as services read it: a version beside older ones, put in use by one link. All tiles were read just now."""
    _hypso(run, "publish", verified, "--sample", 100, "-o", out / "published")
    return out / "published" / "current" / verified.name


# The last step of the graph. A step behind it is one more function, which takes `published`, and its name here.
LAST = "published"


def _main():
    config, out = map(Path, sys.argv[1:3])
    run = os.environ.get("HYPSO_PIPELINE_RUN", str(uuid.uuid4()))
    steps = driver.Builder().with_modules(sys.modules[__name__]).build()
    try:
        made = steps.execute([LAST], inputs={"run": run, "config": config, "out": out})
    except Failed as error:
        print(f"pipeline: {error}", file=sys.stderr)
        return error.code
    print(made[LAST])
    return 0


if __name__ == "__main__":
    sys.exit(_main())
