# `make demo` and `make test` need Python 3.11 or newer, git and make; everything else they install into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := $(CURDIR)/.demo
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test check format types contracts bench bench-tui bench-api bench-parallel bench-cluster bench-looks crash-matrix fault-run container-test snapshots screenshots settings constraints clean

demo: $(VENV)/.runtime  ## An idea becomes a tested program, with a scripted model: no credentials, no cost.
	@if [ -t 0 ] && [ -t 1 ]; then interactive=; else interactive=--no-interactive; fi; \
	ORCHESTRATOR_HOME="$(DEMO)" $(BIN)/orchestrator-tui --rehearsal --autonomy full \
	  --set phases.deploy.enabled=true $$interactive

# Three workers for two cores: tests of screens wait a lot. What is compiled is kept, whatever the shell says.
# The few that failed beside others are tried again alone and named: a busy machine is no fault, but it is told.
test: $(VENV)/.dev  ## Every test, on SQLite and on a real PostgreSQL.
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n $${TEST_WORKERS:-3} --dist worksteal \
	  || { [ $$? -eq 1 ] && $(BIN)/python -m tests.alone; }

check: $(VENV)/.dev format types contracts test  ## All that must hold before a change lands.

format: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/mypy

contracts: $(VENV)/.dev
	$(BIN)/lint-imports

bench: $(VENV)/.dev bench-tui bench-api  ## Numbers beside their baselines, into benchmarks/results/.
	$(BIN)/python -m benchmarks.events
	$(BIN)/python -m benchmarks.items
	$(BIN)/python -m benchmarks.linear
	$(BIN)/python -m benchmarks.policy

bench-tui: $(VENV)/.dev  ## The dashboard's: typing under load, memory, idling, opening. Leave the machine alone meanwhile.
	$(BIN)/python -m benchmarks.tui

bench-cluster: $(VENV)/.dev  ## Projects finished a minute by 1, 2 and 3 workers, and what that costs the database: some minutes.
	$(BIN)/python -m benchmarks.cluster

fault-run: $(VENV)/.dev  ## Three workers killed and frozen, the database restarted and frozen, at random; FAULTS="--projects 2 --faults 5" is a small one.
	$(BIN)/python -m tests.cluster $(FAULTS)

bench-looks: $(VENV)/.dev  ## What a worker's look and the sums of an owner cost with 1,000 and 10,000 projects.
	$(BIN)/python -m benchmarks.looks

bench-api: $(VENV)/.dev  ## The server's: requests beside a bare handler, events to many streams, many projects at once.
	$(BIN)/python -m benchmarks.api

bench-parallel: $(VENV)/.dev  ## Several implementers in one project: about 15 minutes; BENCH="--without-cli" on a busy machine.
	$(BIN)/python -m benchmarks.parallel $(BENCH)

crash-matrix: $(VENV)/.dev  ## kill -9 at every moment of the rehearsal, on both databases: an hour; MATRIX="--without-cli" is a small one.
	$(BIN)/python -m tests.crash $(MATRIX)

container-test: $(VENV)/.dev  ## Projects led to their ends in containers, by docker or podman; CONTAINER="--image NAME" builds none.
	$(BIN)/python -m tests.containers $(CONTAINER)

screenshots: $(VENV)/.dev  ## The pictures of the README, from the rehearsal played in the dashboard: about three minutes.
	$(BIN)/python -m docs.screenshots

settings: $(VENV)/.runtime  ## Write orchestrator.toml again from the settings' models.
	$(BIN)/python -m orchestrator_tui.config.template > orchestrator.toml.new && mv orchestrator.toml.new orchestrator.toml

snapshots: $(VENV)/.dev  ## Take the pictures of the dashboard's screens anew; look at what changed before you commit.
	rm -f tests/tui/snapshots/*.txt
	SNAPSHOTS=write $(BIN)/python -m pytest -n $${TEST_WORKERS:-2} tests/tui/test_snapshots.py

constraints:  ## Resolve the pinned, hashed versions again (needs uv).
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links --extra cluster --group build pyproject.toml -o constraints.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links --extra cluster --group dev -c constraints.txt pyproject.toml -o constraints-dev.txt

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "orchestrator-tui needs Python 3.11 or newer; name one with: make PYTHON=python3.11 ..." >&2; exit 1; }
	@git --version >/dev/null || { echo "orchestrator-tui needs git." >&2; exit 1; }
	@echo "Setting up .venv (about a minute, once) ..."
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.runtime: $(VENV)/.python constraints.txt pyproject.toml
	@echo "Installing what the program needs ..."
	@$(PIP) install --require-hashes -r constraints.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime constraints-dev.txt
	@echo "Installing what the tests need ..."
	@$(PIP) install --require-hashes -r constraints-dev.txt
	@touch $@

clean:
	rm -rf $(VENV) $(DEMO)
