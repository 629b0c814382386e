# make quickstart   set up, and run the main job on the embedded default
# make test         set up, and pass the tests
# make setup        only set up: .venv from requirements.lock
# make test-long    the tests that take longer
# make test-slurm   the profile of clusters on a real SLURM of this machine (root; installs Debian's)
# make rehearsal    the whole paper's design on a tiny random model: everything but the science
# make bench        every comparison with what a user would take instead, and their table: half an hour
# make bench-scale  what planning takes at 1,000 to 50,000 cells
# make lint         what CI checks besides the tests
# make docs         the site of docs/, into site/; make docs-serve shows it while you write
# make format       rewrite what lint would complain about
# make schema       the JSON Schema of the config, after a change of workflow/pinch/config.py
# make lock         requirements.lock, after a change of pyproject.toml
# make reproduce    check a finished run against its manifests: CONFIG=config.yaml, RERUN=2 generates two cells anew
# make clean        remove the environment and what the tools leave; results and .cache/pinch stay

SHELL := /bin/bash
VENV ?= .venv
# The first Python on the PATH that the lock is for.
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
BIN := $(VENV)/bin
CORES ?= all

.PHONY: help setup quickstart test test-long test-slurm rehearsal bench bench-scale docs docs-serve lint format schema lock reproduce clean

help:
	@sed -n 's/^# \(make\)/\1/p' Makefile

$(VENV)/.ready: requirements.lock
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11, 3.12 or 3.13 found; install one, or say make PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@# The locked pip first: an old one builds some packages in a way that it warns about itself.
	$(BIN)/python -m pip install --disable-pip-version-check --quiet "$$(grep '^pip==' requirements.lock)"
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --requirement requirements.lock
	@# So that `python -m pinch` works in the environment, from any directory.
	@echo "$(CURDIR)/workflow" > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/pinch.pth"
	touch $@

setup: $(VENV)/.ready

quickstart: setup
	$(BIN)/snakemake --cores $(CORES)

test: setup
	$(BIN)/python -m pytest

test-long: setup
	$(BIN)/python -m pytest -m long

test-slurm: setup
	tests/slurm/cluster.sh install
	$(BIN)/python -m pytest -m slurm

# One core a job: the tiny model has no use for more.
rehearsal: setup
	$(BIN)/python -m pinch rehearse experiments/paper.yaml --output results/rehearsal
	$(BIN)/snakemake --cores $(CORES) --set-threads base_model=1 finetune=1 generate=1 --configfile results/rehearsal/config.yaml

bench: setup
	PYTHONPATH=workflow $(BIN)/python benchmarks/bench.py $(COMPARISONS)

bench-scale: setup
	PYTHONPATH=workflow $(BIN)/python benchmarks/scale.py

# The generated pages, then the site; a broken link ends it.
docs: setup
	PYTHONPATH=workflow $(BIN)/python docs/hooks/reference.py
	$(BIN)/properdocs build --strict --quiet

docs-serve: docs
	$(BIN)/properdocs serve

lint: setup
	$(BIN)/ruff format --check workflow tests benchmarks docs/hooks
	$(BIN)/ruff check workflow tests benchmarks docs/hooks
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint
	$(BIN)/mypy
	$(BIN)/properdocs build --strict --quiet

format: setup
	$(BIN)/ruff format workflow tests benchmarks docs/hooks
	$(BIN)/ruff check --fix workflow tests benchmarks docs/hooks
	$(BIN)/snakefmt Snakefile workflow

schema: setup
	PYTHONPATH=workflow $(BIN)/python -m pinch schema workflow/schemas/config.schema.json

# Exact versions for Python 3.11 to 3.13. What torch brings along for GPUs is left to torch, which pins it itself:
# so a CPU build of the same version can be put in its place. The first pass finds out what that is.
COMPILE = $(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --quiet --no-header --no-annotate
lock: setup
	$(BIN)/python -m pip install --quiet uv
	$(COMPILE) --output-file requirements.lock
	$(COMPILE) --output-file requirements.lock \
		$$(grep -hoE '^(nvidia|cuda)-[a-z0-9-]+|^triton' requirements.lock | sed 's/^/--no-emit-package /')

CONFIG ?= config.yaml
RERUN ?= 0
reproduce: setup
	$(BIN)/python -m pinch reproduce $(CONFIG) --rerun $(RERUN)

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
