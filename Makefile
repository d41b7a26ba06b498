# Every target may be run again; what is done already is not done twice.
# On a GPU machine, once: make install EXTRAS=cuda,postgres,dev (the stamp below remembers the choice).

CPU_EXTRAS := cpu,postgres,dev
EXTRAS ?= $(or $(notdir $(wildcard .venv/.installed/*)),$(CPU_EXTRAS))
BIN := .venv/bin
INSTALLED := .venv/.installed/$(EXTRAS)
LANES := -n 3 --dist loadscope --no-loadscope-reorder # tests/lanes.py says what each of them takes
DASHBOARD := service/dashboard
DASHBOARD_SOURCES := $(shell find $(DASHBOARD) \( -name node_modules -o -name static \) -prune -o -type f -print 2>/dev/null)

# A container may say so to save space; here each of hundreds of processes would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install run test test-clients lint mutants bench ui clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: $(INSTALLED) ## make .venv with Anabranch and all it needs

$(INSTALLED): pyproject.toml constraints.txt deploy/install.sh
	@rm -rf $(@D)
	@deploy/install.sh $(EXTRAS)
	@mkdir $(@D) && touch $@

run: install ui ## serve on this machine, answer a first question, print the dashboard's address
	@$(BIN)/anabranch up --first-job

test: install ui ## lint, then every test that this machine can run
	@.ci/prepare
	@$(MAKE) --no-print-directory lint
	@[ ! -d $(DASHBOARD)/node_modules ] || npm --prefix $(DASHBOARD) run --silent test
	@$(BIN)/pytest $(LANES)

test-clients: install ## other people's clients (openai, LangChain, …) against a real service, in environments of their own
	@.ci/clients

lint: install ## ruff, mypy, import rules, biome
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	[ ! -d $(DASHBOARD)/node_modules ] || npm --prefix $(DASHBOARD) run --silent lint

mutants: install ## do the tests notice? make mutants ROOM="dag/state.py service/store" (minutes; not in CI)
	@$(BIN)/python .ci/mutants $(ROOM)

bench: install ## one table, beside peers and floors; make bench OPTIONS="--postgres URL --peers PYTHON --all"
	@$(BIN)/python benchmarks/run.py $(OPTIONS)

ui: $(DASHBOARD)/static/index.html ## build the dashboard

$(DASHBOARD)/static/index.html: $(DASHBOARD_SOURCES)
	@deploy/build-dashboard.sh

clean: ## remove all that the other targets made
	rm -rf .venv dist build $(DASHBOARD)/static $(DASHBOARD)/node_modules
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
