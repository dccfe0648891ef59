"""Export models as segments of ONNX: ONNX Runtime runs them wherever it does.

model ─▶ segments, cut at its merges ─▶ 0.onnx, 1.onnx, ..., weights ─▶ one ZIP file
"""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mpm_deploy.artifact import BatchRange, Manifest, Requires, check_payload
from mpm_deploy.artifact.manifest import REBUILD
from mpm_deploy.backends.base import (
    Backend,
    Compiled,
    Program,
    check_unpacked,
    uncompilable,
    unloadable,
)
from mpm_deploy.backends.onnxruntime.packages import import_build_packages, import_onnxruntime
from mpm_deploy.backends.onnxruntime.sessions import FOLDER, SessionStep, open_sessions
from mpm_deploy.backends.opened_once import OpenedOnce
from mpm_deploy.backends.segments.chain import outputs_of, run_chain
from mpm_deploy.errors import (
    ArtifactError,
    BuildError,
    HostError,
    InputError,
    MissingPackageError,
)
from mpm_deploy.ops.label_map.pruned import label_map
from mpm_deploy.recipe import Recipe
from mpm_deploy.support.family import require
from mpm_deploy.support.quoting import shown
from mpm_deploy.support.refusal import refusal_in
from mpm_deploy.support.temporary_folder import check_temporary_folder, temporary_folder

if TYPE_CHECKING:
    from mpm_deploy.models.segmenter import Segmenter

CPU = "CPUExecutionProvider"
_ROOT = "segmenter"
_CURE = "take AOTInductor or TorchScript, which need no ONNX: recipe cpu_fp32 or cpu_portable_fp32"
_PROVIDERS = "providers"  # the name of the requirement, and of the option


@dataclass(frozen=True)
class OnnxRuntime(Backend):
    """Cuts the model at its merges and exports the segments, which ONNX Runtime computes.

    Args:
        providers: The execution providers of ONNX Runtime that compute them, the preferred one
            first; what one does not compute goes to the next. Images and tokens lie in the host's
            memory, whatever the provider.

    Raises:
        OptionError: None at all, or what is no name of one.
    """

    name = "onnxruntime"
    suffix = ".onnx.zip"
    checks_hash = True
    known_details = frozenset({_PROVIDERS})
    dtypes = ("float32", "float16")  # its CPU provider has no products of bfloat16

    providers: tuple[str, ...] = (CPU,)

    def __post_init__(self) -> None:
        named = all(name.endswith("ExecutionProvider") for name in self.providers)
        require(
            len(self.providers) > 0 and named,
            _PROVIDERS,
            f"names of execution providers, as in ['{CPU}']",
            self.providers,
        )

    def check_device(self, device: str) -> None:
        require(
            device == "cpu",
            "device",
            "'cpu' with backend 'onnxruntime', where images and tokens lie",
            device,
            'name what computes them: --set \'backend.providers=["CUDAExecutionProvider", '
            f'"{CPU}"]\'',
        )

    def check(self, recipe: Recipe) -> None:
        merge = recipe.merge
        if merge.blocks and merge.method != "mpm":
            raise BuildError(
                f"recipe {recipe.name!r} merges by {merge.method!r}: backend {self.name!r} cuts a "
                "model at its merges, which it can where they happen before a block, by 'mpm'",
                "take method 'mpm', or backend 'aotinductor' or 'torchscript', which cut nothing",
            )
        check_temporary_folder()
        try:
            import_build_packages()
        except MissingPackageError as error:
            raise BuildError(f"recipe {recipe.name!r}: {error.problem}", error.hint) from error
        missing = _missing_providers(self.providers)
        if missing:
            raise BuildError(f"recipe {recipe.name!r} is {missing}", _get(recipe.name))

    def compile(self, model: "Segmenter", recipe: Recipe, path: Path) -> Compiled:
        from mpm_deploy.backends.segments.export import write_segments
        from mpm_deploy.backends.segments.segment import cut

        segments = cut(model)
        images = _noise(model.image_size)
        with temporary_folder() as folder:
            try:
                write_segments(segments, images, folder)
            except Exception as error:  # whatever a module makes of tensors without numbers
                raise uncompilable(recipe, "torch.onnx.export", error, _CURE) from error
            _pack(folder, path)
        return Compiled(self._requires(recipe), BatchRange(1, 1))

    def check_host(self, manifest: Manifest, device: str, path: Path) -> None:
        """Refuse a machine without ONNX Runtime or one of the providers; and see `Backend`.

        Raises:
            HostError: It does not fit.
            InputError: No such device name.
            MissingPackageError: ONNX Runtime is not installed.
        """
        super().check_host(manifest, device, path)
        providers = _providers_of(manifest, path)
        missing = _missing_providers(providers)
        if missing:
            raise HostError(f"{path}: {missing}", _get(path))

    def require_libtorch(self, path: Path, manifest: Manifest, libtorch: str) -> None:
        raise InputError(
            f"{path}: segments of ONNX, which call no operators of libtorch",
            "build it with backend 'torchscript', whose operators can be looked up",
        )

    def load(self, path: Path, manifest: Manifest, device: torch.device) -> Program:
        return _OnnxRuntimeProgram(path, manifest, device, _providers_of(manifest, path))

    def _requires(self, recipe: Recipe) -> Requires:
        onnxruntime = import_onnxruntime()
        versions = {"torch": str(torch.__version__), "onnxruntime": onnxruntime.__version__}
        return Requires(
            backend=self.name,
            device="cpu",
            dtype=recipe.backend.dtype,
            versions=versions,
            machine=recipe.backend.machine,
            cpu_isa=(),
            cuda_capability=None,
            details={_PROVIDERS: list(self.providers)},
        )


