#!/usr/bin/env bash
# All measurements of a machine with a GPU in one call of less than 10 minutes, without network; prints one table.
#
#   benchmarks/gpu.sh prepare DIR [PACKAGE ...]   with network: wheels for this Python into DIR (all of requirements.lock
#                                                 and what only benchmarks need, unless packages are named)
#   benchmarks/gpu.sh DIR                         without: an environment from DIR, then all measurements
#   benchmarks/gpu.sh                             with the Python on the PATH, which has everything already
#   benchmarks/gpu.sh --tiny [DIR]                the same path with a tiny model, on a CPU: whether the script works
#
# PYTHON names another Python; for a machine with another one than this: PIP_PYTHON_VERSION=3.12, as pip download takes it.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
LIMIT=${LIMIT:-570} # seconds, of the measurements

if [ "${1:-}" = prepare ]; then
  directory=${2:?"benchmarks/gpu.sh prepare DIR: which folder?"}
  shift 2
  packages=("$@")
  if [ "${#packages[@]}" -eq 0 ]; then
    packages=(--requirement requirements.lock bitsandbytes)
  fi
  options=(--only-binary=:all:)
  if [ -n "${PIP_PYTHON_VERSION:-}" ]; then
    # pip matches platforms literally: the tags of the wheels that the lock's packages have.
    for glibc in 28 27 24 17 12 5; do options+=(--platform "manylinux_2_${glibc}_x86_64"); done
    options+=(--platform manylinux2014_x86_64 --platform manylinux2010_x86_64 --platform manylinux1_x86_64)
  fi
  "$PYTHON" -m pip download --disable-pip-version-check --quiet "${options[@]}" --dest "$directory" "${packages[@]}"
  echo "gpu.sh: $(find "$directory" -name '*.whl' | wc -l) wheels, $(du -sh "$directory" | cut -f1) in $directory"
  exit
fi

tiny=
if [ "${1:-}" = --tiny ]; then
  tiny=yes
  shift
fi
if [ -n "${1:-}" ]; then
  directory=$(cd "$1" && pwd)
  environment=$(mktemp -d)
  trap 'rm -rf "$environment"' EXIT
  "$PYTHON" -m venv "$environment"
  PYTHON=$environment/bin/python
  wheels=("$directory"/*.whl)
  "$PYTHON" -m pip install --disable-pip-version-check --quiet --no-index --no-deps "${wheels[@]}"
fi
export PYTHONPATH="$PWD/workflow${PYTHONPATH:+:$PYTHONPATH}" HF_HUB_OFFLINE=1
output=${OUT:-benchmarks/results}
if [ -n "$tiny" ]; then
  "$PYTHON" benchmarks/bench.py chain --output "$output"
  cat "$output"/cpu.md
  exit
fi
"$PYTHON" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' || {
  echo "gpu.sh: torch finds no GPU here; benchmarks/gpu.sh --tiny tries the script on a CPU" >&2
  exit 1
}
# What is most worth knowing comes first; the table is written anew after each, so nothing is lost at the limit.
timeout "$LIMIT" "$PYTHON" benchmarks/bench.py chain training memory generation local_judge --output "$output" ||
  echo "gpu.sh: not all of it was measured, see above" >&2
cat "$output"/gpu.md
