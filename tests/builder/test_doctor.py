"""The doctor finds what is there, and has a cure for what is not."""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch

from mpm_deploy.builder import doctor
from mpm_deploy.ops.label_map import native
from mpm_deploy.recipe import builtin_recipes
from tests.support.scripts import ROOT


def findings() -> dict[tuple[str, str], doctor.Finding]:
    return {(finding.topic, finding.subject): finding for finding in doctor.examine()}


def test_names_what_is_installed() -> None:
    found = findings()
    assert found["run", "torch"].found == torch.__version__
    assert found["build", "timm"].found == importlib.metadata.version("timm")
    assert found["build", "timm"].cure is None


def test_says_for_each_recipe_whether_it_can_be_built_here() -> None:
    found = findings()
    for recipe in builtin_recipes():
        assert ("recipe", recipe.name) in found
    assert found["recipe", "cpu_portable_fp32"].cure is None


def find_native(monkeypatch: pytest.MonkeyPatch, library: Path | None, loads: bool) -> str:
    """What the doctor says of a native library that lies there; a missing one has a cure."""
    monkeypatch.setattr(native, "find_library", lambda: library)
    monkeypatch.setattr(native, "available", lambda: loads)
    finding = findings()["run", "label map kernel"]
    assert (finding.cure is None) == loads
    assert loads or "install a C++ compiler" in (finding.cure or "")
    return finding.found


def test_names_the_label_map_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Path("somewhere", "libmpm_kernels.so")
    assert find_native(monkeypatch, library, loads=True) == f"native: {library}"
    assert find_native(monkeypatch, None, loads=False) == "plain version"
    broken = find_native(monkeypatch, library, loads=False)
    assert broken == f"plain version: {library} cannot be loaded"


def test_every_extra_is_looked_for_and_a_missing_one_has_its_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {*project["optional-dependencies"]} - {"build", "dev", "peers"}
    found = findings()
    assert {subject for topic, subject in found if topic == "extra"} == extras
    here = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "altair" else here(name)
    )
    report = findings()["extra", "report"]
    assert report.found == "without altair"
    assert report.cure == "for pages and charts, pip install 'mpm-deploy[report]'"


def test_extras_are_found_without_importing_them() -> None:
    look = "import sys; from mpm_deploy.builder import doctor; [*doctor._examine_extras()]; "
    assert_ = "sys.exit(bool({'altair', 'onnxruntime', 'kserve', 'ray', 'av'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", look + assert_]).returncode == 0


def test_an_older_torch_runs_artifacts_and_builds_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "__version__", "2.6.0+debian")
    found = findings()
    assert found["run", "torch"].cure is None
    assert found["build", "torch"].found == "older than 2.11: runs artifacts, builds none"
    assert found["recipe", "rpi5_fp32"].found == "needs torch 2.11"
    for topic, subject in (("build", "torch"), ("recipe", "rpi5_fp32")):
        cure = found[topic, subject].cure
        assert cure and cure.startswith("build on another machine and copy the file")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_the_gpus_recipe_has_a_cure() -> None:
    finding = findings()["recipe", "h100_bf16"]
    assert "CUDA" in finding.found
    assert finding.cure


def test_missing_programs_have_a_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda program: None)
    found = findings()
    assert "apt-get install g++" in (found["C++ program", "C++ compiler"].cure or "")
    assert found["C++ program", "cmake"].cure == "apt-get install cmake"
    assert found["C++ program", "jpeglib.h"].cure == "apt-get install libjpeg-dev"


def compilers_alone(folder: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Have no programs but these, each of which is g++ or runs what comes behind its name."""
    real = shutil.which("g++")
    if real is None:
        pytest.skip("needs g++")
    for name in names:
        runs = '"$@"' if name == "ccache" else f'PATH={os.environ["PATH"]} {real} "$@"'
        (folder / name).write_text(f"#!/bin/sh\n{runs}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.parametrize("compiler", ["my-c++", "ccache my-c++"])
def test_the_compiler_is_the_one_that_is_asked_for(
    compiler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compilers_alone(tmp_path, monkeypatch, "ccache", "my-c++")
    monkeypatch.setenv("CXX", compiler)
    found = findings()
    version = found["C++ program", "C++ compiler"]
    assert version.cure is None
    assert re.fullmatch(rf"{re.escape(compiler)} \d+\.\d+\.\d+", version.found)
    assert found["build", "C++ compiler, for AOTInductor"].found == version.found
    assert "compiler" not in found["recipe", "cpu_fp32"].found


@pytest.mark.parametrize(
    ("compiler", "named"),
    [(None, "g++"), ("", "command in CXX"), ("none c++", "none c++"), ('"', '"')],
)
def test_where_that_is_not_there_nobody_takes_another(
    compiler: str | None, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compilers_alone(tmp_path, monkeypatch, "c++")
    monkeypatch.delenv("CXX", raising=False)
    if compiler is not None:
        monkeypatch.setenv("CXX", compiler)
    found = findings()
    missing = f"no {named}"
    assert found["C++ program", "C++ compiler"].found == missing
    recipe = found["recipe", "cpu_fp32"]
    assert recipe.found.endswith(f"needs a C++ compiler, and there is {missing}")
    assert recipe.cure == found["C++ program", "C++ compiler"].cure


def test_missing_packages_have_a_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    found = findings()
    assert found["build", "timm"].cure == "pip install 'mpm-deploy[build]'"
    assert found["recipe", "cpu_portable_fp32"].found == "needs timm and safetensors"
