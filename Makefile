# Everything that a developer or a curious user types. `make` alone lists it. Nothing here needs root but `make e2e`'s
# Debian packages, which .ci/run installs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Developers and CI install the releases of constraints.txt, the builder of the package included.
LOCKED := PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo models test coverage bare matrix between lowest newest tried lock e2e chaos soak reliability lint
.PHONY: types format golden docs site bench fuzz clean

help: ## Show this list.
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 7; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.python pyproject.toml constraints.txt
	@echo "installing into .venv (about 340 MB to download, 1.0 GB on disk; no root) …"
	@$(LOCKED) $(BIN)/pip install --quiet --editable '.[local]'
	@touch $@

$(VENV)/.dev: $(VENV)/.python pyproject.toml constraints.txt
	@echo "installing into .venv (about 450 MB to download, 1.3 GB on disk; no root) …"
	@$(LOCKED) $(BIN)/pip install --quiet --editable '.[all,dev]'
	@touch $@

# The pinned speech model: 71 MB to download, verified by its checksum, kept in the user's data directory.
models: $(VENV)/.python
	@$(BIN)/videodb local models install

demo: $(VENV)/.demo models ## Show the product at work: no key, no network, no screen, no sound card. FILE=… takes your own media.
	@$(BIN)/videodb demo $(if $(FILE),"$(FILE)")

# Four processes on two busy cores starve a test now and then. What fails is run once more, alone; what fails then, failed.
AGAIN = || { echo "running what failed once more, alone"; $(BIN)/python -m pytest --last-failed --last-failed-no-failures none; }
test: $(VENV)/.dev models ## Run the tests (under five minutes on two cores).
	@$(BIN)/python -m pytest -n 4 --dist worksteal -m "not models and not system and not slow" $(ARGS) $(AGAIN)
	@$(BIN)/python -m pytest -m "models and not system and not slow" $(ARGS) $(AGAIN)

# A target of its own: measuring makes the tests twice as slow. Limits of time and memory do not hold under it, so a test
# that fails there ends nothing; the floor is what counts. With the packages of .ci/run: COVERAGE_TESTS="not slow".
COVERAGE_TESTS ?= not system and not slow
COVERAGE_FLOOR ?= 93
coverage: $(VENV)/.dev models ## Measure which lines the tests reach, and fail below what is reached today.
	@rm -rf .coverage && mkdir .coverage
	-@$(BIN)/coverage run -m pytest -q -n 4 --dist worksteal -m "$(COVERAGE_TESTS)" $(ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --omit "videodb_cli/local/analysis/*" --fail-under $(COVERAGE_FLOOR)

bare: ## Run make demo and make test as if nothing but Python, make and git were installed (root, Debian).
	@$(PYTHON) scripts/bare.py $(MAKE) demo test

matrix: $(VENV)/.dev models ## Run the tests without models, and the demo, on every other Python of this machine (pyenv's too).
	@$(BIN)/python scripts/matrix.py locked $(ARGS)

between: $(VENV)/.dev models ## The same without the newest Python, which make newest takes.
	@$(BIN)/python scripts/matrix.py between $(ARGS)

lowest: $(VENV)/.dev models ## The same with the lowest releases that pyproject.toml allows, on the oldest Python.
	@$(BIN)/python scripts/matrix.py lowest $(ARGS)

newest: $(VENV)/.dev models ## The same with today's newest releases, on the newest Python; types too.
	@$(BIN)/python scripts/matrix.py newest $(ARGS)

tried: $(VENV)/.dev ## Print the Pythons and the releases with which all of that passed here.
	@$(BIN)/python scripts/matrix.py tried

lock: $(VENV)/.python ## Write the newest releases, for every Python from 3.11 on, into constraints.txt.
	@$(BIN)/pip install --quiet 'uv>=0.9'
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade --no-annotate --no-emit-index-url \
	  --no-emit-find-links --custom-compile-command 'make lock' --extra all --extra dev --extra docs \
	  --output-file constraints.txt pyproject.toml

e2e: $(VENV)/.dev models ## Run the tests that need Debian packages (see .ci/run).
	@$(BIN)/python -m pytest -m "system and not slow" $(ARGS) $(AGAIN)

chaos: $(VENV)/.dev ## Hold the listener to its law through 300 random plans of faults (half an hour; CHAOS_SEED=N: one).
	@$(BIN)/python -m pytest -q tests/e2e/test_chaos.py $(ARGS)

soak: $(VENV)/.dev ## Ten minutes of 500 events a second with a fault every few seconds (SOAK_S=600).
	@SOAK_S=$${SOAK_S:-600} $(BIN)/python -m pytest -q tests/e2e/test_soak.py $(ARGS)

reliability: $(VENV)/.dev ## Print what today's listeners lose, and what ours loses.
	@$(BIN)/python scripts/reliability.py

lint: $(VENV)/.dev ## Check style.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.dev ## Check types: mypy, strict on the package, looser on tests and scripts.
	@$(BIN)/mypy

format: $(VENV)/.dev ## Format the code.
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

golden: $(VENV)/.dev docs ## Rewrite tests/golden/ and docs/cli.md from what the program prints now.
	@REWRITE_GOLDEN=1 $(BIN)/python -m pytest -q tests/cli/test_golden.py

docs: $(VENV)/.dev ## Rewrite docs/cli.md, docs/schemas/ and the table of shell completion, from the commands.
	@$(BIN)/python scripts/make_cli_docs.py
	@$(BIN)/python scripts/make_schemas.py
	@$(BIN)/python scripts/make_completion_table.py

site: $(VENV)/.python ## Write the documentation as a site into site/; open site/index.html.
	@$(LOCKED) $(BIN)/pip install --quiet --editable '.[docs]'
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(VENV)/.dev ## Measure, as ratios against real tools in one run.
	@$(BIN)/python scripts/bench_listen.py
	@$(BIN)/python scripts/bench_events.py

fuzz: $(VENV)/.dev ## Run the property tests of the log, the listener and the API in their long form: 20,000 examples each.
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal -m hypothesis --hypothesis-profile=fuzz --timeout 3600 $(ARGS) \
	  tests/unit/eventlog tests/unit/listener tests/unit/api tests/unit/app tests/unit/commands tests/unit/process

clean: ## Remove the virtual environment and caches.
	@rm -rf $(VENV) .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist site
