# The targets run in the project's own environment, .venv, which is made from uv.lock when it is missing or old.
# Needed beforehand: Python 3.11 or newer, make, git, and a way to the package registries.

.DEFAULT_GOAL := help
PYTHON ?= python3
IN_VENV := .venv/bin/python
READY := .venv/.synced
PACKAGES := clients/node_modules/.installed
# The app as it is served, and what it is built from.
APP := clients/web/dist/manifest.json
APP_SOURCES := $(shell find clients/web clients/typescript -type f -not -path '*/dist/*' -not -path '*/.build/*' -not -path '*/.peer/*' -not -path '*/node_modules/*')
# Generators find their plugins here.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# What a command is given besides; for example `make test ARGS=tests/unit`, or `make run ARGS=--lan`.
ARGS ?=
# Processes that share the tests between them: one more than cores, because some of them wait.
WORKERS ?= 3
# How long `make test-deep` and `make mutants` go on.
MINUTES ?= 10

.PHONY: help demo run test test-deep mutants test-fast check bench pictures generate clean

help: ## show this help
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

demo: $(READY) ## play one incident from report to withdrawal on a throw-away stack
	@$(IN_VENV) -m services.stack demo

run: $(READY) $(APP) ## run the stack with its demo sector until Ctrl-C, keeping its data
	@$(IN_VENV) -m services.stack run $(ARGS)

test: $(READY) $(APP) ## run every test, against the real PostgreSQL and OpenFGA
	@$(IN_VENV) -m compileall -q clients/python demo services
	@$(IN_VENV) -m pytest --numprocesses $(WORKERS) --no-loadscope-reorder $(ARGS)

test-deep: $(READY) ## go on with the deep form of one suite: SUITE=name MINUTES=10
	@$(IN_VENV) -m pytest tests --deep "$(SUITE)" --minutes $(MINUTES) --timeout 0 --capture no -n 0 $(ARGS)

mutants: $(READY) ## change the code in small ways and see that a test minds: GROUP=crypto MINUTES=10
	@$(IN_VENV) -m tests.support.mutants "$(GROUP)" --minutes $(MINUTES)

test-fast: $(READY) $(PACKAGES) ## run the tests that need no stack
	@$(IN_VENV) -m pytest tests/unit tests/docs $(ARGS)

check: $(READY) $(APP) ## lint, formatting, types, import contracts, the API's rules, generated files
	@$(IN_VENV) .ci/check.py

bench: $(READY) ## measure what docs/performance.md reports
	@$(IN_VENV) -m bench

pictures: $(READY) $(APP) ## make the pictures of the app anew, from the app as it runs
	@$(IN_VENV) -m docs.picturing

generate: $(READY) $(PACKAGES) ## write the files that are generated and committed
	@$(IN_VENV) proto/generate.py
	@$(IN_VENV) -m clients.typescript.generate
	@$(IN_VENV) -m services.kernel.openfga.generate
	@$(IN_VENV) policy/generate.py
	@$(IN_VENV) -m services check-config > docs/config.schema.json
	@$(IN_VENV) -m docs.generate

clean: ## remove the environment, the stack and its data, and every cache of this folder
	@rm -rf .venv .stack .gen .mutants .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@rm -rf clients/node_modules clients/*/dist clients/*/.build clients/*/.peer
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): uv.lock pyproject.toml clients/python/pyproject.toml
	@$(PYTHON) services/stack/environment.py $(if $(filter file,$(origin PYTHON)),,--this)

$(APP): $(PACKAGES) $(APP_SOURCES)
	@$(IN_VENV) -m clients.environment run build --workspaces

$(PACKAGES): clients/package-lock.json clients/package.json clients/environment.py $(READY)
	@$(IN_VENV) -m clients.environment
