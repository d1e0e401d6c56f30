# make demo      simulate a visit, reprocess it, compare with the truth, draw it
# make test      the whole test suite, with lint and types
# make install   .venv with .venv/bin/secondlight
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTHON ?=

.PHONY: install demo test lint clean
.DELETE_ON_ERROR:

install: $(STAMP)

# an environment that this machine's Python cannot run (moved, half made) is made anew
$(STAMP): pyproject.toml tools/find-python.sh
	@python=$$(PYTHON="$(PYTHON)" sh tools/find-python.sh install) || exit 1; \
	if ! $(BIN)/python -c 'import pip' >/dev/null 2>&1; then \
	    echo "making $(VENV) with $$python"; rm -rf $(VENV); "$$python" -m venv $(VENV); fi
	@echo "installing Second Light and what it needs into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=24"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(STAMP)

demo: $(STAMP)
	$(BIN)/secondlight demo --out demo --overwrite

test: $(STAMP) lint
	$(BIN)/python -m pytest -n auto --dist loadfile

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache
