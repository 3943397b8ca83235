# Impasto. `make` alone says what there is.

# The first Python that is new enough; name another with `make PYTHON=/path/to/python …`.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && exit; \
	done; echo python3)
BIN := .venv/bin
INSTALLED := .venv/installed
# PyTorch is an extra and large; name a smaller build with TORCH="torch==..." where there is one.
TORCH ?= torch
TRAINING := .venv-training/bin
TOOLS := .venv-tools/bin
TOOLED := .venv-tools/installed
DOORS ?= pictures addresses manifests
ARGS ?=
# The suite waits more than it computes; TEST_REDIS_URL, which tests empty, needs TOGETHER=1.
TOGETHER ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo up recipe migrate test training check format bench large chaos gameday contract fuzz audit sbom lock clean
.DELETE_ON_ERROR:

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

demo: $(INSTALLED) ## Start everything, stylize a few photographs, leave them in var/demo
	@$(BIN)/impasto demo $(ARGS)

up: $(INSTALLED) ## Start the whole system here; ARGS="--port 9000" and the like
	@$(BIN)/impasto up $(ARGS)

recipe: $(INSTALLED) ## Run a recipe of docs/recipes against IMPASTO_URL; NAME=ad_variants and the like
	@$(if $(NAME),,$(error Name one: make recipe NAME=ad_variants))$(BIN)/python docs/recipes/$(NAME).py $(ARGS)

migrate: $(INSTALLED) ## Bring the database in DATABASE_URL to this version's schema
	@$(BIN)/impasto migrate

test: $(INSTALLED) ## Run the tests; ARGS="-k batcher" and the like
	@$(BIN)/python -m pytest --numprocesses $(TOGETHER) --dist worksteal $(ARGS)

training: .venv-training/installed ## Run the tests that need PyTorch, with it installed
	@$(TRAINING)/python -m pytest tests/training $(ARGS)

check: $(INSTALLED) ## Format, lint, types and layers: what must be clean before a commit
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(INSTALLED) ## Format, and mend what can be mended
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(INSTALLED) ## Measure speed and memory
	@$(BIN)/python -m benchmarks $(ARGS)

large: $(INSTALLED) ## Draw pictures of up to 200 megapixels; look at seams, time and memory
	@$(BIN)/python -m benchmarks large $(ARGS)

chaos: $(INSTALLED) ## Kill, cut and stall everything, then count what was lost
	@$(BIN)/python -m pytest tests/chaos --ignore tests/chaos/gameday $(ARGS)

gameday: $(INSTALLED) ## The same, and what takes longer: clocks an hour off, black holes
	@$(BIN)/python -m pytest tests/chaos $(ARGS)

contract: $(INSTALLED) ## Try every operation of the API with what it allows and what not, for minutes
	@IMPASTO_CONTRACT_LONG=1 $(BIN)/python -m pytest tests/integration/test_contract.py $(ARGS)

fuzz: $(TOOLED) ## Fuzz every door, ten minutes each; DOORS=pictures, ARGS="--minutes 1" and the like
	@for door in $(DOORS); do $(TOOLS)/python -m tests.fuzz $$door $(ARGS) || exit; done

audit: $(TOOLED) ## Look for known vulnerabilities in what is locked; asks a database on the internet
	@$(TOOLS)/pip-audit --strict --disable-pip --require-hashes --requirement requirements.lock $(ARGS)

sbom: $(TOOLED) $(INSTALLED) ## List what is installed as CycloneDX 1.6, in var/sbom.json
	@mkdir -p var
	@$(TOOLS)/cyclonedx-py environment --pyproject pyproject.toml --spec-version 1.6 --output-reproducible \
		--validate --output-file var/sbom.json $(BIN)/python
	@echo "var/sbom.json"

lock: ## Choose versions anew; needs uv
	uv pip compile --universal --python-version 3.11 --generate-hashes --extra dev \
		--upgrade -o requirements.lock pyproject.toml
	uv pip compile --universal --python-version 3.11 --generate-hashes --extra dev --extra tools \
		--upgrade -c requirements.lock -o requirements-tools.lock pyproject.toml

$(TOOLED): requirements-tools.lock pyproject.toml
	@echo "Installing into .venv-tools (once) ..."
	@"$(PYTHON)" -m venv .venv-tools
	@$(TOOLS)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-tools.lock
	@$(TOOLS)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

.venv-training/installed: requirements.lock pyproject.toml
	@echo "Installing into .venv-training, with PyTorch (once) ..."
	@"$(PYTHON)" -m venv .venv-training
	@$(TRAINING)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(TRAINING)/python -m pip install --quiet --disable-pip-version-check "$(TORCH)" -e '.[training]'
	@touch $@

clean: ## Remove what these commands installed and cached; var/ stays
	rm -rf .venv .venv-training .venv-tools .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis *.egg-info

$(INSTALLED): requirements.lock pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo \
		"Impasto needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; \
		exit 1; }
	@echo "Installing into .venv (once) ..."
	@"$(PYTHON)" -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@
