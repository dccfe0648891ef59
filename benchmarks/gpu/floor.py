"""Computes the least time of a forward from measured ceilings: ``max(operations, bytes)``.

operations    FLOPs at the tokens kept, over the matrix rate of the precision
bytes         weights and images read once, scores and merge maps written once, over the copy rate
activations   what moves besides if each kernel reads its input and writes its output, as ours do:
              no floor, for a better fusion would save it, but it says where a gap may lie

In float32 the similarities of Mutual Pair Merging run as TF32 parts, on faster units than the
others: their share of the operations is counted at the slower rate all the same.
"""

from dataclasses import dataclass

from benchmarks.gpu.results import Ceilings, PartResult
from mpm_deploy.artifact import Flops
from mpm_deploy.measure.speed.report import Measurement
from mpm_deploy.models.heads import MaskTransformer
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.models.zoo import outline
from mpm_deploy.recipe import Recipe

_ITEM = {"bfloat16": 2, "float32": 4}  # bytes
# Of a block, in token widths: two norms 4, qkv 4, attention 4, proj 3, fc1 5, fc2 6.
_WIDTHS_OF_A_BLOCK = 26


@dataclass(frozen=True)
class Work:
    """The FLOPs and bytes of one batch.

    Attributes:
        products: FLOPs of what is linear in the tokens: layers.
        pairs: FLOPs of what is quadratic in them: attention and similarities.
        must_move: Bytes that must be read and written.
        activations: Bytes that the activations take, read and written.
    """

    products: float
    pairs: float
    must_move: float
    activations: float


@dataclass(frozen=True)
class Floor:
    """The floor of one batch by operations and by bytes, in milliseconds."""

    operations: float
    bytes: float
    activations: float

    @property
    def least(self) -> float:
        """The floor of the forward, in milliseconds."""
        return max(self.operations, self.bytes)


@dataclass(frozen=True)
class Gap:
    """The floor of one row, method and batch size, and the time that it took.

    Attributes:
        method: One of `METHODS`, or ``"full"``.
        milliseconds: The time of a batch, by the model FPS of the C++ program.
    """

    row: str
    method: str
    batch_size: int
    floor: Floor
    milliseconds: float

    @property
    def gap(self) -> float:
        """The milliseconds over the floor."""
        return self.milliseconds - self.floor.least

    @property
    def times(self) -> float:
        """The measured time, as a multiple of the floor."""
        return self.milliseconds / self.floor.least


def gaps(part: PartResult, ceilings: Ceilings) -> tuple[Gap, ...]:
    """Return the gap at every batch size; for Mutual Pair Merging's part, the
    full-token model's too.
    """
    comparison = part.speed.comparison
    assert comparison is not None
    found = [_gap(part, part.method, measured, ceilings) for measured in part.speed.results]
    if part.method == "mpm":
        others = [ratio.against for ratio in comparison.results]
        found = [_gap(part, "full", measured, ceilings) for measured in others] + found
    return tuple(found)


def floor_of(work: Work, ceilings: Ceilings, dtype: str) -> Floor:
    """Compute the floor of some work from the measured ceilings."""
    rate = 1e9 * ceilings.matrix_tflops[dtype]  # FLOPs a millisecond
    copies = 1e6 * ceilings.copy_gb_per_s  # bytes a millisecond
    return Floor(
        operations=(work.products + work.pairs) / rate,
        bytes=work.must_move / copies,
        activations=work.activations / copies,
    )


def work_of(
    recipe: Recipe,
    flops: Flops,
    parameters: int,
    kept: tuple[float, ...],
    batch_size: int,
) -> Work:
    """Count the work of one batch.

    Args:
        recipe: The artifact's recipe, with model, size and classes named.
        flops: The FLOPs of an image.
        parameters: The number of parameters.
        kept: Mean tokens after each merge.
        batch_size: Images a batch.
    """
    wanted, item = recipe.model, _ITEM[recipe.backend.dtype]
    assert wanted.full_name and wanted.image_size and wanted.classes, recipe.name
    size, pixels = wanted.image_size, wanted.image_size[0] * wanted.image_size[1]
    model = outline(wanted.full_name, classes=wanted.classes, image_size=size)
    patches = pixels // model.encoder.patch_size**2
    tokens = [float(patches), *kept]
    stages = list(zip(flops.stages, tokens, strict=True))
    answer = patches * (wanted.classes * item + len(kept) * 4)  # scores, merge maps int32
    rows = _rows(model, wanted.classes, recipe.merge.blocks, tokens)
    return Work(
        products=batch_size * (flops.constant + sum(s.linear * t for s, t in stages)),
        pairs=batch_size * sum(s.quadratic * t * t for s, t in stages),
        must_move=parameters * item + batch_size * (3 * pixels + answer),
        activations=batch_size * item * _WIDTHS_OF_A_BLOCK * model.encoder.width * rows,
    )


def _rows(model: Segmenter, classes: int, blocks: tuple[int, ...], tokens: list[float]) -> float:
    """Count the tokens of one image over all blocks of encoder and decoder."""
    rows = 0.0
    for block in range(len(model.encoder.blocks)):
        merges = sum(block >= at for at in blocks)
        rows += tokens[merges] + model.encoder.special_tokens
    if isinstance(model.decoder, MaskTransformer):
        rows += len(model.decoder.blocks) * (tokens[-1] + classes)
    return rows


def recipes(part: PartResult) -> tuple[Recipe, Recipe]:
    """Return the recipes of a part's two artifacts: merged, and full-token."""
    merged = Recipe.from_dict(part.recipe)
    return merged, merged.full_token()


def _gap(part: PartResult, method: str, measured: Measurement, ceilings: Ceilings) -> Gap:
    merged, full_token = recipes(part)
    is_full = method == "full"
    work = work_of(
        full_token if is_full else merged,
        part.full_token_flops if is_full else part.flops,
        part.parameters,
        measured.tokens_kept.mean,
        measured.batch_size,
    )
    floor = floor_of(work, ceilings, merged.backend.dtype)
    took = 1e3 * measured.batch_size / measured.model_fps
    return Gap(part.row, method, measured.batch_size, floor, took)
