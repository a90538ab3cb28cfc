# Everything a person or CI does with this repository. `make` alone lists the targets.
.DEFAULT_GOAL := help
UV_VERSION := 0.13.8
UV := .tools/bin/uv
LOCK := $(UV) pip compile --quiet --universal --generate-hashes --python-version 3.13 --no-emit-index-url --no-header --no-annotate
PYTHON := .venv/bin/python
IN_PARALLEL := --numprocesses 2 --dist worksteal
ENV := dev
ARCHITECTURE := $(if $(filter arm64 aarch64,$(shell uname -m)),arm64,x86_64)

# As the functions have it: threads that spin while they wait make a fit many times slower on a machine with other work.
export OMP_WAIT_POLICY := passive
# Many processes import the same: what one has compiled serves all.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install demo test unit component fuzz chaos bench bench-peers bench-scale bench-growth bench-tables bench-image bench-judgement check build bill base deploy test-aws audit invoke dashboards commands browser prometheus pictures rules words lock clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(UV):
	python3 -m venv .tools
	.tools/bin/pip install --quiet uv==$(UV_VERSION)

.venv/installed: $(UV) requirements/development.txt pyproject.toml $(wildcard functions/shared/kernels/*.[ch])
	$(UV) venv --quiet --allow-existing --python "$$(cat .python-version)" .venv
	$(UV) pip sync --quiet --compile-bytecode --python .venv --require-hashes requirements/development.txt
	$(UV) pip install --quiet --python .venv --no-deps --editable .
	touch $@

.ministack/installed .sam/installed .audit/installed .peers/installed .contenders/installed .streams/installed: .%/installed: $(UV) requirements/%.txt
	$(UV) venv --quiet --allow-existing --python "$$(cat .python-version)" .$*
	$(UV) pip sync --quiet --compile-bytecode --python .$* --require-hashes requirements/$*.txt
	touch $@

.asl/installed: infra/state_machines/package-lock.json infra/state_machines/install-checker.sh
	infra/state_machines/install-checker.sh
	touch $@

install: .venv/installed .ministack/installed ## the locked environments: ours, and the embedded AWS's

demo: install ## the whole loop on real flights, on an AWS in one process
	.venv/bin/everscore demo

test: check browser .asl/installed .sam/installed prometheus ## everything that proves this works
	$(PYTHON) -m pytest --hypothesis-profile=usual $(IN_PARALLEL) functions tests/unit tests/component tests/contract tests/integration tests/fuzz
	$(PYTHON) -m pytest --numprocesses 2 --no-loadscope-reorder tests/e2e

unit: install ## the unit tests alone, in seconds
	$(PYTHON) -m pytest $(IN_PARALLEL) tests/unit functions

component: install ## whole functions, with trained models and stores in memory, in a minute
	$(PYTHON) -m pytest $(IN_PARALLEL) tests/component

fuzz: install ## throw nasty files at the readers for ten minutes, guided by coverage
	$(PYTHON) -m tests.fuzz --seconds 600

chaos: install ## hurt a stack for an hour, audit it, and write docs/security.md; CHAOS="--minutes 15 --seed 2" for another run
	$(PYTHON) -m tests.chaos $(CHAOS)

bench: install .peers/installed ## time the scorer on a quiet machine, and write docs/performance.md
	$(PYTHON) -m tests.bench.scoring
	$(PYTHON) -m tests.bench.kernels

bench-peers: install .peers/installed ## time XGBoost's and LightGBM's models against other packages, and write docs/performance.md
	$(PYTHON) -m tests.bench.boosters

bench-scale: install ## time large files in partitions and small ones on a quiet machine, and write docs/scale.md
	$(PYTHON) -m tests.bench.scale

bench-growth: install ## count what measuring asks for after many batches and with many models, and write docs/scale.md
	$(PYTHON) -m tests.bench.growth

bench-tables: install ## count what commits and queries of tables ask for after a year of batches, and write docs/tables.md
	$(PYTHON) -m tests.bench.tables
	$(PYTHON) -m tests.bench.small_uploads
	$(PYTHON) -m tests.bench.queryable

bench-judgement: install .contenders/installed .streams/installed ## let other packages judge drift and decay too, and write docs/monitoring.md
	$(PYTHON) -m tests.bench.judgement

bench-image: build ## time the image's cold starts on a quiet machine, and write docs/performance.md
	$(PYTHON) -m tests.bench.image

check: install ## style, types, arrows between packages
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

build: install .sam/installed ## the functions' image (WITH=catboost adds CatBoost), from AWS's base image or, where it can't be pulled, a stand-in; and its bill of materials
	infra/local/docker.sh
	base=$$(infra/local/base-image.sh "$$(sed -n 's/^ARG BASE=//p' functions/Dockerfile)") && \
	  SAM_CLI_TELEMETRY=0 .sam/bin/sam build --parameter-overrides Architecture=$(ARCHITECTURE) $(if $(WITH),With=$(WITH)) Base="$$base" \
	  Commit="$$(git describe --always --dirty --abbrev=40 --exclude='*' || echo unknown)"
	$(PYTHON) -m infra.local.image
	$(MAKE) bill

bill: .audit/installed ## the bill of materials of the image's packages (WITH=catboost adds CatBoost's), build/everscore.cdx.json
	mkdir -p build
	cat $(foreach set,functions $(WITH),requirements/$(set).txt) | .audit/bin/cyclonedx-py requirements - \
	  --output-format JSON --outfile build/everscore.cdx.json --output-reproducible

base: install ## move the image on to AWS's newest base image, by its digest
	$(PYTHON) -m infra.local.base

deploy: install .sam/installed ## the stack to an AWS account, as samconfig.toml says for ENV=dev or ENV=prod
	.venv/bin/everscore deploy $(ENV) --architecture $(ARCHITECTURE)

test-aws: install ## try every promise on STACK=name, embedded or in an AWS account, for cents; writes build/aws-report.md
	$(PYTHON) -m pytest --tb=short tests/aws --stack "$(STACK)"

audit: .audit/installed ## look up the locked packages among known vulnerabilities
	infra/audit.sh

invoke: build ## each function of the image once, by SAM, on an embedded AWS; shows the manifest of a scored file
	$(PYTHON) -m infra.demo.invoke

dashboards: install ## write Grafana's pages from the catalogue of metrics
	$(PYTHON) -m infra.grafana

browser: ## Chromium, which shows the report to the tests; installed where it is missing
	tests/e2e/install-chromium.sh

prometheus: ## Prometheus and promtool, which the tests ask; unpacked into .tools where they are missing
	infra/prometheus/install.sh

commands: install ## write docs/commands.md from the commands' help
	.venv/bin/python -m typer infra.cli.app utils docs --name everscore --title Commands --output docs/commands.md

rules: install ## write Prometheus' rules from the alarms' one definition; RUNBOOK=https://... is what they link to
	$(PYTHON) -m infra.prometheus.rules $(RUNBOOK)

pictures: install browser ## draw the README's pictures (docs/pictures) from the demo; the Chinese ones take a Chinese font
	$(PYTHON) -m tests.pictures

words: install ## bring the Chinese catalogue (infra/words/zh.po) up to the code, and list what it lacks
	.venv/bin/python -m infra.words

lock: $(UV) ## resolve the requirements again, hashed and without naming a host
	$(LOCK) pyproject.toml --extra development --output-file requirements/development.txt
	$(LOCK) requirements/functions.in --constraints requirements/development.txt --output-file requirements/functions.txt
	$(LOCK) requirements/catboost.in --no-deps --constraints requirements/development.txt --output-file requirements/catboost.txt
	$(LOCK) requirements/ministack.in --output-file requirements/ministack.txt
	$(LOCK) requirements/sam.in --output-file requirements/sam.txt
	$(LOCK) requirements/runtime.in --output-file requirements/runtime.txt
	$(LOCK) requirements/peers.in --output-file requirements/peers.txt
	$(LOCK) requirements/contenders.in --no-emit-package nvidia-nccl-cu12 --output-file requirements/contenders.txt
	$(LOCK) requirements/streams.in --no-deps --output-file requirements/streams.txt
	$(LOCK) requirements/audit.in --output-file requirements/audit.txt

clean: ## remove the environments and caches
	rm -rf .venv .ministack .sam .audit .asl .aws-sam .tools .cache build .mypy_cache .pytest_cache .ruff_cache .hypothesis
