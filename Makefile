# Two commands matter: `make demo` shows the product at work, `make test` proves it. Both set up what they need.
#
# Everything is installed into .venv/ and .venv-clients/ of this clone, from locks with hashes. A stamp file in each
# environment says which lock it was built from, so a second `make` starts at once; `make clean` starts over.
# A Python of your choice: make demo PYTHON=python3.13

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$p"; exit 0; }; \
	done; echo python3)
SCENARIO ?= drift-long
PYTEST_ARGS ?=
DRILL_ARGS ?=
TORTURE_ARGS ?= --seconds 240
PLANT_ARGS ?=

BIN := .venv/bin
PIP_INSTALL := -m pip --disable-pip-version-check --no-input --quiet --quiet install
RUN_STAMP := .venv/.stamp-run
DEV_STAMP := .venv/.stamp-dev
CLIENTS_STAMP := .venv-clients/.stamp
UV := .venv-lock/bin/uv

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test check format bench drills torture plants model lock clean

help:
	@echo "make demo     set up, then heal one drift end to end (SCENARIO=drift-long|drift-short|partial|flip|deficit|deadlock|"
	@echo "              liquidation|adl|manual-close|hedge|missed-fill|first-start|large|foreign-order)"
	@echo "make test     set up, then run the tests (PYTEST_ARGS='-k hold' for some of them)"
	@echo "make check    ruff, mypy --strict, import-linter, the house rules"
	@echo "make bench    latency and throughput beside those of bare code, as JSON"
	@echo "make drills   kill at every side effect, fail in every way, judge by the exchange's book (DRILL_ARGS='--only power')"
	@echo "make model    explore a model of the protocol whole, with SPIN; plant mistakes and find them (ALL=1 for the long searches)"
	@echo "make torture  play histories in a deterministic world for four minutes (TORTURE_ARGS='--schedules 5000 --seed 1')"
	@echo "make plants   plant each known bug, one at a time, and play histories until the oracle sees it"
	@echo "make format   let ruff format and fix what it can"
	@echo "make lock     resolve requirements/*.in into locks with hashes (UPGRADE=1 to move to newer versions)"
	@echo "make clean    remove the environments and caches of this clone"

setup: $(RUN_STAMP)

demo: $(RUN_STAMP)
	$(BIN)/holdfast demo --scenario $(SCENARIO)

test: $(DEV_STAMP) $(CLIENTS_STAMP)
ifeq ($(strip $(PYTEST_ARGS)),)
	$(BIN)/python .ci/halves.py
else
	$(BIN)/python -m pytest $(PYTEST_ARGS)
endif

check: $(DEV_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/house_rules.py

format: $(DEV_STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(RUN_STAMP)
	$(BIN)/holdfast bench --json

torture: $(RUN_STAMP)
	$(BIN)/holdfast torture $(TORTURE_ARGS)

drills: $(RUN_STAMP)
	$(BIN)/holdfast drill --json $(DRILL_ARGS)

# Installs nothing: Python alone runs it, and it says what is missing (SPIN and a C compiler).
model:
	@"$(PYTHON)" model/explore.py $(if $(ALL),--all)

plants: $(RUN_STAMP)
	$(BIN)/python -m holdfast.lab.torture.plants $(PLANT_ARGS)

clean:
	rm -rf .venv .venv-clients .venv-lock dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './.venv*' -prune -exec rm -rf {} +

# --- environments ---------------------------------------------------------------------------------------------
# new_venv DIR: make the environment unless a working one of a fitting version stands there.
define new_venv
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Holdfast needs Python 3.11 or newer; '$(PYTHON)' is $$("$(PYTHON)" -V 2>&1 || echo missing)." >&2; \
	  echo "Name a newer one: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(1)/bin/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Setting up $(1) (once) ..." >&2; rm -rf $(1); "$(PYTHON)" -m venv $(1) || { \
	  echo "'$(PYTHON)' cannot make virtual environments (on Debian and Ubuntu: apt install python3-venv)." >&2; \
	  rm -rf $(1); exit 1; }; }
endef

$(RUN_STAMP): requirements/run.txt pyproject.toml
	$(call new_venv,.venv)
	@rm -f $(DEV_STAMP)
	@$(BIN)/python $(PIP_INSTALL) --require-hashes -r requirements/run.txt
	@$(BIN)/python $(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV_STAMP): requirements/dev.txt $(RUN_STAMP)
	@echo "Adding the test tools to .venv ..." >&2
	@$(BIN)/python $(PIP_INSTALL) --require-hashes -r requirements/dev.txt
	@touch $@

$(CLIENTS_STAMP): requirements/clients.txt
	$(call new_venv,.venv-clients)
	@echo "Adding the exchange clients that test the simulator to .venv-clients ..." >&2
	@.venv-clients/bin/python $(PIP_INSTALL) --require-hashes -r requirements/clients.txt
	@touch $@

# --- locks ----------------------------------------------------------------------------------------------------
# No header, no index address: a lock names packages and hashes, never where they were found.
lock: $(UV)
	@for name in run dev clients; do \
	  $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --no-annotate --no-header $(if $(UPGRADE),--upgrade) \
	    --output-file requirements/$$name.txt requirements/$$name.in || exit 1; \
	done

$(UV): requirements/lock.txt
	$(call new_venv,.venv-lock)
	@.venv-lock/bin/python $(PIP_INSTALL) --require-hashes -r requirements/lock.txt
	@touch $@
