# The verbs of the project. `make up` and `make test` are all that a newcomer needs.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
.DEFAULT_GOAL := help

.PHONY: help up test check format bench golden clean

help:
	@echo "make up      build ztopo in a virtual environment and run examples/request_broker.ztopo (Ctrl-C stops it)"
	@echo "make test    install what the tests need and run them"
	@echo "make check   ruff, mypy, import layers, stubs, cython-lint, tests"
	@echo "make format  format the code"
	@echo "make bench   measure"
	@echo "make golden  write the expected outputs of the tests anew (read the diff)"

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# Built again when the core or the project file changes.
CORE := $(wildcard devcore/*.pyx devcore/*.pxd devcore/*.h)

$(VENV)/installed: $(BIN)/python pyproject.toml $(CORE)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/testable: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

$(VENV)/developable: $(VENV)/testable
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

up: $(VENV)/installed
	@$(BIN)/ztopo up examples/request_broker.ztopo

test: $(VENV)/testable
	$(BIN)/python -m pytest -q

check: $(VENV)/developable
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/cython-lint devcore
	$(BIN)/python -m mypy.stubtest topo.devcore._core --allowlist tests/stubtest.allow
	$(BIN)/python -m pytest -q

format: $(VENV)/developable
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/testable
	$(BIN)/python -m tests.bench

golden: $(VENV)/testable
	$(BIN)/python -m pytest -q --golden

clean:
	rm -rf $(VENV) build dist *.egg-info devcore/*.c devcore/*.so
