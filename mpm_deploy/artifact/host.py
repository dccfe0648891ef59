"""Describe this machine, and check whether an artifact fits it."""

import platform
import re
from collections.abc import Mapping
from pathlib import Path

import torch

from mpm_deploy.artifact import Manifest, Requires
from mpm_deploy.errors import HostError, InputError

_CPUINFO = Path("/proc/cpuinfo")
_BOARD = Path("/proc/device-tree/model")


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
            how to rebuild it.
        InputError: No such device name.
    """
    problem = _host_problem(manifest.requires, parse_device(device), any_device)
    if problem is not None:
        # An artifact holds its recipe with all that was set, so it can stand for one.
        raise HostError(
            f"{path}: {problem}",
            f"rebuild it on this machine: mpm-deploy build --recipe {path} -o {Path(path).name}",
        )


def parse_device(name: str) -> torch.device:
    """Turn ``"cpu"``, ``"cuda"`` or ``"cuda:1"`` into torch's own type.

    Raises:
        InputError: Another name.
    """
    if not re.fullmatch(r"cpu|cuda(:\d{1,2})?", name):
        raise InputError(f"device: expected 'cpu', 'cuda' or 'cuda:1', got {name!r}")
    return torch.device(name)


def host_cpu_isa(cpuinfo: Path = _CPUINFO) -> frozenset[str]:
    """Return the flags that cpuinfo lists; empty where it lists none."""
    flags = re.search(r"^(?:flags|Features)\s*:(.*)$", _read(cpuinfo), re.MULTILINE)
    return frozenset(flags.group(1).split()) if flags else frozenset()


def cpu_name(cpuinfo: Path = _CPUINFO, board: Path = _BOARD) -> str:
    """Return a name for the processor.

    On x86, cpuinfo has its name. On Arm it has numbers, and the board stands for it: the kernel of
    a Raspberry Pi names it there too, others in ``board``.
    """
    lines = re.findall(r"^([^:\n]*?)\s*: (.*)$", _read(cpuinfo), re.MULTILINE)
    facts = dict(reversed(lines))  # of a key that each core has, the first core's
    name = facts.get("model name") or facts.get("Model") or _read(board).rstrip("\0")
    if name:
        return name
    if "CPU implementer" not in facts or "CPU part" not in facts:
        return platform.machine()
    part = f"implementer {facts['CPU implementer']}, part {facts['CPU part']}"
    return f"{platform.machine()}, {part}"


def _host_problem(requires: Requires, device: torch.device, any_device: bool) -> str | None:
    if requires.machine is not None and requires.machine != platform.machine():
        return f"built for {requires.machine}, and this machine is {platform.machine()}"
    if device.type != requires.device and not any_device:
        return f"built for device {requires.device!r}, and asked to run on {str(device)!r}"
    if device.type == "cuda":
        problem = _cuda_problem(requires, device)
        if problem is not None:
            return problem
    missing = [] if device.type == "cuda" else sorted({*requires.cpu_isa} - host_cpu_isa())
    if missing:
        return f"built for a CPU with {', '.join(missing)}, which this one does not have"
    return None


def _cuda_problem(requires: Requires, device: torch.device) -> str | None:
    if not torch.cuda.is_available():
        return "asked to run on a CUDA device, and torch sees none on this machine"
    if (device.index or 0) >= torch.cuda.device_count():
        return f"asked to run on {device}, and this machine has {torch.cuda.device_count()}"
    here = torch.cuda.get_device_capability(device)
    if requires.cuda_capability not in (None, here):
        return f"built for CUDA capability {requires.cuda_capability}, and this GPU has {here}"
    return _version_problem(requires.versions)


def _version_problem(versions: Mapping[str, str]) -> str | None:
    """Refuse another CUDA than the artifact's, whose library links the runtime of one version."""
    built, here = versions.get("cuda"), torch.version.cuda
    if built is None or here is None or built.partition(".")[0] == here.partition(".")[0]:
        return None
    return f"built with CUDA {built}, and torch {torch.__version__} here brings CUDA {here}"


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
