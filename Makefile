# make demo      simulate a visit, reprocess it, compare with the truth, draw it
# make test      the whole test suite, with lint and types
# make bench     speed and memory of one CCD, beside other packages; make bench-scaling: against sources and pixels
# make install   .venv with .venv/bin/secondlight
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTHON ?=
BENCH := $(VENV)/.bench
# pages whose tables the benchmarks replace: make bench WRITE='docs/performance.md README.md'
WRITE ?=
# a folder with recorded runs, whose scene "small" is deblended, too
REFERENCE ?=

.PHONY: install demo test lint bench bench-scaling clean
.DELETE_ON_ERROR:

install: $(STAMP)

# an environment that this machine's Python cannot run (moved, half made) is made anew
$(STAMP): pyproject.toml tools/find-python.sh
	@python=$$(PYTHON="$(PYTHON)" sh tools/find-python.sh install) || exit 1; \
	if ! $(BIN)/python -c 'import pip' >/dev/null 2>&1; then \
	    echo "making $(VENV) with $$python"; rm -rf $(VENV); "$$python" -m venv $(VENV); fi
	@echo "installing Second Light and what it needs into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=24"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' --editable ./drp_tasks
	@touch $(STAMP)

demo: $(STAMP)
	$(BIN)/secondlight demo --out demo --overwrite

test: $(STAMP) lint
	$(BIN)/python -m pytest -n auto --dist loadfile

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(BENCH): $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $(BENCH)

bench: $(BENCH)
	$(BIN)/python -m benchmarks.ccd $(if $(WRITE),--write $(WRITE))
	$(BIN)/python -m benchmarks.deblending $(if $(REFERENCE),--reference $(REFERENCE)) $(if $(WRITE),--write $(WRITE))

bench-scaling: $(BENCH)
	$(BIN)/python -m benchmarks.scaling $(if $(WRITE),--write $(WRITE))

clean:
	rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache benchmarks/.scenes
