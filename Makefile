# What a newcomer needs: `make demo` shows what Facet does, `make test` proves it. Both set themselves up.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
REQUIRE_PROGRAMS ?= 0
KILLS ?= 1000
CUTS ?= 10000
CHANGES ?= 100000
HISTORIES ?= 1000
TIER_FAULTS ?= 1000
SECONDS ?= 0
FUZZ ?= 3600
BENCH ?= short
PROGRAMS := nginx curl jq chromium gcc redis-server nodejs npm ruby rclone restic s3cmd duplicity php:php-cli
LIBRARIES := libc6-dev ruby-aws-sdk-s3 python3-boto3

export PATH := $(PATH):/usr/sbin:/sbin
PY := $(VENV)/bin/python

.PHONY: help demo test bench soak check programs lock docs clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

demo: $(VENV)/.run ## upload pictures, read their variants as four kinds of client, show a gallery (ARGS=--once: only the table)
	@$(PY) -m demo.run $(ARGS)

test: $(VENV)/.test programs check ## style, types, floors and all tests (ARGS: further pytest arguments)
	@FACET_REQUIRE_PROGRAMS=$(REQUIRE_PROGRAMS) $(PY) -m pytest $(ARGS)

bench: $(VENV)/.test ## measure beside nginx, Varnish and others, write docs/benchmarks.md (BENCH=short|full; ARGS: sections, --peer NAME=URL)
	@$(MAKE) --no-print-directory programs PROGRAMS="nginx wrk $$(command -v varnishd >/dev/null || echo varnish)"
	@$(PY) -m bench --$(BENCH) $(ARGS)

soak: $(VENV)/.test ## faults at length: kills, power cuts, shared bodies, broken pictures (KILLS, CUTS, CHANGES, HISTORIES, TIER_FAULTS, SECONDS, FUZZ); goes on where it was
	@$(PY) -m tests.faults.soak --kills $(KILLS) --cuts $(CUTS) --changes $(CHANGES) \
	    --histories $(HISTORIES) --tier-faults $(TIER_FAULTS) --seconds $(SECONDS)
	@$(PY) -m bench.fuzz --seconds $(FUZZ) --first $$(date +%s) --keep build/findings
	@$(PY) -m bench.audience

check: $(VENV)/.test ## style, types and floors only
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check --quiet .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports

docs: $(VENV)/.run ## write the generated pages again (docs/configuration.md, docs/s3.md, facet.example.toml)
	@$(PY) -m conf.pages
	@$(PY) -m origin.pages

lock: ## pin the newest allowed versions of all dependencies (needs uv)
	@uv -q pip compile pyproject.toml --group build --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-header --no-annotate -o requirements.lock
	@uv -q pip compile pyproject.toml --group build --group dev --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-header --no-annotate -o requirements-dev.lock

clean: ## remove the virtual environment and caches
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist

# A stamp for each set of locked dependencies, so that nothing is installed twice.
$(VENV)/.run: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing the locked dependencies into $(VENV) ..."
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.test: requirements-dev.lock $(VENV)/.run
	@echo "Installing the locked test dependencies into $(VENV) ..."
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "Facet needs Python 3.11 or newer; name one with: make PYTHON=python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { rm -rf $(VENV); \
	    if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	        apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null && $(PYTHON) -m venv $(VENV); \
	    else echo "Python's venv module is missing; install it with: sudo apt-get install python3-venv" >&2; exit 1; fi; }

# The system programs that some tests drive, with their package where it has another name. RUNLEVEL=1 keeps Debian from starting the services it installs.
programs:
	@missing=""; for program in $(PROGRAMS); do \
	    command -v $${program%%:*} >/dev/null || missing="$$missing $${program##*:}"; done; \
	if [ -n "$$missing" ]; then \
	    if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	        echo "Installing$$missing ..."; apt-get update -qq; \
	        RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing $(LIBRARIES) >/dev/null; \
	    else echo "Not installed:$$missing. Tests that need them are skipped; sudo apt-get install$$missing" >&2; fi; fi
