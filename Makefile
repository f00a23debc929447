# For users: `make demo` and `make test`. The first installs into .venv; so does the second if need be.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
HASHES ?=
ifeq ($(origin HASHES),file)
HASHES := $(CI)# whether to install by the hashes in requirements/
endif

# Each command of a test begins a Python of its own, which would compile all modules again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo train-demo docs test lint tests install hashes clean
.DEFAULT_GOAL := help
help:
	@echo "make demo   install into .venv, paint the demo with the HOD and the network, and compare"
	@echo "make train-demo   train the network on the pair of runs in GADGET4: under half an hour"
	@echo "make docs   install Sphinx too, and build the documentation's site in build/docs/html"
	@echo "make test   install into .venv, check style and types, run the tests"

install: $(VENV)/.installed

# halotools has no wheels for current Pythons; pip keeps the one it builds for later environments.
$(VENV)/.installed: setup.cfg pyproject.toml constraints.txt requirements/wheels.txt requirements/source.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else \
	    "mockgal needs Python 3.11 to 3.13, and $(PYTHON) is %d.%d. Fix: make PYTHON=python3.12 ..." % v)'
	$(PYTHON) -m venv $(VENV)
ifneq ($(HASHES),)
	@echo "Steps 1 and 2 of 3: every library, with the hash that it must have"
	$(PIP) install -q --require-hashes --no-deps -r requirements/wheels.txt
	$(PIP) install -q --require-hashes --no-deps --no-build-isolation -r requirements/source.txt
else
	@echo "Step 1 of 3: libraries with ready-made packages (about a minute)"
	$(PIP) install -q -c constraints.txt torch astropy h5py scipy Cython
	@echo "Step 2 of 3: halotools, compiled from source: about 6 minutes on 2 cores, silent, only once"
	$(PIP) install -q -c constraints.txt halotools
endif
	@echo "Step 3 of 3: mockgal and its test tools"
	$(PIP) install -q -c constraints.txt $(and $(HASHES),--no-deps --no-build-isolation) -e '.[test]'
	@touch $@

demo: install
	@mkdir -p demo
	$(BIN)/mockgal inspect catalogs/demo/dark.hdf5
	@echo
	$(BIN)/mockgal build --recipe catalogs/demo.yaml --out demo/mock.fits --overwrite
	@echo
	@$(BIN)/python catalogs/show.py demo/mock.fits
	@echo
	$(BIN)/mockgal build --recipe catalogs/demo-cnn.yaml --out demo/mock-cnn.fits --overwrite
	@echo
	$(BIN)/mockgal plot demo/mock.fits demo/mock-cnn.fits --out demo/compare.png --overwrite \
	    --cut "stellar_mass > 8e9 Msun/h"
	@echo
	$(BIN)/mockgal compare --truth catalogs/demo/hydro.hdf5 --sim catalogs/demo/dark.hdf5 \
	    --mock cnn=demo/mock-cnn.fits --mock hod=demo/mock.fits --grid 128 \
	    --cut "stellar_mass > 8e9 Msun/h" --out demo/report --overwrite --quiet
	@echo
	@echo "Both painters learnt from the hydrodynamic twin of this very run, so that this is no test of"
	@echo "them. How good the weights are where they were not trained, their card says:"
	@$(BIN)/mockgal weights show gadget4-demo | grep '^card'
	@echo "The page that compares the two with the truth: demo/report/index.html"

# The weights that come with mockgal, in mockgal/painters/cnn/networks, and their card are made so.
# Given again after it was stopped, it goes on.
GADGET4 ?= ../shared/data/gadget4
train-demo: install
	@test -d $(GADGET4)/dark/groups_002 -a -d $(GADGET4)/hydro/groups_002 || \
	    { echo "no pair of runs in $(GADGET4). Fix: make train-demo GADGET4=FOLDER, with dark/ and" \
	    "hydro/ in it, or train on a made-up one: docs/how-to/train-the-network.md"; exit 3; }
	@mkdir -p demo
	$(BIN)/mockgal train --dark $(GADGET4)/dark/groups_002 --hydro $(GADGET4)/hydro/groups_002 \
	    --out demo/gadget4-demo.safetensors --preset demo --width 8 --grid 128 --epochs 40 --overwrite \
	    --summary "a Gadget-4 pair of runs in 16 Mpc/h, without feedback" \
	    --caution "for demonstration and tests, not for science: trained on a few hundred subhalos \
	in 16 Mpc/h, with galaxies too massive for want of feedback"
	@cat demo/gadget4-demo.safetensors.card.md

# The site of the documentation, without warnings. Its notebooks run again when they have changed.
docs: $(VENV)/.docs
	$(BIN)/python -m sphinx -q -W --keep-going -j 2 -d build/docs/pages docs build/docs/html
	@echo "Open $(CURDIR)/build/docs/html/index.html"

$(VENV)/.docs: $(VENV)/.installed
	$(PIP) install -q -c constraints.txt $(and $(HASHES),--no-deps --no-build-isolation) -e '.[docs]'
	@touch $@

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

tests: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

test: lint tests

# After a change of constraints.txt, on a machine like those of CI: see requirements/README.md.
hashes:
	rm -rf $(VENV) .hashes && $(MAKE) $(VENV)/.docs HASHES=
	$(PYTHON) -m venv .hashes && .hashes/bin/python -m pip install -q pip-tools
	$(BIN)/python requirements/renew.py .hashes/bin/pip-compile
	rm -r .hashes

clean:
	rm -rf $(VENV) demo build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
