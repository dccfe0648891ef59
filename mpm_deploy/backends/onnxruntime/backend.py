"""Export models as segments of ONNX: ONNX Runtime runs them wherever it does.

model ─▶ segments, cut at its merges ─▶ 0.onnx, 1.onnx, ..., weights ─▶ one ZIP file
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from mpm_deploy.artifact import BatchRange, Manifest, Requires
from mpm_deploy.artifact.manifest import REBUILD
from mpm_deploy.backends.base import Backend, Compiled, Program
from mpm_deploy.backends.onnxruntime.packages import import_build_packages, import_onnxruntime
from mpm_deploy.backends.onnxruntime.program import CPU, OnnxRuntimeProgram, for_cpu
from mpm_deploy.backends.segments.files import check_can_cut, compile_segments, pack
from mpm_deploy.errors import (
    ArtifactError,
    BuildError,
    HostError,
    InputError,
    MissingPackageError,
)
from mpm_deploy.recipe import Recipe
from mpm_deploy.support.family import require
from mpm_deploy.support.quoting import shown
from mpm_deploy.support.temporary_folder import check_temporary_folder, temporary_folder

if TYPE_CHECKING:
    from mpm_deploy.models.segmenter import Segmenter

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
        check_can_cut(recipe)
        check_temporary_folder()
        try:
            import_build_packages()
        except MissingPackageError as error:
            raise BuildError(f"recipe {recipe.name!r}: {error.problem}", error.hint) from error
        missing = _missing_providers(self.providers)
        if missing:
            raise BuildError(f"recipe {recipe.name!r} is {missing}", _get(recipe.name))

    def compile(self, model: "Segmenter", recipe: Recipe, path: Path) -> Compiled:
        with temporary_folder() as folder:
            compile_segments(model, recipe, folder)
            pack(folder, path)
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
        return OnnxRuntimeProgram(path, manifest, device, _providers_of(manifest, path))

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
        f"{for_cpu(recipe)}"
    )
