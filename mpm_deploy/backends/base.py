"""Define what every backend does: it compiles a model into a file, and opens such a file.

Backend.check     can this machine build the recipe?
Backend.compile   model ──▶ file
Backend.load      file  ──▶ Program: scores, labels
"""

import re
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import torch
from torch import Tensor

from mpm_deploy.artifact import BatchRange, Manifest, Requires
from mpm_deploy.artifact.host import check_host
from mpm_deploy.backends.image_parallel import SideBySide
from mpm_deploy.errors import ArtifactError, BuildError, HostError, InputError, MpmError
from mpm_deploy.images.windows import WindowGrid
from mpm_deploy.ops.label_map import native
from mpm_deploy.ops.label_map.windows import window_label_map
from mpm_deploy.recipe import Recipe
from mpm_deploy.support.family import require
from mpm_deploy.support.quoting import shown
from mpm_deploy.support.refusal import line_of, refusal_in, refusals_told
from mpm_deploy.support.temporary_folder import check_temporary_folder

if TYPE_CHECKING:
    from mpm_deploy.models.segmenter import Segmenter


@dataclass(frozen=True)
class Compiled:
    """Says what a new file needs of its host, and how many images one call of it takes."""

    requires: Requires
    batch: BatchRange


class Program(ABC):
    """The two functions of a loaded artifact, `scores` and `labels`.

    A member answers for as many images as the artifact takes at once; any batch may be asked for
    here, and on a CPU its images then run side by side. Threads may share it.
    """

    def __init__(self, manifest: Manifest, device: torch.device) -> None:
        self._manifest = manifest
        self._outputs = [manifest.output_index(name) for name in ("scores", "merge_maps")]
        self.device = device
        self._side_by_side = SideBySide()
        if device.type == "cpu":
            _let_malloc_keep_memory()
        elif manifest.requires.dtype == "float32":
            # cuDNN multiplies in TF32, of 10 bits; from here on in no model of this process.
            torch.backends.cudnn.allow_tf32 = False

    @refusals_told()
    def scores(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Score every class on the grid of scores, and say which token each patch went to.

        Args:
            images: ``(B, 3, H, W)`` uint8 of the artifact's input size, on its device.

        Returns:
            ``scores (B, K, h, w)`` float32 and ``merge_maps (B, M, N)`` int32.

        Raises:
            InputError: Images of another shape or type.
            HostError: Memory or threads are short.
        """
        expected = (3, self._manifest.input.height, self._manifest.input.width)
        if images.dtype != torch.uint8 or images.dim() != 4 or images.shape[1:] != expected:
            raise InputError(
                f"images: expected (B, {', '.join(map(str, expected))}) torch.uint8, "
                f"got {tuple(images.shape)} {images.dtype}"
            )
        if images.shape[0] == 0:
            raise InputError("images: expected one image or more, got an empty batch")
        with torch.inference_mode():
            parts = [part.contiguous() for part in self._split(images)]
            outcomes = self._score_parts(parts)
            if len(outcomes) == 1:
                return outcomes[0]
            scores, merge_maps = zip(*outcomes, strict=True)
            return torch.cat(scores), torch.cat(merge_maps)

    @refusals_told()
    def labels(self, scores: Tensor, size: tuple[int, int]) -> Tensor:
        """Give every pixel a label.

        On a CPU the native library answers where there is one, otherwise the artifact.

        Args:
            scores: ``(B, K, h, w)`` float32, as `scores` gives them.
            size: ``(height, width)`` of the label maps in pixels.

        Returns:
            ``(B, height, width)``, uint8, or int16 where ``K > 256``.
        """
        if scores.device.type == "cpu" and native.available():
            return native.label_map(scores, size)
        with torch.inference_mode():
            parts = [self._labels(part.contiguous(), size) for part in self._split(scores)]
            return parts[0] if len(parts) == 1 else torch.cat(parts)

    @refusals_told()
    def window_labels(self, scores: Tensor, grid: WindowGrid, size: tuple[int, int]) -> Tensor:
        """Give every pixel a label, for an image that windows were slid over.

        Args:
            scores: ``(windows, K, h, w)`` float32, as `scores` gives them, in the grid's order.
            grid: Where the windows lie on the resized image.
            size: ``(height, width)`` of the label map in pixels.

        Returns:
            ``(height, width)``, uint8, or int16 where ``K > 256``.
        """
        if grid.size == grid.window == size:  # one window that has the pixels of the label map
            return self.labels(scores, size)[0]
        if scores.device.type == "cpu" and native.available():
            return native.window_label_map(scores, grid, size)
        with torch.inference_mode():
            return window_label_map(scores, grid, size)

    def close(self) -> None:
        """End the threads that this program made, and free what it loaded; then it runs no more."""
        self._side_by_side.close()

    def _named(self, outputs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Pick ``scores`` and ``merge_maps`` from all that an artifact gives."""
        scores, merge_maps = self._outputs
        return outputs[scores], outputs[merge_maps]

    def _score_parts(self, parts: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
        if self.device.type == "cpu":
            return self._side_by_side.map(self._scores, parts)
        return [self._scores(part) for part in parts]

    def _split(self, batch: Tensor) -> tuple[Tensor, ...]:
        parts: tuple[Tensor, ...] = torch.split(batch, self._manifest.batch.max)
        return parts

    @abstractmethod
    def _scores(self, images: Tensor) -> tuple[Tensor, Tensor]: ...

    @abstractmethod
    def _labels(self, scores: Tensor, size: tuple[int, int]) -> Tensor: ...


def _let_malloc_keep_memory() -> None:
    """Have scores of attention, some megabytes each, reuse one another's memory.

    glibc gives large blocks back to the system when they are freed, and the next one costs a page
    fault every 4 KB: a tenth of the model's time. What counts as large rises to the largest block
    that was freed, up to 32 MB (mallopt(3), M_MMAP_THRESHOLD); so one such block is.
    """
    torch.empty(31 << 20, dtype=torch.uint8, device="cpu")


# A model as one function: images (B, 3, H, W) uint8 give labels (B, H, W), scores (B, K, h, w) and
# merge maps (B, M, N).
Servable = Callable[[Tensor], Sequence[Tensor]]


class OpenArtifact(NamedTuple):
    """The program of an artifact, and the artifact's manifest."""

    manifest: Manifest
    program: Program


def check_unpacked(path: Path, *, for_code: bool = False) -> None:
    """Refuse a temporary folder into which a file cannot have been unpacked.

    Args:
        path: The artifact.
        for_code: Whether machine code is to run from there.

    Raises:
        HostError: It will not do; says why.
    """
    try:
        check_temporary_folder(path.stat().st_size, for_code=for_code)
    except HostError as error:
        raise HostError(f"{path}: cannot be unpacked: {error.problem}", error.hint) from error


def unloadable(
    path: Path,
    manifest: Manifest,
    error: OSError | RuntimeError,
    engine: str | None = None,
    cure: str | None = None,
) -> ArtifactError:
    """Make the error for an artifact that cannot be loaded, with the first line of its reason.

    Args:
        path: The artifact.
        manifest: Its manifest.
        error: The reason.
        engine: What cannot load it, with its version; None is torch.
        cure: What to do; None is what helps where the file holds what the versions in its manifest
            have made.
    """
    refused = refusal_in(error)
    if refused is not None:
        return HostError(f"{path}: cannot be loaded: {refused.problem}", refused.hint)
    return ArtifactError(
        f"{path}: {engine or f'torch {torch.__version__}'} cannot load it: {line_of(error)}",
        cure
        or f"it was built with {_versions(manifest.requires)}: rebuild it with what is here, or "
        "install that",
    )


def failed_in_run(path: Path, error: Exception, cure: str | None = None) -> MpmError:
    """Make the error for an artifact that failed while it ran: a refusal of the system as such.

    Args:
        path: The artifact.
        error: The reason.
        cure: What to do; None is what helps where the file was built here.
    """
    return refusal_in(error) or ArtifactError(
        f"{path}: it failed while it ran: {line_of(error)}",
        cure
        or "if memory is short, take smaller batches; else rebuild it on this machine, and please "
        "report it",
    )


def uncompilable(recipe: Recipe, compiler: str, error: Exception, cure: str) -> MpmError:
    """Make the error for a model that a compiler refuses: the line that it names, and its reason.

    Args:
        recipe: What was to be built.
        compiler: What refuses, as ``"TorchScript"``.
        error: What it raised.
        cure: What helps.
    """
    reason = line_of(error).rstrip(".:")
    problem = f"{compiler} cannot compile {_line_in(error)}: {reason}"
    return refusal_in(error) or BuildError(f"recipe {recipe.name!r}: {problem}", cure)


def _line_in(error: Exception) -> str:
    """Return the file and line that an error tells of, or that of the deepest code not torch's."""
    told = re.search(r'File "([^"]+)", line (\d+)', str(error))
    if told is not None:
        return f"{told[1]}:{told[2]}"
    torchs = str(Path(torch.__file__).parent)
    frames = traceback.extract_tb(error.__traceback__)
    return next(f"{f.filename}:{f.lineno}" for f in reversed(frames) if torchs not in f.filename)


def _versions(requires: Requires) -> str:
    return " and ".join(f"{name} {version}" for name, version in requires.versions.items())


class Backend(ABC):
    """A way to compile a model.

    A member of `families.BACKENDS` is a frozen dataclass of this kind, and its fields are the
    options that a recipe's ``[backend]`` table takes with it. To open a file it needs none of them.

    Attributes:
        name: Its name in recipes and manifests.
        suffix: What the names of its files end in.
        any_device: Whether a file runs on another kind of device than it was built for.
        builds_on: The kind of device that a build makes the model on, and compares on; None is that
            of the recipe.
        multiplies_int8: Whether it compiles quantized layers for a CPU.
        dtypes: The types that its models compute in, int8 aside.
        checks_hash: Whether `load` itself opens only what has the manifest's hash, and a file is
            not read for that beforehand: what is at its path may be another one by then.
        known_details: The names of what it asks of a host in `Requires.details`.
    """

    name: ClassVar[str]
    suffix: ClassVar[str]
    any_device: ClassVar[bool] = False
    builds_on: ClassVar[str | None] = None
    multiplies_int8: ClassVar[bool] = False
    dtypes: ClassVar[tuple[str, ...]] = ("float32", "bfloat16")
    checks_hash: ClassVar[bool] = False
    known_details: ClassVar[frozenset[str]] = frozenset()

    def check_host(self, manifest: Manifest, device: str, path: Path) -> None:
        """Refuse a machine that is known not to run a file; nothing in it is loaded.

        Raises:
            HostError: It does not fit, or needs what this backend knows nothing of.
            InputError: No such device name.
        """
        unknown = ", ".join(sorted({*manifest.requires.details} - self.known_details))
        if unknown:
            raise HostError(
                f"{path}: needs {unknown}, which backend {self.name!r} does not know",
                "update this package",
            )
        check_host(manifest, device, path, any_device=self.any_device)

    def check_device(self, device: str) -> None:  # noqa: B027 - most take any
        """Refuse a kind of device that the options do not go with.

        Raises:
            OptionError: Which option, and why.
        """

    def check_dtype(self, dtype: str, device: str) -> None:
        """Refuse a type that this backend does not compute in on a kind of device.

        Raises:
            OptionError: Which, and what does.
        """
        multiplies = dtype == "int8" and self.multiplies_int8 and device == "cpu"
        require(
            multiplies or dtype in self.dtypes,
            "dtype",
            f"{' or '.join(map(repr, self.dtypes))} with backend {self.name!r} on {device!r}",
            dtype,
            "int8 is for backend 'aotinductor' on a CPU: --recipe cpu_int8; float16 for backend "
            "'onnxruntime': --recipe cpu_onnxruntime_fp32 --set backend.dtype=float16; or for "
            "'tensorrt': --recipe rtx_fp16",
        )

    @abstractmethod
    def check(self, recipe: Recipe) -> None:
        """Refuse a recipe that cannot be built on this machine.

        Raises:
            BuildError: What is missing, and how to get it.
        """

    @abstractmethod
    def compile(self, model: "Segmenter", recipe: Recipe, path: Path) -> Compiled:
        """Compile a model, on its device and in its dtype, into the file ``path``."""

    @abstractmethod
    def load(self, path: Path, manifest: Manifest, device: torch.device) -> Program:
        """Open the file, importing nothing but torch; its host has been checked before.

        The device is the CPU, or a GPU by its number.
        """

    def compile_servable(self, model: "Segmenter", recipe: Recipe, path: Path) -> Servable:
        """Compile a model into a file of one function, and open that as a server of others does.

        Such a server knows no artifacts, but torch's own loaders.

        Raises:
            BuildError: No server takes files of this backend.
        """
        raise BuildError(
            f"recipe {recipe.name!r}: backend {self.name!r} makes no file that a server runs",
            "build it with backend 'aotinductor' or 'torchscript'",
        )

    def described(self, manifest: Manifest) -> dict[str, str]:
        """Say what a file asks of a host in `Requires.details`, a line of a table each.

        Raises:
            ArtifactError: It asks for what is none.
        """
        return {name: shown(value) for name, value in manifest.requires.details.items()}

    def require_libtorch(self, path: Path, manifest: Manifest, libtorch: str) -> None:
        """Refuse a file that a version of libtorch, such as ``"2.6"``, could not run.

        This may run code in the file: where trust is asked it is asked before.

        Raises:
            ArtifactError: The file calls operators that it lacks; names them.
            InputError: That is not known for this version, or for files of this kind.
        """
        raise InputError(
            f"{path}: native code, which runs on the torch that it was built with, "
            f"{manifest.requires.versions.get('torch')}, or not at all",
            "build it with backend 'torchscript', whose operators can be looked up",
        )
