# Everything runs from here. `make help` lists the targets.
SHELL := /bin/bash
# Empty: Debian's own, or the first python3 of PATH.
PYTHON ?=
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
COLLECTIONS := $(CURDIR)/.collections
export ANSIBLE_COLLECTIONS_PATH := $(COLLECTIONS)
export PYTHONPATH := $(CURDIR)/tests
export PYTHONDONTWRITEBYTECODE := 1
# A file is told by one worker, from its beginning. The order given stays: long stories first, short tests fill up the end.
# A story waits for its lab a third of the time, so that three keep two cores busy.
SIDE_BY_SIDE := -q -rs -n 3 --dist loadfile --no-loadscope-reorder

.PHONY: help setup setup-tests lab lab-down demo test unit integration benchmark lint sanity build release-check test-matrix clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

setup:  ## Install what the lab and the tests need (Debian packages, a venv, kubernetes.core)
	@tests/tools/setup.sh "$(PYTHON)"

setup-tests:  ## Install that, and what only some of the tests need (Chromium)
	@tests/tools/setup.sh "$(PYTHON)" tests/packages-of-tests.txt

lab: setup  ## Start the lab and leave it running
	@$(BIN)/python -m lab up

lab-down:  ## Stop exactly what `make lab` started
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m lab down; else echo "No lab is running: nothing is installed here."; fi

demo: setup  ## Convert a cluster, prove it, and bring it back, in front of your eyes
	@tests/tools/demo.sh

test: setup-tests  ## Everything: lint, sanity, unit tests, integration stories on the lab
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint sanity
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) tests/integration tests/unit

unit: setup  ## Unit tests only
	@$(BIN)/python -m pytest -q -rs tests/unit

integration: setup-tests  ## Integration stories on the lab only
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) tests/integration

benchmark: setup  ## What docs/performance.md measures: minutes to an hour, so no part of `make test`
	@$(BIN)/python -m benchmark cluster
	@$(BIN)/python -m benchmark mirroring

lint: setup  ## ansible-lint, production profile
	@tests/tools/lint.sh

sanity: setup  ## ansible-test sanity
	@tests/tools/sanity.sh

build:  ## Build the collection's tarball
	@$(BIN)/ansible-galaxy collection build --force

release-check: setup  ## What a maintainer checks before a release: changelog, documentation, galaxy-importer
	@tests/tools/release-check.sh

test-matrix: setup  ## Every Python at hand with every ansible-core from 2.16 on: an hour, so no part of `make test`
	@$(BIN)/python tests/release/matrix.py $(MATRIX)

clean: lab-down  ## Remove what setup installed in this directory
	rm -rf $(VENV) .cache .collections
