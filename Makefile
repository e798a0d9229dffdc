# Everything a person or a build runs. `make` alone lists the targets.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
JS := tests/clients/js tests/identity/js bench/portkey
PROOF := .venv-proof
# Clients that cannot live beside those of the dev requirements, an environment for each list.
CLIENTS := 2024-07 2024-10 2025-02 frameworks
# Gateways of others that `make bench PEERS=1` measures beside ours, each in an environment of its own.
PEER_GATEWAYS := litellm sglang-router portkey

.DEFAULT_GOAL := help
.PHONY: help setup run test clients check format bench eval-pilot train-pilot stamp lock clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/run.stamp ## Make .venv with all that running Cupola needs

run: $(VENV)/run.stamp ## Start Cupola (set up first if need be)
	@exec $(BIN)/cupola up

# Without its environment the proof is skipped on a laptop, and fails where CI=true.
test: $(VENV)/dev.stamp clients ## Run all tests
	@$(MAKE) --no-print-directory $(PROOF)/proof.stamp || echo "No environment for tests/proof."
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

clients: $(CLIENTS:%=$(VENV)/clients/%.stamp) ## Make the environments of the client matrix

check: $(VENV)/dev.stamp ## Check style, types and architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/dev.stamp ## Put every file into the house's form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/dev.stamp $(if $(PEERS),$(PEER_GATEWAYS:%=$(VENV)/peers/%.stamp)) ## Measure speed; results go to bench/results
	$(BIN)/python -m bench.run $(if $(PEERS),--peers)

eval-pilot: $(VENV)/dev.stamp ## Ask the included model its held-out questions, through an endpoint
	$(BIN)/python -m pilot.evaluate

train-pilot: $(VENV)/pilot.stamp pilot/runs/main/tokenizer.json ## Train the included model (hours)
	$(BIN)/python -m pilot.train --run main --minutes 150
	$(BIN)/python -m pilot.export main --gguf src/cupola/catalog/weights/Cupola-Pilot.gguf
	$(BIN)/python scripts/stamp_weights.py

stamp: $(VENV)/run.stamp ## Write size and checksum of the shipped weights into the catalog
	$(BIN)/python scripts/stamp_weights.py

lock: ## Resolve the requirements again (needs uv)
	@scripts/lock_requirements

clean: ## Remove everything that make made
	rm -rf $(VENV) $(PROOF) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	rm -rf $(JS:%=%/node_modules)
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is newer than what it was made from, so the next `make run` starts at once.

$(VENV)/run.stamp: requirements/run.txt pyproject.toml | $(BIN)/python
	$(PIP) install --require-hashes -r requirements/run.txt
	$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt pyproject.toml | $(BIN)/python
	$(PIP) install --require-hashes -r requirements/dev.txt
	$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@ $(VENV)/run.stamp

# The transformers library, against which tests/proof holds what is served.
$(PROOF)/proof.stamp: requirements/proof.txt | $(PROOF)/bin/python
	$(PROOF)/bin/python -m pip --disable-pip-version-check --quiet install \
		--no-compile --require-hashes -r requirements/proof.txt
	@touch $@

# Without a network this fails and `make test` goes on: the tests say what they miss.
$(VENV)/clients/%.stamp: requirements/clients-%.txt | $(VENV)/dev.stamp
	@rm -rf $(@:.stamp=)
	-$(BIN)/python -m venv --without-pip $(@:.stamp=) \
		&& $(PIP) --python $(@:.stamp=)/bin/python install --require-hashes -r $< \
		&& touch $@

# Without a network, or without node, `make bench` goes on and says what it left out.
$(VENV)/peers/%.stamp: requirements/peers-%.txt | $(VENV)/dev.stamp
	@rm -rf $(@:.stamp=)
	-$(BIN)/python -m venv --without-pip $(@:.stamp=) \
		&& $(PIP) --python $(@:.stamp=)/bin/python install --require-hashes -r $< \
		&& touch $@

$(VENV)/peers/portkey.stamp: bench/portkey/package-lock.json | $(VENV)/dev.stamp
	@mkdir -p $(@D)
	-npm ci --prefix bench/portkey --ignore-scripts --no-audit --no-fund && touch $@

# PyTorch is large and not locked: only training needs it.
$(VENV)/pilot.stamp: $(VENV)/dev.stamp
	$(PIP) install --no-build-isolation --editable '.[pilot]'
	@touch $@

pilot/runs/main/tokenizer.json: | $(VENV)/pilot.stamp
	$(BIN)/python -m pilot.tokenizer $@

$(BIN)/python:
	@scripts/make_venv $(VENV)

$(PROOF)/bin/python:
	@scripts/make_venv $(PROOF)
