# Everything from a fresh clone: make train, make test, make ui. Needs Python 3.11 to 3.13, pip and make.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready

SHARE := --dist loadgroup --no-loadscope-reorder      # by the groups of tests/conftest.py, in their order

.PHONY: help setup train ui check test test-hydra-next test-ray docs lock clean

help:
	@echo "make train   set up, train model=repeat on the handwritten digits (about a minute), say where to look"
	@echo "make ui      browse the runs in the MLflow UI"
	@echo "make check   lint, types and the fast tests, about a minute"
	@echo "make test    every check, slow tests included; what CI runs"
	@echo "make test-hydra-next   what touches Hydra, on its newest version, a pre-release too; an environment of its own"
	@echo "make test-ray          a sweep on a Ray cluster of two nodes, one of which is lost; an environment of its own"
	@echo "make docs    build the documentation site, without a network"
	@echo "make lock    renew requirements.lock from pyproject.toml"
	@echo "make clean   remove the environment and caches, keep runs"

setup: $(READY)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else f"Python 3.11 to 3.13 is needed; $(PYTHON) is {sys.version.split()[0]}. Try make PYTHON=python3.11")'
	@echo "Setting up .venv (once, two to three minutes)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

train: $(READY)
	$(BIN)/python train.py model=repeat latent_dim=64

ui: $(READY)
	$(BIN)/lengthwise ui

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n 2 $(SHARE) -m "not slow and not golden and not fault"

test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n 3 $(SHARE)      # some tests wait for processes, so three share two cores well

# Environments beside .venv that see its packages, and have of their own only what is tried.
.venv-%/ready: $(READY)
	@$(BIN)/python -m venv .venv-$*
	@echo "import site; site.addsitedir('$(CURDIR)/$$(ls -d .venv/lib/python3.*/site-packages)')" > \
	  $$(ls -d .venv-$*/lib/python3.*/site-packages)/beside.pth
	@touch $@

test-hydra-next: .venv-hydra/ready
	.venv-hydra/bin/python -m pip install --quiet --upgrade --pre "hydra-core>=1.4.0rc3" "omegaconf>=2.4"
	.venv-hydra/bin/python -m pytest -n 2 $(SHARE) tests/unit/config tests/unit/app tests/unit/sweeps tests/integration/test_app.py \
	  tests/integration/test_refusals.py tests/integration/test_sweep.py

test-ray: .venv-ray/ready
	.venv-ray/bin/python -m pip install --quiet "ray>=2.55,<3"
	.venv-ray/bin/python -m pytest -n 0 tests/integration/test_clusters.py

docs: $(READY)
	$(BIN)/python -m sphinx -q -E -W --keep-going docs build/docs
	@echo "Open build/docs/index.html"

lock: $(READY)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --extra docs --extra g2p --extra optuna --extra slurm --universal --python-version 3.11 --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links --upgrade --quiet --output-file requirements.lock

clean:
	rm -rf .venv .venv-hydra .venv-ray build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis src/*.egg-info
