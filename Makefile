# Two commands matter to a learner: `make lab` and `make test`. No make yet? `./make lab` brings it.
.DEFAULT_GOAL := help
.PHONY: help lab test test-all conformance survival answers setup lint notebooks bench look clean

PY := .venv/bin/python
# More words for the command behind a target: make lab ARGS="--port 9999"
ARGS ?=

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

lab: ## open the course in JupyterLab
	@sh tools/setup.sh lab
	@$(PY) -m tools.lab $(ARGS)

test: ## what a change must pass: lint, types, tests, exercises, lessons in a browser
	@sh tools/setup.sh test
	@$(PY) -m tools.suite $(ARGS)

test-all: ## all that CI runs, the long tests too (needs root and Docker)
	@sh tools/setup.sh test
	@$(PY) -m tools.suite --all

conformance: ## build every case here and with BuildKit, and compare (needs Docker)
	@sh tools/setup.sh test
	@$(PY) -m tools.suite conformance

survival: ## kill builds, saves, loads, pulls and prunes at 200 moments, in each sandbox
	@sh tools/setup.sh test
	@$(PY) -m tools.suite survival

answers: ## right and wrong answers to every exercise, each built and judged
	@sh tools/setup.sh test
	@$(PY) -m tools.suite engine long

setup: ## only make the environment (.venv), with the developer's tools
	@sh tools/setup.sh test

lint: setup ## ruff and mypy
	@$(PY) -m tools.suite lint

notebooks: setup ## run all notebooks and solutions again, in place
	@$(PY) -m tools.notebooks --execute $(ARGS)

bench: setup ## time it beside BuildKit, buildah, proot-distro and dive
	@$(PY) -m tools.bench $(ARGS)

look: setup ## screenshots of notebooks: make look ARGS="notebooks/*.ipynb"
	@$(PY) -m tools.look $(ARGS)

clean: ## remove the environment, the tests' images and every cache in this folder
	rm -rf .venv .lab build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
