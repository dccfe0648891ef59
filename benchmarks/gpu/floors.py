"""Computes the least time of a forward from measured ceilings: ``max(operations, bytes)``.

operations    FLOPs at the tokens kept, over the matrix rate of the precision
bytes         weights and images read once, scores and merge maps written once, over the copy rate
activations   what moves besides if each kernel reads its input and writes its output, as ours do:
              no floor, for a better fusion would save it, but it says where a gap may lie

In float32 the similarities of Mutual Pair Merging run as TF32 parts, on faster units than the
others: their share of the operations is counted at the slower rate all the same.

    python -m benchmarks.gpu.floors

predicts every row's floors from the vendor's figures. They stand in benchmarks/notes/h100.md,
written before any measurement.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from benchmarks.gpu.results import Ceilings, PartResult, Profile
from benchmarks.gpu.rows import SUBJECTS, Subject
from mpm_deploy.artifact import Flops
from mpm_deploy.measure.speed.report import Measurement
from mpm_deploy.models.flops import count_flops
from mpm_deploy.models.heads import MaskTransformer
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.models.zoo import create, outline
from mpm_deploy.recipe import Recipe

_ITEM = {"bfloat16": 2, "float32": 4}  # bytes
# Of a block, in token widths: two norms 4, qkv 4, attention 4, proj 3, fc1 5, fc2 6.
_WIDTHS_OF_A_BLOCK = 26

# NVIDIA H100 SXM, data sheet: 989.4 TFLOP/s bfloat16 without sparsity, 67 TFLOP/s float32 and
# 3.35 TB/s. Peaks of the vendor: nobody measured them here, and no program reaches them.
PEAKS = Ceilings(3350.0, {"bfloat16": 989.4, "float32": 67.0})
# Tokens kept by the demo model after each merge, of 1024, when the predictions were written: these
# do not change with what is measured later.
KEPT = (760 / 1024, 587 / 1024)
_HEAD = (
    "| row | batch | full-token, ms | MPM, ms | full-token, FPS at most | MPM, FPS at most "
    "| activations of MPM, ms |"
)

_KINDS = {  # of kernels: the first that is found in a kernel's name
    "pairs": re.compile(r"flash|fmha|attention|_search|nearest_neighbor"),
    "products": re.compile(r"gemm|nvjet|cutlass|xmma|_mm_|_addmm|aten::(add)?mm|_linear|conv"),
}
OTHERS = "others"  # norms, activations, gathers, copies: no operations are counted of them


@dataclass(frozen=True)
class Floor:
    """The least times of one batch, in milliseconds, each on its own.

    Attributes:
        products: Of the FLOPs of what is linear in the tokens: layers.
        pairs: Of the FLOPs of what is quadratic in them: attention and similarities.
        bytes: Of what must be read and written.
        activations: Of the activations, read and written: they need not move.
    """

    products: float
    pairs: float
    bytes: float
    activations: float

    @property
    def operations(self) -> float:
        """The least time of all FLOPs."""
        return self.products + self.pairs

    @property
    def least(self) -> float:
        """The floor of the forward."""
        return max(self.operations, self.bytes)


class Gap(NamedTuple):
    """The floor of one row, method and batch size, and the milliseconds that a batch took."""

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


class KindOfWork(NamedTuple):
    """The kernels of one kind, in milliseconds of one forward, and their own floor."""

    kind: str
    calls: int
    milliseconds: float
    floor: float


def gaps(part: PartResult, ceilings: Ceilings) -> tuple[Gap, ...]:
    """Return the gap at every batch size; for Mutual Pair Merging's part, the
    full-token model's too.
    """
    merged = [(part.method, measured) for measured in part.speed.results]
    full = [("full", ratio.against) for ratio in part.ratios] if part.method == "mpm" else []
    return tuple(
        Gap(
            *(part.row, method, measured.batch_size),
            _floor_in(part, measured, ceilings, merged=method != "full"),
            1e3 * measured.batch_size / measured.model_fps,
        )
        for method, measured in [*full, *merged]
    )


def kinds(part: PartResult, profile: Profile, ceilings: Ceilings) -> tuple[KindOfWork, ...]:
    """Group the kernels of one profile by what they do, each kind beside its own floor. The floors
    are at the tokens kept over all images that were timed.
    """
    timed = part.speed.results if profile.merged else [ratio.against for ratio in part.ratios]
    measured = next(each for each in timed if each.batch_size == profile.batch_size)
    floor = _floor_in(part, measured, ceilings, profile.merged)
    floors = {"products": floor.products, "pairs": floor.pairs, OTHERS: floor.bytes}
    found = []
    for kind, least in floors.items():
        mine = [kernel for kernel in profile.kernels if kind_of(kernel.name) == kind]
        calls, took = sum(k.calls for k in mine), sum(k.milliseconds for k in mine)
        found.append(KindOfWork(kind, calls, took, least))
    return tuple(found)


def kind_of(kernel: str) -> str:
    """Tell a kernel's kind by its name."""
    name = kernel.lower()
    return next((kind for kind, found in _KINDS.items() if found.search(name)), OTHERS)


