# Everything runs inside .venv, which is made on first use from the tested set of versions.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Where the bounds are tested. PyPI's torch is a GPU build of gigabytes, hence a release by name.
TORCH ?= torch==2.13.0
BOUNDS := src tests/data tests/oracles tests/identities tests/laws/test_spec.py tests/laws/test_methods.py \
	tests/laws/test_metrics.py tests/laws/test_training_run.py tests/cli/test_report.py

.PHONY: help setup test test-slow test-machines test-lowest test-newest test-package lint format demo \
	bench docs clean

help:
	@echo "make setup      a virtual environment in .venv with the tested versions"
	@echo "make demo       train with and without pairs on dSprites, side by side on one page (minutes)"
	@echo "make test       lint, types, order of imports, and every test but the slow ones"
	@echo "make test-slow  the slow tests (tens of minutes)"
	@echo "make test-machines  the tests that train, by instruction set, threads and seed (hours)"
	@echo "make test-lowest, make test-newest   tests with the oldest and the newest packages allowed"
	@echo "make test-package   wheel and sdist, the demo and tests of what they install"
	@echo "make docs       the site in build/site, warnings are errors"
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

test-machines: setup
	$(BIN)/python -m tests.regressions.machines

# Both in environments of their own; PYTHON=python3.14 TORCH=torch where that is what is to be tested.
test-lowest:
	$(PYTHON) -m venv --clear .venv-lowest
	$(PYTHON) tests/lowest_versions.py > .venv-lowest/constraints.txt
	.venv-lowest/bin/python -m pip install --quiet -c .venv-lowest/constraints.txt '$(TORCH)' -e '.[test]'
	OMP_NUM_THREADS=1 .venv-lowest/bin/python -m pytest -n 2 -p no:cacheprovider $(BOUNDS)

test-newest:
	$(PYTHON) -m venv --clear .venv-newest
	.venv-newest/bin/python -m pip install --quiet --upgrade --upgrade-strategy eager '$(TORCH)' -e '.[test]'
	OMP_NUM_THREADS=1 .venv-newest/bin/python -m pytest -n 2 -p no:cacheprovider

# The wheel is built from the sdist; the demo runs with what a user gets, then come the tests' packages.
test-package:
	rm -rf dist && $(PYTHON) -m venv --clear .venv-package
	.venv-package/bin/python -m pip install --quiet build twine
	.venv-package/bin/python -m build --outdir dist
	.venv-package/bin/python -m twine check --strict dist/*
	.venv-package/bin/python -m pip install --quiet -c constraints.txt dist/*.whl
	cd $$(mktemp -d) && $(CURDIR)/.venv-package/bin/untwine demo --steps 200 --no-progress
	.venv-package/bin/python -m pip install --quiet -c constraints.txt "$$(echo dist/*.whl)[test]"
	.venv-package/bin/python -c 'import untwine; assert "site-packages" in untwine.__file__'
	OMP_NUM_THREADS=1 .venv-package/bin/python -m pytest -n 2 -p no:cacheprovider tests/data \
		tests/cli tests/laws/test_spec.py tests/laws/test_training_run.py

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

# The API reference is written into docs/api first; what is linked, drawn or set must be there.
docs: setup
	OMP_NUM_THREADS=1 $(BIN)/sphinx-build -W --keep-going -q -j 2 -c docs -b html . build/site
	@echo build/site/index.html

bench: setup
	$(BIN)/python benchmarks/data.py
	$(BIN)/python benchmarks/training_step.py
	$(BIN)/python benchmarks/metrics.py

clean:
	rm -rf $(VENV) dist .venv-lowest .venv-newest .venv-package .pytest_cache .mypy_cache .ruff_cache
