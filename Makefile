# make demo    one photo of examples/ becomes views, edits, a video and a mesh in outputs/demo/
# make test    lint, types and tests
# Both set up everything they need in $(VENV); a second run starts at once.

PYTHON ?= python3
VENV ?= .venv
# The release that geoinv is tested with. Any torch >= 2.4 works: make demo TORCH=torch==2.9.1
TORCH ?= torch==2.13.0
# Where PyTorch publishes builds without CUDA. PyPI's Linux builds bring several GB of CUDA along.
TORCH_CPU_INDEX ?= https://download.pytorch.org/whl/cpu

PHOTO ?= examples/woman.jpg
DEMO ?= outputs/demo

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
GEOINV := $(BIN)/geoinv

.PHONY: help demo test lint format clean
.DELETE_ON_ERROR:

help:
	@sed -n '1,3s/^# //p' Makefile

$(VENV)/.created:
	$(PYTHON) -c 'import sys; sys.exit("geoinv needs Python 3.10 to 3.13, this is " + sys.version.split()[0]) if not (3, 10) <= sys.version_info[:2] < (3, 14) else None'
	$(PYTHON) -m venv $(VENV) || { echo "error: python3 -m venv failed (Debian and Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
	@touch $@

# On Linux without an NVIDIA driver: the CPU build, from this machine or from PyTorch's own index; else what PyPI has.
$(VENV)/.torch: $(VENV)/.created
	@echo "installing $(TORCH)"
	@if [ "$$(uname -s)" = Linux ] && ! command -v nvidia-smi >/dev/null 2>&1; then \
	    $(PIP) install -q --only-binary torch "$(TORCH)+cpu" 2>/dev/null || \
	    $(PIP) install -q --retries 1 --timeout 20 --index-url $(TORCH_CPU_INDEX) "$(TORCH)" 2>/dev/null || \
	    $(PIP) install -q "$(TORCH)"; \
	else \
	    $(PIP) install -q "$(TORCH)"; \
	fi
	@touch $@

$(VENV)/.installed: $(VENV)/.torch pyproject.toml
	$(PIP) install -q -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.installed
	$(PIP) install -q -e '.[dev]'
	@touch $@

demo: $(VENV)/.installed
	@mkdir -p $(DEMO)
	$(GEOINV) align $(PHOTO) --overlay --out $(DEMO) --overwrite
	$(GEOINV) invert $(PHOTO) --out $(DEMO) --overwrite
	$(GEOINV) render --views 5 --depth --normals --out $(DEMO) --overwrite
	$(GEOINV) edit --attr smile --views 5 --out $(DEMO) --overwrite
	$(GEOINV) export-mesh --out $(DEMO)/head.ply --overwrite
	@echo; echo "The demo made:"; ls -1 $(DEMO)/* | sed 's/^/  /'

test: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy geoinv
	$(BIN)/python -m pytest

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/mypy geoinv

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) outputs build dist .pytest_cache .mypy_cache .ruff_cache
