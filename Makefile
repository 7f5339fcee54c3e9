# Verbs: run test build check fmt tables asan tsan valgrind refcounts coverage fuzz fuzz-merge
#   fuzz-report neon kqueue ktls debian13 browser autobahn h2spec interop cache-tests bench http3-tools bench-guard hostile smuggling soak growth leaks wheel wheels try sdist release docs
#   docs-test screenshots clean.
# PYTHON names another interpreter, which gets its own virtual environment and builds.

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
# Processes that run the Python tests; 0: this one.
export JOBS ?= $(shell expr $$(nproc 2>/dev/null || echo 1) + 1)

.PHONY: run test build debug check fmt tables asan tsan valgrind refcounts coverage fuzz \
	fuzz-merge fuzz-report neon kqueue ktls debian13 browser autobahn \
	h2spec interop cache-tests bench http3-tools bench-guard hostile smuggling soak growth leaks wheel wheels fetch try emulate compile-for sdist release \
	docs docs-test screenshots clean \
	test-names test-c test-fuzz test-wire test-py venv asan-build

run: build
	cd examples && PYTHONPATH=$(abspath $(RELEASE))/stage $(abspath $(BIN))/python \
		-m bolide hello:app --port $(PORT)

build: $(VENV)/.build
	@tools/build.sh $(RELEASE) --buildtype=release -Db_lto=true

debug: $(VENV)/.build
	@tools/build.sh $(DEBUG) --buildtype=debugoptimized -Dwerror_dev=true \
		-Dunit_tests=true -Dextension_tests=true -Dfuzzers=true \
		-Dfailing_calls=true
	@ln -sf $(DEBUG)/compile_commands.json compile_commands.json

test: debug $(VENV)/.test test-names test-c test-fuzz test-wire test-py

# Checks that each C file of src/ has a test that names it.
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
	PYTHONSAFEPATH=1 PYTHONPATH=$(call EXTENSIONS,$(abspath $(DEBUG))) $(BIN)/python -m pytest \
		-n $(JOBS) --dist loadfile $(or $(TESTS),--ignore=tests/docs)

check: $(VENV)/.build $(VENV)/.check debug
	@tools/check.sh $(DEBUG)

fmt: $(VENV)/.check
	$(BIN)/clang-format -i $$(git ls-files '*.c' '*.h' | grep -v '\.def$$')
	$(BIN)/ruff check --fix-only -q . ; $(BIN)/ruff format -q .

# The tables of settings in docs/OPTIONS.md and docs/LIMITS.md.
tables: debug
	@PYTHONSAFEPATH=1 PYTHONPATH=$(abspath $(DEBUG))/stage $(BIN)/python tools/option_docs.py

asan: asan-build $(VENV)/.test
	@tools/asan.sh $(ASAN) $(BIN)/python $(TESTS)

asan-build: $(VENV)/.build
	@tools/build.sh $(ASAN) --buildtype=debugoptimized -Dwerror_dev=true \
		-Dunit_tests=true -Dextension_tests=true -Dfuzzers=true \
		-Dguided_fuzzers=true -Dfailing_calls=true -Db_sanitize=address,undefined -Db_lundef=false

# OTHER names another Python whose counts are added: some code runs only on newer versions.
coverage: $(VENV)/.build $(VENV)/.test
	@$(BIN)/python -m pip install -q gcovr
	@tools/build.sh build/coverage-$(TAG) --buildtype=debug -Db_coverage=true \
		-Dunit_tests=true -Dextension_tests=true -Dfuzzers=true \
		-Dfailing_calls=true
	@failed=0; tools/coverage.sh build/coverage-$(TAG) $(BIN)/python $(TESTS) || failed=1; \
	$(if $(OTHER),$(MAKE) -s coverage PYTHON=$(OTHER) OTHER= || failed=1; exit $$failed;) \
	$(BIN)/python tools/show_coverage.py build/coverage build/coverage-*/coverage.json || \
		failed=1; exit $$failed

fuzz: asan-build $(VENV)/.test
	@tools/fuzz.sh $(ASAN) $(BIN)/python $(if $(SECONDS),-seconds=$(SECONDS),-runs=$(RUNS)) \
		$(if $(SEED),-seed=$(SEED)) $(TARGET)

