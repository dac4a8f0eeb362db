# The two commands of the README are `make run` and `make test`; `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export TOKENIZERS_PARALLELISM := true
export GX_ANALYTICS_ENABLED := False
export DVC_NO_ANALYTICS := 1
export DO_NOT_TRACK := 1
export PYTHONWARNINGS := ignore::DeprecationWarning
export DAGSTER_DISABLE_TELEMETRY := 1
export DAGSTER_HOME ?= $(CURDIR)/.dagster
# The UI listens on this machine alone; reports are served beside it, for links from its pages.
SMAR_UI_PORT ?= 3000
SMAR_REPORTS_PORT ?= 3001
SMAR_PORT ?= 8000

.PHONY: help run example home ui serve test whole browser test-daemon faults slow scale mutants tag check matrix graph env lock clean

help:  ## what each target does
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 12

# DVC looks for git; a download without it is told so, and told again when it has become a clone.
env: $(VENV)/.complete  ## the environment of requirements.lock in .venv; mends one that was moved
	@for folder in . studies; do \
	  if (cd $$folder && git rev-parse --git-dir) >/dev/null 2>&1; \
	  then ! grep -qs no_scm $$folder/.dvc/config.local || (cd $$folder && dvc config --local --unset core.no_scm); \
	  else grep -qs no_scm $$folder/.dvc/config.local || (cd $$folder && dvc config --local core.no_scm true); \
	  fi || exit 1; done

# The environment holds the path of the folder it was made in, and says which one that is.
MADE_IN := $(shell cat $(VENV)/.complete 2>/dev/null)
ifneq ($(MADE_IN),$(CURDIR))
.PHONY: $(VENV)/.complete
endif

$(VENV)/.complete: requirements.lock pyproject.toml dagster_dvc/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "smar needs Python 3.11 or newer; run: make PYTHON=/path/to/python3.11"; exit 1; }
	@test -e $@ && echo "Mending the environment in $(VENV) ..." \
	  || echo "Installing the environment into $(VENV) (about 2.5 GB, some minutes) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python .ci/move_environment.py $(VENV) >/dev/null
