"""Run an artifact's segments by ONNX Runtime, one after the other."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor

from mpm_deploy.artifact import Manifest, check_payload
from mpm_deploy.backends.base import check_unpacked, failed_in_run, unloadable
from mpm_deploy.backends.file_program import FileProgram
from mpm_deploy.backends.onnxruntime.packages import import_onnxruntime
from mpm_deploy.backends.onnxruntime.sessions import SessionStep, open_sessions
from mpm_deploy.backends.opened_once import OpenedOnce
from mpm_deploy.backends.segments.chain import outputs_of, run_chain
from mpm_deploy.errors import ArtifactError, HostError
from mpm_deploy.ops.label_map.pruned import label_map

CPU = "CPUExecutionProvider"


class OnnxRuntimeProgram(FileProgram[list[SessionStep]]):
    """Runs an image on one thread, or on several where the caller's operators have several.

    A session keeps the number of threads that it was opened with, and has weights of its own. So
    there are two chains: one for images that run side by side, and one with as many threads as any
    call had so far. Where a call has more, that one is opened anew.
    """

    def __init__(
        self, path: Path, manifest: Manifest, device: torch.device, providers: Sequence[str]
    ) -> None:
        super().__init__(path, manifest, device, _opened(path, manifest, providers, threads=1))
        self._providers = providers
        self._many: OpenedOnce[list[SessionStep]] | None = None
        self._most_threads = 1

    def close(self) -> None:
        super().close()
        self._many = None

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
        """Return the sessions that have as many threads as the caller's operators, or one."""
        one, threads = self._open(), torch.get_num_threads()
        if threads > self._most_threads:
            self._most_threads = threads
            self._many = None  # its weights leave memory before others come
            with suppress(ArtifactError):  # another file lies there by now: one thread goes on
                self._many = _opened(self._path, self._manifest, self._providers, threads)
        return one if threads == 1 else self._many or one


def _opened(
    path: Path, manifest: Manifest, providers: Sequence[str], threads: int
) -> OpenedOnce[list[SessionStep]]:
    hash_ = manifest.payload_sha256
    return OpenedOnce(
        hash_,
        f"segments on {', '.join(providers)} with {threads} threads",
        open_it=lambda: _open_chain(path, manifest, providers, threads),
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
