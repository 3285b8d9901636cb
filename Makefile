# The same commands for people and for CI. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup lock generate release-contract check test demo benchmark clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: $(READY) ## make the virtual environment

$(READY): requirements/dev.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

lock: $(READY) ## resolve the dependencies again into requirements/dev.lock
	$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements/dev.lock

generate: $(READY) ## regenerate the stubs and the CRDs
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc --proto_path=proto \
	  --python_out=. --grpc_python_out=. --mypy_out=. --mypy_grpc_out=. \
	  proto/nicfleet/v1/inventory.proto proto/nicfleet/v1/fleet.proto proto/nicfleet/v1/view.proto
	@touch nicfleet/v1/__init__.py
	$(BIN)/python -m coordinator.crd

release-contract: $(READY) ## take today's wire contract as the one that agents in the field speak
	$(BIN)/buf build --output proto/released.binpb

check: $(READY) ## lint, types, import contracts, wire contract
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint
	$(BIN)/buf breaking --against proto/released.binpb

test: check ## check, then every test, on a real control plane
	$(BIN)/python -m tests.controlplane build
	$(BIN)/pytest -n 2 --dist loadfile

demo: $(READY) ## the main job on a real local control plane (ONCE=1: exit when ready)
	$(BIN)/python -m tests.controlplane build
	$(BIN)/python -m demo $(if $(ONCE),--once)

benchmark: $(READY) ## rollout of 100 nodes, against kubectl
	$(BIN)/python -m tests.controlplane build
	$(BIN)/python -m benchmarks.rollout

clean: ## remove what was made here
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
