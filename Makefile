# velodrome: `make demo` shows it, `make test` proves it. Both set up everything that they need on a Debian
# with Python 3.11, as root or with sudo.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SPEED ?= 1
TOKYO_SPEED ?= 50
HEATS ?= 1000
SEED ?= 1

.PHONY: demo demo-tokyo test lint bench soak screenshots lock clean test-packages

demo: $(STAMP)
	$(BIN)/velodrome demo --speed $(SPEED)

# The whole men's keirin of Tokyo 2020 from the entry list to the results book, on simulated hardware
demo-tokyo: $(STAMP)
	$(BIN)/velodrome demo --competition --headless --speed $(TOKYO_SPEED) --folder build/tokyo
	$(BIN)/velodrome communique print build/tokyo/latest/meet.journal --folder build/tokyo/communiques
	$(BIN)/velodrome communique book build/tokyo/latest/meet.journal build/tokyo/results-book.pdf

test: $(STAMP) test-packages lint
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP) test-packages
	$(BIN)/python -m tests.bench

# Random heats with faults on mixed boxes against the script's truth, in virtual time: make soak HEATS=10000 SEED=7
soak: $(STAMP)
	$(BIN)/python -m tests.soak --heats $(HEATS) --seed $(SEED)

# The five screens during a heat, at the sizes at which they are used: pictures in build/screenshots
screenshots: $(STAMP) test-packages
	$(BIN)/python -m tests.screenshots

# Real Mosquitto and Chromium for the tests; Mosquitto's own service is not wanted, the tests start theirs. The fonts
# are for the Japanese of the consoles and of the communiqués.
test-packages:
	@missing=""; \
	command -v mosquitto >/dev/null || test -x /usr/sbin/mosquitto || missing="$$missing mosquitto"; \
	command -v chromium >/dev/null || missing="$$missing chromium"; \
	ls /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc >/dev/null 2>&1 || missing="$$missing fonts-noto-cjk"; \
	if [ -n "$$missing" ]; then \
		echo "installing Debian's$$missing for the tests"; \
		run() { if [ "$$(id -u)" = 0 ]; then "$$@"; else sudo "$$@"; fi; }; \
		run apt-get update -qq && \
		run env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $$missing \
			>/dev/null; \
	fi

$(STAMP): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "velodrome needs Python 3.11 or newer: call make with PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		run() { if [ "$$(id -u)" = 0 ]; then "$$@"; else sudo "$$@"; fi; }; \
		echo "installing Debian's python3-venv"; \
		run apt-get update -qq && run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv; }
	@echo "setting up $(VENV) (once, a minute or two)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

# Resolves anew and writes the hash-locked requirements, without any registry address.
lock:
	uv pip compile pyproject.toml --extra dev --generate-hashes --no-emit-index-url --no-header \
		--python-version 3.11 --output-file requirements.txt

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
