# Two commands are all a fresh machine needs:
#
#   make demo    set up, train an LSTM on 235 years of sunspots, draw its forecasts
#   make test    set up, then every check there is; the tests come last
#
# PYTHON=python3.12 make test  uses another interpreter (3.10 or newer).
# PIP_ARGS and PYTEST_ARGS are handed on to pip and pytest.

PYTHON ?= python3
PIP_ARGS ?=
PYTEST_ARGS ?= -n auto --dist worksteal

VENV := .venv
BIN := $(VENV)/bin
DEMO := runs/demo
# pip tells a lot, and what matters only after much else: it goes to a file.
LOG := $(VENV)/install.log
# Half of the time would go into bytecode of modules that are never imported. Others are
# compiled when they first are, and many processes import the same.
unexport PYTHONDONTWRITEBYTECODE
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --no-compile \
    --progress-bar off $(PIP_ARGS) -c constraints.txt
INSTALL_FAILED = { grep -E -A 4 '^ERROR|conflict is caused by' $(LOG); \
    echo "Installing failed; the whole story is in $(LOG)."; exit 2; } >&2
SPHINX := $(BIN)/sphinx-build -W --keep-going --nitpicky -q -d docs/_build/doctrees

# pyright carries what it needs; without this it asks a registry for news first.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
# Several processes test at once, each with one thread; tests of threads ask for theirs.
# Threads that wait by turning round would take the cores from those that work.
export OMP_WAIT_POLICY ?= passive
# No window and no display is needed for any picture.
export MPLBACKEND := Agg

.PHONY: help demo test lint types docs study format clean
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
ifndef SIDE_BY_SIDE
.NOTPARALLEL:
endif
# The make of macOS has no such option.
SYNC := $(if $(filter output-sync,$(.FEATURES)),--output-sync)

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | sed -n '1,7p'
	@echo
	@echo "make study   train the sunspot forecaster anew, write the README's figures"
	@echo "make docs    build the pages and run their examples"
	@echo "make format  let ruff format the code and mend what it can"
	@echo "make clean   remove everything that the other commands made, runs excepted"

# A finished run is shown, not trained again; an interrupted one is resumed.
demo: $(VENV)/demo.stamp
	@$(BIN)/cellwright train sunspots --out $(DEMO) --resume
	@echo
	@echo "Everything about this run is in $(DEMO)/:"
	@ls $(DEMO)
	@echo "The pictures: $(DEMO)/forecast.png and $(DEMO)/curves.png"

# What reads the code takes one core each, so it is done side by side.
test: $(VENV)/dev.stamp
	@$(MAKE) --no-print-directory $(SYNC) -j2 SIDE_BY_SIDE=1 types docs lint
	@echo "== pytest"
	@OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/dev.stamp
	@echo "== ruff check"
	@$(BIN)/ruff check --quiet --no-cache .
	@echo "== ruff format --check"
	@$(BIN)/ruff format --quiet --check .
	@echo "== import-linter"
	@$(BIN)/lint-imports --no-logo

types: $(VENV)/dev.stamp
	@echo "== pyright"
	@$(BIN)/pyright --pythonpath $(BIN)/python

docs: $(VENV)/dev.stamp
	@echo "== docs"
	@$(SPHINX) -b html docs docs/_build/html
	@$(SPHINX) -b doctest docs docs/_build/doctest
	@echo "The first page: docs/_build/html/index.html"

study: $(VENV)/demo.stamp
	@$(BIN)/python studies/sunspots.py

format: $(VENV)/dev.stamp
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

clean:
	rm -rf $(VENV) docs/_build build dist .hypothesis .pytest_cache .ruff_cache \
	    .import_linter_cache
	find src tests docs -name __pycache__ -type d -prune -exec rm -rf {} +

# Set-up is skipped while neither file below has changed since the last one.
$(VENV)/demo.stamp: pyproject.toml constraints.txt | $(BIN)/python
	@echo "== installing cellwright into $(VENV), torch with it: a few minutes"
	@$(INSTALL) -e . >$(LOG) 2>&1 || $(INSTALL_FAILED)
	@touch $@

$(VENV)/dev.stamp: pyproject.toml constraints.txt | $(BIN)/python
	@echo "== installing cellwright and its tools into $(VENV): a few minutes"
	@$(INSTALL) -e '.[dev]' >$(LOG) 2>&1 || $(INSTALL_FAILED)
	@touch $@ $(VENV)/demo.stamp

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { \
	    echo "There is no $(PYTHON) here. Install Python 3.10 or newer, or name" \
	        "yours: make PYTHON=/path/to/python3"; exit 2; } >&2
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	    echo "$(PYTHON) is $$($(PYTHON) --version 2>&1); cellwright needs 3.10 or" \
	        "newer. Name another: make PYTHON=python3.12"; exit 2; } >&2
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "$(PYTHON) cannot make virtual environments: its venv module is not" \
	        "complete. On Debian and Ubuntu: apt-get install python3-venv"; \
	    exit 2; } >&2
	@echo "== making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
