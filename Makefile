# Two commands matter: `make demo` and `make test`.  Each builds what it needs in .venv.

# The first Python on the path that is 3.11 or newer; or say which: make test PYTHON=...
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin

.PHONY: help demo test check-long release-check lint types reference docs clean

help:
	@echo 'make demo       simulate a heart study, analyse it, write the report to demo/'
	@echo 'make test       every check: style, types, import contract, tests, documentation code'
	@echo 'make check-long the long figures of robustness: hostile files, kills, damages; written to benchmarks/'
	@echo 'make lint       style and the import contract only'
	@echo 'make reference  write the generated pages of docs/reference again'
	@echo 'make docs       build the documentation as a web site in build/docs'
	@echo 'make release-check build the wheel, install it alone, run the small demo from it (PYTHON=python3.13 ...)'
	@echo 'make clean      remove .venv and everything that was built'

demo: .venv/core.stamp
	$(BIN)/opencmr demo -o demo --overwrite

# Four workers for two cores: many tests wait, for archives, kills and disks.
test: .venv/test.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n 4 -m "not long"

check-long: .venv/test.stamp
	$(BIN)/pytest -n 2 -m long
	$(BIN)/python benchmarks/fuzz.py -o benchmarks/fuzz.json
	$(BIN)/python benchmarks/kills.py -o benchmarks/kills.json
	$(BIN)/python benchmarks/damaged_studies.py -o benchmarks/damaged_studies.json
	$(BIN)/python benchmarks/node_kills.py -o benchmarks/node_kills.json

# What a stranger gets: nothing of this folder but the wheel, in an environment of its own.
release-check:
	rm -rf build/release
	$(PYTHON) -m venv build/release/venv
	build/release/venv/bin/pip wheel --quiet --no-deps --wheel-dir build/release .
	build/release/venv/bin/pip install --quiet build/release/opencmr-*.whl
	cd build/release && env -u PYTHONPATH venv/bin/python -P -m opencmr --version
	cd build/release && env -u PYTHONPATH venv/bin/opencmr demo --small -o demo -q
	test -s build/release/demo/report.html && test -s build/release/demo/measurements.json

lint: .venv/test.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: .venv/test.stamp
	$(BIN)/mypy

reference: .venv/test.stamp
	$(BIN)/python docs/reference/make_reference.py

docs: .venv/test.stamp
	$(BIN)/pip install --quiet -e '.[docs]'
	$(BIN)/sphinx-build -q -b html docs build/docs

# The environment: core and PDF first (all that `make demo` needs: no torch), then what tests need.
.venv/core.stamp: pyproject.toml
	@test -n '$(PYTHON)' || { echo 'opencmr needs Python 3.11 or newer on the path' >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -e '.[pdf]'
	@touch $@

# torch goes first and alone: resolved together with others, its version could move.
.venv/test.stamp: .venv/core.stamp
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet -e '.[train,dev]'
	@touch $@

clean:
	rm -rf .venv build dist demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
