# Two commands: `make demo` shows the whole job on an emulated microscope, `make test` proves it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.8
LIVE_ROOT := /var/tmp/slicewatch-live

.DEFAULT_GOAL := help
# Some containers forbid it; but the tests start the daemon hundreds of times, and compiling it is half of a start.
export PYTHONDONTWRITEBYTECODE :=
.PHONY: help demo install-service install-units live-service test test-long test-fast fuzz lint format lock bench bench-quick docs clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

demo: $(VENV)/.runtime ## install, then watch an emulated tomography from the first file to the report
	$(BIN)/slicewatch demo $(DEMO)

# Environment first, units last: a unit never points to a program that is not there. Compiled, because the
# service's user may not write there and would compile at each start; some libraries bring files for later Pythons,
# which do not compile. Needs root.
install-service: ## install to /opt/slicewatch with its own user and systemd's units (as root)
	install -d $(DESTDIR)/opt/slicewatch
	cp -R algorithms daemon models docs systemd config.toml pyproject.toml requirements.lock README.md LICENSE Makefile \
		$(DESTDIR)/opt/slicewatch/
	$(MAKE) -C $(DESTDIR)/opt/slicewatch .venv/.runtime
	-cd $(DESTDIR)/opt/slicewatch && .venv/bin/python -m compileall -q -j 0 algorithms daemon models .venv/lib
	$(MAKE) install-units
	systemd-sysusers
	install -d -o root -g slicewatch -m 0750 /etc/slicewatch
	systemctl daemon-reload
	@echo "Write /etc/slicewatch/NAME.toml, then: systemctl enable --now slicewatch@NAME slicewatch-watchdog@NAME.timer"

install-units:
	install -d $(DESTDIR)/etc/systemd/system $(DESTDIR)/etc/sysusers.d
	install -m 0644 systemd/*.service systemd/*.timer $(DESTDIR)/etc/systemd/system/
	install -m 0644 systemd/slicewatch.sysusers $(DESTDIR)/etc/sysusers.d/slicewatch.conf

# One BLAS thread, as the command line sets for itself: those of two workers would wait for each other.
test: $(VENV)/.tests ## install everything, run the tests that every change must pass; screenshots in build/
	OPENBLAS_NUM_THREADS=1 SLICEWATCH_SCREENSHOTS=$(CURDIR)/build/screenshots \
		$(BIN)/pytest -n 2 --dist worksteal -m "not long" $(PYTEST)

test-long: $(VENV)/.tests ## the others: trainings, more kinds of restart, repetitions over seeds
	OPENBLAS_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal -m long $(PYTEST)

test-fast: $(VENV)/.tests ## the tests that take milliseconds
	OPENBLAS_NUM_THREADS=1 $(BIN)/pytest -n 2 -m "not slow and not long and not browser" tests/unit tests/property

live-service: $(VENV)/.tests ## the units under a systemd that really runs, in a container (as root; needs debootstrap, systemd-nspawn)
	SLICEWATCH_LIVE_ROOT=$(LIVE_ROOT) $(BIN)/pytest tests/live

fuzz: $(VENV)/.tests ## a million damaged requests and events for the parsers
	SLICEWATCH_FUZZ_INPUTS=1000000 $(BIN)/pytest tests/fuzz

lint: $(VENV)/.tests ## formatting, lint, types, and the direction of the imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

format: $(VENV)/.tests ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.tests ## every benchmark at full length, written to docs/performance.md
	$(BIN)/python -m benchmarks all --record

bench-quick: $(VENV)/.tests ## every benchmark, each within 50 s on 2 cores; TURN=N: the one that N chooses
	$(BIN)/python -m benchmarks all --quick $(if $(TURN),--turn $(TURN))

docs: $(VENV)/.tests ## build the documentation site into build/site, without network
	NO_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --strict

lock: ## resolve the dependencies anew
	$(BIN)/uv pip compile pyproject.toml --generate-hashes -q -o requirements.lock --python-version 3.11
	$(BIN)/uv pip compile pyproject.toml --extra train --extra batch --extra docs --extra autoscript --extra test -c requirements.lock \
		--generate-hashes -q -o requirements-test.lock --python-version 3.11

clean: ## remove the environment and all caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "slicewatch needs Python 3.11 or newer; call make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"

# The running daemon and the demo need no torch, so they do not wait for it.
$(VENV)/.runtime: requirements.lock pyproject.toml | $(BIN)/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

# torch comes first and from pip: some machines serve a local CPU build that only pip finds.
$(VENV)/.tests: requirements-test.lock $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r requirements-test.lock
	@touch $@
