"""Compile models with TorchScript: libtorch runs the ``.pt``, on x86 and Arm alike."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from mpm_deploy.artifact import BatchRange, Manifest, Requires, check_payload, read_checked
from mpm_deploy.backends.base import (
    Backend,
    Compiled,
    Program,
    Servable,
    uncompilable,
    unloadable,
)
from mpm_deploy.backends.file_program import FileProgram
from mpm_deploy.backends.opened_once import OpenedOnce
from mpm_deploy.backends.torchscript.operators import missing_operators, versions
from mpm_deploy.errors import ArtifactError, BuildError
from mpm_deploy.ops.label_map.pruned import label_map
from mpm_deploy.recipe import Recipe
from mpm_deploy.support.family import require

if TYPE_CHECKING:
    from mpm_deploy.models.segmenter import Segmenter

_OTHER = "or take AOTInductor, which follows the tensors: recipe cpu_fp32"
_CURE = (
    "write that in fewer of Python's ways, and the type of what is no tensor, as in `features: "
    f"list[Tensor]`; {_OTHER}"
)


class _Entries(nn.Module):
    """The artifact's two functions as methods of one module."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    @torch.jit.export
    def scores(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.model(images)

    @torch.jit.export
    def labels(self, scores: Tensor, height: int, width: int) -> Tensor:
        return label_map(scores, (height, width))


class _Servable(_Entries):
    """Both in a row as the module's own call; a server knows no methods."""

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        scores, merge_maps = self.scores(images)
        return self.labels(scores, images.shape[2], images.shape[3]), scores, merge_maps


class _TorchScriptProgram(FileProgram[torch.jit.ScriptModule]):
    def _scores(self, images: Tensor) -> tuple[Tensor, Tensor]:
        with self._open().call() as module:
            return self._named(module.scores(images))

    def _labels(self, scores: Tensor, size: tuple[int, int]) -> Tensor:
        with self._open().call() as module:
            labels: Tensor = module.labels(scores, size[0], size[1])
        return labels


@dataclass(frozen=True)
class TorchScript(Backend):
    """Scripts the model as it stands; the file is not tied to a processor.

    Args:
        libtorch: The oldest libtorch that is to run the file, as ``"2.6"``; a build fails if the
            model calls an operator that it lacks. None promises nothing.

    Raises:
        OptionError: The operators of that version are not known.
    """

    name = "torchscript"
    suffix = ".pt"
    any_device = True
    checks_hash = True

    libtorch: str | None = None

    def __post_init__(self) -> None:
        known = self.libtorch is None or self.libtorch in versions()
        require(known, "libtorch", f"one of {', '.join(versions())}", self.libtorch)

    def check(self, recipe: Recipe) -> None:
        if recipe.backend.device == "cuda" and not torch.cuda.is_available():
            raise BuildError(
                f"recipe {recipe.name!r} is for a CUDA device, and torch sees none on this machine",
                "build on the machine that has it",
            )

    def compile(self, model: "Segmenter", recipe: Recipe, path: Path) -> Compiled:
        script = _scripted(_Entries(model), recipe)
        if self.libtorch is not None:
            missing = missing_operators(script, self.libtorch)
            if missing:
                raise BuildError(
                    f"recipe {recipe.name!r}: {_lacking(self.libtorch, missing)}",
                    "write the model with older ones, or promise nothing: --set backend.libtorch=",
                )
        _write(script, path)
        requires = Requires(
            backend="torchscript",
            device=recipe.backend.device,
            dtype=recipe.backend.dtype,
            versions={"torch": str(torch.__version__)},
            machine=recipe.backend.machine,
            cpu_isa=(),
            cuda_capability=None,
            details={},
        )
        return Compiled(requires, BatchRange(1, recipe.backend.max_batch))

    def load(self, path: Path, manifest: Manifest, device: torch.device) -> Program:
        # The profiling executor specializes to the sizes it has seen; after a merge every image
        # brings new ones, and each would be slow once (pytorch/pytorch#57894). Process-wide: there
        # is no switch for one module.
        torch._C._jit_set_profiling_mode(False)
        opened = OpenedOnce(
            *(manifest.payload_sha256, f"on {device}"),
            open_it=lambda: _load(path, manifest, device),
            check=lambda: check_payload(path, manifest.payload_sha256),
        )
        return _TorchScriptProgram(path, manifest, device, opened)

    def compile_servable(self, model: "Segmenter", recipe: Recipe, path: Path) -> Servable:
        _write(_scripted(_Servable(model), recipe), path)
        with _deprecation_accepted():
            opened: Servable = torch.jit.load(path, map_location=recipe.backend.device).eval()
        return opened

    def require_libtorch(self, path: Path, manifest: Manifest, libtorch: str) -> None:
        missing = missing_operators(_load(path, manifest, torch.device("cpu")), libtorch)
        if missing:
            raise ArtifactError(
                f"{path}: {_lacking(libtorch, missing)}",
                f"rebuild it: mpm-deploy build --recipe {path} "
                f"--set 'backend.libtorch=\"{libtorch}\"'",
            )


def _scripted(entries: _Entries, recipe: Recipe) -> torch.jit.ScriptModule:
    try:
        with _deprecation_accepted():
            script: torch.jit.ScriptModule = torch.jit.script(entries.eval())
    except OSError as error:
        if error.errno is not None:  # that of `inspect` has none
            raise
        raise BuildError(
            f"recipe {recipe.name!r}: TorchScript compiles the source of modules, and that of one "
            "of them lies in no file",
            f"put its class into a .py file and import it; {_OTHER}",
        ) from error
    except (RuntimeError, torch.jit.frontend.FrontendError) as error:
        raise uncompilable(recipe, "TorchScript", error, _CURE) from error
    return script


def _write(script: torch.jit.ScriptModule, path: Path) -> None:
    # Where it fails to write a file by itself, torch aborts the process.
    path.write_bytes(script.save_to_buffer())


def _load(path: Path, manifest: Manifest, device: torch.device) -> torch.jit.ScriptModule:
    """Load a copy that nobody changes: torch reads records in an order of its own."""
    try:
        copy = BytesIO(read_checked(path, manifest.payload_sha256))
        with _deprecation_accepted():
            return torch.jit.load(copy, map_location=device).eval()
    except (OSError, RuntimeError) as error:
        raise unloadable(path, manifest, error) from error


def _lacking(libtorch: str, missing: tuple[str, ...]) -> str:
    return f"libtorch {libtorch} lacks {len(missing)} of its operators: {'; '.join(missing)}"


@contextmanager
def _deprecation_accepted() -> Iterator[None]:
    """Silence the warning that TorchScript is deprecated.

    Nothing else runs with the libtorch of a Linux distribution.
    """
    with warnings.catch_warnings():
        # "is deprecated", or "is not supported" from Python 3.14 on; the category changes as well
        warnings.filterwarnings("ignore", r".*torch\.jit\.\w+` is ")
        yield
