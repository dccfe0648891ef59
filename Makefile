# Each target is enough by itself on a fresh Debian or Ubuntu; a second run starts in seconds.
#
#   system packages ─▶ .venv ─▶ build/cpp_runner ─▶ test | demo

PYTHON  ?= python3
JOBS    ?= $(shell nproc)
BIN     := .venv/bin
CMAKE   := cmake
CPP     := build/cpp_runner
KERNELS := $(shell find cpp_runner/kernels -type f -not -path '*/tests/*')
SCENES  := examples/scenes
IMAGES  := $(SCENES)/images
DEMO    := build/demo
# Sized for a few minutes on two cores: the first 32 images, each artifact timed in two turns.
TIMING  := --batch 1,2,32 --limit 32 --repeats 2
PICTURED := $(addprefix $(IMAGES)/,$(shell ls $(IMAGES) | head -4))

SWEEP   := --recipe cpu_fp32 $(SCENES) --limit 64
MPM     := $(addprefix --schedule ,0 3 6 9 0,1 1,2 2,5 1,2,5 0,2,5)
TOME    := $(addprefix --method tome:ratio=,0.2 0.3)
ALGM    := $(addprefix --method algm:threshold=,0.88 0.95)
# EoMT's queries enter before block 8.
EOMT    := $(addprefix --schedule ,0 2 5 1,4 2,5 5,7)
# CTS shares before block 0; what follows merges what is left. [0, 2, 5] is refused by the gate:
# compiled, 0.998 of its clusters are the eager model's, where the recipe asks for 0.999.
CTS     := $(addprefix --schedule ,0 0,5) --method cts:shared=103

# A Debian for Arm64, made once. A checkout that is removed leaves it there.
ARM64_SYSTEM := $(HOME)/.cache/mpm-deploy/arm64
ARM64_CMAKE  := --toolchain $(CURDIR)/cpp_runner/cmake/aarch64-linux-gnu.cmake -DMPM_SYSROOT=$(ARM64_SYSTEM)

