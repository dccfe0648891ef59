"""Define the tables of a recipe, and change single values in it."""

import dataclasses
import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Self

from mpm_deploy.errors import RecipeError
from mpm_deploy.images.windows import LARGEST_RATIO, LARGEST_SIDE
from mpm_deploy.recipe.schema import StructureError, read_structure, to_mapping

_DEFAULT: Any = object()  # the value of a key that --set empties

ModelName = Literal[
    "seg_t16_mask",
    "seg_s16_mask",
    "seg_b16_mask",
    "seg_l16_mask",
    "seg_b8_mask",
    "seg_deit_t16_mask",
    "seg_deit_s16_mask",
    "seg_deit_b16_mask",
    "seg_t16_linear",
    "seg_s16_linear",
    "seg_b16_linear",
    "seg_l16_linear",
    "seg_b8_linear",
    "seg_deit_t16_linear",
    "seg_deit_s16_linear",
    "seg_deit_b16_linear",
]

# The versions whose operators are listed in mpm_deploy/backends/torchscript/operators/.
Libtorch = Literal["2.6"]


def _require(holds: bool, key: str, expected: str, value: Any, hint: str | None = None) -> None:
    if not holds:
        raise RecipeError(f"{key}: expected {expected}, got {to_mapping(value)!r}", hint)


@dataclass(frozen=True)
class ModelRecipe:
    """The ``[model]`` table says which model is built, at which input size and with which weights.

    Args:
        name: A model's name; None is what the weights are for, and ``seg_t16_mask`` for random
            ones.
        weights: ``"demo"``, ``"random"``, a ``.safetensors`` file with its TOML beside it, a
            ``checkpoint.pth`` of Segmenter with its ``variant.yml``, or ``"timm:NAME"``, an encoder
            whose head is random.
        image_size: Input ``(height, width)`` in pixels; None is what the weights were trained for,
            and 512 × 512 for random ones.
        classes: Number of classes; None is what the weights have, and 150 for random ones.
    """

    name: ModelName | None = None
    weights: str = "demo"
    image_size: tuple[int, int] | None = None
    classes: int | None = None

    def __post_init__(self) -> None:
        size = self.image_size
        _require(size is None or min(size) > 0, "model.image_size", "[height, width] > 0", size)
        _require(self.classes is None or self.classes > 1, "model.classes", "> 1", self.classes)
        _require(self.weights != "", "model.weights", "'demo', 'random' or a file", self.weights)


@dataclass(frozen=True)
class _Options:
    """Lists the options that a merge method takes besides the schedule.

    Exactly one of ``needs`` must be set, those in ``may`` are optional, and error messages show
    ``example``.
    """

    needs: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    example: str = ""


_MERGE_OPTIONS = {
    "mpm": _Options(),
    "tome": _Options(("ratio", "r"), ("proportional_attention",), "ratio=0.1"),
    "algm": _Options(("threshold",), example="threshold=0.9"),
    "none": _Options(),
}


