# Everything works from a bare clone: each target sets up what it needs first.
.DEFAULT_GOAL := help
BIN := .venv/bin
PY := $(BIN)/python
CODE := $(wildcard services workflows deploy tests bench)
# Where Python is told not to keep what it compiles, every process would compile everything again.
ifdef PYTHONDONTWRITEBYTECODE
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX ?= $(CURDIR)/.build/pycache
endif
# No network address gets into a lock.
COMPILE := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

.PHONY: help setup proto lock upgrade up down forget status demo format check test test-e2e test-chaos fuzz bench rules

help: ## Show the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Make .venv, install the locked dependencies, generate the protos
	@deploy/setup.sh

proto: setup ## Generate proto/gen (only if a proto changed)

lock: setup ## Resolve the dependencies anew, after a change of what is asked for
	echo uv | $(COMPILE) $(NEWEST) --no-annotate - -o requirements-setup.lock
	$(COMPILE) $(NEWEST) pyproject.toml -o requirements.lock
	$(COMPILE) $(NEWEST) -c requirements.lock pyproject.toml requirements-dev.in -o requirements-dev.lock

upgrade: ## Resolve them to the newest that have been out for a week
	$(MAKE) lock NEWEST='--upgrade --exclude-newer "7 days"'

up: setup ## Start the whole stack on this machine
	@$(PY) -m deploy.local up

down: setup ## Stop it; its state stays
	@$(PY) -m deploy.local down

forget: setup ## Stop it and remove all its state
	@$(PY) -m deploy.local forget

status: setup ## Show the running processes
	@$(PY) -m deploy.local status || true

demo: setup ## Start the stack and run a real week's returns through it
	@$(PY) -m deploy.demo

format: setup ## Format the code
	$(BIN)/ruff check --fix -q $(CODE)
	$(BIN)/ruff format -q $(CODE)
	$(BIN)/buf format -w proto

check: setup ## Format, lint, layers, types, protos, migrations, fast tests
	$(BIN)/ruff format --check -q $(CODE)
	$(BIN)/ruff check -q $(CODE)
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy $(filter-out tests,$(CODE))
	$(PY) -m deploy.protolint
	$(BIN)/squawk -c deploy/squawk.toml services/*/migrations/*.sql
	$(BIN)/deptry services workflows
	$(BIN)/codespell $(wildcard *.md docs proto/recourse) $(CODE)
	$(BIN)/pytest -q $(wildcard tests/domain tests/architecture)

test: setup ## Pass the tests (some minutes; the heavy ones have their own targets)
	$(BIN)/pytest -q -n 2 --dist loadgroup -m "not heavy"

test-e2e: setup ## End to end: every process, through REST alone
	$(BIN)/pytest -q -m e2e tests/e2e

test-chaos: setup ## Kill each process at every effect of a return, and the payment service at each of its steps
	$(BIN)/pytest -q -m chaos tests/chaos
	$(BIN)/pytest -q -n 2 --dist loadgroup -m chaos tests/payment

fuzz: setup ## Generated requests: never a 5xx; generated stories: never other money than the model says
	$(BIN)/pytest -q -m fuzz tests/fuzz

bench: setup ## Measure; prints a table and writes bench/results
	$(PY) -m bench

rules: setup ## Write docs/rules.md: which test shows which business rule
	$(PY) -m deploy.rules
