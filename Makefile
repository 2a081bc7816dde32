# surveyapp: `make demo` and `make test` need Python >= 3.11 and make, nothing else.
# A variable that is set and empty means unset.
PY := $(or $(strip $(PYTHON)),python3)
VENV := .venv
ENGINE_VENV := .venv-engine
BIN := $(VENV)/bin
PIP := -m pip install --quiet --disable-pip-version-check --require-hashes

# What a shell holds for other Pythons and other installations must not reach these. Of pip's variables those stay that say
# where packages come from, which some networks need; `--isolated` would ignore them, and pip's configuration files too.
PIP_KEPT := PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_NO_INDEX PIP_FIND_LINKS PIP_TRUSTED_HOST PIP_CERT PIP_CLIENT_CERT PIP_PROXY \
  PIP_TIMEOUT PIP_DEFAULT_TIMEOUT PIP_RETRIES PIP_CACHE_DIR PIP_NO_CACHE_DIR PIP_CONFIG_FILE PIP_KEYRING_PROVIDER
PYTHON_KEPT := PYTHON PYTHON_KEPT PYTHONUNBUFFERED PYTHONUTF8 PYTHONDONTWRITEBYTECODE
$(foreach name,$(filter-out $(PIP_KEPT) PIP_KEPT,$(filter PIP_%,$(.VARIABLES))),$(eval unexport $(name)))
$(foreach name,$(filter-out $(PYTHON_KEPT),$(filter PYTHON%,$(.VARIABLES))),$(eval unexport $(name)))
unexport VIRTUAL_ENV CONDA_PREFIX CDPATH
export PIP_USER := 0

# An environment whose Python is gone, or another one by now, is made again. One that was moved works on, since nothing here
# runs a console script, which holds the old path.
ifneq ($(filter-out help clean forget,$(or $(MAKECMDGOALS),help)),)
$(foreach made,$(VENV) $(ENGINE_VENV),$(shell \
  { [ ! -e $(made) ] && [ ! -L $(made) ]; } || $(made)/bin/python -I -c 'import pip' 2>/dev/null || \
  { echo "$(made) cannot be used any more, since its Python is gone: it is made again" >&2; rm -rf $(made); }))
endif

.DEFAULT_GOAL := help
.PHONY: help demo test unit check fix bench messages lock clean forget

help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.lab $(ENGINE_VENV)/.ok ## Run the demo: two regions, DNS and the web tier (PORT, HOST=lan, WORKERS, LAB_RTT_MS, LAB_DIR)
	@echo "starting two regions, the monitor and the web tier (about ten seconds) ..."
	@exec $(BIN)/python manage.py demo

# With T=PATH the tests there run alone, without the checks.
T :=
# Tests that compute run two modules side by side. Those with labs and browsers have the machine for themselves.
SIDE_BY_SIDE := -n 2 --dist loadfile
COMPUTING := not lab and not browser

test: $(VENV)/.dev $(ENGINE_VENV)/.ok chromium ## Run every check and every test (T=tests/polls/ballots for those alone)
	@$(if $(T),:,$(MAKE) --no-print-directory check)
	$(BIN)/python -m pytest $(if $(T),$(T),$(SIDE_BY_SIDE) -m "$(COMPUTING)")
	$(if $(T),,$(BIN)/python -m pytest -m "lab or browser")

unit: $(VENV)/.dev ## Run the tests that need neither lab nor browser and take no time, in about a minute
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "$(COMPUTING) and not slow"

fix: $(VENV)/.dev ## Format the code, and mend what the linter can mend
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

check: $(VENV)/.dev ## Lint, types, walls, Django's checks, templates
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy surveyapp failover polls
	$(BIN)/python -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'
	$(BIN)/python -W error manage.py check --fail-level WARNING
	$(BIN)/python -W error manage.py makemigrations --check --dry-run
	@$(BIN)/python tests/deploy_check.py
	$(BIN)/python -m djlint templates failover --lint --quiet

bench: $(VENV)/.dev $(ENGINE_VENV)/.ok ## Measure speed, as ratios beside a named peer in the same run (ONLY="results tally" for some topics)
	$(BIN)/python -m tests.bench $(ONLY)

messages: $(VENV)/.dev ## Bring the German catalogue up to date with the source, and compile it
	@$(BIN)/python -m tests.i18n.catalogue

lock: $(VENV)/.dev ## Pin every dependency again, hashed, from requirements/*.in
	for name in base lab dev engine; do \
	  $(BIN)/python -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
	    requirements/$$name.in --output-file requirements/$$name.txt || exit 1; \
	done

clean: ## Remove environments and caches; LAB_DIR, and the votes in it, stays
	rm -rf $(VENV) $(ENGINE_VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache staticfiles reports

forget: ## Remove LAB_DIR with its surveys, votes and accounts, after a question (YES=1 answers it)
	@$(PY) -m failover.lab.forget

.PHONY: chromium
chromium: $(VENV)/.dev
	@$(BIN)/python tests/browser/chromium.py

# One line for who has no Python or too old a one, before pip says it in fifty.
$(VENV)/bin/python:
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Python 3.11 or newer is needed: set PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PY) -m venv $(VENV) || { echo "python3-venv is needed (Debian: apt install python3-venv)" >&2; exit 1; }

$(VENV)/.lab: requirements/base.txt requirements/lab.txt | $(VENV)/bin/python
	@echo "installing the application and the lab (once, a minute or two) ..."
	@$(BIN)/python $(PIP) -r requirements/base.txt -r requirements/lab.txt
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.lab
	@echo "installing the tests and the checks (once, about a minute) ..."
	@$(BIN)/python $(PIP) -r requirements/dev.txt
	@touch $@

$(ENGINE_VENV)/.ok: requirements/engine.txt | $(VENV)/bin/python
	@echo "installing the engine into an environment of its own (once, under a minute) ..."
	@$(BIN)/python -m venv $(ENGINE_VENV)
	@$(ENGINE_VENV)/bin/python $(PIP) -r requirements/engine.txt
	@touch $@
