#!/usr/bin/env python3
"""The shards of a plan on AWS Batch: an array job, then a job for the coarse top and the archive.

    hypso plan /shared/japan.hypso -o /shared/japan.pmtiles --shards 200 --export /shared/plan
    python3 examples/distributed/aws_batch.py /shared/plan QUEUE JOB_DEFINITION

The job definition has hypso in its image and the folder of the plan mounted at the same place. Needs boto3.
"""
import sys

# 75 and a machine that was taken away are tried again; all else that fails stays failed.
RETRY = {
    "attempts": 5,
    "evaluateOnExit": [
        {"onExitCode": "75", "action": "RETRY"},
        {"onStatusReason": "Host EC2*", "action": "RETRY"},
        {"onExitCode": "*", "action": "EXIT"},
    ],
}


def submit(client, plan, queue, definition):
    """Submits both jobs; gives their numbers. An array has 2 to 10,000 tasks."""
    with open(f"{plan}/shards.jsonl", "rb") as lines:
        last = sum(1 for _ in lines) - 1
    common = {"jobQueue": queue, "jobDefinition": definition, "retryStrategy": RETRY}
    work = ["hypso", "work", "--plan", plan, "--shard"]
    top = f"hypso work --plan '{plan}' --shard {last} && hypso assemble --plan '{plan}'"
    many = {"arrayProperties": {"size": last}} if last > 1 else {}
    command = work if last > 1 else [*work, "0"]
    shards = client.submit_job(jobName="hypso-shards", containerOverrides={"command": command}, **many, **common)["jobId"]
    after = [{"jobId": shards}]
    archive = client.submit_job(
        jobName="hypso-top", dependsOn=after, containerOverrides={"command": ["sh", "-c", top]}, **common
    )["jobId"]
    return shards, archive


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    import boto3

    print(*submit(boto3.client("batch"), *sys.argv[1:]))
