#!/bin/sh
# A nightly update: new surveys into the store, changed tiles into the archive, checked and put in use. For cron and systemd.
#
# HYPSO_DATA is the folder of hypso.toml and the rasters, HYPSO_OUT that of the outputs. The exit code is hypso's:
#   0  done           4   an alert: nothing was published, somebody should look
#   1  failed         75  not yet: try again later      130  interrupted: the next run goes on
set -eu
: "${HYPSO_DATA:?the folder of hypso.toml}" "${HYPSO_OUT:?the folder of outputs}"
cd "$HYPSO_OUT"

# Runs a step. An alert is remembered; all else that is not 0 ends the night.
alert=0
step() {
    code=0
    "$@" || code=$?
    case $code in
        0) ;;
        4) alert=4 ;;
        *) echo "nightly: $2 ended with exit code $code" >&2; exit "$code" ;;
    esac
}

# One night at a time: the next one waits for nothing and says "not yet".
exec 9>nightly.lock
flock -n 9 || exit 75

update=
[ ! -e terrain.hypso ] || update=--update
step hypso build $update -o terrain.hypso --config "$HYPSO_DATA/hypso.toml" --on-error skip --alert-skipped 1
update=
[ ! -e terrain.pmtiles ] || update=--update
step hypso aggregate $update terrain.hypso -o terrain.pmtiles --lineage --alert-empty 50
# What failed a rule is not put in use: somebody should look first. Rules are below [alerts] in hypso.toml.
[ "$alert" = 0 ] || exit "$alert"
# Verifies every tile, puts the version in use, and removes those that no rule keeps. Services name published/current/terrain.pmtiles.
step hypso publish terrain.pmtiles -o published
exit "$alert"
