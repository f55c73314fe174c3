# Everything runs inside .venv, which is made on first use from the tested set of versions.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help setup test test-slow lint format demo bench clean

help:
	@echo "make setup      a virtual environment in .venv with the tested versions"
	@echo "make demo       train beta-TCVAE on dSprites and open the way to its report (minutes)"
	@echo "make test       lint, types, order of imports, and every test but the slow ones"
	@echo "make test-slow  the slow tests (tens of minutes)"
	@echo "make bench      the benchmarks; results go to benchmarks/results"

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Untwine needs Python 3.11 or newer, this is " + sys.version)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(READY)

# Two processes of one thread each: tests are small, and threads that wait for each other cost more.
test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

test-slow: setup
	$(BIN)/python -m pytest -m slow

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

demo: setup
	$(BIN)/untwine demo

bench: setup
	$(BIN)/python benchmarks/data.py
	$(BIN)/python benchmarks/training_step.py
	$(BIN)/python benchmarks/metrics.py

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
