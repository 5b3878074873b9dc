#!/usr/bin/env python3
"""The shards of a plan on a Dask cluster: all but the last one, then the coarse top, then the archive.

    hypso plan japan.hypso -o japan.pmtiles --shards 200 --export plan
    python3 examples/distributed/dask_run.py plan tcp://scheduler:8786

Workers and this machine see the same folders, and have `hypso` in their PATH. A shard whose worker dies is made on another one.
"""
import subprocess
import sys
import time

from dask.distributed import Client

LATER = 75


def hypso(*arguments):
    """Runs hypso; waits where it says "not yet", and raises what it says where it fails."""
    for pause in (1, 5, 20, 60, 60):
        done = subprocess.run(["hypso", *arguments], stderr=subprocess.PIPE, text=True)
        if done.returncode != LATER:
            break
        time.sleep(pause)
    if done.returncode != 0:
        raise RuntimeError(f"hypso {' '.join(arguments)} ended with {done.returncode}: {done.stderr[-2000:]}")


def run(plan, client):
    with open(f"{plan}/shards.jsonl", "rb") as lines:
        last = sum(1 for _ in lines) - 1
    make = lambda number: hypso("work", "--plan", plan, "--shard", str(number), "--jobs", "1")  # noqa: E731
    client.gather(client.map(make, range(last), pure=False, retries=3))
    client.submit(make, last, pure=False, retries=3).result()
    hypso("assemble", "--plan", plan)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with Client(sys.argv[2]) as client:
        run(sys.argv[1], client)
