#!/bin/bash
# The examples of `examples/distributed/`, run by their engines on this machine: three workers, one of which is killed.
# The archive must be, byte by byte, that of a single run. Installs Debian's Slurm where it is missing, and makes an environment of Python.
set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD
for tool in sbatch slurmctld slurmd munged jq; do
    command -v "$tool" >/dev/null || { apt-get update -qq && apt-get install -y -qq slurm-wlm munge jq >/dev/null; break; }
done
venv=$here/target/distributed
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -c 'import boto3, distributed, kubernetes_validate' 2>/dev/null ||
    "$venv/bin/python" -m pip install -q --disable-pip-version-check 'dask[distributed]' boto3 kubernetes-validate
[ -n "${HYPSO:-}" ] || { cargo build --release && HYPSO=$here/target/release/hypso; }

work=$(mktemp -d)
running=()
finish() {
    for process in "${running[@]}"; do kill "$process" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
mkdir "$work/bin" && ln -s "$(realpath "$HYPSO")" "$work/bin/hypso"
export PATH=$work/bin:$PATH
say() { printf '== %s\n' "$*"; }

say "a single run"
cd "$work"
hypso sample -o dem >/dev/null
hypso build -o x.hypso dem/lidar2 dem/dem10 dem/aw30 2>/dev/null
tiles=(--coverage full --max-zoom 15 --lineage)
hypso aggregate x.hypso -o one.pmtiles "${tiles[@]}" 2>/dev/null

# A plan for an engine: its name.
plan() {
    mkdir "$1"
    hypso plan x.hypso -o "$work/$1/x.pmtiles" "${tiles[@]}" --shards 6 --export "$work/$1/plan" >/dev/null 2>&1
}
same() {
    cmp one.pmtiles "$1/x.pmtiles" && cmp one-lineage.pmtiles "$1/x-lineage.pmtiles"
    [ ! -e "$1/x.pmtiles.work" ] || { echo "$1: a work folder is left" >&2; exit 1; }
    say "$1: the bytes of the single run"
}

say "Slurm"
plan slurm
name=$(hostname -s)
mkdir slurm/state slurm/spool slurm/munge
head -c 128 /dev/urandom >slurm/munge/key && chmod 600 slurm/munge/key && chmod 700 slurm/munge
socket=$work/slurm/munge/socket
munged --foreground --force --socket="$socket" --key-file="$work/slurm/munge/key" --pid-file="$work/slurm/munge/pid" \
    --log-file="$work/slurm/munge/log" --seed-file="$work/slurm/munge/seed" >slurm/munge/said 2>&1 &
running+=($!)
export SLURM_CONF=$work/slurm/slurm.conf
cat >"$SLURM_CONF" <<END
ClusterName=hypso
SlurmctldHost=$name(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$socket
StateSaveLocation=$work/slurm/state
SlurmdSpoolDir=$work/slurm/spool
SlurmctldPidFile=$work/slurm/slurmctld.pid
SlurmdPidFile=$work/slurm/slurmd.pid
SlurmctldPort=16817
SlurmdPort=16818
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
SlurmdParameters=config_overrides
ReturnToService=2
NodeName=$name NodeAddr=127.0.0.1 CPUs=3
PartitionName=all Nodes=$name Default=YES MaxTime=INFINITE State=UP
END
chmod 755 "$work"
slurmctld -D -f "$SLURM_CONF" >slurm/slurmctld.log 2>&1 &
running+=($!)
slurmd -D -f "$SLURM_CONF" >slurm/slurmd.log 2>&1 &
running+=($!)
for _ in $(seq 60); do sinfo -h -o %t 2>/dev/null | grep -q idle && break; sleep 0.5; done
sinfo -h -o %t | grep -q idle || { tail -20 slurm/*.log slurm/munge/said >&2; exit 1; }
# Slurm waits two minutes before it begins a task again.
(cd slurm && "$here/examples/distributed/slurm.sh" plan)
killed=
for _ in $(seq 600); do
    process=$(pgrep -f "hypso work --plan $work/slurm/plan --shard --offset" | head -1) || true
    if [ -z "$killed" ] && [ -n "$process" ] && compgen -G "slurm/x.pmtiles.work/packs/*" >/dev/null; then
        kill -9 "$process" && killed=$process && say "killed process $killed"
    fi
    [ -n "$(squeue -h)" ] || break
    sleep 0.2
done
[ -n "$killed" ] || { echo "no task was killed" >&2; exit 1; }
[ -z "$(squeue -h)" ] || { squeue >&2; cat slurm/slurm-*.out >&2; exit 1; }
[ -e slurm/x.pmtiles ] || { cat slurm/slurm-*.out >&2; exit 1; }
same slurm

say "Dask"
plan dask
cat >dask/killing.py <<'END'
import os, signal, sys, threading, time
from dask.distributed import Client, LocalCluster
import dask_run

if __name__ == "__main__":
    with LocalCluster(n_workers=3, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as cluster, Client(cluster) as client:
        workers = client.run(os.getpid)
        victim = list(workers.values())[0]

        def strike():
            while not any(client.processing().values()):
                time.sleep(0.02)
            time.sleep(0.3)
            os.kill(victim, signal.SIGKILL)
            print("== killed worker", victim)

        threading.Thread(target=strike).start()
        dask_run.run(sys.argv[1], client)
        assert victim not in client.run(os.getpid).values()
END
PYTHONPATH=$here/examples/distributed "$venv/bin/python" dask/killing.py "$work/dask/plan" 2>dask/said || { cat dask/said >&2; exit 1; }
same dask

say "AWS Batch and Kubernetes: what is sent fits their schemas"
"$venv/bin/python" - "$here/examples/distributed" "$work/slurm/plan" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
import aws_batch, boto3, kubernetes_validate, yaml
from botocore.stub import Stubber

client = boto3.client("batch", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
with Stubber(client) as stub:
    for number in "12":
        stub.add_response("submit_job", {"jobId": number, "jobName": "x", "jobArn": "arn:aws:batch:x"})
    assert aws_batch.submit(client, sys.argv[2], "queue", "definition") == ("1", "2")
with open(sys.argv[1] + "/kubernetes.yaml") as text:
    jobs = list(yaml.safe_load_all(text))
for job in jobs:
    kubernetes_validate.validate(job, kubernetes_validate.latest_version(), strict=True)
END
say "all engines gave the bytes of the single run"
