"""Describe this machine, and check whether an artifact fits it."""

import ctypes
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch

from mpm_deploy.artifact import Manifest, Requires
from mpm_deploy.errors import HostError, InputError
from mpm_deploy.support.processor import host_cpu_isa

_RECIPE_FOR = {"cpu": "cpu_fp32", "cuda": "h100_bf16"}
_TORCH_FOR_CUDA = "install a torch that is built for CUDA"
_DRIVER = "install NVIDIA's driver (a container needs docker run --gpus all)"
_FOR_A_LEVEL = (
    "; or once for all CPUs of a level, on any of them: --set backend.cpu=x86-64-v3, or another "
    "level that they have"
)
_GPU = (
    "have it show one (an old driver needs an update, CUDA_VISIBLE_DEVICES may hide one, a "
    "container needs docker run --gpus all)"
)


def check_host(
    manifest: Manifest,
    device: str,
    path: Path | str = "artifact",
    *,
    any_device: bool = False,
) -> None:
    """Refuse a machine that is known not to run the artifact; nothing in it is loaded.

    Args:
        manifest: The artifact's manifest.
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.
        path: The artifact, as the message names it.
        any_device: Whether the backend runs its files on other devices than they were built for.

    Raises:
        HostError: The artifact does not fit; says what it was built for, what this machine is, and
            what to do: rebuild it, or get what the device needs.
        InputError: No such device name.
    """
    where = parse_device(device)
    missing = _missing_device(manifest.requires, where, any_device)
    if missing is not None:
        problem, cure = missing
        raise HostError(f"{path}: {problem}", cure)
    misfit = _misfit(manifest.requires, where)
    if misfit is None:
        return
    # An artifact holds its recipe with all that was set, so it can stand for one.
    cure = f"rebuild it on this machine: mpm-deploy build --recipe {path} -o {Path(path).name}"
    raise HostError(f"{path}: {misfit.problem}", cure + misfit.or_else)


def parse_device(name: str) -> torch.device:
    """Turn ``"cpu"``, ``"cuda"`` or ``"cuda:1"`` into torch's own type.

    Raises:
        InputError: Another name.
    """
    if not re.fullmatch(r"cpu|cuda(:\d{1,2})?", name):
        raise InputError(f"device: expected 'cpu', 'cuda' or 'cuda:1', got {name!r}")
    return torch.device(name)


def _missing_device(
    requires: Requires, device: torch.device, any_device: bool
) -> tuple[str, str] | None:
    """Return why the device is not there for the artifact, and the cure; rebuilding is none."""
    if device.type != requires.device and not any_device:
        return (
            f"built for device {requires.device!r}, and asked to run on {str(device)!r}",
            f"leave the device out, or build one for it: mpm-deploy build --recipe "
            f"{_RECIPE_FOR[device.type]}",
        )
    if device.type != "cuda":
        return None
    asked = f"asked to run on {str(device)!r}"
    if torch.version.cuda is None:
        problem = f"{asked}, and torch {torch.__version__} is built for CPUs"
        return problem, _cure(_TORCH_FOR_CUDA, any_device)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count == 0 and not _has_driver():
        return f"{asked}, and there is no NVIDIA driver on this machine", _cure(_DRIVER, any_device)
    if count == 0:
        return f"{asked}, and NVIDIA's driver shows no GPU", _cure(_GPU, any_device)
    if (device.index or 0) < count:
        return None
    there = ", ".join(repr(f"cuda:{index}") for index in range(count))
    return f"{asked}, and this machine has {there}", "name one of those"


def _cure(get: str, any_device: bool) -> str:
    if any_device:
        return f"{get}, or run it on device 'cpu'"
    return f"{get}, or run one for CPUs on 'cpu': mpm-deploy build --recipe {_RECIPE_FOR['cpu']}"


def _has_driver() -> bool:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


class _Misfit(NamedTuple):
    """What the artifact was built for that this machine is not; what helps beside a rebuild."""

    problem: str
    or_else: str = ""


def _misfit(requires: Requires, device: torch.device) -> _Misfit | None:
    if requires.machine is not None and requires.machine != platform.machine():
        return _Misfit(f"built for {requires.machine}, and this machine is {platform.machine()}")
    if device.type == "cuda":
        return _cuda_misfit(requires, device)
    missing = sorted({*requires.cpu_isa} - host_cpu_isa())
    if missing:
        problem = f"built for a CPU with {', '.join(missing)}, which this one does not have"
        return _Misfit(problem, _FOR_A_LEVEL if requires.machine == "x86_64" else "")
    return None


def _cuda_misfit(requires: Requires, device: torch.device) -> _Misfit | None:
    here = torch.cuda.get_device_capability(device)
    if requires.cuda_capability not in (None, here):
        built = requires.cuda_capability
        return _Misfit(f"built for CUDA capability {built}, and this GPU has {here}")
    return _version_misfit(requires.versions)


def _version_misfit(versions: Mapping[str, str]) -> _Misfit | None:
    """Refuse another CUDA than the artifact's, whose library links the runtime of one version."""
    built, here = versions.get("cuda"), torch.version.cuda
    if built is None or here is None or built.partition(".")[0] == here.partition(".")[0]:
        return None
    torch_here = f"torch {torch.__version__} here brings CUDA {here}"
    return _Misfit(f"built with CUDA {built}, and {torch_here}")
