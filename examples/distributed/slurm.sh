#!/bin/bash
# The shards of a plan on Slurm: arrays of tasks, then the coarse top and the archive.
#
#   hypso plan japan.hypso -o japan.pmtiles --shards 200 --export plan
#   examples/distributed/slurm.sh plan --cpus-per-task=4 --mem=4G        # what follows the plan goes to sbatch
#
# A task that ends with 75 (not yet), or was killed, goes back into the queue, five times at most.
set -euo pipefail
[ $# -gt 0 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 2; }
plan=$(realpath "$1")
shift
last=$(($(wc -l <"$plan/shards.jsonl") - 1))

# The script of a task around its commands.
task() {
    cat <<END
#!/bin/bash
jobs=\${SLURM_CPUS_PER_TASK:-1}
me=\$SLURM_JOB_ID
[ -z "\${SLURM_ARRAY_JOB_ID:-}" ] || me=\${SLURM_ARRAY_JOB_ID}_\$SLURM_ARRAY_TASK_ID
$1
code=\$?
case \$code in 75 | 137 | 143)
    if [ "\${SLURM_RESTART_COUNT:-0}" -lt 5 ] && scontrol requeue "\$me"; then sleep 60; fi ;;
esac
exit \$code
END
}

# Slurm counts the tasks of an array up to 1000, if nobody changed that.
waits=afterany
for ((offset = 0; offset < last; offset += 1000)); do
    size=$((last - offset < 1000 ? last - offset : 1000))
    waits+=:$(task "hypso work --plan '$plan' --shard --offset $offset --jobs \$jobs" |
        sbatch --parsable --requeue --job-name=hypso --array="0-$((size - 1))" "$@")
done
[ $last -gt 0 ] && dependency=(--dependency="$waits") || dependency=()
# `afterok` would wait for ever after one task that was put back.
task "hypso work --plan '$plan' --shard $last --jobs \$jobs && hypso assemble --plan '$plan' --jobs \$jobs" |
    sbatch --parsable --requeue --job-name=hypso-top "${dependency[@]}" "$@"
