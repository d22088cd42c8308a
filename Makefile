# Two commands do all the set-up: `make demo` and `make test`. They need Python 3.11 with venv and pip, make and git.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO ?= demo-release

.PHONY: help demo test lint docs lock clean fuzz twin bench bench-scale
.DEFAULT_GOAL := help

help:  ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/installed: pyproject.toml requirements-dev.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

demo: $(VENV)/installed  ## make a synthetic release candidate in demo-release/ and take it through the gate
	rm -rf $(DEMO)
	$(BIN)/pedicxr-release demo $(DEMO)/candidate --images 40 --seed 1
	$(BIN)/pedicxr-release validate $(DEMO)/candidate
	$(BIN)/pedicxr-release stats $(DEMO)/candidate
	$(BIN)/pedicxr-release package $(DEMO)/candidate $(DEMO)/out

test: $(VENV)/installed  ## run all tests
	$(BIN)/python -m pytest -n auto

lint: $(VENV)/installed  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/installed  ## build the documentation, strictly, in build/site
	$(BIN)/python scripts/reference.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

lock:  ## renew requirements-dev.lock from pyproject.toml
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet uv
	build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --extra dev --no-emit-index-url --no-header pyproject.toml -o requirements-dev.lock

clean:  ## remove everything that was made
	rm -rf $(VENV) build dist $(DEMO) .pytest_cache .mypy_cache .ruff_cache

fuzz: $(VENV)/installed  ## fuzz examine for SECONDS (default 120); fails on a traceback, a hang or too much memory
	$(BIN)/python -m tests.fuzz.examine --seconds $(or $(SECONDS),120)

twin: $(VENV)/installed  ## make the full-size twin (1.4 GB) and assert that Table 3 equals the paper's in every cell
	rm -rf build/twin && mkdir -p build/twin
	TWIN=build/twin $(BIN)/python -m pytest tests/e2e/test_twin.py

bench: $(VENV)/installed  ## measure the gate against limit and peers, into docs/performance.md; examine, tables, HTML
	$(BIN)/python benchmarks/gate.py --write docs/performance.md
	$(BIN)/python benchmarks/examine_parts.py
	$(BIN)/python benchmarks/tables.py
	$(BIN)/python benchmarks/report_page.py

bench-scale: $(VENV)/installed  ## measure up to 1,000,000 images as records, and 100,000 real small files
	$(BIN)/python benchmarks/scale.py --write docs/performance.md
