# Two commands: `make postcards` paints a jungle, `make test` passes the tests. Both set up .venv
# first.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: postcards test unit coverage check fix docs smoke clean

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

# the wheel, as somebody else would install it: in an environment of its own, far from here
smoke: .venv/installed-dev
	$(BIN)/python tests/smoke.py

# torch first and alone: its exact version is the one that comes without gigabytes of GPU libraries
# on a CPU machine
.venv/torch: constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) install "$$(grep '^torch==' constraints.txt)" || $(PIP) install "torch>=2.11,<2.14"
	grep -v '^torch==' constraints.txt >.venv/constraints.txt
	touch $@

# Until 0.2.0 the distribution was called jungle. One of this checkout goes first: two would own the
# command, and the one that is removed later would take it along.
.venv/installed: .venv/torch pyproject.toml
	if grep -qsx '$(CURDIR)/src' .venv/lib/python3*/site-packages/_editable_impl_jungle.pth; \
	then $(PIP) uninstall --yes jungle; fi
	$(PIP) install --constraint .venv/constraints.txt --editable '.[faithful,print]'
	touch $@

.venv/installed-dev: .venv/installed
	$(PIP) install --constraint .venv/constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv build dist my-jungle my-jungle.zip
