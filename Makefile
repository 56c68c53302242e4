# Every target does its own set-up: virtual environment, install, run. The second time it only runs.
# Other Python or folder: make test PYTHON=python3.12 VENV=/somewhere/venv
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
INPUTS := pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test slow learn lint format clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.run ## install, then compare strategies and market designs on generated days
	$(BIN)/stacking demo

test: $(VENV)/.test ## install, then run all tests but the slow ones
	$(BIN)/python -m pytest -q

slow: $(VENV)/.test ## install, then run the slow tests
	$(BIN)/python -m pytest -q -m slow

learn: $(VENV)/.rl ## install what learning needs (torch), so that its tests run too

lint: $(VENV)/.dev ## install, then check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(VENV)/.dev ## install, then mend style and format where that is safe
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove the virtual environment and build folders
	rm -rf .venv build dist *.egg-info

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] \
	    + "; name another one: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	@echo "Creating $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "No virtual environment: install the venv module of Python" \
	    "(Debian, Ubuntu: apt install python3-venv) and try again."; exit 1; }

# One stamp per set of extras; each is newer than the files that it was installed from.
$(VENV)/.run: $(INPUTS) | $(BIN)/python
	@echo "Installing (once, some minutes)"
	@$(PIP) -e .
	@touch $@

$(VENV)/.test: $(INPUTS) | $(BIN)/python
	@echo "Installing with test tools (once, some minutes)"
	@$(PIP) -e '.[test]'
	@touch $@ $(VENV)/.run

$(VENV)/.dev: $(INPUTS) | $(BIN)/python
	@echo "Installing with development tools (once, some minutes)"
	@$(PIP) -e '.[test,dev]'
	@touch $@ $(VENV)/.test $(VENV)/.run

# torch first and alone: what needs it would otherwise bring another build
$(VENV)/.rl: $(INPUTS) | $(BIN)/python
	@echo "Installing what learning needs (once, some minutes)"
	@$(PIP) torch
	@$(PIP) -e '.[test,rl]'
	@touch $@ $(VENV)/.test $(VENV)/.run
