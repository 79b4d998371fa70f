# The two commands a stranger needs. Each makes .venv first if it is missing or out of date.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check verify clean

demo: $(VENV)/installed  ## Install into .venv and run the shipped quickstart sweep.
	$(BIN)/clsweep run quickstart

test: $(VENV)/installed-dev check  ## Install into .venv and run every check and test.
	$(BIN)/python -m pytest

check: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

verify: $(VENV)/installed-dev  ## What takes long: the published numbers and the speed, as tables.
	$(BIN)/python benchmarks/reference_numbers.py
	$(BIN)/python benchmarks/published.py
	$(BIN)/python benchmarks/training_speed.py
	$(BIN)/python benchmarks/step_cost.py
	$(BIN)/python benchmarks/efficiency.py
	$(BIN)/python benchmarks/trial_overhead.py
	$(BIN)/python benchmarks/scale.py
	$(BIN)/python benchmarks/aggregate.py
	$(BIN)/python benchmarks/coverage.py
	$(BIN)/python benchmarks/chaos.py

clean:
	rm -rf $(VENV) build *.egg-info

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "clsweep needs Python 3.11 or newer; set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

# constraints.txt holds the versions that were tested together; pyproject.toml says what else may work.
$(VENV)/installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/installed-dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@
