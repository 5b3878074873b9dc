#!/bin/sh
# Installs GDAL's development files where they are missing, and what cargo needs to link them.
# With the argument --tests also the tools that tests compare with.
set -eu

tests=${1:-}
root=""
[ "$(id -u)" = 0 ] || root="sudo"

have() { command -v "$1" >/dev/null 2>&1; }

missing=""
have cc || missing="$missing cc"
{ have pkg-config && pkg-config --exists gdal; } || missing="$missing gdal"
if [ "$tests" = --tests ]; then
    have gdalinfo || missing="$missing gdal-tools"
    have python3 || missing="$missing python3"
    have jq || missing="$missing jq"
fi
[ -n "$missing" ] || exit 0
echo "installing what is missing:$missing" >&2

if [ -n "$root" ] && ! have sudo; then
    echo "error: not root, and there is no sudo; install GDAL's development files, pkg-config and a C compiler yourself" >&2
    exit 1
fi
if have apt-get; then
    packages="libgdal-dev pkg-config gcc libc6-dev"
    [ "$tests" = --tests ] && packages="$packages gdal-bin jq python3-gdal python3-venv python3-pip"
    export DEBIAN_FRONTEND=noninteractive
    $root apt-get update -q >&2
    # shellcheck disable=SC2086
    $root apt-get install -q -y --no-install-recommends $packages >&2
elif have brew; then
    brew install gdal pkg-config >&2
elif have dnf; then
    packages="gdal-devel pkgconf-pkg-config gcc"
    [ "$tests" = --tests ] && packages="$packages gdal jq python3-gdal python3-pip"
    # shellcheck disable=SC2086
    $root dnf install -y $packages >&2
else
    echo "error: no apt-get, brew or dnf here; install GDAL's development files (gdal.pc must be found by pkg-config)," >&2
    echo "       pkg-config and a C compiler, and run the same command again" >&2
    exit 1
fi
pkg-config --exists gdal || { echo "error: GDAL is installed, but pkg-config does not find gdal.pc; set PKG_CONFIG_PATH" >&2; exit 1; }
