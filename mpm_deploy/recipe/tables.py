"""Define the tables of a recipe: what their keys may hold."""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from mpm_deploy.errors import RecipeError
from mpm_deploy.families import BACKENDS, ENCODERS, HEADS, REDUCTIONS
from mpm_deploy.images.windows import LARGEST_RATIO, LARGEST_SIDE
from mpm_deploy.recipe.model_names import (
    check_backbone,
    check_name,
    family_of,
    model_name,
    split_name,
)
from mpm_deploy.support.family import OptionError, nearest
from mpm_deploy.support.quoting import shown
from mpm_deploy.support.schema import (
    Choice,
    OpenTable,
    StructureError,
    check_types,
    to_mapping,
)


def _require(holds: bool, key: str, expected: str, value: Any, hint: str | None = None) -> None:
    if not holds:
        raise RecipeError(f"{key}: expected {expected}, got {shown(to_mapping(value))}", hint)


@contextmanager
def structured() -> Iterator[None]:
    """Say of a value of another structure what is allowed in its place."""
    try:
        yield
    except StructureError as error:
        allowed = f"; allowed are {', '.join(error.allowed)}" if error.allowed else ""
        raise RecipeError(f"{error}{allowed}", error.hint or _did_you_mean(error)) from error


def _check_types(section: str, table: Any) -> None:
    """Hold a table that was made by hand to the types of its keys, like one from a file."""
    with structured():
        check_types(table, section)


@contextmanager
def _options_of(section: str) -> Iterator[None]:
    """Say in which section an option has a value that its member does not take."""
    try:
        yield
    except OptionError as error:
        raise RecipeError(f"{section}.{error.problem}", error.hint) from error


class _Backbone(Choice):
    """The choice of a backbone, whose options are those of its family."""

    word = "backbone"

    def find(self, name: str) -> Any:
        check_backbone("model.backbone", name)
        return family_of(name)

    def names(self) -> Mapping[str, Any]:
        families = self.family.values()
        return {name: family for family in families for name in family.backbones()}


@dataclass(frozen=True)
class ModelRecipe(OpenTable):
    """The ``[model]`` table says which model is built, at which input size and with which weights.

    A model is a backbone and a head. It is named by both, or by a short name for them; where it is
    not named, it is what the weights are for, and ``seg_t16_mask`` for random ones.

    Args:
        name: A short name, as in ``"seg_t16_mask"``; ``mpm-deploy models`` lists them.
        backbone: A backbone's name, as in ``"vit_tiny_patch16"``; with a head.
        head: A head's name, as in ``"mask_transformer"``; with a backbone.
        weights: ``"demo"``, which ``seg_t16_mask`` and ``eomt_t16`` have, ``"demo_cts"``, the first
            of them trained with CTS, ``"random"``, a ``.safetensors`` file with its TOML beside it,
            a ``checkpoint.pth`` of Segmenter with its ``variant.yml``, a folder that transformers
            wrote, a checkpoint of EoMT's authors or EVA-01's, a file of DINOv2, or ``"timm:NAME"``.
            Where they are an encoder alone, the head is random.
        image_size: Input ``(height, width)`` in pixels; None is what the weights were trained for,
            and 512 × 512 for random ones.
        classes: Number of classes; None is what the weights have, and 150 for random ones.
        family: The backbone's family with its options; None where no backbone is named.
        member: The head with its options; None where no head is named.
    """

    CHOICES: ClassVar = (_Backbone("backbone", ENCODERS, "family"), Choice("head", HEADS))

    name: str | None = None
    backbone: str | None = None
    head: str | None = None
    weights: str = "demo"
    image_size: tuple[int, int] | None = None
    classes: int | None = None
    family: Any = None
    member: Any = None

    def __post_init__(self) -> None:
        _check_types("model", self)
        self._check_name()
        size = self.image_size
        _require(size is None or min(size) > 0, "model.image_size", "[height, width] > 0", size)
        _require(self.classes is None or self.classes > 1, "model.classes", "> 1", self.classes)
        is_name = self.weights != "" and "\0" not in self.weights
        _require(is_name, "model.weights", "'demo', 'random' or a file", self.weights)
        with _options_of("model"):
            super().__post_init__()

    @property
    def full_name(self) -> str | None:
        """The name of the model, whichever way the recipe says it; None where it does not."""
        backbone, head = self.backbone, self.head
        if self.name is not None and (pair := split_name(self.name)):
            backbone, head = pair
        return model_name(backbone, head) if backbone and head else None

    def _check_name(self) -> None:
        pair = (self.backbone, self.head)
        _require(
            pair == (None, None) or (None not in pair and self.name is None),
            "model",
            "a name, or a backbone and a head",
            {key: each for key in ("name", "backbone", "head") if (each := getattr(self, key))},
            "name the model once: model.name alone, or both model.backbone and model.head; "
            "--set model.name= takes a name back",
        )
        if self.name is not None:
            check_name("model.name", self.name)


