"""Run an artifact's engines, one after the other."""

import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor

from mpm_deploy.artifact import Manifest, check_payload
from mpm_deploy.backends.base import check_unpacked, failed_in_run, unloadable
from mpm_deploy.backends.devices import on
from mpm_deploy.backends.file_program import FileProgram
from mpm_deploy.backends.opened_once import OpenedOnce
from mpm_deploy.backends.segments.chain import outputs_of, run_chain
from mpm_deploy.backends.segments.files import unpack
from mpm_deploy.backends.tensorrt.engine_info import EngineInfo
from mpm_deploy.backends.tensorrt.flavors import FLAVORS, Library
from mpm_deploy.backends.tensorrt.steps import EngineStep
from mpm_deploy.errors import ArtifactError
from mpm_deploy.ops.label_map.pruned import label_map
from mpm_deploy.support.temporary_folder import temporary_folder


class EngineChain:
    """All engines of an artifact, for one image after another: threads wait for their turn.

    Args:
        steps: The engines, in order.
        device: Where they run.
    """

    def __init__(self, steps: Sequence[EngineStep], device: torch.device) -> None:
        self._steps = steps
        self._device = device
        self._lock = threading.Lock()
        # An engine may still compute when its turn is over, and the next one's stream is another.
        self._last: torch.cuda.Event | None = None

    def run(self, images: Tensor, merges: int, patches: int) -> tuple[Tensor, Tensor]:
        """Give what `outputs_of` does, for one image ``(1, 3, H, W)`` uint8."""
        with self._lock, on(self._device):
            if self._last is not None:
                self._last.wait()
            try:
                outputs = outputs_of(run_chain(self._steps, images), merges, patches)
            except BaseException:  # what is queued until then computes all the same
                with suppress(RuntimeError):
                    self._mark()
                raise
            self._mark()
            return outputs

    def _mark(self) -> None:
        """Mark the end of what is queued in this turn."""
        if self._device.type == "cuda":
            self._last = torch.cuda.Event()
            self._last.record()


class TensorRtProgram(FileProgram[EngineChain]):
    """Runs the engines that are for this machine.

    Args:
        path: The artifact.
        manifest: Its manifest.
        device: Where they run.
        engine: Which ones, as `choose` has chosen them.
    """

    def __init__(
        self, path: Path, manifest: Manifest, device: torch.device, engine: EngineInfo
    ) -> None:
        library = FLAVORS[engine.flavor].load()
        hash_ = manifest.payload_sha256
        opened = OpenedOnce(
            hash_,
            f"{engine.folder} on {device}",
            open_it=lambda: open_engines(path, manifest, device, engine, library),
            check=lambda: check_payload(path, hash_),
        )
        super().__init__(path, manifest, device, opened)

    def _scores(self, images: Tensor) -> tuple[Tensor, Tensor]:
        merges, patches = len(self._manifest.merge.blocks), self._manifest.patches
        with self._open().call() as chain:
            try:
                return chain.run(images, merges, patches)
            except RuntimeError as error:
                cure = f"{_cure(self._path)}; and please report it"
                raise failed_in_run(self._path, error, cure) from error

    def _labels(self, scores: Tensor, size: tuple[int, int]) -> Tensor:
        return label_map(scores, size)


def open_engines(
    path: Path, manifest: Manifest, device: torch.device, engine: EngineInfo, library: Library
) -> EngineChain:
    """Open engines of an artifact.

    Args:
        path: The artifact, which must have the manifest's hash.
        manifest: Its manifest.
        device: Where they are to run.
        engine: Which ones.
        library: What runs them.

    Raises:
        ArtifactError: The file has another hash, an engine is not there or not whole, or the
            library cannot open it.
    """
    with temporary_folder() as folder:
        try:
            unpack(path, manifest.payload_sha256, {engine.folder}, folder)
            files = [folder / engine.folder / f"{i}.engine" for i in range(len(engine.bytes))]
            for file, size in zip(files, engine.bytes, strict=True):
                _check_whole(path, file, size)
            steps = [EngineStep(library, file.read_bytes(), device) for file in files]
        except (OSError, RuntimeError) as error:
            check_unpacked(path)
            raise unloadable(path, manifest, error, library.title, _cure(path)) from error
    return EngineChain(steps, device)


def _check_whole(path: Path, file: Path, size: int) -> None:
    """Refuse an engine of another size than the manifest says, before a library sees it."""
    found = file.stat().st_size if file.exists() else 0
    if found != size:
        raise ArtifactError(
            f"{path}: {file.parent.name}/{file.name}: expected {size} bytes, found {found}",
            f"the file is damaged: copy it anew, or {_cure(path)}",
        )


def _cure(path: Path) -> str:
    return f"make its engine anew: mpm-deploy engine {path}"