@dataclass(frozen=True)
class MergeRecipe:
    """The ``[merge]`` table says how and where tokens merge, and where they become patches again.

    Args:
        method: ``"mpm"`` in front of each block of the schedule; ``"tome"`` or ``"algm"`` inside
            it, between attention and MLP; ``"none"`` for the full-token model.
        blocks: The schedule: blocks (0-based) at which a merge happens; two for ``"algm"``,
            the local merge and the global one.
        reconstruct: ``"after_decoder"`` gathers scores, ``"before_decoder"`` gathers tokens.
        ratio: For ``"tome"``: the share of an image's tokens that each merge removes, half at most.
        r: For ``"tome"``, instead of ``ratio``: the number of tokens that each merge removes.
        proportional_attention: For ``"tome"``: whether a merged token is attended to as often as
            the patches that it stands for.
        threshold: For ``"algm"``: the mean cosine from which on a window is one token.
    """

    method: Literal["mpm", "tome", "algm", "none"] = "mpm"
    blocks: tuple[int, ...] = (2, 5)
    reconstruct: Literal["after_decoder", "before_decoder"] = "after_decoder"
    ratio: float | None = None
    r: int | None = None
    proportional_attention: bool = False
    threshold: float | None = None

    def __post_init__(self) -> None:
        self._check_schedule()
        self._check_options()
        ratio, r, threshold = self.ratio, self.r, self.threshold
        _require(ratio is None or 0 < ratio <= 0.5, "merge.ratio", "above 0, 0.5 at most", ratio)
        _require(r is None or r > 0, "merge.r", "> 0", r)
        fits = threshold is None or 0 < threshold <= 1
        _require(fits, "merge.threshold", "above 0, 1 at most", threshold)

    def _check_schedule(self) -> None:
        key, blocks = "merge.blocks", self.blocks
        _require(min(blocks, default=0) >= 0, key, "indices from 0 up", blocks)
        _require(list(blocks) == sorted({*blocks}), key, "strictly increasing indices", blocks)
        fits = (self.method == "none") == (not blocks)
        expected = "[]" if self.method == "none" else "a block or more"
        _require(
            fits,
            key,
            f"{expected} with method {self.method!r}",
            blocks,
            "the full-token model is method 'none' with no blocks: build --full-token",
        )
        _require(
            self.method != "algm" or len(blocks) == 2,
            key,
            "two blocks with method 'algm'",
            blocks,
            "the paper's are [0, 4], and [0, 6] for ViT-L",
        )

    def _check_options(self) -> None:
        for method, options in _MERGE_OPTIONS.items():
            for option in (*options.needs, *options.may):
                _require(
                    method == self.method or getattr(self, option) in (None, False),
                    f"merge.{option}",
                    f"none with method {self.method!r}",
                    getattr(self, option),
                    f"leave it out, or set merge.method to {method!r}",
                )
        own = _MERGE_OPTIONS[self.method]
        given = [option for option in own.needs if getattr(self, option) is not None]
        _require(
            len(given) == min(len(own.needs), 1),
            "merge",
            f"{' or '.join(own.needs)} with method {self.method!r}",
            given,
            f"as in --set merge.{own.example}",
        )


@dataclass(frozen=True)
class BackendRecipe:
    """The ``[backend]`` table says what compiles the model, and for which machine.

    Args:
        name: ``"torchscript"`` writes a ``.pt``, ``"aotinductor"`` a ``.pt2``.
        device: ``"cpu"`` or ``"cuda"``.
        dtype: The type that the model computes in.
        max_batch: The most images that one call may take; AOTInductor files for a CPU take one
            image, and larger batches image by image.
        cuda_capability: Compute capability ``(major, minor)`` it is compiled for.
        machine: The kind of processor that the file is tied to; None where it is tied to none.
        libtorch: For ``"torchscript"``: the oldest libtorch that is to run the file, as ``"2.6"``;
            a build fails if the model calls an operator that it lacks. None promises nothing.
    """

    name: Literal["torchscript", "aotinductor"] = "torchscript"
    device: Literal["cpu", "cuda"] = "cpu"
    dtype: Literal["float32", "bfloat16"] = "float32"
    max_batch: int = 64
    cuda_capability: tuple[int, int] | None = None
    machine: Literal["x86_64", "aarch64"] | None = None
    libtorch: Libtorch | None = None

    def __post_init__(self) -> None:
        _require(self.max_batch > 0, "backend.max_batch", "> 0", self.max_batch)
        _require(
            self.cuda_capability is None or self.device == "cuda",
            "backend.cuda_capability",
            f"none with device {self.device!r}",
            self.cuda_capability,
            "leave it out, or set device to 'cuda'",
        )
        _require(
            self.libtorch is None or self.name == "torchscript",
            "backend.libtorch",
            f"none with backend {self.name!r}",
            self.libtorch,
            "leave it out, --set backend.libtorch=: native code runs on the torch that built it",
        )


@dataclass(frozen=True)
class InputRecipe:
    """The ``[input]`` table says how an image of any size becomes the model's input.

    Args:
        fit: ``"resize"`` makes it one input, antialiased bilinear; ``"slide"`` scales it to a short
            side and lays windows of the input's size over it.
        stride: Pixels from one window to the next, at most a window's shorter side; None is that.
        short_side: Pixels of the scaled image's short side; None is the input's height.
        max_ratio: The long side is at most so many times the short one; None is 4.
    """

    fit: Literal["resize", "slide"] = "resize"
    stride: int | None = None
    short_side: int | None = None
    max_ratio: float | None = None

    def __post_init__(self) -> None:
        for key in ("stride", "short_side", "max_ratio"):
            value = getattr(self, key)
            _require(
                value is None or self.fit == "slide",
                f"input.{key}",
                f"none with fit {self.fit!r}",
                value,
                "leave it out, or set input.fit to 'slide'",
            )
        _require(self.stride is None or self.stride > 0, "input.stride", "> 0", self.stride)
        sides = f"1 to {LARGEST_SIDE}"
        _require(
            self.short_side is None or 1 <= self.short_side <= LARGEST_SIDE,
            "input.short_side",
            sides,
            self.short_side,
        )
        _require(
            self.max_ratio is None or 1 <= self.max_ratio <= LARGEST_RATIO,
            "input.max_ratio",
            f"1 to {LARGEST_RATIO}",
            self.max_ratio,
        )


