"""Find out what this machine can build and run, and the cure for what it cannot."""

import importlib.metadata
import importlib.util
import platform
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from mpm_deploy.builder import resources
from mpm_deploy.errors import MpmError
from mpm_deploy.ops.label_map import native
from mpm_deploy.recipe import Recipe, builtin_recipes
from mpm_deploy.support.compiler import COMPILER_CURE, compiler_name, find_compiler
from mpm_deploy.support.cores import available_cores
from mpm_deploy.support.processor import host_cpu_isa

Topic = Literal["run", "build", "extra", "C++ program", "recipe"]

_BUILD_EXTRA = "pip install 'mpm-deploy[build]'"
_BUILD_ELSEWHERE = f"build on another machine and copy the file, or {_BUILD_EXTRA}"
_LABEL_MAP_CURE = "for faster label maps, install a C++ compiler, then mpm-deploy anew"
_BUILD_PACKAGES = ("timm", "torchvision", "safetensors", "tomli-w", "PyYAML")
_BUILD_TORCH = "2.11"  # artifacts run on older ones: Debian 13 has 2.6
# Of each extra of the package, but for the build's: what it is for, and the modules that it brings.
_EXTRAS = {
    "report": ("pages and charts", ("jinja2", "altair", "vl_convert")),
    "video": ("videos and cameras", ("av",)),
    "onnxruntime": ("running ONNX", ("onnxruntime",)),
    "onnx": ("building ONNX", ("onnx", "onnxscript", "onnxruntime")),
    "rtx": ("TensorRT's engines for RTX GPUs", ("tensorrt_rtx_bindings",)),
    "trust": ("signatures", ("cryptography",)),
    "serve": ("mpm-deploy serve", ("kserve",)),
    "ray": ("a Ray cluster", ("ray",)),
}
_PROGRAMS = {"cmake": "cmake", "ninja": "ninja-build"}
_HEADERS = {
    "jpeglib.h": "libjpeg-dev",
    "png.h": "libpng-dev",
    "openssl/evp.h": "libssl-dev",
    "nlohmann/json.hpp": "nlohmann-json3-dev",
    "CLI/CLI.hpp": "libcli11-dev",
    "doctest/doctest.h": "doctest-dev",
}
_THREADS_A_CORE = 4  # the model's own, those that decode, and one a stage
# The instruction sets that decide how fast a CPU multiplies matrices.
_TELLING_ISA = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "asimdhp", "bf16")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at on this machine.

    Args:
        topic: What the thing is needed for.
        subject: What the thing is.
        found: What is there, in words.
        cure: How to get it; None where nothing is missing.
    """

    topic: Topic
    subject: str
    found: str
    cure: str | None = None


def examine() -> Iterator[Finding]:
    """Look at this machine, one finding after the other. Changes nothing, raises nothing."""
    yield from _examine_run()
    yield from _examine_build()
    yield from _examine_extras()
    yield from _examine_cpp()
    for recipe in builtin_recipes():
        yield _examine_recipe(recipe)


def _examine_run() -> Iterator[Finding]:
    import torch

    yield Finding("run", "Python", f"{platform.python_version()} on {platform.machine()}")
    yield Finding("run", "torch", torch.__version__)
    isa = [flag for flag in _TELLING_ISA if flag in host_cpu_isa()]
    yield Finding("run", "CPU", f"{available_cores()} cores, {' '.join(isa) or 'no wide vectors'}")
    yield _examine_label_map()
    yield _examine_cuda()
    yield Finding("run", "memory", *resources.examine_memory())
    yield Finding("run", "threads", *resources.examine_threads(_THREADS_A_CORE * available_cores()))
    yield Finding("run", "temporary folder", *resources.examine_temporary_folder())


def _examine_label_map() -> Finding:
    library = native.find_library()
    if native.available():
        return Finding("run", "label map kernel", f"native: {library}")
    found = f"plain version: {library} cannot be loaded" if library else "plain version"
    return Finding("run", "label map kernel", found, _LABEL_MAP_CURE)


def _examine_cuda() -> Finding:
    import torch

    if torch.cuda.is_available():
        devices = range(torch.cuda.device_count())
        names = [f"{torch.cuda.get_device_name(i)} {_capability(i)}" for i in devices]
        return Finding("run", "CUDA", ", ".join(names))
    if torch.version.cuda is None:
        cure = "for a GPU, install a torch that is built for CUDA; a CPU needs nothing"
        return Finding("run", "CUDA", "this torch is built without CUDA", cure)
    cure = "for a GPU, install NVIDIA's driver; a CPU needs nothing"
    return Finding("run", "CUDA", f"torch is built for CUDA {torch.version.cuda}: no GPU", cure)


def _capability(index: int) -> str:
    import torch

    major, minor = torch.cuda.get_device_capability(index)
    return f"(capability {major}.{minor})"


def _examine_build() -> Iterator[Finding]:
    if _torch_builds():
        yield Finding("build", "torch", f"{_BUILD_TORCH} or newer")
    else:
        found = f"older than {_BUILD_TORCH}: runs artifacts, builds none"
        yield Finding("build", "torch", found, _BUILD_ELSEWHERE)
    for name in _BUILD_PACKAGES:
        try:
            yield Finding("build", name, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding("build", name, "not installed", _BUILD_EXTRA)
    yield _examine_compiler("build", "C++ compiler, for AOTInductor")
    inductor = resources.inductor_cache()
    for subject, variable, folder in (
        ("Inductor's cache", "TORCHINDUCTOR_CACHE_DIR", inductor),
        ("Triton's cache", "TRITON_CACHE_DIR", inductor / "triton"),
    ):
        yield Finding("build", subject, *resources.examine_cache(variable, folder))


def _examine_extras() -> Iterator[Finding]:
    """Look for the modules of each extra, without importing them, which may take seconds."""
    for name, (purpose, modules) in _EXTRAS.items():
        missing = [module for module in modules if importlib.util.find_spec(module) is None]
        found = f"without {', '.join(missing)}" if missing else "installed"
        cure = f"for {purpose}, pip install 'mpm-deploy[{name}]'" if missing else None
        yield Finding("extra", name, found, cure)


def _examine_compiler(topic: Topic, subject: str) -> Finding:
    compiler = find_compiler()
    if compiler is None:
        return Finding(topic, subject, f"no {compiler_name()}", COMPILER_CURE)
    answer = subprocess.run([*compiler, "-dumpfullversion"], capture_output=True, text=True)
    return Finding(topic, subject, f"{compiler_name()} {answer.stdout.strip()}")


def _examine_cpp() -> Iterator[Finding]:
    yield _examine_compiler("C++ program", "C++ compiler")
    for program, package in _PROGRAMS.items():
        path = shutil.which(program)
        cure = None if path else f"apt-get install {package}"
        yield Finding("C++ program", program, path or "not installed", cure)
    for header, package in _HEADERS.items():
        there = _has_header(header)
        cure = None if there else f"apt-get install {package}"
        yield Finding("C++ program", header, "found" if there else "not found", cure)


def _has_header(header: str) -> bool:
    compiler = find_compiler()
    if compiler is None:
        return False
    # jpeglib.h needs FILE and size_t to be declared before it.
    source = f"#include <cstdio>\n#include <{header}>\n"
    command = [*compiler, "-E", "-x", "c++", "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True).returncode == 0


def _torch_builds() -> bool:
    import torch

    return _release(torch.__version__) >= _release(_BUILD_TORCH)


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])


def _examine_recipe(recipe: Recipe) -> Finding:

    backend = recipe.backend
    missing = [name for name in ("timm", "safetensors") if importlib.util.find_spec(name) is None]
    if not _torch_builds():
        return Finding("recipe", recipe.name, f"needs torch {_BUILD_TORCH}", _BUILD_ELSEWHERE)
    if missing:
        return Finding("recipe", recipe.name, f"needs {' and '.join(missing)}", _BUILD_EXTRA)
    try:
        backend.member.check(recipe)
    except MpmError as error:
        return Finding("recipe", recipe.name, error.problem, error.hint or "build another recipe")
    return Finding("recipe", recipe.name, "can be built here")
