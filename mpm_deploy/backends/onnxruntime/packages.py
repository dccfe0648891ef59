"""Import the packages of ONNX, which nothing needs but segments."""

from importlib import import_module
from typing import Any

from mpm_deploy.errors import MissingPackageError

_BUILD_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def import_onnxruntime() -> Any:
    """Import the package onnxruntime and return it.

    Raises:
        MissingPackageError: It is not installed.
    """
    return _imported("onnxruntime", "running segments of ONNX", "onnxruntime")


def import_onnx() -> Any:
    """Import the package onnx and return it.

    Raises:
        MissingPackageError: It is not installed.
    """
    return _imported("onnx", "running segments of ONNX in bfloat16 on a CPU", "onnx")


def import_build_packages() -> None:
    """Import what a build exports with, and compares with.

    Raises:
        MissingPackageError: One of them is not installed.
    """
    for name in _BUILD_PACKAGES:
        _imported(name, "building segments of ONNX", "onnx")


def _imported(name: str, wanting: str, extra: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingPackageError(
            f"{wanting} needs the package {name}", f"pip install 'mpm-deploy[{extra}]'"
        ) from error