tsan: $(VENV)/.build
	@tools/build.sh build/tsan-$(TAG) --buildtype=debugoptimized -Dunit_tests=true \
		-Db_sanitize=thread -Db_lundef=false
	@tools/tsan.sh build/tsan-$(TAG) $(BIN)/python

valgrind: debug $(VENV)/.test
	@tools/setup.sh --guard $(PYTHON)
	@tools/valgrind.sh $(DEBUG) $(BIN)/python $(KINDS)

refcounts:
	@tools/refcounts.sh build/refcounts $(REQUESTS)

# Adds inputs found by `make fuzz` to the corpora, if they take new paths.
fuzz-merge: asan-build $(VENV)/.test
	@tools/fuzz.sh $(ASAN) $(BIN)/python -merge $(TARGET)

fuzz-report: $(VENV)/.build
	@tools/build.sh build/fuzz-report --buildtype=debug -Db_coverage=true -Dfuzzers=true
	@$(BIN)/python tools/fuzz_report.py build/fuzz-report 2000 $(TARGET)

neon:
	@tools/setup.sh --neon $(PYTHON)
	@tools/neon.sh build/neon

# The code for macOS and the BSDs, with libkqueue.
kqueue: $(VENV)/.build
	@tools/kqueue.sh build/kqueue-$(TAG) $(BIN)/python

ktls: debug $(VENV)/.test
	@tools/setup.sh --ktls $(PYTHON)
	@PYTHONPATH=$(call EXTENSIONS,$(abspath $(DEBUG))) tools/ktls.sh build/ktls \
		$(BIN)/python $(if $(TESTS),$(TESTS),tests/tls)

# The last commit in a root of Debian 13, which has OpenSSL >= 3.5; TESTS=all runs all suites.
debian13: export TESTS := $(TESTS)
debian13:
	@tools/debian13.sh

build/congestion.so: bench/c/congestion.c
	@cc -O2 -Wall -Wextra -D_GNU_SOURCE -shared -fPIC -o $@ $< -ldl

build/%_load: bench/c/%_load.c bench/c/load.h
	@cc -O2 -Wall -Wextra -o $@ $< -lssl -lcrypto

browser: debug $(VENV)/.test
	@tools/setup.sh --browser $(PYTHON)
	@$(MAKE) -s test-py TESTS=tests/browser

autobahn: build
	@PYTHONPATH=$(abspath $(RELEASE))/stage $(BIN)/python tests/autobahn/run.py $(CASES)

# The public suite for HTTP caches; needs npm.
cache-tests: build
	@PYTHONPATH=$(abspath $(RELEASE))/stage tools/cache_tests.sh $(BIN)/python

# Other clients of HTTP/3, of which those that are missing are left out: curl, gtlsclient, and
# two that are built by go and cargo.
interop: debug $(VENV)/.test
	@tests/interop/build.sh build/interop
	@PYTHONSAFEPATH=1 PYTHONPATH=$(abspath $(DEBUG))/stage $(BIN)/python \
		tests/interop/run.py build/interop

h2spec: build
	@if tools/h2spec.sh; then \
		PYTHONPATH=$(abspath $(RELEASE))/stage $(BIN)/python tests/h2spec/run.py $(CASES); \
	else echo "h2spec: skipped"; fi

bench: build build/crowd_load build/big_load build/event_load build/tls_load \
		build/ws_load build/congestion.so $(VENV)/.bench
	cd bench && PYTHONPATH=$(abspath $(RELEASE))/stage $(abspath $(BIN))/python \
		run.py $(BENCH)

# What bench measures HTTP/3 with.
http3-tools: $(VENV)/.build
	@tools/setup.sh --debian13 $(PYTHON)
	@tools/http3_tools.sh $(abspath $(BIN))/python

bench-guard: build $(VENV)/.test
	@tools/setup.sh --guard $(PYTHON)
	@cd bench && $(abspath $(BIN))/python guard.py $(if $(BASE),--base $(BASE)) \
		$(if $(WHEEL),--wheel $(abspath $(WHEEL))) $(WORKS)

build/witness: tests/hostile/witness.c bench/c/load.h
	@cc -O2 -D_GNU_SOURCE -Wall -Wextra -o $@ $<

# CASES=--short is what continuous integration runs.
hostile: build build/witness $(VENV)/.test
	@PYTHONPATH=$(abspath $(RELEASE))/stage $(BIN)/python tests/hostile/hostile.py $(CASES)

