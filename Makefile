# `make demo` and `make test` each set up what they need; nothing has to be done before.

.DEFAULT_GOAL := help
.PHONY: help demo test elsewhere coverage lint docs wheel benchmark lock clean

BIN := .venv/bin
CHANNEL := examples/data/paper_channel.csv
WORKERS ?= 2
PYTEST_FLAGS ?=

help: ## Show these targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1	\2/p' Makefile

demo: ## Set up, simulate the example channel's circuit, write demo/capacity.cir and demo/capacity.svg
	@sh scripts/setup.sh run
	@mkdir -p demo
	$(BIN)/analogflow solve capacity $(CHANNEL) --figure demo/capacity.svg --force
	$(BIN)/analogflow netlist capacity $(CHANNEL) -o demo/capacity.cir --force

# NGSPICE_TESTS overrules how tests treat ngspice: required, if-available or off. Two workers whose linear algebra each
# takes every core wait for each other: small factorisations were 17 times slower.
test: lint ## Set up, lint, type-check and run all tests (PYTEST_FLAGS=--slow for the long ones too)
	OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --ngspice=$${NGSPICE_TESTS:-$$(sh scripts/setup.sh policy)} $(PYTEST_FLAGS)

# The least share of lines and branches together is pyproject.toml's, that of branches alone is asked for here. Pytest's closing
# line stays the last; a shortfall fails like a test.
coverage: lint ## The same tests, and which lines and branches they take: it fails below nine in ten
	OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --ngspice=$${NGSPICE_TESTS:-$$(sh scripts/setup.sh policy)} \
		--cov=analogflow --cov-branch --cov-report=term:skip-covered $(PYTEST_FLAGS)
	@$(BIN)/python scripts/branch_coverage.py 90

# SYSTEMS=bookworm for one of them, KERNELS="Haswell Prescott" for other kernels too, TESTS and ELSEWHERE_DIR: scripts/elsewhere.sh.
elsewhere: ## As root: make demo and make test in bare Debian 12 and 13, made for it; the result goes into docs/compatibility.md
	@WRITE=$${WRITE-1} bash scripts/elsewhere.sh $(SYSTEMS)

lint: ## Check style, types and the direction of imports
	@sh scripts/setup.sh dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/basedpyright --threads
	$(BIN)/lint-imports --no-cache

docs: ## Build the documentation into build/docs; a warning is an error
	@sh scripts/setup.sh dev
	$(BIN)/sphinx-build -W --keep-going -E -a -q -c docs -d build/doctrees . build/docs
	@echo "build/docs/index.html"

wheel: ## Build the wheel and the source archive, install them into an empty environment, and work there
	@sh scripts/setup.sh dev
	@sh scripts/wheel_smoke.sh

# Ratios measured side by side: what moved beside benchmarks/results.json. On a machine that does nothing else,
# `make benchmark WRITE=1` writes that table anew.
# Peers that this set-up lacks are named: CONTRIBUTING.md, "Dependencies".
benchmark: ## Time analogflow beside its peers in some minutes, and say which ratios moved (WRITE=1 keeps them)
	@sh scripts/setup.sh dev
	OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python benchmarks/suite.py $(if $(WRITE),--write)

# One resolution for every platform and every Python from 3.11 on; it lists versions only, wherever they came from.
lock: ## Resolve pyproject.toml anew into requirements.lock
	@sh scripts/setup.sh dev
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --upgrade \
		--no-emit-index-url --annotation-style=line --custom-compile-command "make lock" --quiet -o requirements.lock

clean: ## Remove everything that was made here
	rm -rf .venv demo build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
