"""Run an entry point of a ``.pt2`` on a CPU without Python's lock.

torch's loader holds the lock for as long as the model runs: no image is decoded meanwhile, and no
other one scored. Underneath it is AOTInductor's C interface (aoti_runtime/interface.h), and what
ctypes calls runs without the lock::

    tensors ─▶ handles ─▶ AOTInductorModelContainerRun ─▶ handles ─▶ tensors
               locked     unlocked                        locked
"""

import _ctypes
import ctypes
import os
import weakref
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from mpm_deploy.backends.aotinductor.stored_weights import free_stored_weights
from mpm_deploy.support.strict_json import read_own_json
from mpm_deploy.support.temporary_folder import temporary_folder

_FUNCTIONS = tuple(
    f"AOTInductorModelContainer{does}" for does in ("CreateWithDevice", "Run", "Delete")
)
_pointer_in = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)
_capsule_of = ctypes.PYFUNCTYPE(
    ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p
)(("PyCapsule_New", ctypes.pythonapi))


class Entry(Protocol):
    """The interface that torch's loader and `CpuEntry` have in common."""

    def run(self, inputs: list[Tensor]) -> Sequence[Tensor]:
        """Call the entry; threads may call it at once, as many as it has runners."""


class CpuEntry:
    """One entry of a package, loaded for the CPU until nobody has it any more.

    Args:
        path: The ``.pt2``.
        entry: Its name.
        outputs: How many tensors it gives.
        runners: Calls that may run at once; they share the weights.

    Raises:
        RuntimeError: It is no package, or the library in it cannot be loaded.
    """

    def __init__(self, path: Path, entry: str, outputs: int, runners: int) -> None:
        self._outputs = outputs
        self._container = ctypes.c_void_p()
        with temporary_folder() as folder:  # the file may go once it is mapped
            file = _extract_library(path, entry, folder)
            self._library = _load_library(file)
            weakref.finalize(self, _unload, self._library, self._container).atexit = False
            _check(
                self._library.AOTInductorModelContainerCreateWithDevice(
                    ctypes.byref(self._container), ctypes.c_size_t(runners), b"cpu", None
                )
            )
            free_stored_weights(self._library, file)

    def run(self, inputs: list[Tensor]) -> Sequence[Tensor]:
        """Call the entry.

        Raises:
            RuntimeError: It failed; what went wrong is on stderr.
        """
        capsules = torch._C._aoti.unsafe_alloc_void_ptrs_from_tensors(inputs)
        taken = (ctypes.c_void_p * len(inputs))(
            *(_pointer_in(capsule, None) for capsule in capsules)
        )
        given = (ctypes.c_void_p * self._outputs)()
        _check(
            self._library.AOTInductorModelContainerRun(
                self._container,
                taken,
                ctypes.c_size_t(len(taken)),
                given,
                ctypes.c_size_t(len(given)),
                None,  # no stream
                None,  # no proxy: see open_entry
            )
        )
        outputs: list[Tensor] = torch._C._aoti.alloc_tensors_by_stealing_from_void_ptrs(
            [_capsule_of(handle, None, None) for handle in given]
        )
        return outputs


def open_entry(path: Path, entry: str, outputs: int, device: torch.device, runners: int) -> Entry:
    """Open an entry point: as a `CpuEntry` where that can run it, else with torch's loader.

    torch's loader is for what a `CpuEntry` does not have: a GPU, and operators that are looked up
    by name, which it reads from a list beside the library.
    """
    if device.type == "cpu" and not _names_operators(path, entry):
        return CpuEntry(path, entry, outputs, runners)
    index = -1 if device.index is None else device.index
    name: Any = os.fsencode(path)  # names of files need not be text
    loader: Any = torch._C._aoti.AOTIModelPackageLoader(name, entry, False, runners, index)
    return loader


def _members(path: Path, entry: str, suffix: str) -> list[str]:
    folder = f"/data/aotinductor/{entry}/"
    try:
        with zipfile.ZipFile(path) as package:
            names = package.namelist()
    except zipfile.BadZipFile as error:
        raise RuntimeError(str(error)) from error
    return [name for name in names if folder in name and name.endswith(suffix)]


def _names_operators(path: Path, entry: str) -> bool:
    lists = _members(path, entry, ".wrapper.json")
    with zipfile.ZipFile(path) as package:
        return any(_nodes_of(package.read(name)) for name in lists)


def _nodes_of(text: bytes) -> Any:
    try:
        return read_own_json(text).get("nodes")
    except (AttributeError, ValueError) as error:
        raise RuntimeError(f"its list of operators is damaged: {error}") from error


def _extract_library(path: Path, entry: str, folder: Path) -> Path:
    names = _members(path, entry, ".so")
    if len(names) != 1:
        raise RuntimeError(f"expected one library for entry {entry!r}, found {len(names)}")
    with zipfile.ZipFile(path) as package:
        return Path(package.extract(names[0], folder))


def _load_library(file: Path) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(str(file))
        for function in _FUNCTIONS:
            library[function]  # is looked up
    except (OSError, AttributeError) as error:
        raise RuntimeError(str(error)) from error
    return library


def _unload(library: ctypes.CDLL, container: ctypes.c_void_p) -> None:
    """Free a container, if there is one, and the memory that its library takes."""
    if container:
        library.AOTInductorModelContainerDelete(container)
    _ctypes.dlclose(library._handle)


def _check(outcome: int) -> None:
    if outcome != 0:
        raise RuntimeError("AOTInductor's library failed; it says why on stderr")