PICTURE   := $(notdir $(word 12,$(wildcard $(IMAGES)/*_day.jpg)))
DAY_NIGHT := $(wildcard $(SCENES)/day_night/*.jpg)

.DEFAULT_GOAL := help
.PHONY: help arm64 demo sweep eomt-sweep cts-sweep benchmark readme test test-all fuzz lint format system program cpp gpu-bundle gpu-rehearsal clean

help: ## say what there is to make
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST)

# ---- set-up ----

OLD_PYTHON := error: Python 3.11 or newer is needed; name one: make PYTHON=python3.12

system:
	@{ cat cpp_runner/apt-packages.txt; \
	   $(PYTHON) -m ensurepip --version >/dev/null 2>&1 || echo python3-venv; } | tools/system-packages.sh

$(BIN)/python: | system
	@$(PYTHON) -c 'import sys; sys.exit("$(OLD_PYTHON)" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv

# The editable install holds the kernels' library: it is made anew when they change.
.venv/.installed: pyproject.toml $(KERNELS) | $(BIN)/python
	@echo 'Installing into .venv; torch is large, this may take minutes.'
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[build,dev]'
	@touch $@

build/build.ninja: .venv/.installed | system
	$(CMAKE) -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DMPM_PYTHON=$(abspath $(BIN)/python)
	@touch $@

program: build/build.ninja | system ## the C++ program
	$(CMAKE) --build build --parallel $(JOBS) --target cpp_runner

cpp: build/build.ninja | system ## the C++ program, the library and their tests
	$(CMAKE) --build build --parallel $(JOBS)

# ---- tests ----

# A file's tests stay in one process, which makes once what they share.
PYTEST := MPM_REQUIRE_CPP=1 $(BIN)/pytest --numprocesses $(JOBS) --dist loadfile
CTEST  := ctest --test-dir build --output-on-failure
FUZZ   := $(BIN)/python -m tools.fuzz

test: lint cpp ## every check but the long proofs: format, types, Python and C++ tests
	$(PYTEST) -m 'not slow'
	$(CTEST)

test-all: lint cpp ## every check there is, the long proofs and a short turn of fuzzing too
	$(PYTEST)
	$(CTEST)
	$(FUZZ) --seconds 75

fuzz: cpp ## half an hour of fuzzing: readers of images, manifests, archives and more
	$(FUZZ) --seconds 1800 --seed $$(date +%s)

lint: .venv/.installed ## format, habits and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	find cpp_runner mpm_deploy benchmarks tools -name '*.[ch]pp' -o -name '*.h' | xargs $(BIN)/clang-format --dry-run -Werror

format: .venv/.installed ## rewrite the sources as the formatters want them
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	find cpp_runner mpm_deploy benchmarks tools -name '*.[ch]pp' -o -name '*.h' | xargs $(BIN)/clang-format -i

arm64: program ## both programs on Arm64 under emulation; as root, up to an hour
	@tools/system-packages.sh < tools/arm64/host-packages.txt
	tools/arm64/make_system.sh $(ARM64_SYSTEM)
	$(CMAKE) -S . -B build/arm64 -G Ninja $(ARM64_CMAKE) -DMPM_SYSTEM_LIBTORCH=ON -DMPM_AOTINDUCTOR=OFF
	$(CMAKE) --build build/arm64 --parallel $(JOBS)
	CMAKE_ARGS='$(ARM64_CMAKE)' _PYTHON_HOST_PLATFORM=linux-aarch64 \
	  $(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir build/arm64 .
	$(BIN)/python tools/arm64/check.py --system $(ARM64_SYSTEM) --work build/arm64

# ---- demo ----

$(DEMO)/merged.pt2: BUILD_OPTIONS :=
$(DEMO)/full_token.pt2: BUILD_OPTIONS := --full-token
$(DEMO)/%.pt2: $(shell find mpm_deploy recipes -type f -not -name '*.pyc') | .venv/.installed
	@mkdir -p $(@D)
	$(BIN)/mpm-deploy build --recipe cpu_fp32 $(BUILD_OPTIONS) -o $@

demo: program $(DEMO)/merged.pt2 $(DEMO)/full_token.pt2 ## build, run and time the demo model, merged against full-token, and write a page
	$(BIN)/mpm-deploy inspect $(DEMO)/merged.pt2
	$(BIN)/mpm-deploy run $(DEMO)/merged.pt2 $(IMAGES) -o $(DEMO)/label_maps
	$(BIN)/mpm-deploy bench $(DEMO)/merged.pt2 $(IMAGES) --against $(DEMO)/full_token.pt2 $(TIMING) --json $(DEMO)/python.json
	$(BIN)/mpm-deploy bench $(DEMO)/merged.pt2 $(IMAGES) --against $(DEMO)/full_token.pt2 $(TIMING) --program $(CPP) --json $(DEMO)/cpp.json
	$(BIN)/mpm-deploy eval $(DEMO)/full_token.pt2 $(SCENES) --json $(DEMO)/full_token.eval.json
	$(BIN)/mpm-deploy eval $(DEMO)/merged.pt2 $(SCENES) --json $(DEMO)/merged.eval.json
	$(BIN)/mpm-deploy profile $(DEMO)/merged.pt2 $(IMAGES) --against $(DEMO)/full_token.pt2 --json $(DEMO)/profile.json
	$(BIN)/mpm-deploy visualize $(DEMO)/merged.pt2 $(PICTURED) --against $(DEMO)/full_token.pt2 --labels $(SCENES)/labels -o $(DEMO)/pictures
	$(BIN)/mpm-deploy visualize $(DEMO)/merged.pt2 $(DAY_NIGHT) --pair -o $(DEMO)/day_night
	$(BIN)/mpm-deploy report $(DEMO)/*.json $(DEMO)/*/pictures.json -o $(DEMO)/report.html
	@echo
	@echo 'artifacts    $(DEMO)/merged.pt2 and $(DEMO)/full_token.pt2'
	@echo 'label maps   $(DEMO)/label_maps/'
	@echo 'pictures     $(DEMO)/pictures/'
	@echo 'the page     $(DEMO)/report.html'

sweep: .venv/.installed ## measure ways of merging the demo model, 40 minutes; write docs/results/demo_sweep.md
	$(BIN)/mpm-deploy sweep $(SWEEP) -o build/sweep $(MPM)
	$(BIN)/mpm-deploy sweep $(SWEEP) -o build/sweep --schedule 1,2,5 $(TOME)
	$(BIN)/mpm-deploy sweep $(SWEEP) -o build/sweep --schedule 2,5 $(TOME) --method tome:ratio=0.4 $(ALGM)
	$(BIN)/python -m benchmarks.record build/sweep/sweep.json demo_sweep
	$(BIN)/python -m benchmarks.render_readme

eomt-sweep: .venv/.installed ## measure schedules of the EoMT demo; write docs/results/eomt_sweep.md
	$(BIN)/mpm-deploy sweep --model eomt_t16 $(SWEEP) -o build/eomt_sweep $(EOMT)
	$(BIN)/python -m benchmarks.record build/eomt_sweep/sweep.json eomt_sweep
	$(BIN)/python -m benchmarks.render_readme

cts-sweep: .venv/.installed ## measure CTS beside the others, of weights trained with it; write docs/results/cts_sweep.md
	$(BIN)/mpm-deploy sweep --weights demo_cts $(SWEEP) -o build/cts_sweep $(CTS)
	$(BIN)/mpm-deploy sweep --weights demo_cts $(SWEEP) -o build/cts_sweep --schedule 2,5
	$(BIN)/mpm-deploy sweep --weights demo_cts $(SWEEP) -o build/cts_sweep --schedule 1,2,5 --method tome:ratio=0.3
	$(BIN)/python -m benchmarks.record build/cts_sweep/sweep.json cts_sweep
	$(BIN)/python -m benchmarks.render_readme

benchmark: program ## measure speed and memory against the targets and the peers, two hours
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[build,dev,peers]'
	$(BIN)/python -m benchmarks

readme: demo ## write the demo's figures into the README
	$(BIN)/python -m benchmarks.record $(DEMO)/python.json demo_python
	$(BIN)/python -m benchmarks.record $(DEMO)/cpp.json demo_cpp
	$(BIN)/python -m benchmarks.picture $(DEMO)/merged.pt2 $(IMAGES)/$(PICTURE)
	$(BIN)/python -m benchmarks.render_readme

# ---- a rented GPU ----

# What such a machine has: the bundle's wheels are for this Python, and this torch is the oldest.
PYTHON312 ?= python3.12
REHEARSAL := build/gpu-rehearsal
BARE      := torch==2.11.0 torchvision==0.26.0 timm safetensors numpy Pillow PyYAML pytest cmake ninja
CUDA      := nvidia-cuda-crt==13.0.* nvidia-cuda-cccl==13.0.*  # headers, where a machine with a GPU has CUDA's toolkit

gpu-bundle: .venv/.installed ## a folder that measures the paper's tables on a rented GPU, with no network
	$(BIN)/python -m benchmarks.gpu.bundle

$(REHEARSAL)/.venv/.installed:
	$(PYTHON312) -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check $(BARE) $(CUDA)
	@touch $@

gpu-rehearsal: gpu-bundle $(REHEARSAL)/.venv/.installed ## the bundle where there is no GPU: torch 2.11.0, no network, stand-ins
	rm -rf $(REHEARSAL)/bundle $(REHEARSAL)/out
	cp -r build/gpu-bundle $(REHEARSAL)/bundle
	PATH="$(CURDIR)/$(REHEARSAL)/.venv/bin:$$PATH" unshare --map-root-user --net \
	  $(REHEARSAL)/bundle/run.sh 15 $(REHEARSAL)/out --stand-ins $(REHEARSAL_OPTIONS)
	$(BIN)/python -m benchmarks.gpu.rehearsal $(REHEARSAL)/out

clean: ## remove what was built; .venv stays
	rm -rf build
