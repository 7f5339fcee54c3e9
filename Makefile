# Verbs: run test build check fmt asan coverage fuzz neon ktls browser autobahn h2spec bench
#   bench-guard soak wheel clean.
# PYTHON names another interpreter; it has a virtual environment and builds of its own.

PYTHON ?= python3
ifneq ($(MAKECMDGOALS),clean)
TAG := $(shell tools/tag.sh $(PYTHON))
$(if $(TAG),,$(error there is no $(PYTHON)))
endif
VENV := .venv/$(TAG)
BIN := $(VENV)/bin
RELEASE := build/release-$(TAG)
DEBUG := build/debug-$(TAG)
ASAN := build/asan-$(TAG)
unexport PYTHONDONTWRITEBYTECODE
EXTENSIONS = $(1)/stage:$(1)/tests/awaitable:$(1)/examples/c_app
export PATH := $(abspath $(BIN)):$(PATH)
PORT ?= 8000
RUNS ?= 1000000

.PHONY: run test build debug check fmt asan coverage fuzz neon ktls browser autobahn h2spec \
	bench bench-guard soak wheel clean \
	test-names test-c test-fuzz test-wire test-py venv asan-build

run: build
	cd examples && PYTHONPATH=$(abspath $(RELEASE))/stage $(abspath $(BIN))/python \
		-m bolide hello:app --port $(PORT)

build: $(VENV)/.build
	@tools/build.sh $(RELEASE) --buildtype=release -Db_lto=true

debug: $(VENV)/.build
	@tools/build.sh $(DEBUG) --buildtype=debugoptimized -Dwerror_dev=true \
		-Dunit_tests=true -Dextension_tests=true -Dfuzzers=true

test: debug $(VENV)/.test test-names test-c test-fuzz test-wire test-py

# Each C file of src/ has a test that names it.
test-names: $(VENV)/.build
	@$(BIN)/python tools/check_tests.py

test-c: debug
	@$(BIN)/python tools/run_c_tests.py $(DEBUG)

test-fuzz: debug $(VENV)/.test
	@tools/fuzz.sh $(DEBUG) $(BIN)/python -runs=10000

test-wire: debug
	@PYTHONPATH=$(abspath $(DEBUG))/stage $(BIN)/python tests/wire/run.py
	@PYTHONPATH=$(abspath $(DEBUG))/stage $(BIN)/python tests/wire/run_h2.py

test-py: debug $(VENV)/.test
	PYTHONSAFEPATH=1 PYTHONPATH=$(call EXTENSIONS,$(abspath $(DEBUG))) $(BIN)/python -m pytest $(TESTS)

check: $(VENV)/.build $(VENV)/.check debug
	@tools/check.sh $(DEBUG)

fmt: $(VENV)/.check
	$(BIN)/clang-format -i $$(git ls-files '*.c' '*.h' | grep -v '\.def$$')
	$(BIN)/ruff check --fix-only -q . ; $(BIN)/ruff format -q .

asan: asan-build $(VENV)/.test
	@tools/asan.sh $(ASAN) $(BIN)/python $(TESTS)

asan-build: $(VENV)/.build
	@tools/build.sh $(ASAN) --buildtype=debugoptimized -Dwerror_dev=true \
		-Dunit_tests=true -Dextension_tests=true -Dfuzzers=true \
		-Db_sanitize=address,undefined -Db_lundef=false

# OTHER names another Python whose counts are added: some code runs only on the newer.
coverage: $(VENV)/.build $(VENV)/.test
	@$(BIN)/python -m pip install -q gcovr
	@tools/build.sh build/coverage-$(TAG) --buildtype=debug -Db_coverage=true \
		-Dunit_tests=true -Dextension_tests=true -Dfuzzers=true
	@tools/coverage.sh build/coverage-$(TAG) $(BIN)/python $(TESTS)
	@$(if $(OTHER),$(MAKE) -s coverage PYTHON=$(OTHER) OTHER=)
	@$(BIN)/python tools/show_coverage.py build/coverage build/coverage-*/coverage.json

fuzz: asan-build $(VENV)/.test
	@tools/fuzz.sh $(ASAN) $(BIN)/python $(if $(SECONDS),-seconds=$(SECONDS),-runs=$(RUNS)) \
		$(if $(SEED),-seed=$(SEED)) $(TARGET)

neon:
	@tools/setup.sh --neon $(PYTHON)
	@tools/neon.sh build/neon

ktls: debug $(VENV)/.test
	@tools/setup.sh --ktls $(PYTHON)
	@PYTHONPATH=$(call EXTENSIONS,$(abspath $(DEBUG))) tools/ktls.sh build/ktls \
		$(BIN)/python $(if $(TESTS),$(TESTS),tests/tls)

build/%_load: bench/c/%_load.c bench/c/load.h
	@cc -O2 -Wall -Wextra -o $@ $< -lssl -lcrypto

browser: debug $(VENV)/.test
	@tools/setup.sh --browser $(PYTHON)
	@$(MAKE) -s test-py TESTS=tests/browser

autobahn: build
	@PYTHONPATH=$(abspath $(RELEASE))/stage $(BIN)/python tests/autobahn/run.py $(CASES)

h2spec: build
	@if tools/h2spec.sh; then \
		PYTHONPATH=$(abspath $(RELEASE))/stage $(BIN)/python tests/h2spec/run.py $(CASES); \
	else echo "h2spec: skipped"; fi

bench: build build/crowd_load build/big_load build/tls_load build/ws_load $(VENV)/.bench
	cd bench && PYTHONPATH=$(abspath $(RELEASE))/stage $(abspath $(BIN))/python \
		run.py $(BENCH)

bench-guard: build $(VENV)/.test
	@tools/setup.sh --guard $(PYTHON)
	@cd bench && $(abspath $(BIN))/python guard.py $(if $(BASE),--base $(BASE)) $(WORKS)

soak: build $(VENV)/.bench
	cd bench && PYTHONPATH=$(abspath $(RELEASE))/stage $(abspath $(BIN))/python \
		growth.py

wheel: $(VENV)/.build
	$(BIN)/python -m pip wheel -q --no-deps --no-build-isolation -w dist .
	@ls dist/*.whl

clean:
	rm -rf build dist

venv: $(VENV)/.build $(VENV)/.test $(VENV)/.check

$(VENV)/.build: requirements/build.txt tools/setup.sh
	@tools/setup.sh $(PYTHON)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q -r requirements/build.txt
	@touch $@

$(VENV)/.test: $(VENV)/.build requirements/test.txt tools/setup.sh
	@tools/setup.sh --test $(PYTHON)
	@$(BIN)/python -m pip install -q -r requirements/test.txt
	@$(BIN)/python -m pip install -q rloop 2>/dev/null || \
		echo "rloop is not to be had for this Python: its tests are skipped"
	@touch $@

$(VENV)/.bench: $(VENV)/.build requirements/bench.txt
	@tools/setup.sh --bench $(PYTHON)
	@for peer in $$(cat requirements/bench.txt); do \
		$(BIN)/python -m pip install -q $$peer || echo "no $$peer for this Python"; done
	@touch $@

$(VENV)/.check: $(VENV)/.build requirements/check.txt
	@$(BIN)/python -m pip install -q -r requirements/check.txt
	@touch $@
