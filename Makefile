# Needs Python 3.11 (with pip) and make; everything else comes from requirements.lock. `make` lists the targets.

.DEFAULT_GOAL := help
.ONESHELL:
.SHELLFLAGS := -euc
.PHONY: help env demo test test-ci test-all chaos mutants simulate bench gpu-check load detectors schema lint lock audit image-check

# With this set, no process could cache bytecode, and each Ray worker would start 20 seconds later.
unexport PYTHONDONTWRITEBYTECODE
export UV_PYTHON_DOWNLOADS := never
export UV_HTTP_TIMEOUT ?= 300

PYTHON ?=
BIN := .venv/bin
STAMP := .venv/stillhouse.stamp
CODE := $(patsubst %/__init__.py,%,$(wildcard orchestrator/__init__.py trainers/__init__.py dashboards/__init__.py)) \
    $(wildcard stillhouse.py)

# Sets $python to a real Python 3.11 (never one inside a virtual environment: .venv may be rebuilt while it runs).
define FIND_PYTHON
python=
for candidate in $(PYTHON) python3.11 python3 python; do
    python=$$("$$candidate" -c 'import sys; print(sys._base_executable if sys.version_info[:2] == (3, 11) else "")' 2>/dev/null || true)
    [ -z "$$python" ] || break
done
[ -n "$$python" ] || { echo "make: Python 3.11 not found (tried $(strip $(PYTHON) python3.11 python3 python)); install it or pass PYTHON=/path/to/python3.11" >&2; exit 1; }
case "$$(uname -sm)" in
    "Linux x86_64") ;;
    *) echo "make: requirements.lock is for Linux x86-64, this is $$(uname -sm)" >&2; exit 1 ;;
esac
endef

# Sets $uv: the one on PATH when it is new enough, else the locked one, brought by pip into .uv/ (no root, no venv,
# and allowed where the system's Python is externally managed).
define FIND_UV
uv_is_new_enough() {
    set -- $$("$$1" --version 2>/dev/null | sed -n 's/^uv \([0-9][0-9]*\)\.\([0-9][0-9]*\).*/\1 \2/p')
    [ "$${1:-0}" -gt 0 ] || [ "$${2:-0}" -ge 13 ]
}
if uv_is_new_enough uv; then uv=uv
elif uv_is_new_enough .uv/bin/uv; then uv=.uv/bin/uv
else
    echo "env: bringing uv into .uv with pip"
    "$$python" -m pip --version >/dev/null 2>&1 || { echo "make: $$python has no pip; install it (python3-pip) or uv" >&2; exit 1; }
    rm -rf .uv
    mkdir -p .uv
    awk '/^[^ #]/ { keep = /^uv==/ } keep' requirements.lock > .uv/uv.txt
    PIP_USER=0 "$$python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
        --no-deps --require-hashes --target .uv -r .uv/uv.txt
    uv=.uv/bin/uv
fi
endef

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'

# The stamp is written last and removed first, so a half-built environment never looks finished. It holds contents,
# not times (a clone sets arbitrary times), and the place, because scripts in .venv/bin hold absolute paths.
env: ## build .venv from requirements.lock when it is missing or stale
	@if command -v flock >/dev/null; then
	    exec 9< $(firstword $(MAKEFILE_LIST))
	    flock --nonblock 9 || { echo "env: waiting for another make env to end"; flock 9; }
	fi
	want="$$(cat requirements.lock pyproject.toml | sha256sum | cut -c1-64) $$(pwd -P)"
	have=$$(cat $(STAMP) 2>/dev/null || true)
	if [ "$$want" = "$$have" ] && [ -x $(BIN)/python ]; then exit 0; fi
	$(FIND_PYTHON)
	if [ "$${have#* }" = "$$(pwd -P)" ] && [ -x $(BIN)/python ]; then
	    echo "env: .venv is stale; updating it from requirements.lock"
	    rm -f $(STAMP)
	else
	    echo "env: building .venv from requirements.lock (6 GB; one to three minutes on a fast connection)"
	    rm -rf .venv
	fi
	$(FIND_UV)
	[ -x $(BIN)/python ] || "$$uv" venv --quiet --no-project --python "$$python" .venv
	echo "env: installing the locked packages and compiling their bytecode"
	"$$uv" pip sync --python $(BIN)/python --require-hashes --compile-bytecode --no-build requirements.lock
	echo "env: installing this checkout (editable)"
	"$$uv" pip install --quiet --python $(BIN)/python --offline --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q $(CODE)
	echo "$$want" > $(STAMP)
	echo "env: .venv is ready"

