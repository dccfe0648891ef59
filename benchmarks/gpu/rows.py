"""Lists the rows of the paper's Tables 1, 2, 3, 5 and 6 as models that are timed on a GPU, and the
ways in which each merges.

A row is ``mpm_deploy.recipe.paper.ROWS``'s, and named by what is particular of it, as
``seg_b16_mask-512-bfloat16``. Beside them stand the other models of Table 1 in bfloat16, of which
the paper has no figures. Of the methods,

mpm    merges before blocks 2 and 5
tome   inside blocks 2 and 5 too, so that only who merges differs. How much is a choice that ToMe
       leaves to its user: here the ratio, in hundredths, whose FLOPs come nearest to the share that
       ToMe has of the full-token model's in the paper's table. Where a table gives no GFLOPs of
       ToMe, it is the share of Table 1's model of that size.
algm   is its authors' own: inside the first and the fifth block, of ViT-L the first and the
       seventh, with their threshold of each size. They train with it, and nothing here is trained
       with it: how much merges is what the images and these weights make of it.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import cache

import torch

from benchmarks.paper import PaperRow, paper_row, size_of
from mpm_deploy.models.flops import count_flops
from mpm_deploy.models.reductions import Tome
from mpm_deploy.models.reductions.tome import SoftMatching
from mpm_deploy.models.zoo import create
from mpm_deploy.recipe import Recipe, load_recipe
from mpm_deploy.recipe.paper import ROWS, Row, Task, find_task

METHODS = ("mpm", "tome", "algm")
BLOCKS = (2, 5)
DTYPES = {"h100_bf16": "bfloat16", "h100_fp32": "float32"}
TABLES = (1, 2, 3, 5, 6)
_RATES = {"t": 4e-3, "s": 3e-3, "b": 2e-3, "l": 1e-3}
_THRESHOLDS = {"t": 0.90, "s": 0.88, "b": 0.94, "l": 0.95}  # mpm_deploy/models/reductions/algm.py


@dataclass(frozen=True)
class Subject:
    """A model of one table, in one precision.

    Attributes:
        row: The paper's row; where it has none, the row as it would be.
        in_paper: Whether the paper has this row.
    """

    row: Row
    in_paper: bool = True

    @property
    def name(self) -> str:
        """The row's name on the command line and in the record."""
        return f"{self.model}-{self.task.window}-{self.dtype}"

    @property
    def model(self) -> str:
        """The model's name in the zoo."""
        return self.row.model

    @property
    def dtype(self) -> str:
        """The precision that the model computes in."""
        return DTYPES[self.row.recipe]

    @property
    def task(self) -> Task:
        """The task that the data set sets; here an image is resized to the window."""
        return find_task(self.row.dataset)

    @property
    def paper(self) -> PaperRow | None:
        """The figures that the paper has of this row; None where it has no such row."""
        return paper_row(self.row) if self.in_paper else None

    @property
    def matrix_rate(self) -> float:
        """The learning rate of its matrices, where it is trained for this."""
        return _RATES[size_of(self.model)]

    def recipe(self, method: str, weights: str) -> Recipe:
        """Return the built-in recipe of its precision, for this model merged by ``method``.

        Args:
            method: One of `METHODS`.
            weights: A file, or ``"random"``.
        """
        return load_recipe(self.row.recipe).override(
            f"model.name={self.model}",
            f"model.weights='{weights}'",
            f"model.image_size=[{self.task.window}, {self.task.window}]",
            f"model.classes={self.task.classes}",
            *self._merging(method),
            # A build of minutes is not thrown away here: how far both models agree is in the
            # record, and among the targets.
            *("verify.labels=0", "verify.clusters=0"),
        )

    def _merging(self, method: str) -> tuple[str, ...]:
        """Return the settings that turn a recipe of Mutual Pair Merging into one of a method."""
        size = size_of(self.model)
        if method == "algm":
            blocks = [0, 6] if size == "l" else [0, 4]
            threshold = f"merge.threshold={_THRESHOLDS[size]}"
            return "merge.method=algm", f"merge.blocks={blocks}", threshold
        blocks = f"merge.blocks={[*BLOCKS]}"
        if method == "mpm":
            return (blocks,)
        ratio = tome_ratio(self.model, self.task.window, self.task.classes, self._share())
        return "merge.method=tome", blocks, f"merge.ratio={ratio}"

    def _share(self) -> float:
        """Return the share of FLOPs that ToMe has in the paper; where it has none there, that of
        Table 1's model.
        """
        own = self.paper.share("tome") if self.paper else None
        plain = Row(1, "h100_fp32", "ade20k", f"seg_{size_of(self.model)}16_mask")
        share = own or paper_row(plain).share("tome")
        assert share is not None  # results.csv has it of every size
        return share


@cache
def tome_ratio(model: str, window: int, classes: int, share: float) -> float:
    """Return the ratio, in hundredths, at which ToMe's FLOPs are nearest to a share of
    all FLOPs.
    """
    ratios = tuple(hundredth / 100 for hundredth in range(1, 51))
    shares = tome_shares(model, window, classes, ratios)
    return min(ratios, key=lambda ratio: abs(shares[ratio] - share))


def tome_shares(
    model: str, window: int, classes: int, ratios: tuple[float, ...]
) -> dict[float, float]:
    """Return ToMe's FLOPs by ratio, as shares of the full-token model's."""
    size = (window, window)
    with torch.device("meta"):  # shapes alone
        full = create(model, classes=classes, image_size=size, blocks=())
        merging = create(
            model, classes=classes, image_size=size, blocks=BLOCKS, method=Tome(ratio=0.1)
        )
    patches = full.grid[0] * full.grid[1]
    whole, flops = count_flops(full).total([patches]), count_flops(merging)
    return {ratio: flops.total(_tokens(patches, ratio)) / whole for ratio in ratios}


def _tokens(patches: int, ratio: float) -> list[int]:
    """Return the tokens before merging, and after each merge."""
    tokens = [patches]
    for _ in BLOCKS:
        tokens.append(SoftMatching(ratio, 0).kept(tokens[-1]))
    return tokens


def choose(
    rows: Collection[str] = (),
    tables: Collection[int] = (),
    models: Collection[str] = (),
    precisions: Collection[str] = (),
) -> tuple[Subject, ...]:
    """Return the rows that match every choice; an empty choice matches all."""
    return tuple(
        subject
        for subject in SUBJECTS.values()
        if (not rows or subject.name in rows)
        and (not tables or (subject.in_paper and subject.row.table in tables))
        and (not models or subject.model in models)
        and (not precisions or subject.dtype in precisions)
    )


def _subjects() -> Iterator[Subject]:
    papers = [Subject(row) for row in ROWS if row.table in TABLES]
    yield from papers
    known = {subject.name for subject in papers}
    for row in ROWS:
        twin = Subject(replace(row, table=5, recipe="h100_bf16"), in_paper=False)
        if row.table == 1 and twin.name not in known:
            yield twin


SUBJECTS = {subject.name: subject for subject in _subjects()}
