"""Run an artifact's segments by ONNX Runtime, one after the other."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor

from mpm_deploy.artifact import Manifest, check_payload
from mpm_deploy.backends.base import Program, check_unpacked, failed_in_run, unloadable
from mpm_deploy.backends.onnxruntime.packages import import_onnxruntime
from mpm_deploy.backends.onnxruntime.sessions import SessionStep, open_sessions
from mpm_deploy.backends.opened_once import OpenedOnce
from mpm_deploy.backends.segments.chain import outputs_of, run_chain
from mpm_deploy.errors import ArtifactError, HostError, InputError
from mpm_deploy.ops.label_map.pruned import label_map

CPU = "CPUExecutionProvider"


class OnnxRuntimeProgram(Program):
    """Runs an image on one thread, or on several where the caller's operators have several.

    A session keeps the number of threads that it was opened with. So there are two chains: one for
    images that run on a thread each, and one that is opened anew where more threads are wanted than
    it has.
    """

    def __init__(
        self, path: Path, manifest: Manifest, device: torch.device, providers: Sequence[str]
    ) -> None:
        super().__init__(manifest, device)
        self._path = path
        self._providers = providers
        self._opened: OpenedOnce[list[SessionStep]] | None = self._open(1)
        self._many: OpenedOnce[list[SessionStep]] | None = self._opened
        self._wanted = 1  # the most threads that were

    def close(self) -> None:
        super().close()
        self._opened = self._many = None  # what has no user leaves memory

    def _scores(self, images: Tensor) -> tuple[Tensor, Tensor]:
        merges, patches = len(self._manifest.merge.blocks), self._manifest.patches
        with self._chain().call() as steps:
            try:
                return outputs_of(run_chain(steps, images), merges, patches)
            except RuntimeError as error:
                raise failed_in_run(self._path, error) from error

    def _labels(self, scores: Tensor, size: tuple[int, int]) -> Tensor:
        return label_map(scores, size)

    def _chain(self) -> OpenedOnce[list[SessionStep]]:
        """Return sessions with as many threads as the caller's operators have, or more; or one."""
        if self._opened is None or self._many is None:
            raise InputError(f"{self._path}: this program is closed", "open a new one")
        threads = torch.get_num_threads()
        if threads == 1:
            return self._opened
        if threads > self._wanted:
            with suppress(ArtifactError):  # another file lies there by now: what is open goes on
                self._many = self._open(threads)
            self._wanted = threads
        return self._many

    def _open(self, threads: int) -> OpenedOnce[list[SessionStep]]:
        hash_, path = self._manifest.payload_sha256, self._path
        return OpenedOnce(
            hash_,
            f"segments on {', '.join(self._providers)} with {threads} threads",
            open_it=lambda: _open_chain(path, self._manifest, self._providers, threads),
            check=lambda: check_payload(path, hash_),
        )


def _open_chain(
    path: Path, manifest: Manifest, providers: Sequence[str], threads: int
) -> list[SessionStep]:
    engine = f"ONNX Runtime {import_onnxruntime().__version__}"
    try:
        steps = open_sessions(path, manifest, providers, threads)
        if len(steps) != len(manifest.merge.blocks) + 1:
            raise RuntimeError(f"expected a segment more than merges, found {len(steps)}")
    except (OSError, RuntimeError) as error:
        check_unpacked(path)
        raise unloadable(path, manifest, error, engine) from error
    idle = [name for name in providers if name not in steps[0].providers]
    if idle:  # it goes on without one that cannot start
        raise HostError(
            f"{path}: {engine} cannot start {', '.join(idle)}",
            "install what that needs, as CUDA, cuDNN and a driver that are new enough for it; or "
            f"build for the CPU: {for_cpu(path)}",
        )
    return steps


def for_cpu(recipe: Path | str) -> str:
    """Return the command that builds a recipe, or an artifact anew, for ONNX Runtime on a CPU."""
    return f"mpm-deploy build --recipe {recipe} --set 'backend.providers=[\"{CPU}\"]'"
