"""Define the manifest, in which an artifact says what it is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mpm_deploy.errors import ArtifactError
from mpm_deploy.images.windows import LARGEST_RATIO, LARGEST_SIDE
from mpm_deploy.recipe.schema import StructureError, read_structure, to_mapping

FORMAT = "mpm-artifact/1"
REBUILD = "copy the file again, or rebuild it: mpm-deploy build --recipe NAME"


@dataclass(frozen=True)
class CreatedBy:
    """The programs that made an artifact, and when (UTC, ISO 8601)."""

    mpm_deploy: str
    torch: str
    created: str


@dataclass(frozen=True)
class ModelInfo:
    """Describes the model inside; ``palette`` is red, green, blue of each class."""

    name: str
    head: str
    parameters: int
    patch_size: int
    special_tokens: int
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class WeightsOrigin:
    """Says where weights came from: ``"demo"``, ``"random"`` or a file's name and its SHA-256."""

    origin: str
    sha256: str | None


@dataclass(frozen=True)
class InputInfo:
    """Describes the input: pixels, and the normalization that the artifact does itself (on 0..1).

    ``stride``, ``short_side`` and ``max_ratio`` are those of ``fit = "slide"``, None with
    ``"resize"``.
    """

    height: int
    width: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    fit: Literal["resize", "slide"]
    stride: int | None = None
    short_side: int | None = None
    max_ratio: float | None = None


@dataclass(frozen=True)
class MergeInfo:
    """Says how tokens merge; ``method = "none"`` is the full-token model.

    ``blocks`` is the schedule, 0-based. A method merges in front of those blocks, or inside
    them: `docs/formats/artifact.md` says which.
    """

    method: str
    blocks: tuple[int, ...]
    reconstruct: str


@dataclass(frozen=True)
class StageFlops:
    """FLOPs of what runs on the tokens kept after one merge, as coefficients of t and t²."""

    linear: float
    quadratic: float


@dataclass(frozen=True)
class Flops:
    """FLOPs of one image by its tokens kept (a multiply-add counts 2)::

        constant + Σ over m of (stages[m].linear · t_m + stages[m].quadratic · t_m²)

    where ``t_0`` is the number of patches and ``t_m`` the tokens kept after merge m.
    """

    constant: float
    stages: tuple[StageFlops, ...]

    def total(self, tokens: Sequence[int]) -> float:
        """Return the FLOPs at ``tokens = (t_0, t_1, ..., t_M)``."""
        stages = zip(self.stages, tokens, strict=True)
        return self.constant + sum((s.linear + s.quadratic * t) * t for s, t in stages)


@dataclass(frozen=True)
class BatchRange:
    """The least and the most images that one call of ``scores`` takes."""

    min: int
    max: int


@dataclass(frozen=True)
class Requires:
    """Says what a host must be.

    ``cpu_isa`` names flags of ``/proc/cpuinfo``, all of them needed.
    """

    backend: Literal["torchscript", "aotinductor"]
    device: Literal["cpu", "cuda"]
    dtype: Literal["float32", "bfloat16"]
    torch: str
    machine: str | None
    cpu_isa: tuple[str, ...]
    cuda_capability: tuple[int, int] | None


@dataclass(frozen=True)
class Agreement:
    """Says how far the artifact agreed with the eager model on ``images`` images at its build.

    ``labels`` is the share of equal labels, ``clusters`` after each merge the share of patches that
    share their token with the same patches.
    """

    images: int
    labels: float
    clusters: tuple[float, ...]


@dataclass(frozen=True)
class Manifest:
    """Holds all that an artifact says of itself."""

    format: str
    created_by: CreatedBy
    recipe: dict[str, Any]
    model: ModelInfo
    weights: WeightsOrigin
    input: InputInfo
    merge: MergeInfo
    flops: Flops
    batch: BatchRange
    requires: Requires
    agreement: Agreement
    payload_sha256: str

    @property
    def patches(self) -> int:
        """The number of patches of an input, ``t_0``."""
        return (self.input.height // self.model.patch_size) * (
            self.input.width // self.model.patch_size
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the manifest as nested plain values, ready for JSON."""
        mapping: dict[str, Any] = to_mapping(self)
        return mapping

    @classmethod
    def from_dict(cls, data: object, where: str = "manifest") -> "Manifest":
        """Read a manifest strictly from the values of its JSON.

        Raises:
            ArtifactError: Another format, or a key that is missing, unknown or of another type.
        """
        written = data.get("format") if isinstance(data, dict) else None
        if written != FORMAT:
            raise ArtifactError(
                f"{where}: expected format {FORMAT!r}, got {written!r}",
                "update this package, or rebuild the artifact with it: "
                "mpm-deploy build --recipe NAME",
            )
        try:
            manifest = read_structure(cls, data)
            _check_values(manifest)
            return manifest
        except StructureError as error:
            raise ArtifactError(f"{where}: manifest: {error}", REBUILD) from error


def _check_values(manifest: Manifest) -> None:
    """Check what the types cannot say, and the runners rely on."""
    model, batch = manifest.model, manifest.batch
    merges = len(manifest.merge.blocks)
    for holds, key, expected in (
        (min(manifest.input.height, manifest.input.width) > 0, "input", "a size above zero"),
        *_window_checks(manifest.input),
        (model.patch_size > 0, "model.patch_size", "a size above zero"),
        (len(model.classes) > 0, "model.classes", "one class or more"),
        (len(model.palette) == len(model.classes), "model.palette", "one colour a class"),
        (1 <= batch.min <= batch.max, "batch", "1 <= min <= max"),
        (len(manifest.flops.stages) == merges + 1, "flops.stages", "one more than merges"),
    ):
        if not holds:
            raise StructureError(key, f"expected {expected}")


def _window_checks(input: InputInfo) -> Iterator[tuple[bool, str, str]]:
    """Yield whether each condition on windows holds, its key, and what is expected of it."""
    if input.fit == "resize":
        for key in ("stride", "short_side", "max_ratio"):
            yield getattr(input, key) is None, f"input.{key}", "none with fit 'resize'"
        return
    largest = min(input.height, input.width)
    yield 1 <= (input.stride or 0) <= largest, "input.stride", "1 to a window's shorter side"
    yield 1 <= (input.short_side or 0) <= LARGEST_SIDE, "input.short_side", f"1 to {LARGEST_SIDE}"
    yield 1 <= (input.max_ratio or 0) <= LARGEST_RATIO, "input.max_ratio", f"1 to {LARGEST_RATIO}"
