# Each target does all the set-up it needs. `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
NOTEBOOKS = notebooks/*.ipynb notebooks/solutions/*.ipynb
# a file of tests stays in one process: its tests share a practice host
PARALLEL = -n auto --maxprocesses 4 --dist loadfile
NBVAL = -p tests.nbval_state --nbval-lax --nbval-current-env --nbval-cell-timeout=240 --nbval-sanitize-with tests/nbval.cfg


.PHONY: help course class test peers check soak perf notebooks solutions offline lint lock clean

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' Makefile

# The first Python that is new enough, and can make environments; or what to install.
define MAKE_VENV
set -e; \
for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do \
  if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then python=$$candidate; break; fi; \
done; \
if [ -z "$$python" ]; then \
  echo "nestkit needs Python 3.11 or newer, and none was found on the PATH." >&2; \
  echo "  Debian 12/13, Ubuntu 24.04:  sudo apt-get install python3 python3-venv" >&2; \
  echo "  elsewhere:                   https://www.python.org/downloads/" >&2; exit 2; \
fi; \
if ! $$python -c 'import ensurepip, venv' >/dev/null 2>&1; then \
  version=$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
  echo "$$python ($$version) cannot make virtual environments: its venv module is missing." >&2; \
  echo "  Debian, Ubuntu:  sudo apt-get install python$$version-venv" >&2; exit 2; \
fi; \
$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || $$python -m venv --clear $(VENV)
endef

INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r
# The clone's path is then made relative: before 3.13 Python reads that file in the locale's letters,
# and a path with others ends every start.
EDITABLE = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . \
  && for file in $(VENV)/lib/python3*/site-packages/_editable_impl_nestkit.pth; do echo ../../../.. > "$$file"; done

$(VENV)/course.stamp: requirements.lock pyproject.toml
	@$(MAKE_VENV)
	@echo "Installing what the lessons need into $(VENV) (a minute or two, once) …"
	@$(INSTALL) requirements.lock
	@$(EDITABLE)
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock pyproject.toml
	@$(MAKE_VENV)
	@echo "Installing what the tests need into $(VENV) (a minute or two, once) …"
	@$(INSTALL) requirements-dev.lock
	@$(EDITABLE)
	@touch $@ $(VENV)/course.stamp

course: $(VENV)/course.stamp  ## set everything up and open JupyterLab at lesson 00
	@$(BIN)/nestkit course

test: $(VENV)/dev.stamp  ## set everything up and run the tests (no root, no peers)
	$(BIN)/python -m pytest -q $(PARALLEL) -m "not (slow or lab or kill or peer or perf or browser)"
	$(BIN)/python -m pytest -q $(PARALLEL) -p no:cacheprovider $(NBVAL) $(NOTEBOOKS)

lint: $(VENV)/dev.stamp  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m nestkit.course.editions --check

# sshd for the ssh runner; Go and govmomi's simulator for vSphere; Chromium for the pages.
PEERS = openssh-server openssh-client golang-go golang-github-vmware-govmomi-dev chromium
peers:  ## install what the tests of independent peers and the browser need (as root, or with sudo)
	@dpkg-query -W -f='$${Status}\n' $(PEERS) 2>/dev/null | grep -c '^install ok installed$$' | grep -qx $(words $(PEERS)) || { \
	  root=$$(test "$$(id -u)" = 0 || echo sudo); \
	  $$root apt-get update -qq -o Acquire::Retries=3 && \
	  $$root apt-get install -y -qq -o Acquire::Retries=3 --no-install-recommends $(PEERS); }

check: lint peers  ## all that make test leaves out: lint, types, peers, browser, kill matrix, lab, ratios
	$(BIN)/python -m pytest -q $(PARALLEL) --no-skips -m "(slow or kill or peer) and not (lab or perf or browser)"
	$(BIN)/python -m pytest -q --no-skips -m "browser"
	$(BIN)/python -m pytest -q --no-skips -m "lab and not (perf or slow)"
	$(BIN)/python -m pytest -q --no-skips -m "perf and not slow" -s

perf: $(VENV)/dev.stamp  ## print the ratios of time that the README quotes
	$(BIN)/python -m pytest -q --no-skips -m perf -s

soak: $(VENV)/dev.stamp  ## 50 lab starts, a third killed, and the other storms in full; run by hand
	NESTKIT_SOAK=1 $(BIN)/python -m pytest -v --no-skips -m soak --timeout 7200

notebooks: $(VENV)/dev.stamp  ## generate the learner's notebooks and the cheat sheet
	$(BIN)/python -m nestkit.course.editions --write learner
	$(BIN)/python -m nestkit.course.cheatsheet --write

solutions: $(VENV)/dev.stamp  ## generate and run the solutions
	$(BIN)/python -m nestkit.course.editions --write solution

class: $(VENV)/dev.stamp  ## write the instructor's edition and slides into instructor/
	@$(BIN)/nestkit class prepare instructor

offline: $(VENV)/course.stamp  ## fetch now what a class without network needs later
	$(BIN)/nestkit lab build

lock:  ## resolve pyproject.toml anew into the two lock files (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet pyproject.toml --extra dev --output-file requirements-dev.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet pyproject.toml --extra build --constraint requirements-dev.lock --output-file requirements.lock

clean:  ## remove the environment and what tools left behind
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