demo: env ## run the quickstart study, from drawing the data to the table
	@$(BIN)/stillhouse run configs/studies/quickstart.yaml

# Processes share the tests by files (tests/conftest.py names the files that stay together), long ones first.
TEST_PROCESSES ?= 2
TEST_FOLDERS := $(wildcard tests/unit tests/processes tests/contract tests/ray tests/e2e tests/chaos)
PYTEST := $(BIN)/python -m pytest
SHARED_OUT := -n $(TEST_PROCESSES) --dist loadscope --no-loadscope-reorder

test: env ## run the tests that need no study to be run, and one smoke test of each kind that does
	@$(PYTEST) $(SHARED_OUT) $(TEST_FOLDERS) --hypothesis-profile quick --durations 25 \
	    -m "(unit or processes or contract or smoke) and not slow and not long"

test-ci: env ## run all tests but the slow ones, as CI does
	@$(PYTEST) $(SHARED_OUT) $(TEST_FOLDERS) --durations 40 -m "not slow"

test-all: test-ci ## run every test: then slow ones, benchmarks and, where there is a GPU, tests/gpu, one at a time
	@$(PYTEST) tests -m "slow or benchmarks or gpu"

chaos: env ## kill processes of small studies at random, over 50 times, and print the log (CHAOS_FLAGS="--seeds 101")
	@$(BIN)/python -m tests.chaos $(CHAOS_FLAGS)

mutants: env ## plant faults one by one, and count those that the tests beside them see (MUTANTS_FLAGS="--areas search --again")
	@$(BIN)/python -m tests.mutants $(MUTANTS_FLAGS)

simulate: env ## run schedules of deaths and lost messages on a virtual clock for an hour (SIMULATE_FLAGS="jobs --seconds 600")
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.simulation run $(SIMULATE_FLAGS)

bench: env ## time Stillhouse against its limits, in pairs, and print the table (BENCH_FLAGS="--clock cpu --write")
	@$(BIN)/python -m tests.benchmarks $(BENCH_FLAGS)

gpu-check: env ## measure on a GPU, in twelve minutes, what only a GPU can tell; without one at toy size (GPU_CHECK_FLAGS="--seconds 540")
	@$(BIN)/python -m tests.benchmarks.gpu_check $(GPU_CHECK_FLAGS)

load: env ## load the service for two minutes, with a hanging cluster and a restart, and print figures (LOAD_FLAGS="--seconds 30")
	@$(BIN)/python -m tests.benchmarks.service_load $(LOAD_FLAGS)

detectors: env ## try a detector of each of mmdet's folders and write the table in docs/detectors.md (an hour; goes on where it stopped)
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.detectors_table $(DETECTORS_FLAGS)

schema: env ## write the JSON schema of studies, configs/schema/study.json, from the sections and docs/studies.md
	@$(BIN)/python -m tests.study_schema

lint: env ## run ruff, mypy, import-linter, codespell and the check of prose
	@status=0
	check() { echo "lint: $$*"; "$$@" || status=1; }
	check $(BIN)/ruff check .
	check $(BIN)/ruff format --check .
	check $(BIN)/mypy $(CODE) tests
	check $(BIN)/lint-imports
	check $(BIN)/codespell .
	check $(BIN)/python -m tests.prose
	exit $$status

audit: env ## ask the public advisory database about every locked package (needs a network)
	@$(BIN)/uv tool run pip-audit==2.9.0 --disable-pip --require-hashes --vulnerability-service osv \
	    --progress-spinner off $(AUDIT_FLAGS) --requirement requirements.lock

image-check: ## build the image with buildah and run doctor and the quickstart in it (root, buildah, debootstrap; 25 GB)
	@docker/image_check.sh $(STEPS)

lock: ## resolve pyproject.toml into requirements.lock (LOCK_FLAGS=--upgrade takes newer versions)
	@$(FIND_PYTHON)
	$(FIND_UV)
	"$$uv" pip compile pyproject.toml --extra onnx --group dev --python "$$python" --python-version 3.11 \
	    --python-platform x86_64-manylinux_2_28 --generate-hashes --no-emit-index-url --no-emit-find-links \
	    --no-emit-index-annotation --custom-compile-command "make lock" --quiet $(LOCK_FLAGS) --output-file requirements.lock