def floor_of(
    recipe: Recipe,
    flops: Flops,
    parameters: int,
    kept: Sequence[float],
    batch_size: int,
    ceilings: Ceilings,
) -> Floor:
    """Compute the floor of one batch.

    Args:
        recipe: The artifact's recipe, with model, size and classes named.
        flops: The FLOPs of an image.
        parameters: The number of parameters.
        kept: Mean tokens after each merge.
        batch_size: Images a batch.
        ceilings: The highest rates there are.
    """
    wanted, dtype = recipe.model, recipe.backend.dtype
    assert wanted.full_name and wanted.image_size and wanted.classes, recipe.name
    item, size = _ITEM[dtype], wanted.image_size
    model = outline(wanted.full_name, classes=wanted.classes, image_size=size)
    pixels = size[0] * size[1]
    patches = pixels // model.encoder.patch_size**2
    tokens = [float(patches), *kept]
    stages = list(zip(flops.stages, tokens, strict=True))
    answer = patches * (wanted.classes * item + len(kept) * 4)  # scores, merge maps int32
    rows = _rows(model, wanted.classes, recipe.merge.blocks, tokens)
    rate = 1e9 * ceilings.matrix_tflops[dtype]  # FLOPs a millisecond
    copies = 1e6 * ceilings.copy_gb_per_s  # bytes a millisecond
    return Floor(
        products=batch_size * (flops.constant + sum(s.linear * t for s, t in stages)) / rate,
        pairs=batch_size * sum(s.quadratic * t * t for s, t in stages) / rate,
        bytes=(parameters * item + batch_size * (3 * pixels + answer)) / copies,
        activations=batch_size * item * _WIDTHS_OF_A_BLOCK * model.encoder.width * rows / copies,
    )


def _rows(
    model: Segmenter, classes: int, blocks: tuple[int, ...], tokens: Sequence[float]
) -> float:
    """Count the tokens of one image over all blocks of encoder and decoder."""
    rows = 0.0
    for block in range(len(model.encoder.blocks)):
        merges = sum(block >= at for at in blocks)
        rows += tokens[merges] + model.encoder.special_tokens
    if isinstance(model.decoder, MaskTransformer):
        rows += len(model.decoder.blocks) * (tokens[-1] + classes)
    return rows


def _floor_in(part: PartResult, measured: Measurement, ceilings: Ceilings, merged: bool) -> Floor:
    """Compute the floor of a part's merged or full-token model, as it was timed."""
    recipe = Recipe.from_dict(part.recipe)
    return floor_of(
        recipe if merged else recipe.full_token(),
        part.flops if merged else part.full_token_flops,
        part.parameters,
        measured.tokens_kept.mean,
        measured.batch_size,
        ceilings,
    )


def predict(recipe: Recipe, batch_size: int) -> Floor:
    """Predict the floor of one artifact, with tokens kept as the demo model's."""
    wanted = recipe.model
    assert wanted.full_name and wanted.image_size and wanted.classes, recipe.name
    with torch.device("meta"):  # shapes alone
        model = create(
            wanted.full_name,
            classes=wanted.classes,
            image_size=wanted.image_size,
            blocks=recipe.merge.blocks,
            method=recipe.merge.member,
        )
    patches = model.grid[0] * model.grid[1]
    kept = [share * patches for share in KEPT[: len(recipe.merge.blocks)]]
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return floor_of(recipe, count_flops(model), parameters, kept, batch_size, PEAKS)


def as_markdown() -> str:
    """Write a table in Markdown with one line per row; ViT-T is also there at batch 1."""
    lines = [_HEAD, "|---|" + "--:|" * 6]
    for subject in SUBJECTS.values():
        sizes = (32, 1) if subject.model == "seg_t16_mask" else (32,)
        lines += [_line(subject, size) for size in sizes]
    return "\n".join(lines)


def _line(subject: Subject, batch_size: int) -> str:
    recipe = subject.recipe("mpm", "random")
    full, merged = (predict(each, batch_size) for each in (recipe.full_token(), recipe))
    cells = (
        *(subject.name, str(batch_size), f"{full.least:.3f}", f"{merged.least:.3f}"),
        *(f"{1e3 * batch_size / floor.least:.0f}" for floor in (full, merged)),
        f"{merged.activations:.3f}",
    )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    print(as_markdown())
