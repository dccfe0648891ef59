"""Run an entry point of a ``.pt2`` without Python's lock.

torch's loader holds the lock for as long as the model runs, on a GPU until the last merge knows how
many tokens it keeps: no image is decoded meanwhile, and no other one scored. Underneath it is
AOTInductor's C interface (aoti_runtime/interface.h), and what ctypes calls runs without the lock::

    tensors ─▶ handles ─▶ AOTInductorModelContainerRun ─▶ handles ─▶ tensors
               locked     unlocked                        locked
"""

import _ctypes
import ctypes
import os
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from mpm_deploy.artifact import copy_checked, unpack_checked
from mpm_deploy.backends.aotinductor.stored_weights import free_stored_weights
from mpm_deploy.backends.devices import on
from mpm_deploy.support.strict_json import read_own_json
from mpm_deploy.support.temporary_folder import temporary_folder

_FOLDER, _LIBRARY, _LIST = "data/aotinductor/", ".so", ".wrapper.json"
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
    """The interface that torch's loader and `UnlockedEntry` have in common."""

    def run(self, inputs: list[Tensor]) -> Sequence[Tensor]:
        """Call the entry; threads may call it at once, as many as it has runners."""


class UnlockedEntry:
    """One entry of a package, loaded for one device until nobody has it any more.

    Args:
        library: Its library, unpacked; the file may go once this is made.
        device: Where it runs. On a GPU its work is queued on the caller's stream.
        outputs: How many tensors it gives.
        runners: Calls that may run at once; they share the weights.

    Raises:
        RuntimeError: The library cannot be loaded.
    """

    def __init__(self, library: Path, device: torch.device, outputs: int, runners: int) -> None:
        self._device = device
        self._outputs = outputs
        self._container = ctypes.c_void_p()
        self._library = _load_library(library)
        weakref.finalize(self, _unload, self._library, self._container).atexit = False
        _check(
            self._library.AOTInductorModelContainerCreateWithDevice(
                ctypes.byref(self._container),
                ctypes.c_size_t(runners),
                str(device).encode(),
                None,  # no folder of kernels: they lie in the library
            )
        )
        if device.type == "cpu":
            free_stored_weights(self._library, library)

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
                _stream_of(self._device),
                None,  # no proxy: see open_entries
            )
        )
        outputs: list[Tensor] = torch._C._aoti.alloc_tensors_by_stealing_from_void_ptrs(
            [_capsule_of(handle, None, None) for handle in given]
        )
        return outputs


class EntryKind(NamedTuple):
    """How an entry is opened: how many tensors it gives, and how many calls may run at once."""

    outputs: int
    runners: int


def open_entries(
    path: Path, payload_sha256: str, entries: Mapping[str, EntryKind], device: torch.device
) -> dict[str, Entry]:
    """Open entry points: as `UnlockedEntry` where that can run them, else with torch's loader.

    torch's loader is for what an `UnlockedEntry` does not have: operators that are looked up by
    name, which it reads from a list beside the library.

    Args:
        path: The ``.pt2``.
        payload_sha256: The hash that it must have; see `unpack_checked`.
        entries: By their names.
        device: Where they run.

    Raises:
        ArtifactError: The file has another hash, or cannot be read.
        OSError: It cannot be unpacked.
        RuntimeError: It is no package, or cannot be loaded.
    """
    # A container makes its GPU the current one, and leaves it so.
    with on(device), temporary_folder() as folder:
        unpacked = _unpack(path, payload_sha256, folder)
        if not any(_names_operators(unpacked, entry) for entry in entries):
            return {
                entry: UnlockedEntry(_library_of(unpacked, entry), device, *kind)
                for entry, kind in entries.items()
            }
    index = -1 if device.index is None else device.index
    with on(device), copy_checked(path, payload_sha256) as copy:
        loader: Any = torch._C._aoti.AOTIModelPackageLoader
        return {
            entry: loader(os.fsencode(copy), entry, False, kind.runners, index)
            for entry, kind in entries.items()
        }


def _stream_of(device: torch.device) -> ctypes.c_void_p | None:
    """Return the caller's stream on a GPU; a CPU has none."""
    if device.type == "cpu":
        return None
    return ctypes.c_void_p(torch.cuda.current_stream(device).cuda_stream)


def _unpack(path: Path, payload_sha256: str, folder: Path) -> dict[str, Path]:
    """Unpack libraries and lists of operators; return their files by the names of the records."""
    unpacked: dict[str, Path] = {}

    def target_of(name: str) -> Path | None:
        if not (name.startswith(_FOLDER) and name.endswith((_LIBRARY, _LIST))):
            return None
        unpacked[name] = folder / f"{len(unpacked)}{Path(name).suffix}"
        return unpacked[name]

    unpack_checked(path, payload_sha256, target_of)
    return unpacked


def _files_of(unpacked: Mapping[str, Path], entry: str, suffix: str) -> list[Path]:
    folder = f"{_FOLDER}{entry}/"
    return [
        file for name, file in unpacked.items() if name.startswith(folder) and name.endswith(suffix)
    ]


def _names_operators(unpacked: Mapping[str, Path], entry: str) -> bool:
    return any(_nodes_of(file.read_bytes()) for file in _files_of(unpacked, entry, _LIST))


def _nodes_of(text: bytes) -> Any:
    try:
        return read_own_json(text).get("nodes")
    except (AttributeError, ValueError) as error:
        raise RuntimeError(f"its list of operators is damaged: {error}") from error


def _library_of(unpacked: Mapping[str, Path], entry: str) -> Path:
    files = _files_of(unpacked, entry, _LIBRARY)
    if len(files) != 1:
        raise RuntimeError(f"expected one library for entry {entry!r}, found {len(files)}")
    return files[0]


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
