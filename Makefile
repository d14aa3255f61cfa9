# Two commands matter: `make run` (the main job) and `make test`. Both set up all they need in .venv.
# Needs: make, Python 3.11 or newer with venv. Nothing else: no Docker, no Rust, no Node.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
SUITE  ?= smoke
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help setup run test lint bench bench-load bench-docker parity test-docker lock programs clean notebooks

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/run.stamp: requirements/run.txt pyproject.toml requirements/environment
	@$(PYTHON) requirements/environment run

$(VENV)/all.stamp: requirements/all.txt pyproject.toml requirements/environment
	@$(PYTHON) requirements/environment all

setup: $(VENV)/all.stamp ## everything: tests, odds, treasury, notebooks, load, containers

run: $(VENV)/run.stamp ## mint, reveal and buy back for real, then a report (SUITE=smoke)
	@$(BIN)/harness run $(SUITE) $(ARGS)

test: $(VENV)/all.stamp ## all tests
	$(BIN)/python -m pytest -n logical $(ARGS)

notebooks: $(VENV)/all.stamp ## open the notebooks: odds, drawdown, reserve, adversary, forecast, audit
	@$(BIN)/jupyter lab --ip 127.0.0.1 notebooks

lint: $(VENV)/all.stamp ## style, types and the design's import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/all.stamp ## the figures of the README, as ratios in one run
	@$(BIN)/harness bench $(ARGS)

bench-load: $(VENV)/all.stamp ## the backend's limits: knee, soak, overload, a full database (ARGS="--minutes 10")
	@$(BIN)/harness bench-load $(ARGS)

bench-docker: $(VENV)/all.stamp ## the embedded default against a validator in a container (needs Docker)
	@$(BIN)/harness bench-docker $(ARGS)

parity: $(VENV)/all.stamp ## every difference between the embedded ledger and a validator (needs Docker)
	@$(BIN)/harness parity $(ARGS)

test-docker: $(VENV)/all.stamp ## the suites in containers and compose, or the reason why they were skipped
	@$(BIN)/python -m harness.containers.ready; code=$$?; test $$code = 3 || { test $$code = 0 \
	  && DOCKER_LONG=1 $(BIN)/python -m pytest tests/harness/containers tests/deploy $(ARGS); }

programs: ## rebuild the on-chain programs and compare them with the committed ones (needs root or Docker)
	programs/recipe/rebuild

lock: ## resolve the dependencies anew (needs uv)
	uv pip compile pyproject.toml --extra build --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -o requirements/run.txt
	uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -c requirements/run.txt -o requirements/all.txt
	uv pip compile pyproject.toml --extra build --extra load --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -c requirements/all.txt -o requirements/load.txt
	uv pip compile requirements/backend.in --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -c requirements/run.txt -o requirements/backend.txt

clean: ## remove the environment and caches, keep runs/
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