smuggling: build $(VENV)/.test
	@tools/setup.sh --smuggling $(PYTHON)
	@PYTHONPATH=$(abspath $(RELEASE))/stage $(BIN)/python tests/smuggling/run.py $(CASES)

# SECONDS of a mixed load (default: an hour); draws docs/soak.svg, or PICTURE.
soak: build $(VENV)/.test
	@PYTHONPATH=$(abspath $(RELEASE))/stage $(BIN)/python tests/soak/run.py \
		$(if $(SECONDS),$(SECONDS),3600) $(PICTURE)

growth: build $(VENV)/.bench
	cd bench && PYTHONPATH=$(abspath $(RELEASE))/stage $(abspath $(BIN))/python \
		growth.py

leaks: build $(VENV)/.test
	@PYTHONPATH=$(abspath $(RELEASE))/stage $(BIN)/python tests/leaks/run.py \
		$(if $(COUNT),--count $(COUNT)) $(if $(SECONDS),--seconds $(SECONDS)) $(KINDS)

# Builds all wheels, or the one for this machine and Python.
wheels: $(VENV)/.wheels
	@$(BIN)/python tools/wheels/build.py

wheel: $(VENV)/.wheels
	@$(BIN)/python tools/wheels/build.py --local

# Downloads what the latter needs, and nothing else.
fetch: $(VENV)/.wheels
	@$(BIN)/python tools/wheels/build.py --local --fetch

# Installs it with pip in a new virtual environment (ROOT: of another system) and serves.
try: wheel
	@$(BIN)/python tools/wheels/try.py --python $(PYTHON) $(if $(ROOT),$(ROOT),/)

# The C tests and the wire cases on 64-bit ARM; ROOT is the root of such a system. With musl:
# LIBC=musl PROGRAM=opt/py/bin/python3.13
emulate: $(VENV)/.wheels $(VENV)/.test
	@tools/setup.sh --neon $(PYTHON)
	@$(BIN)/python tools/wheels/emulate.py $(ROOT) $(if $(LIBC),--libc $(LIBC)) \
		$(if $(PROGRAM),--program $(PROGRAM))

# Compiles the engine for macOS and FreeBSD without running it.
compile-for: $(VENV)/.wheels
	@$(BIN)/python tools/wheels/compile_for.py $(TARGETS)

sdist: $(VENV)/.build
	@mkdir -p dist && $(BIN)/python -c "import mesonpy; print(mesonpy.build_sdist('dist'))"

release: $(VENV)/.wheels $(VENV)/.test
	@tools/release.sh $(BIN)/python $(VERSION)

docs: $(VENV)/.docs
	@$(BIN)/python tools/site.py
	@echo "the site is in build/site"

docs-test: debug $(VENV)/.test $(VENV)/.docs
	PYTHONSAFEPATH=1 PYTHONPATH=$(call EXTENSIONS,$(abspath $(DEBUG))) \
		$(BIN)/python -m pytest tests/docs

# The pictures of the status page and of `bolide top` in docs/pictures; takes 4 minutes.
screenshots: build $(VENV)/.test
	@tools/setup.sh --browser $(PYTHON)
	@PYTHONSAFEPATH=1 PYTHONPATH=$(abspath $(RELEASE))/stage:$(abspath tools/screenshots) \
		$(BIN)/python tools/screenshots/make.py $(SECONDS)

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
		echo "rloop is not available for this Python: its tests are skipped"
	@touch $@

$(VENV)/.bench: $(VENV)/.build requirements/bench.txt
	@tools/setup.sh --bench $(PYTHON)
	@for peer in $$(cat requirements/bench.txt); do \
		$(BIN)/python -m pip install -q $$peer || echo "no $$peer for this Python"; done
	@touch $@

$(VENV)/.docs: $(VENV)/.build requirements/docs.txt
	@$(BIN)/python -m pip install -q -r requirements/docs.txt
	@touch $@

$(VENV)/.wheels: $(VENV)/.build requirements/wheels.txt
	@tools/setup.sh --wheels $(PYTHON)
	@$(BIN)/python -m pip install -q -r requirements/wheels.txt
	@touch $@

$(VENV)/.check: $(VENV)/.build requirements/check.txt
	@$(BIN)/python -m pip install -q -r requirements/check.txt
	@touch $@
