# Sealroom. `make help` lists the targets. Nothing but Python 3.11+ and make is needed beforehand.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo demo-gramine test test-slow fuzz lint types imports bench enclave generated lock clean

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --no-deps: a lock holds all packages, and pip's resolver would look beyond it, at releases newer than the pinned ones.
$(VENV)/run: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Sealroom needs Python 3.11 or newer; set PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/python -m pip check --quiet
	@touch $@

$(VENV)/dev: requirements-dev.lock $(VENV)/run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-dev.lock
	$(BIN)/python -m pip check --quiet
	@touch $@

STUDY ?= survival
DEMO_DATA ?=

demo: $(VENV)/run ## play a whole study and leave the verified result in demo-output/ (STUDY=survival, clinical, discovery, genomics)
	$(BIN)/sealroom demo --study $(STUDY) --out demo-output $(if $(DEMO_DATA),--data $(DEMO_DATA))

demo-gramine: $(VENV)/run ## the same with the enclave inside gramine-direct, from its profile; exit 77 without Gramine
	$(BIN)/sealroom demo --study $(STUDY) --runtime gramine-direct --out demo-output $(if $(DEMO_DATA),--data $(DEMO_DATA))

test: $(VENV)/dev lint types imports ## check style, types and imports, and run the tests with coverage
	$(BIN)/python -m coverage erase
	$(PYTEST) -q -n $(JOBS) --dist loadgroup -m "not slow" --cov --cov-report=
	@rm -f .coverage.* # what processes left that were killed on purpose; all others are combined by now
	$(BIN)/python -m coverage report --fail-under=95 --format=total
	$(BIN)/python -m coverage report --fail-under=100 --include="protocol/*,attestation/*,custodian/*,enclave/disclosure/*"

test-slow: $(VENV)/dev ## run the suites that take longer: every byte of a bundle, long fuzzing
	$(PYTEST) -q -n $(JOBS) --dist loadgroup -m slow

FUZZ_SECONDS ?= 600

fuzz: $(VENV)/dev ## alter evidence for FUZZ_SECONDS (600) and look for anything but a refusal
	$(BIN)/python tests/fuzzing.py --seconds $(FUZZ_SECONDS)

lint: $(VENV)/dev ## check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev ## check types
	$(BIN)/mypy

imports: $(VENV)/dev ## check the directions of imports
	$(BIN)/lint-imports

bench: $(VENV)/dev ## run all benchmarks and write benchmarks/out/*.json
	@for program in benchmarks/[!_]*.py; do echo "== $$program"; $(BIN)/python $$program || exit 1; done

PROFILE ?= clinical

enclave: $(VENV)/run ## build an enclave to build/enclave/PROFILE: file tree, lock, Gramine manifest (PROFILE=clinical, discovery, genomics)
	$(BIN)/sealroom profile build $(PROFILE) --out build/enclave

generated: $(VENV)/dev ## write generated files anew: JSON Schemas, OpenAPI, state diagrams, trusted file lock, TCB
	$(BIN)/python -m protocol.schemas --write
	$(BIN)/python -m broker.openapi --write
	$(BIN)/python -m broker.states < docs/states.md > docs/states.new && mv docs/states.new docs/states.md
	$(BIN)/python -m attestation.profiles.lock --write
	$(BIN)/python -m attestation.profiles.tcb > docs/TCB.md
	$(BIN)/python -m sealroom.analyses_page > docs/analyses.md

lock: ## resolve the dependencies anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --all-extras --group build pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --all-extras --group dev pyproject.toml -o requirements-dev.lock

clean: ## remove what the other targets made
	rm -rf $(VENV) build demo-output benchmarks/out .coverage* .mypy_cache .ruff_cache .hypothesis
