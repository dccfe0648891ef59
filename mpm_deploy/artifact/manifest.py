"""Define the manifest, in which an artifact says what it is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

from mpm_deploy.errors import ArtifactError
from mpm_deploy.images.formats import MAX_PIXELS
from mpm_deploy.images.windows import LARGEST_RATIO, LARGEST_SIDE
from mpm_deploy.support.quoting import shown
from mpm_deploy.support.schema import StructureError, read_structure, to_mapping

ScoreKind = Literal["logits", "probabilities"]

FORMAT = "mpm-artifact/2"
FORMAT_1 = "mpm-artifact/1"
_FITS = "1 to the shorter side of the input"
_BYTES = "numbers from 0 to 255"
_LARGEST = 2**31 - 1  # of most whole numbers, which C++ keeps in 32 bits
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
    backbone: str
    head: str
    parameters: int
    patch_size: int
    special_tokens: int
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class WeightsOrigin:
    """Says where weights came from: ``"demo"``, ``"random"``, or a file's name and its SHA-256.

    Those of a model that was given in Python are ``"given in Python"``, with that of its tensors.
    """

    origin: str
    sha256: str | None


@dataclass(frozen=True)
class InputInfo:
    """Describes the input: pixels, and the normalization that the artifact does itself (on 0..1).

    ``stride``, ``short_side`` and ``max_ratio`` are those of ``fit = "slide"``, None with any
    other.
    """

    height: int
    width: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    fit: Literal["resize", "slide", "slide_evenly"]
    stride: int | None = None
    short_side: int | None = None
    max_ratio: float | None = None


@dataclass(frozen=True)
class MergeInfo:
    """Says how tokens merge; a schedule of no block is the full-token model.

    Args:
        method: Name of the method; a reader takes any.
        place: Where in a block it merges: ``"before_block"``, ``"after_attention"``, or another
            place that a later method has.
        blocks: The schedule, 0-based.
        reconstruct: Where merged tokens become patches again.
        options: The method's own options, as in its recipe.
        weights: Where the method's own weights came from, as those of CTS's policy; None where it
            has none.
    """

    method: str
    place: str
    blocks: tuple[int, ...]
    reconstruct: str
    options: dict[str, Any]
    weights: WeightsOrigin | None


@dataclass(frozen=True)
class OutputInfo:
    """One of the tensors that ``scores`` gives, in its order.

    Args:
        name: ``"scores"``, ``"merge_maps"``, or another.
        dtype: Type of its numbers, as in ``"float32"``.
        shape: Its shape for one image, behind the axis of the batch.
        kind: What scores are: ``"logits"``, whose softmax is a probability, or
            ``"probabilities"``, which are sums of such, from 0 up; None of another output, and of
            the logits of older files.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    kind: ScoreKind | None = None


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

    Args:
        backend: Name of the backend; a reader that has none of that name refuses the host.
        device: The kind of device, as torch names it.
        dtype: What it computes in.
        versions: The versions of the software it was built with, by name, as in ``"torch"``.
        machine: What ``uname -m`` says; None for any.
        cpu_isa: Flags of ``/proc/cpuinfo``, all of them needed.
        cuda_capability: Compute capability ``(major, minor)``; None for any.
        details: What the backend itself wants to know; empty for those of today.
    """

    backend: str
    device: str
    dtype: str
    versions: dict[str, str]
    machine: str | None
    cpu_isa: tuple[str, ...]
    cuda_capability: tuple[int, int] | None
    details: dict[str, Any]


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
    outputs: tuple[OutputInfo, ...]
    flops: Flops
    batch: BatchRange
    requires: Requires
    agreement: Agreement
    payload_sha256: str

    @property
    def grid(self) -> tuple[int, int]:
        """The patches of an input, ``(down, across)``; those at its edges may reach beyond it."""
        patch = self.model.patch_size
        return -(-self.input.height // patch), -(-self.input.width // patch)

    @property
    def patches(self) -> int:
        """The number of patches of an input, ``t_0``."""
        down, across = self.grid
        return down * across

    def output_index(self, name: str) -> int:
        """Return where an output stands among those of ``scores``."""
        return [output.name for output in self.outputs].index(name)

    @property
    def score_kind(self) -> ScoreKind:
        """The kind of the scores."""
        return self.outputs[self.output_index("scores")].kind or "logits"

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
        if written == FORMAT_1:
            raise ArtifactError(
                f"{where}: written in format {FORMAT_1!r}, which is not run any more",
                f"its recipe is still read: mpm-deploy build --recipe {where} -o NEW_FILE",
            )
        if written != FORMAT:
            raise ArtifactError(
                f"{where}: expected format {FORMAT!r}, got {shown(written)}",
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
    model, batch, input = manifest.model, manifest.batch, manifest.input
    blocks = list(manifest.merge.blocks)
    merges, numbers = len(blocks), [number for color in model.palette for number in color]
    checks = (
        (min(input.height, input.width) > 0, "input", "a size above zero"),
        (input.height * input.width <= MAX_PIXELS, "input", f"{MAX_PIXELS:,} pixels at most"),
        *_window_checks(input),
        (1 <= model.patch_size <= min(input.height, input.width), "model.patch_size", _FITS),
        (min(model.special_tokens, model.parameters) >= 0, "model", "counts from 0 up"),
        (min(numbers, default=0) >= 0, "model.palette", _BYTES),
        (max(numbers, default=0) <= 255, "model.palette", _BYTES),
        *_size_checks(manifest),
        (blocks == sorted({*blocks}), "merge.blocks", "rising indices"),
        (min(blocks, default=0) >= 0, "merge.blocks", "indices from 0 up"),
        (len(manifest.agreement.clusters) == merges, "agreement.clusters", "one a merge"),
        (len(model.classes) > 0, "model.classes", "one class or more"),
        (len(model.palette) == len(model.classes), "model.palette", "one color a class"),
        (1 <= batch.min <= batch.max, "batch", "1 <= min <= max"),
        (len(manifest.flops.stages) == merges + 1, "flops.stages", "one more than merges"),
    )
    # the outputs' are looked at last: they need the others to hold
    for holds, key, expected in chain(checks, _output_checks(manifest)):
        if not holds:
            raise StructureError(key, f"expected {expected}")


def _size_checks(manifest: Manifest) -> Iterator[tuple[bool, str, str]]:
    """Yield whether each whole number that nothing else bounds fits into 32 bits."""
    for key, numbers in (
        ("model.special_tokens", (manifest.model.special_tokens,)),
        ("merge.blocks", manifest.merge.blocks),
        ("batch", (manifest.batch.min, manifest.batch.max)),
        ("requires.cuda_capability", manifest.requires.cuda_capability or ()),
        ("agreement.images", (manifest.agreement.images,)),
    ):
        fits = all(-_LARGEST <= number <= _LARGEST for number in numbers)
        yield fits, key, f"whole numbers up to {_LARGEST}"


def _output_checks(manifest: Manifest) -> Iterator[tuple[bool, str, str]]:
    """Yield the conditions on the outputs that every reader uses."""
    shapes = {output.name: output.shape for output in manifest.outputs}
    types = {output.name: output.dtype for output in manifest.outputs}
    yield len(shapes) == len(manifest.outputs), "outputs", "names that differ"
    scores, maps = shapes.get("scores", ()), shapes.get("merge_maps", ())
    classes, merges = len(manifest.model.classes), len(manifest.merge.blocks)
    fits = len(scores) == 3 and scores[0] == classes and min(scores) > 0
    yield fits, "outputs", '"scores" of shape [classes, down, across]'
    yield types.get("scores") == "float32", "outputs", '"scores" in float32'
    yield types.get("merge_maps") == "int32", "outputs", '"merge_maps" in int32'
    yield maps == (merges, manifest.patches), "outputs", '"merge_maps" of shape [merges, patches]'


def _window_checks(input: InputInfo) -> Iterator[tuple[bool, str, str]]:
    """Yield whether each condition on windows holds, its key, and what is expected of it."""
    if input.fit != "slide":
        for key in ("stride", "short_side", "max_ratio"):
            yield getattr(input, key) is None, f"input.{key}", f"none with fit {input.fit!r}"
        return
    largest = min(input.height, input.width)
    yield 1 <= (input.stride or 0) <= largest, "input.stride", "1 to a window's shorter side"
    yield 1 <= (input.short_side or 0) <= LARGEST_SIDE, "input.short_side", f"1 to {LARGEST_SIDE}"
    yield 1 <= (input.max_ratio or 0) <= LARGEST_RATIO, "input.max_ratio", f"1 to {LARGEST_RATIO}"