# What was only moved is already there as the lock says.
	@{ test $@ -nt requirements.lock && $(BIN)/python -c 'import importlib.util as u; u.find_spec("torch").origin'; } \
	  >/dev/null 2>&1 \
	  || $(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-index \
	  --no-build-isolation -e . -e ./dagster_dvc
	@$(BIN)/python -c 'import smar, torch, dvc, dagster_dvc' && pwd -P > $@

run: env  ## the whole pipeline on the embedded demo shop, its table, and three searches
	@dvc repro
	@echo && cat reports/evaluation/summary.txt
	@for query in "teal lamp" "dotted shirt" "usb c cable 2m"; do \
	  echo && smar search "$$query" -k 5; done
	@echo && echo "Report with pictures: reports/evaluation/index.html"

example: env  ## parameters for a real catalogue: NAME=fashion, electronics or grocery
	@test -f "examples/$(NAME).args" || { echo "make example NAME=...: one of $(notdir $(basename $(wildcard examples/*.args)))"; exit 2; }
	@folder=$$(sed -n 's/^-S ingest.folder=//p' "examples/$(NAME).args"); test -d "$$folder" || { \
	  echo "$$folder: not there, and nothing was changed. Put the catalogue there (docs/data.md says in which form)."; exit 2; }
	@xargs -a "examples/$(NAME).args" $(BIN)/dvc exp run

# Storage is a folder of the project, or the PostgreSQL database of SMAR_POSTGRES_URL.
home:
	@mkdir -p "$$DAGSTER_HOME/served" reports && ln -sfn "$$(pwd -P)/reports" "$$DAGSTER_HOME/served/reports"
# An instance that DAGSTER_HOME names in the environment keeps its own settings.
	@$(if $(filter file,$(origin DAGSTER_HOME)),cp,true) orchestration/$(if $(SMAR_POSTGRES_URL),dagster-postgres,dagster).yaml "$$DAGSTER_HOME/dagster.yaml"

ui: export SMAR_REPORTS_URL ?= http://127.0.0.1:$(SMAR_REPORTS_PORT)
ui: env home  ## Dagster's web page and daemon on this machine: assets, runs, schedules, sensors
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory "$$DAGSTER_HOME/served" \
	  $(SMAR_REPORTS_PORT) >"$$DAGSTER_HOME/reports.log" 2>&1 & server=$$!; \
	trap "kill $$server 2>/dev/null" EXIT INT TERM; \
	echo "http://127.0.0.1:$(SMAR_UI_PORT)  (stop with ctrl-c)"; \
	$(BIN)/dagster dev --host 127.0.0.1 --port $(SMAR_UI_PORT)

serve: env  ## search over HTTP from the current release, with its page: SMAR_PORT=8000
	@$(BIN)/smar serve --port $(SMAR_PORT)

test: env  ## the tests, two files at a time
	@HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

whole: env  ## the tests that run DVC, Dagster and trainings in processes of their own
	@HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "whole and not slow"

# Another browser: SMAR_BROWSER=/path/to/chromium.
browser: env  ## the page and shops' clients in a real browser, engines' published types; needs npm
	@command -v npm >/dev/null || echo "npm is not there: tests that need its packages are skipped"
	@! command -v npm >/dev/null || for folder in tests/browser tests/export; do (cd $$folder && { \
	  test node_modules/.package-lock.json -nt package-lock.json \
	  || npm ci --ignore-scripts --no-audit --no-fund --silent; }) || exit 1; done
	@HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m browser tests/browser tests/export

faults: env  ## break a small pipeline on purpose; SMAR_KILLS=50 for that many kill -9
	@HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -m faults tests/faults

mutants: env  ## break one line after the other and see that the tests notice (about a quarter of an hour)
	@HF_HUB_OFFLINE=1 $(BIN)/python -m tests.mutation

slow: env  ## the tests that take longer, with the whole calibration of drift; random examples that are new
	@HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -m slow
	@HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -m "hypothesis and not whole" --hypothesis-profile default

# `smar@v3` is for people; GTO and `dvc artifacts get` read versions of three numbers alone.
tag:  ## the git tags smar@vN and smar@vN.0.0 of the current release, after dvc.lock was committed
	@for suffix in "" .0.0; do \
	  git tag -a "smar@$$(readlink releases/current)$$suffix" \
	    -m "Release $$(readlink releases/current)" || exit 1; done
	@git tag -n1 -l "smar@$$(readlink releases/current)*"

test-daemon: env  ## the daemon for real: a day of log, and shoppers of a running service, become releases (minutes)
	@HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -m daemon tests/orchestration

check: env home  ## lint, format, types and Dagster's definitions
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -W ignore -m dagster definitions validate --log-level warning

scale: env  ## what each stage costs on made-up shops: SIZES="20000 100000" (docs/scale.md)
	@$(BIN)/python -m benchmarks.scale --items $(or $(SIZES),20000 100000) $(SCALE)

# Environments of their own: they need a package index, and some minutes each.
matrix:  ## the bridge's tests in environments of their own, in dagster_dvc/.matrix
	@PYTHON=$(PYTHON) dagster_dvc/ci/matrix.sh

graph: env  ## the code dependencies of dvc.yaml, from what the stages import
	@$(BIN)/python -m orchestration.graph

lock:  ## requirements.lock anew from requirements.in, in a fresh environment
	rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet -r requirements.in
	(sed -n '/^#/p' requirements.lock; .venv-lock/bin/pip freeze --all --exclude-editable \
	  | grep -v '^pip==' | sed 's/+cpu//') > requirements.new && mv requirements.new requirements.lock
	rm -rf .venv-lock

clean:  ## remove the environment and caches; data, models and reports stay
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache *.egg-info dagster_dvc/*.egg-info
