.DEFAULT_GOAL := help
.PHONY: help setup run demo lint types layers test bench clean

help: ## List what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: ## Install everything into .venv, and nothing else
	@tools/setup.sh

run: setup ## Start the demonstration: database, sandbox, scheduler, worker and web
	@.venv/bin/outreach run

demo: setup ## Walk the whole path once, without a person
	@.venv/bin/outreach demo --once

lint: setup ## ruff, strict types, import layers
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-logo

test: lint ## Everything: lint, all tests on a real PostgreSQL, the browser
	@OUTREACH_CHROMIUM="$$(tools/browser.sh)" && export OUTREACH_CHROMIUM && .venv/bin/python -m pytest -n 2 --dist loadfile

bench: setup ## Measure speed and memory; the figures go to docs/performance.md
	@.venv/bin/python -m benchmarks

clean: ## Remove the environment and caches; never var/
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info