@dataclass(frozen=True)
class MergeRecipe(OpenTable):
    """The ``[merge]`` table says how and where tokens merge, and where they become patches again.

    Args:
        method: How tokens merge: a name of `families.REDUCTIONS`, which says where in a block.
        blocks: The schedule: blocks (0-based) at which a merge happens; none is the full-token
            model.
        reconstruct: ``"after_decoder"`` gathers scores, ``"before_decoder"`` gathers tokens.
        member: The method with its options; None takes their defaults.
    """

    CHOICES: ClassVar = (Choice("method", REDUCTIONS),)

    method: str = "mpm"
    blocks: tuple[int, ...] = (2, 5)
    reconstruct: Literal["after_decoder", "before_decoder"] = "after_decoder"
    member: Any = None

    def __post_init__(self) -> None:
        _check_types("merge", self)
        key, blocks = "merge.blocks", self.blocks
        _require(min(blocks, default=0) >= 0, key, "indices from 0 up", blocks)
        _require(list(blocks) == sorted({*blocks}), key, "strictly increasing indices", blocks)
        with _options_of("merge"):
            super().__post_init__()
        merges = self.member.merges
        _require(
            not blocks or merges in (None, len(blocks)),
            key,
            f"{merges} blocks with method {self.method!r}",
            blocks,
            f"as in --set merge.blocks={[4 * merge for merge in range(merges or 0)]}",
        )
        first = self.member.first_block
        _require(
            not blocks or first in (None, blocks[0]),
            key,
            f"block {first} first with method {self.method!r}",
            blocks,
            f"as in --set merge.blocks={[first]}, or --set merge.blocks={[first, *blocks]}",
        )

    def completed(self, trained: "MergeRecipe", share: float) -> "MergeRecipe":
        """Return this table with what its method's options leave open as in ``trained``.

        Args:
            trained: How tokens merged where the weights were trained.
            share: How many times as many patches images have here as they had there.
        """
        if trained.method != self.method:
            return self
        member = self.member.completed(trained.member.scaled(share))
        return dataclasses.replace(self, member=member)


@dataclass(frozen=True)
class BackendRecipe(OpenTable):
    """The ``[backend]`` table says what compiles the model, and for which machine.

    Args:
        name: A name of `families.BACKENDS`; ``"torchscript"`` writes a ``.pt``, ``"aotinductor"``
            a ``.pt2``, ``"onnxruntime"`` an ``.onnx.zip``, ``"tensorrt"`` a ``.tensorrt.zip``.
        device: ``"cpu"`` or ``"cuda"``.
        dtype: The type that the model computes in, of which backends have some; ``"int8"`` is that
            of the linear layers of its blocks, and the rest computes in bfloat16 where the
            processor has instructions for it.
        calibration: A folder of photos on which the ranges of what becomes int8 are measured; None
            measures them on images that are made up.
        max_batch: The most images that one call may take; AOTInductor files for a CPU take one
            image, and larger batches image by image.
        machine: The kind of processor that the file is tied to; None where it is tied to none.
        member: The backend with its options; None takes their defaults.
    """

    CHOICES: ClassVar = (Choice("name", BACKENDS),)

    name: str = "torchscript"
    device: Literal["cpu", "cuda"] = "cpu"
    dtype: Literal["float32", "bfloat16", "float16", "int8"] = "float32"
    calibration: str | None = None
    max_batch: int = 64
    machine: Literal["x86_64", "aarch64"] | None = None
    member: Any = None

    def __post_init__(self) -> None:
        _check_types("backend", self)
        _require(self.max_batch > 0, "backend.max_batch", "> 0", self.max_batch)
        _require(
            self.calibration is None or self.dtype == "int8",
            "backend.calibration",
            f"none with dtype {self.dtype!r}",
            self.calibration,
            "leave it out, or set backend.dtype to 'int8'",
        )
        with _options_of("backend"):
            super().__post_init__()
            self.member.check_device(self.device)
            self.member.check_dtype(self.dtype, self.device)

    @property
    def builds_on(self) -> str:
        """The kind of device that a build makes the model on, and compares on."""
        return self.member.builds_on or self.device


