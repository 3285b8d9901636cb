# The same commands for people and for CI. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup lock generate manifests release-contract check test demo benchmark clean deploy undeploy \
  image image-lock image-push image-build-multiarch image-push-multiarch test-images e2e

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 30

setup: $(READY) ## make the virtual environment

$(READY): requirements/dev.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

lock: $(READY) ## resolve the dependencies again into requirements/dev.lock
	$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements/dev.lock
	$(MAKE) image-lock

generate: $(READY) ## regenerate the stubs, the CRDs and deploy/nicfleet.yaml
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc --proto_path=proto \
	  --python_out=. --grpc_python_out=. --mypy_out=. --mypy_grpc_out=. \
	  proto/nicfleet/v1/inventory.proto proto/nicfleet/v1/fleet.proto proto/nicfleet/v1/view.proto
	@touch nicfleet/v1/__init__.py
	$(BIN)/python -m coordinator.crd
	$(MAKE) manifests

manifests: $(READY) ## regenerate deploy/nicfleet.yaml from the chart
	deploy/manifests/manifests.sh generate > deploy/nicfleet.yaml.new
	mv deploy/nicfleet.yaml.new deploy/nicfleet.yaml

release-contract: $(READY) ## take today's wire contract as the one that agents in the field speak
	$(BIN)/buf build --output proto/released.binpb

check: $(READY) ## lint, types, import contracts, wire contract
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/mypy deploy/nicfleet/files/check.py
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

# The images. Names as upstream's users type them; docs/how-to/build-images.md tells what each means.
REGISTRY ?= localhost
IMAGE_NAME ?= nicfleet
VERSION ?= $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
REVISION ?= $(shell git describe --always --dirty --abbrev=40 --exclude='*' 2>/dev/null || echo unknown)
SOURCE ?=
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
BUILD_ARCH ?= amd64 arm64
IMAGES = REGISTRY='$(REGISTRY)' IMAGE_NAME='$(IMAGE_NAME)' VERSION='$(VERSION)' REVISION='$(REVISION)' \
  SOURCE='$(SOURCE)' SOURCE_DATE_EPOCH='$(SOURCE_DATE_EPOCH)' BASE='$(BASE)' IMAGE_BUILDER='$(IMAGE_BUILDER)' \
  IMAGE_BUILD_OPTS='$(IMAGE_BUILD_OPTS)' IMAGE_PUSH_OPTS='$(IMAGE_PUSH_OPTS)' deploy/images/images.sh

image: ## build both images for this machine (REGISTRY, IMAGE_NAME, VERSION)
	@$(IMAGES) build

image-push: ## push what `make image` built
	@$(IMAGES) push

image-build-multiarch: ## build both for amd64 and arm64 (BUILD_ARCH)
	@$(IMAGES) build $(BUILD_ARCH)

image-push-multiarch: ## push these, and the list of them as VERSION
	@$(IMAGES) push $(BUILD_ARCH)

image-lock: $(READY) ## lock what the images install, at the versions of requirements/dev.lock
	$(IMAGE_LOCK) pyproject.toml --extra agent --output-file requirements/agent.lock
	$(IMAGE_LOCK) pyproject.toml --extra coordinator --output-file requirements/coordinator.lock
	echo hatchling | $(IMAGE_LOCK) - --output-file requirements/build.lock

IMAGE_LOCK = $(BIN)/uv pip compile --universal --python-version 3.11 --constraint requirements/dev.lock \
  --generate-hashes --no-emit-index-url --no-header --quiet

# Without Helm. The kubeconfig is the current one; the namespace that of deploy/nicfleet.yaml.
ignore-not-found ?= true
force ?= false

deploy: ## install into the current cluster from deploy/nicfleet.yaml (REGISTRY, IMAGE_NAME, VERSION)
	@REGISTRY='$(REGISTRY)' IMAGE_NAME='$(IMAGE_NAME)' VERSION='$(VERSION)' KUBECTL='$(KUBECTL)' \
	  deploy/manifests/manifests.sh deploy

undeploy: ## take that back, but for the CRDs (force=true: with objects of yours there)
	@IGNORE_NOT_FOUND='$(ignore-not-found)' FORCE='$(force)' KUBECTL='$(KUBECTL)' deploy/manifests/manifests.sh undeploy

test-images: $(READY) ## build both images on a Debian base and run them (root, buildah, mmdebstrap)
	NICFLEET_TEST_IMAGES=1 $(BIN)/pytest -p no:xdist tests/images

e2e: $(READY) ## the README's story on real kubelets of this machine (root, containerd, buildah, mmdebstrap)
	@$(BIN)/python -m tests.e2e.machine
	$(BIN)/python -m tests.controlplane build
	@# exec: make passes SIGTERM on to what it started, which would be a shell
	exec env NICFLEET_E2E=1 $(BIN)/pytest -p no:xdist --exitfirst --override-ini=log_cli=true --log-cli-level=INFO \
	  --log-cli-format='%(asctime)s %(message)s' --log-cli-date-format=%H:%M:%S tests/e2e

clean: ## remove what was made here
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
