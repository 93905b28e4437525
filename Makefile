# Two commands: `make postcards` paints a jungle, `make test` passes the tests. Both set up .venv first.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: postcards test unit coverage check fix docs clean

postcards: .venv/installed
	$(BIN)/jungle make --out my-jungle

# toy networks, and two test processes: threads would only wait for each other
test unit coverage: export OMP_NUM_THREADS = 1

test: .venv/installed-dev unit
	$(BIN)/python -m pytest -m slow -n 2 --dist loadfile

unit: .venv/installed-dev
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist worksteal

coverage: .venv/installed-dev
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist worksteal --cov --cov-report=term --cov-fail-under=90

check: .venv/installed-dev
	$(BIN)/ruff format --check src tests benchmarks examples docs
	$(BIN)/ruff check src tests benchmarks examples docs
	$(BIN)/mypy

fix: .venv/installed-dev
	$(BIN)/ruff format src tests benchmarks examples docs
	$(BIN)/ruff check --fix src tests benchmarks examples docs

docs: .venv/installed-dev
	$(BIN)/python docs/make_cli.py
	$(BIN)/python docs/make_schema.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

# torch first and alone: its exact version is the one that comes without gigabytes of GPU libraries on a CPU machine
.venv/torch: constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) "$$(grep '^torch==' constraints.txt)" || $(PIP) "torch>=2.11,<2.14"
	grep -v '^torch==' constraints.txt >.venv/constraints.txt
	touch $@

.venv/installed: .venv/torch pyproject.toml
	$(PIP) --constraint .venv/constraints.txt --editable '.[faithful,print]'
	touch $@

.venv/installed-dev: .venv/installed
	$(PIP) --constraint .venv/constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv build dist my-jungle my-jungle.zip