class _OnnxRuntimeProgram(Program):
    """Runs an image on one thread, or on several where the caller's operators have several.

    A session keeps the number of threads that it was opened with. So there are two chains: one for
    images that run side by side, and one that is opened once a lone image may take more threads.
    """

    def __init__(
        self, path: Path, manifest: Manifest, device: torch.device, providers: Sequence[str]
    ) -> None:
        super().__init__(manifest, device)
        self._path = path
        self._providers = providers
        self._opened: OpenedOnce[list[SessionStep]] | None = self._open(1)
        self._many: OpenedOnce[list[SessionStep]] | None = None

    def close(self) -> None:
        super().close()
        self._opened = self._many = None  # what has no user leaves memory

    def _scores(self, images: Tensor) -> tuple[Tensor, Tensor]:
        merges, patches = len(self._manifest.merge.blocks), self._manifest.patches
        with self._chain().call() as steps:
            try:
                return outputs_of(run_chain(steps, images), merges, patches)
            except (KeyError, RuntimeError) as error:
                raise refusal_in(error) or ArtifactError(
                    f"{self._path}: it failed while it ran: {error}",
                    "if memory is short, take smaller batches; else rebuild it on this machine, "
                    "and please report it",
                ) from error

    def _labels(self, scores: Tensor, size: tuple[int, int]) -> Tensor:
        return label_map(scores, size)

    def _chain(self) -> OpenedOnce[list[SessionStep]]:
        """Return the sessions that have as many threads as the caller's operators, or one."""
        if self._opened is None:
            raise InputError(f"{self._path}: this program is closed", "open a new one")
        threads = torch.get_num_threads()
        if threads == 1:
            return self._opened
        if self._many is None:
            try:
                self._many = self._open(threads)
            except ArtifactError:  # another file lies there by now
                self._many = self._opened
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
    try:
        steps = open_sessions(path, manifest.payload_sha256, providers, threads)
        if len(steps) != len(manifest.merge.blocks) + 1:
            raise RuntimeError(f"expected a segment more than merges, found {len(steps)}")
    except (OSError, RuntimeError) as error:
        check_unpacked(path)
        engine = f"ONNX Runtime {import_onnxruntime().__version__}"
        raise unloadable(path, manifest, error, engine) from error
    return steps


def _providers_of(manifest: Manifest, path: Path) -> tuple[str, ...]:
    """Return the execution providers that a manifest asks for."""
    providers = manifest.requires.details.get(_PROVIDERS, [CPU])
    if not isinstance(providers, list) or not all(isinstance(name, str) for name in providers):
        raise ArtifactError(
            f"{path}: manifest: requires.details.{_PROVIDERS}: expected names, "
            f"got {shown(providers)}",
            REBUILD,
        )
    return tuple(providers)


def _missing_providers(providers: Sequence[str]) -> str | None:
    """Say which execution providers are asked for and not there, if any."""
    onnxruntime = import_onnxruntime()
    there = onnxruntime.get_available_providers()
    missing = [name for name in providers if name not in there]
    if not missing:
        return None
    return (
        f"for {', '.join(missing)}, and ONNX Runtime {onnxruntime.__version__} here has "
        f"{', '.join(there)}"
    )


def _get(recipe: Path | str) -> str:
    return (
        "install a build of ONNX Runtime that has it, as onnxruntime-gpu; or build for the CPU: "
        f"mpm-deploy build --recipe {recipe} --set 'backend.providers=[\"{CPU}\"]'"
    )


def _noise(size: tuple[int, int]) -> Tensor:
    """Make an image to export with, ``(1, 3, H, W)`` uint8."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (1, 3, *size), generator=generator, dtype=torch.uint8)


def _pack(folder: Path, path: Path) -> None:
    """Pack the files of a folder into one ZIP, unpacked as they are."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        for each in sorted(folder.iterdir()):
            file.write(each, f"{_ROOT}/{FOLDER}{each.name}")