@dataclass(frozen=True)
class VerifyRecipe:
    """The ``[verify]`` table says how far a new artifact must agree with the eager model.

    An artifact that agrees less is not written.

    Args:
        images: How many different images are compared.
        labels: Least share of pixels with the same label.
        clusters: Least share of patches in the same cluster, after each merge.
    """

    images: int = 8
    labels: float = 0.999
    clusters: float = 0.999

    def __post_init__(self) -> None:
        _require(self.images >= 8, "verify.images", "8 or more", self.images)
        _require(0 <= self.labels <= 1, "verify.labels", "0 to 1", self.labels)
        _require(0 <= self.clusters <= 1, "verify.clusters", "0 to 1", self.clusters)


@dataclass(frozen=True)
class Recipe:
    """A recipe holds all that a build needs to know.

    Args:
        name: A built-in recipe's name, or the file's.
        description: One line that says what it is for.
    """

    name: str
    description: str = ""
    model: ModelRecipe = ModelRecipe()
    merge: MergeRecipe = MergeRecipe()
    backend: BackendRecipe = BackendRecipe()
    input: InputRecipe = InputRecipe()
    verify: VerifyRecipe = VerifyRecipe()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make a recipe from nested tables.

        Raises:
            RecipeError: An unknown key, or a value that is not allowed; names both.
        """
        try:
            return read_structure(cls, values)
        except StructureError as error:
            allowed = f"; allowed are {', '.join(error.allowed)}" if error.allowed else ""
            raise RecipeError(f"{error}{allowed}", _did_you_mean(error)) from error

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as nested plain values, ready for JSON; `from_dict` reads them back."""
        values: dict[str, Any] = to_mapping(self)
        return values

    def override(self, *assignments: str) -> Self:
        """Return the same recipe with some values changed, checked together like those of a file.

        Args:
            assignments: Each ``section.key=value`` with the value in TOML; a bare word is a string,
                and no value at all brings back the default.

        Raises:
            RecipeError: Not of that form, an unknown key, or a value that is not allowed.
        """
        values = self.to_dict()
        with placed("--set"):
            for assignment in assignments:
                section, key, value = _parse_assignment(assignment)
                table = values.setdefault(section, {})
                if not isinstance(table, dict):
                    raise RecipeError(f"{section}: expected a section, got a key of the whole")
                if value is _DEFAULT and key in table:
                    del table[key]
                else:
                    table[key] = value
            return self.from_dict(values)

    def with_weights(self, weights: str) -> Self:
        """Return the same recipe with other weights, and with the model that they are for."""
        name = self.model.name if weights == "random" else None
        model = dataclasses.replace(self.model, name=name, weights=weights)
        return dataclasses.replace(self, model=model)

    def full_token(self) -> Self:
        """Return the same recipe without merging, which is the full-token model."""
        merge = MergeRecipe("none", blocks=(), reconstruct=self.merge.reconstruct)
        return dataclasses.replace(self, merge=merge)


def _parse_assignment(assignment: str) -> tuple[str, str, Any]:
    """Split ``section.key=value`` and read the value."""
    left, equals, text = assignment.partition("=")
    section, dot, key = left.strip().partition(".")
    if not (equals and dot and section and key):
        raise RecipeError(
            f"expected section.key=value, got {assignment!r}", "as in merge.blocks=[1,3]"
        )
    return section, key, _parse_value(assignment, text.strip()) if text.strip() else _DEFAULT


def _parse_value(assignment: str, text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        if re.fullmatch(r"[A-Za-z_~./][\w~./ -]*", text):  # a string whose quotes the shell took
            return text
        raise RecipeError(f"{assignment}: expected a value in TOML: {error}") from error


@contextmanager
def placed(place: str) -> Iterator[None]:
    """Put the place in front of the message of any `RecipeError` that the block raises."""
    try:
        yield
    except RecipeError as error:
        raise RecipeError(f"{place}: {error.problem}", error.hint) from error


def _did_you_mean(error: StructureError) -> str | None:
    written = re.search(r"unknown value '(.*)'", error.problem)
    return nearest(written.group(1) if written else error.key.split(".")[-1], error.allowed)


def nearest(word: str, known: Iterable[str]) -> str | None:
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {near[0]!r}?" if near else None
