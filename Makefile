# Pillarbox.  `make run` starts the whole mail system; `make test` proves it.
SHELL := /bin/sh
BIN := .venv/bin
ARGUMENTS ?=
S ?= 30
FUZZ ?=
# Quick tests run in one process more than there are cores: a fourth of the time one waits for a thread or a process.
# System tests wait for more than half of their time, so twice as many.  PROCESSES=N is for both.  EXAMPLES=all has quick
# tests try every example.
PROCESSES ?=
QUICK_PROCESSES = $(or $(PROCESSES),$(shell echo $$(($$(nproc) + 1))))
SYSTEM_PROCESSES = $(or $(PROCESSES),$(shell n=$$(nproc); echo $$((n * 2))))

.PHONY: help run test develop check quick peers system fuzz crash ledger soak bench docs lock clean
.DEFAULT_GOAL := help

help:
	@printf '%s\n' \
	  'make run      install what is needed and start the whole mail system (ARGUMENTS="--port-offset 3000")' \
	  'make test     install what the tests need and run them all' \
	  'make check    format, lint, types, imports' \
	  'make quick    tests that need neither root nor other programs, in about a minute' \
	  'make system   tests with the real processes and real mail programs' \
	  'make fuzz     every fuzz target for S=30 seconds of processor time' \
	  'make crash    kill the real processes at every single system call (a quarter of an hour)' \
	  'make ledger   a hundred kills under load, and nothing promised may be missing (five minutes)' \
	  'make soak     clients of all kinds at one account for half an hour, and none may wait in vain' \
	  'make bench    figures against Postfix and Dovecot' \
	  'make docs     write the generated reference'

run:
	@scripts/prepare-venv run
	@exec $(BIN)/pillarbox run $(ARGUMENTS)

# What is fetched and installed comes while the tests compute that need nothing of it.  System tests wait for more than
# half of their time; the fuzz targets have it, each for S seconds by the clock.
test: develop
	@$(MAKE) --no-print-directory --jobs=3 --output-sync peers check quick EXAMPLES=all
	@$(MAKE) --no-print-directory --jobs=2 system fuzz FUZZ=--beside

develop:
	@scripts/prepare-venv develop

check: develop
	$(BIN)/ruff format --check src tests bench
	$(BIN)/ruff check src tests bench
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# Many containers forbid Python to keep compiled modules: each run, and each command that a test starts, would compile
# them anew.  Files are in memory where that can be; tests of what a disk does have theirs on one (disk_path).
quick system: export PYTHONDONTWRITEBYTECODE =
quick: develop
	TMPDIR=$$(scripts/directory-for-tests 1) $(BIN)/python -m pytest -q --copies $(QUICK_PROCESSES) \
	  -o tmp_path_retention_policy=failed -m "not system and not fuzz" --ignore=tests/system tests

peers: develop
	@scripts/install-peers
	@scripts/fetch-archives
	@scripts/fetch-clients

system: develop peers
	TMPDIR=$$(scripts/directory-for-tests 3) PYTHONPATH=tests $(BIN)/python -m system.run \
	  -n $(SYSTEM_PROCESSES) --dist loadscope --no-loadscope-reorder

fuzz: develop
	PYTHONPATH=tests $(BIN)/python -m fuzz.run --seconds $(S) $(FUZZ)

crash: develop
	CALLS=all $(BIN)/python -m pytest -q tests/system/test_killed_at_any_call.py

ledger: develop
	LEDGER_KILLS=100 $(BIN)/python -m pytest -q tests/system/test_ledger.py

soak: develop
	SOAK_SECONDS=1800 $(BIN)/python -m pytest -q tests/system/test_mixed_load.py

bench: develop
	@scripts/install-peers
	$(BIN)/python -m bench

docs: develop
	$(BIN)/python -m pillarbox.config.manual
	$(BIN)/python -m pillarbox.config.dovecot.manual

# After a change of dependencies in pyproject.toml: exact versions and hashes anew (needs uv).
lock:
	uv pip compile -q pyproject.toml --group build --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url -o requirements/run.txt
	uv pip compile -q pyproject.toml --group build --group check --group test --group fuzz --python-version 3.11 \
	  --generate-hashes --no-header --no-annotate --no-emit-index-url -o requirements/develop.txt
	cd tests/system/clients && uv pip compile -q requirements.in --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url -o requirements.txt
	cd tests/system/clients && npm install --package-lock-only --omit-lockfile-registry-resolved --silent

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
