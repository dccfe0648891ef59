"""Export models as segments of ONNX, and make engines of them.

model ─▶ segments, cut at its merges ─▶ an engine of each, for each kind of GPU ─▶ one ZIP file
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from mpm_deploy.artifact import BatchRange, Manifest, Requires
from mpm_deploy.artifact.host import parse_device
from mpm_deploy.backends.base import Backend, Compiled, Program
from mpm_deploy.backends.onnxruntime.packages import import_build_packages, import_onnxruntime
from mpm_deploy.backends.onnxruntime.program import CPU, OnnxRuntimeProgram
from mpm_deploy.backends.segments.files import check_can_cut, compile_segments, pack
from mpm_deploy.backends.tensorrt.engine_info import (
    ENGINES,
    ROWS,
    EngineInfo,
    choose,
    engines_of,
    look_here,
)
from mpm_deploy.backends.tensorrt.engines import add_engines
from mpm_deploy.backends.tensorrt.flavors import (
    FLAVORS,
    Capability,
    Library,
    parse_capability,
    written,
)
from mpm_deploy.backends.tensorrt.program import TensorRtProgram
from mpm_deploy.errors import BuildError, InputError, MissingPackageError
from mpm_deploy.recipe import Recipe
from mpm_deploy.support.family import require
from mpm_deploy.support.refusal import refusal_in
from mpm_deploy.support.schema import to_mapping
from mpm_deploy.support.temporary_folder import check_temporary_folder, temporary_folder

if TYPE_CHECKING:
    from mpm_deploy.models.segmenter import Segmenter


@dataclass(frozen=True)
class TensorRt(Backend):
    """Cuts the model at its merges, and has TensorRT make engines of the segments.

    A file holds the segments too: `mpm-deploy engine` makes more engines of them, and on a CPU ONNX
    Runtime runs them, with which a build compares, as it needs no GPU. No engine has run on a GPU
    so far.

    Args:
        flavor: What makes engines: ``"tensorrt"``, or ``"tensorrt_rtx"``, TensorRT for RTX.
        capabilities: Of the GPUs that engines are made for, as ``"8.6"``. TensorRT for RTX makes
            them on any machine, TensorRT on that of the GPU alone, by `mpm-deploy engine`.

    Raises:
        OptionError: No such flavor, what is no capability, or one with TensorRT.
    """

    name = "tensorrt"
    suffix = ".tensorrt.zip"
    any_device = True
    builds_on = "cpu"
    checks_hash = True
    known_details = frozenset({ENGINES, ROWS})
    dtypes = ("float32", "float16", "bfloat16")

    flavor: str = "tensorrt_rtx"
    capabilities: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require(self.flavor in FLAVORS, "flavor", f"one of {', '.join(FLAVORS)}", self.flavor)
        parsed = [parse_capability(each) for each in self.capabilities]
        require(
            None not in parsed and len(set(parsed)) == len(parsed),
            "capabilities",
            "capabilities of GPUs that differ, as in ['8.6', '8.9']",
            self.capabilities,
        )
        require(
            not parsed or FLAVORS[self.flavor].names_gpus,
            "capabilities",
            f"none with flavor {self.flavor!r}, which builds for the GPU that it finds",
            self.capabilities,
            "leave them out, and run on the machine of the GPU: mpm-deploy engine FILE",
        )

    def check_device(self, device: str) -> None:
        require(
            device == "cuda",
            "device",
            "'cuda' with backend 'tensorrt', whose engines are for a GPU",
            device,
            "the same file runs on a CPU too, by ONNX Runtime: run it with --device cpu",
        )

    def check(self, recipe: Recipe) -> None:
        check_can_cut(recipe)
        check_temporary_folder()
        try:
            import_build_packages()
            if self.capabilities:
                library = FLAVORS[self.flavor].load()
                check_named(library, self._wanted(), f"recipe {recipe.name!r}")
        except MissingPackageError as error:
            raise BuildError(f"recipe {recipe.name!r}: {error.problem}", error.hint) from error

    def compile(self, model: "Segmenter", recipe: Recipe, path: Path) -> Compiled:
        rows, engines = most_rows(model), []
        with temporary_folder() as folder:
            compile_segments(model, recipe, folder)
            for capability in self._wanted():
                library = FLAVORS[self.flavor].load()
                engines.append(_made(library, folder, rows, capability, recipe))
            pack(folder, path)
        return Compiled(self._requires(recipe, rows, engines), BatchRange(1, 1))

    def check_host(self, manifest: Manifest, device: str, path: Path) -> None:
        """Refuse a machine that none of the engines is for; on a CPU, one without ONNX Runtime.

        Raises:
            HostError: It does not fit; says what the engines are for.
            InputError: No such device name.
            MissingPackageError: What would run it is not installed.
        """
        super().check_host(manifest, device, path)
        where = parse_device(device)
        if where.type == "cpu":
            import_onnxruntime()
        else:
            choose(engines_of(manifest, path), look_here(where), path)

    def require_libtorch(self, path: Path, manifest: Manifest, libtorch: str) -> None:
        raise InputError(
            f"{path}: engines and segments, which call no operators of libtorch",
            "build it with backend 'torchscript', whose operators can be looked up",
        )

    def load(self, path: Path, manifest: Manifest, device: torch.device) -> Program:
        if device.type == "cpu":
            return OnnxRuntimeProgram(path, manifest, device, [CPU])
        engine = choose(engines_of(manifest, path), look_here(device), path)
        return TensorRtProgram(path, manifest, device, engine)

    def described(self, manifest: Manifest) -> dict[str, str]:
        engines = engines_of(manifest, "artifact")
        lines = [each.described() for each in engines] or ["none yet: mpm-deploy engine FILE"]
        widened = " in float32" if manifest.requires.dtype == "bfloat16" else ""
        compared = f"the segments, on a CPU by ONNX Runtime{widened}"
        return {"engines": "\n".join(lines), "compared": compared}

    def _wanted(self) -> list[Capability]:
        """Return the capabilities that engines are made for."""
        return [each for each in map(parse_capability, self.capabilities) if each is not None]

    def _requires(self, recipe: Recipe, rows: int, engines: Sequence[EngineInfo]) -> Requires:
        return Requires(
            backend=self.name,
            device="cuda",
            dtype=recipe.backend.dtype,
            versions={
                "torch": str(torch.__version__),
                "onnxruntime": import_onnxruntime().__version__,
            },
            machine=None,  # each engine says its own
            cpu_isa=(),
            cuda_capability=None,
            details={ROWS: rows, ENGINES: [to_mapping(each) for each in engines]},
        )


def check_named(library: Library, wanted: Sequence[Capability], where: str) -> None:
    """Refuse GPUs that a library cannot name.

    Raises:
        BuildError: Which one, and which it can.
    """
    known = library.capabilities()
    for capability in wanted:
        if capability not in known:
            raise BuildError(
                f"{where}: capability {written(capability)}: expected one that {library.title} "
                f"can name: {', '.join(map(written, known)) or 'none'}",
                "for another GPU an engine is made on its machine: mpm-deploy engine FILE",
            )


def _made(
    library: Library, folder: Path, rows: int, capability: Capability, recipe: Recipe
) -> EngineInfo:
    try:
        return add_engines(library, folder, rows, capability)
    except RuntimeError as error:
        raise refusal_in(error) or BuildError(
            f"recipe {recipe.name!r}: {library.title} makes no engine for capability "
            f"{written(capability)}: {error}",
            "leave that capability out, or set backend.dtype to 'float16' or 'float32'",
        ) from error


def most_rows(model: "Segmenter") -> int:
    """Return how many rows of tokens there are where nothing has merged."""
    encoder = model.encoder
    down, across = encoder.grid
    return down * across + encoder.special_tokens + encoder.readout.queries
