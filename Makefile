# The verbs of the project. `make up` and `make test` are all that a newcomer needs.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
.DEFAULT_GOAL := help

.PHONY: help up test check format bench fuzz prove leakcheck moments soak golden clean

help:
	@echo "make up      build ztopo in a virtual environment and run examples/request_broker.ztopo (Ctrl-C stops it)"
	@echo "make test    install what the tests need and run them"
	@echo "make check   ruff, mypy, import layers, stubs, cython-lint, tests"
	@echo "make format  format the code"
	@echo "make bench   measure everything, for some hours; python -m tests.bench NAME for a part"
	@echo "make fuzz    look for an hour for inputs that go wrong (FUZZ_SECONDS=60 for a minute)"
	@echo "make prove   hold the model of messages to real sockets, over thousands of generated topologies"
	@echo "make leakcheck  start and stop thousands of devices, and look for what they left behind"
	@echo "make moments  end a running topology at every moment of its start, and look for what is left"
	@echo "make soak    count messages while devices are restarted, rewired, killed and stopped (SOAK_SECONDS=3600 for an hour)"
	@echo "make golden  write the expected outputs of the tests anew (read the diff)"

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# Built again when the core or the project file changes. What is installed for more serves for less.
CORE    := $(wildcard devcore/*.pyx devcore/*.pxd devcore/*.h)
SOURCES := $(BIN)/python pyproject.toml $(CORE)
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable

$(VENV)/installed: $(SOURCES)
	@echo "Building ztopo and installing it in $(VENV) ..."
	@$(INSTALL) .
	@touch $@

$(VENV)/testable: $(SOURCES)
	@echo "Building ztopo and installing it in $(VENV), with what the tests need ..."
	@$(INSTALL) '.[test]'
	@touch $(VENV)/installed $@

$(VENV)/developable: $(SOURCES)
	@echo "Building ztopo and installing it in $(VENV), with all that make check needs ..."
	@$(INSTALL) '.[dev]'
	@touch $(VENV)/installed $(VENV)/testable $@

# ztopo ends with 0 on Ctrl-C, so make has no error to report before it ends by the signal itself.
up: $(VENV)/installed
	@$(BIN)/ztopo up examples/request_broker.ztopo

# Two at a time: most of them wait for processes and sockets. What is in one file stays together.
test: $(VENV)/testable
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

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

# Guided by coverage where atheris installs, else by chance.
FUZZ_SECONDS ?= 3600

$(VENV)/fuzzable: $(VENV)/testable
	@$(INSTALL) '.[fuzz]' || echo "atheris does not install here: inputs are made by chance"
	@touch $@

fuzz: $(VENV)/fuzzable
	$(BIN)/python -m tests.fuzz fmt --examples 10000
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS)

prove: $(VENV)/testable
	$(BIN)/python -m tests.envelope

leakcheck: $(VENV)/testable
	$(BIN)/python -m tests.leakcheck
	ZTOPO_CORE=python $(BIN)/python -m tests.leakcheck 1000

moments: $(VENV)/testable
	$(BIN)/python -m tests.moments

soak: $(VENV)/testable
	$(BIN)/python -m tests.soak

golden: $(VENV)/testable
	$(BIN)/python -m pytest -q --golden

clean:
	rm -rf $(VENV) build dist *.egg-info devcore/*.c devcore/*.so