@dataclass(frozen=True)
class InputRecipe:
    """The ``[input]`` table says how an image of any size becomes the model's input.

    Args:
        fit: ``"resize"`` makes it one input, antialiased bilinear; ``"slide"`` scales it to a short
            side and lays windows of the input's size over it; ``"slide_evenly"`` scales it until
            such a window fits exactly along one axis, and lays as few as cover it along the other.
            None is what the weights were tested with, and ``"resize"`` where they do not say.
        pad: ``"center"`` takes an input that is not whole patches: zeros go around it once it is
            normalized, half on each side. None is what the weights were tested with, and none.
        stride: Pixels from one window to the next, at most a window's shorter side; None is that.
        short_side: Pixels of the scaled image's short side; None is the input's height.
        max_ratio: The long side is at most so many times the short one; None is 4.
    """

    fit: Literal["resize", "slide", "slide_evenly"] | None = None
    pad: Literal["center"] | None = None
    stride: int | None = None
    short_side: int | None = None
    max_ratio: float | None = None

    def __post_init__(self) -> None:
        _check_types("input", self)
        for key in ("stride", "short_side", "max_ratio"):
            value = getattr(self, key)
            _require(
                value is None or self.fit == "slide",
                f"input.{key}",
                f"none with fit {self.fit or 'resize'!r}",
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

    def completed(self, tested: "InputRecipe") -> "InputRecipe":
        """Return this table with what it leaves open as in ``tested``.

        Where both say how to fit, and not the same, nothing but the padding is taken over.
        """
        agree = self.fit in (None, tested.fit)
        base = tested if agree else InputRecipe(pad=tested.pad)
        said = {name: value for name, value in to_mapping(self).items() if value is not None}
        return dataclasses.replace(base, **said)


@dataclass(frozen=True)
class VerifyRecipe:
    """The ``[verify]`` table says how far a new artifact must agree with the eager model.

    An artifact that agrees less is not written.

    Args:
        images: How many different images are compared.
        labels: Least share of pixels with the same label.
        clusters: Least share of patches in the same cluster, after each merge.
        photos: A folder of photos on which labels are compared with those of the eager model in
            float32 too; None compares on none.
        photo_labels: Least share of their pixels with the same label.
        dataset: A folder of photos with true label maps, in a layout that ``mpm-deploy eval``
            knows, on which mIoU is compared with that of the eager model in float32; None compares
            on none.
        miou_lost: Most points of mIoU that may be lost there.
    """

    images: int = 8
    labels: float = 0.999
    clusters: float = 0.999
    photos: str | None = None
    photo_labels: float = 0.97
    dataset: str | None = None
    miou_lost: float = 1.0

    def __post_init__(self) -> None:
        _check_types("verify", self)
        _require(self.images >= 8, "verify.images", "8 or more", self.images)
        _require(0 <= self.labels <= 1, "verify.labels", "0 to 1", self.labels)
        _require(0 <= self.clusters <= 1, "verify.clusters", "0 to 1", self.clusters)
        share = self.photo_labels
        _require(0 <= share <= 1, "verify.photo_labels", "0 to 1", share)
        lost = self.miou_lost
        _require(0 <= lost <= 100, "verify.miou_lost", "0 to 100 points", lost)


def _did_you_mean(error: StructureError) -> str | None:
    written = re.search(r"unknown value '(.*)'", error.problem)
    return nearest(written.group(1) if written else error.key.split(".")[-1], error.allowed)
