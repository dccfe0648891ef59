"""An artifact with engines of the stand-in, built once."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from filelock import FileLock

from mpm_deploy.builder.build import build
from mpm_deploy.builder.verify import verification_images
from mpm_deploy.recipe import Recipe
from tests.conftest import INPUT_SIZE, small_recipe

CAPABILITIES = '["8.0", "8.6"]'


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The stand-in, as what Python imports as TensorRT for RTX; TensorRT itself is not there."""
    from tests.backends.tensorrt import stand_in

    monkeypatch.setitem(sys.modules, "tensorrt_rtx", stand_in)
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    monkeypatch.setattr(stand_in.Builder, "built", [])
    monkeypatch.setattr(stand_in.Context, "calls", [])
    return stand_in


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    return recipe_of_engines()


@pytest.fixture(scope="session")
def file(shared_folder: Path) -> Path:
    """It holds engines of the stand-in for two kinds of GPU."""
    return built_with_stand_in(shared_folder)


def recipe_of_engines() -> Recipe:
    """A small model, in float16, and two kinds of GPU."""
    small = small_recipe("rtx_fp16").with_model("vit_tiny_patch16+linear")
    return small.override(f"backend.capabilities={CAPABILITIES}")


def built_with_stand_in(folder: Path) -> Path:
    """The artifact of that recipe, which the first process to need it builds in the folder."""
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    from tests.backends.tensorrt import stand_in

    path = folder / "rtx_fp16.tensorrt.zip"
    with pytest.MonkeyPatch.context() as patch, FileLock(f"{path}.lock"):
        patch.setitem(sys.modules, "tensorrt_rtx", stand_in)
        if not path.exists():
            build(recipe_of_engines(), path)
    return path


@pytest.fixture(scope="session")
def images() -> torch.Tensor:
    return verification_images(3, INPUT_SIZE, seed=1)
