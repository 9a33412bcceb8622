# Needs a Python of 3.11 or newer, git and make; everything else goes into .venv.
.PHONY: demo paper-demo test lint ruff mypy imports tidy proof docs pictures clean install

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST_ARGS ?= -n auto --dist loadgroup
DURATION ?= 60s
NEWER := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	$$p -c '$(NEWER)' 2>/dev/null && { echo $$p; break; }; done)

demo: $(STAMP)
	$(BIN)/tradectl backtest configs/quickstart.yaml

# An exchange on this machine, a paper session against it, and the proof that its replay is the same; offline.
paper-demo: $(STAMP)
	$(BIN)/tradectl warmup
	@$(BIN)/tradectl sandbox --exchange binance --exchange kraken --rate 600 & server=$$!; \
	trap "kill $$server 2>/dev/null" EXIT; sleep 3; \
	$(BIN)/tradectl paper configs/paper_sandbox.yaml --duration $(DURATION) && $(BIN)/tradectl verify latest

test: $(STAMP)
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: ruff mypy imports tidy

ruff: $(STAMP)
	$(BIN)/ruff check

mypy: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports --no-logo

tidy: $(STAMP)
	$(BIN)/python -m pytest -n 0 tests/test_tidy.py

proof: $(STAMP)
	$(BIN)/python -m pytest -n 0 -m proof

docs: $(STAMP)
	$(BIN)/python -m tradectl.cli.docs

# Those of the README; needs Chromium.
pictures: $(STAMP)
	$(BIN)/python -m tests.pictures

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "no Python of 3.11 or newer with venv found; set PYTHON=/path/to/python"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --no-compile --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
