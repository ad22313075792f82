# Needs only make and Python >= 3.11; everything else goes into .venv at the pinned versions.
# Another interpreter: make test PYTHON=python3.12

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
MIN_VENV := .venv-min
MIN_TESTS := tests/adapters tests/attacks tests/auditing tests/certify tests/cli tests/distance tests/estimators \
	tests/leave_one_out tests/metrics tests/models tests/scorers tests/threat tests/training
DOCS_STAMP := $(VENV)/.installed-docs
ALL_STAMP := $(VENV)/.installed-test-all
MUTANTS_STAMP := $(VENV)/.installed-mutants
INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt --editable
say = @printf '\n==> %s\n'

# Two pytest workers with one thread each: with more, torch's and BLAS's threads fight over the cores.
WORKERS ?= 2
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
export MPLBACKEND ?= Agg
unexport PYTHONPATH
# make test-all COVERAGE=1, as CI does: tracing takes half as long again.
COVERED := --cov --cov-report=term-missing:skip-covered
SELECTED := -m 'not slow'

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test docs pages lint types unit test-all test-fast test-min docs-check format bench faults mutants clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml constraints.txt
	$(say) 'environment: $(VENV), versions from constraints.txt (the first time takes minutes)'
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'robfair needs Python >= 3.11. Name one: make PYTHON=python3.12 ...' >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(INSTALL) '.[test]'
	@touch $@

demo: $(STAMP) ## audit a classifier on UCI Adult, end to end
	$(say) 'robfair demo'
	@$(BIN)/robfair demo

test: lint types unit ## lint, types, and all tests that are not marked slow
	$(say) 'all checks passed'

$(ALL_STAMP): $(STAMP)
	$(say) 'environment: what only slow tests need'
	@$(INSTALL) '.[test-all]'
	@touch $@

test-all: SELECTED :=
test-all: $(ALL_STAMP) test ## every check that CI runs: slow tests, too, and the code of README and guide

$(DOCS_STAMP): $(STAMP)
	$(say) 'environment: what builds the documentation'
	@$(INSTALL) '.[docs]'
	@touch $@

docs: $(DOCS_STAMP) ## build the documentation with its examples, into docs/_build/html
	$(say) 'sphinx: pages, examples and API, warnings are errors'
	@$(ONE_THREAD) $(BIN)/python -m sphinx -W --keep-going --quiet -b html docs docs/_build/html
	$(say) 'open docs/_build/html/index.html'

pages: docs ## open every page and three reports in Chromium: desk, phone, dark, print (minutes)
	$(say) 'Chromium: width, contrast, landmarks, network, console'
	@$(ONE_THREAD) $(BIN)/python tests/open_pages.py docs/_build/html

lint: $(STAMP) ## ruff: rules (numpydoc style included) and format; which room imports which
	$(say) 'ruff check'
	@$(BIN)/ruff check .
	$(say) 'ruff format --check'
	@$(BIN)/ruff format --check .
	$(say) 'import-linter: rooms, private modules, cycles (contracts in pyproject.toml)'
	@$(BIN)/lint-imports --no-logo --no-cache

types: $(STAMP) ## mypy --strict on the package
	$(say) 'mypy (strict)'
	@$(BIN)/mypy

unit: $(STAMP) ## tests, doctests, numpydoc validation
	$(say) 'pytest: tests, doctests, numpydoc validation'
	@$(ONE_THREAD) $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder --quiet $(SELECTED) $(if $(COVERAGE),$(COVERED))

test-fast: $(STAMP) ## the tests that take about two minutes in all, for while you work
	$(say) 'pytest: all but what is marked slow, with two cases of each test and five examples of each property'
	@$(ONE_THREAD) $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder --quiet -m 'not slow' --hypothesis-profile=fast

test-min: ## the quick tests with the oldest versions that pyproject.toml names, in .venv-min
	$(say) 'environment: $(MIN_VENV), versions from constraints-min.txt'
	@test -x $(MIN_VENV)/bin/python || $(PYTHON) -m venv $(MIN_VENV)
	@$(MIN_VENV)/bin/python -m pip install -qq --disable-pip-version-check --constraint constraints-min.txt \
		--editable '.[cli,download]' pytest hypothesis
	$(say) 'pytest: what is neither slow nor about tools and documentation'
	@$(ONE_THREAD) $(MIN_VENV)/bin/python -m pytest --override-ini=addopts= --import-mode=importlib --quiet \
		-m 'not slow' --hypothesis-profile=fast $(MIN_TESTS)

docs-check: $(STAMP) ## only what the documentation claims: its code, README's, doctests, numpydoc
	$(say) 'pytest: doctests, code of README and guide, numpydoc validation'
	@$(ONE_THREAD) $(BIN)/python -m pytest --numprocesses $(WORKERS) --quiet robfair tests/test_docstrings.py tests/test_readme.py tests/test_guide.py

format: $(STAMP) ## let ruff format the code and fix what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(STAMP) ## install the peers and run every benchmarks/bench_*.py
	$(say) 'environment: the libraries to compare with'
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --requirement benchmarks/requirements.txt
	@set -e; for script in benchmarks/bench_*.py; do \
		printf '\n==> %s\n' "$$script"; $(BIN)/python "$$script"; done

faults: $(STAMP) ## kills, Ctrl-C, flipped bits, errors in models and threads at random moments
	$(say) 'faults: none may be silent (ten minutes; SEED=n repeats one run)'
	@$(ONE_THREAD) $(BIN)/python benchmarks/faults.py $(if $(SEED),--seed $(SEED))

$(MUTANTS_STAMP): $(STAMP)
	$(say) 'environment: mutmut'
	@$(INSTALL) '.[mutants]'
	@touch $@

mutants: $(MUTANTS_STAMP) ## break measures, geometry and training, change by change: tests must notice (a quarter of an hour)
	$(say) 'mutation testing: at least 92 % killed, and a reason in tests/mutants.toml for each survivor'
	@$(BIN)/python tests/mutants.py --workers $(WORKERS)

clean: ## remove what the tools leave behind, but not .venv
	@rm -rf build dist robfair.egg-info robfair-demo mutants docs/_build docs/examples docs/api docs/sg_execution_times.rst htmlcov .coverage .coverage.* \
		.pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find robfair tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove .venv too
	@rm -rf $(VENV)
