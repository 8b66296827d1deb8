# DSpark Lab. `make help` lists what there is. Everything lives in .venv; a second run starts at once.
PYTHON ?= python3
# Linux without a GPU: TORCH_INDEX=https://download.pytorch.org/whl/cpu fetches the small CPU build of torch.
TORCH_INDEX ?=
PYTEST_ARGS ?=
# Files of tests that run side by side, each on one thread, the longest first; those with a browser come after the others.
WORKERS ?= 2
TOGETHER := -n $(WORKERS) --dist loadfile --no-loadscope-reorder
SERVE_ARGS ?= --host 0.0.0.0

VENV := .venv
BIN := $(VENV)/bin
MADE_VENV := $(VENV)/.made-venv
MADE_LAB := $(VENV)/.made-lab
MADE_TEST := $(VENV)/.made-test
COMMA := ,
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	$(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo serve lab test check-js bench clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-6s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  Options: PYTHON=python3.12   TORCH_INDEX=https://download.pytorch.org/whl/cpu   PYTEST_ARGS='-m \"not browser\"'"

demo: $(MADE_LAB) ## the page, at the address it prints
	@$(BIN)/dspark-lab serve

serve: $(MADE_LAB) ## the page for others: SERVE_ARGS, see `dspark-lab serve --help`
	@$(BIN)/dspark-lab serve --no-browser --ready 2 $(SERVE_ARGS)

lab: $(MADE_LAB) ## the course in JupyterLab
	@$(BIN)/python -m dspark_widgets.serving.lab notebooks

test: $(MADE_TEST) check-js ## lint, types and every test, a real browser included
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	@case "$(PYTEST_ARGS)" in *"not browser"*) ;; \
		*) DSPARK_CHROMIUM=$$($(BIN)/python tests/browser/ensure_browser.py) || exit 1; export DSPARK_CHROMIUM; \
			echo "browser: $$DSPARK_CHROMIUM";; esac; \
	$(if $(PYTEST_ARGS),$(BIN)/python -m pytest $(PYTEST_ARGS),\
	$(BIN)/python -m pytest -m "not browser" $(TOGETHER) && $(BIN)/python -m pytest -m browser $(TOGETHER))

# Node is for those who change the views; the built bundle is in the repository.
check-js:
	@if [ ! -f widgets/js/package.json ]; then echo "no JavaScript to check"; \
	elif ! command -v npm >/dev/null 2>&1; then echo "JavaScript checks skipped: node and npm are not installed"; \
	else $(MAKE) --no-print-directory widgets/js/node_modules/.made \
		&& cd widgets/js && npm run --silent check; fi

widgets/js/node_modules/.made: widgets/js/package-lock.json
	cd widgets/js && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

bench: $(MADE_LAB) ## measured speed on this machine, as ratios
	@$(BIN)/dspark-lab bench decode

clean: ## remove .venv, caches and what the tests left
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis tests/artefacts widgets/js/node_modules
	find dspark_lab kernels widgets tests notebooks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

$(MADE_VENV):
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
		echo "$(PYTHON) not found. Install Python 3.11, 3.12 or 3.13, or name one: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
		echo "DSpark Lab needs Python 3.11, 3.12 or 3.13; $(PYTHON) is $$($(PYTHON) -V 2>&1)." \
			"Name another: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "venv failed. On Debian or Ubuntu: apt install python3-venv"; exit 1; }
	@touch $@

# What is installed, and the kernel that the course and the page run in.
define SETUP
	@echo "Installing into $(VENV) (a few minutes the first time) ..."
	@$(INSTALL) -e ".[$(1)]"
	@$(BIN)/python -m ipykernel install --sys-prefix --name dspark-lab --display-name "DSpark Lab" >/dev/null
endef

$(MADE_LAB): $(MADE_VENV) pyproject.toml constraints.txt
	$(call SETUP,lab)
	@touch $@

$(MADE_TEST): $(MADE_VENV) pyproject.toml constraints.txt
	$(call SETUP,lab$(COMMA)train$(COMMA)test)
	@touch $(MADE_LAB) $@
