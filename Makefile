# Each target makes .venv and installs the package on its own when needed.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check bench notebook clean install

install: $(READY)

$(READY): pyproject.toml constraints.txt $(wildcard src/idiolect/engine/kernels/*.[ch])
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not there: install Python 3.11, or name another with make PYTHON=python3"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $@

demo: $(READY)
	$(BIN)/idiolect demo --out demo-out

test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report=term:skip-covered

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(MAKE) test

bench: $(READY)
	$(BIN)/python -m benchmarks

clean:
	rm -rf demo-out notebook-out .pytest_cache .ruff_cache .hypothesis .coverage htmlcov build dist
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

notebook: $(READY)
	$(BIN)/python -m benchmarks.notebook
