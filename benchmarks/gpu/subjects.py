"""Lists the rows of the paper's Tables 1, 2, 3, 5 and 6 as models that are timed on a GPU.

A row is ``mpm_deploy.recipe.paper.ROWS``'s, and named by what is particular of it, as
``seg_b16_mask-512-bfloat16``. Beside them stand the other models of Table 1 in bfloat16, of which
the paper has no figures.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from benchmarks.gpu.methods import settings_of
from benchmarks.paper import PaperRow, paper_row
from mpm_deploy.recipe import Recipe, load_recipe
from mpm_deploy.recipe.paper import ROWS, Row, Task, find_task

DTYPES = {"h100_bf16": "bfloat16", "h100_fp32": "float32"}
TABLES = (1, 2, 3, 5, 6)
# What a table of the paper calls a model.
_TITLES = {
    1: "Seg-{size}",
    2: "{family}-{size} {head}",
    3: "{family}-{size} {head}",
    5: "{family}-{size}",
    6: "{family}-{size} {head}",
}
_NAME = re.compile(r"seg_(deit_)?([tsbl])(\d+)_(mask|linear)")
_RATES = {"t": 4e-3, "s": 3e-3, "b": 2e-3, "l": 1e-3}


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
        """The paper's row with its measurements; None where it has no such row."""
        return paper_row(self.row.table, self.title) if self.in_paper else None

    @property
    def title(self) -> str:
        """The model's name in the paper's table."""
        family, size, patch, head = _parts(self.model)
        family = "DeiT" if family else "ViT"
        return _TITLES[self.row.table].format(
            family=family, size=f"{size.upper()}/{patch}", head=head.title()
        )

    @property
    def matrix_rate(self) -> float:
        """The learning rate of its matrices, where it is trained for this."""
        return _RATES[_parts(self.model)[1]]

    def recipe(self, method: str, weights: str) -> Recipe:
        """Return the built-in recipe of its precision, for this model merged by ``method``.

        Args:
            method: One of `METHODS`.
            weights: A file, or ``"random"``.
        """
        window, classes = self.task.window, self.task.classes
        settings = [
            f"model.name={self.model}",
            f"model.weights='{weights}'",
            f"model.image_size=[{window}, {window}]",
            f"model.classes={classes}",
            *settings_of(method, self.model, window, classes, self._share()),
        ]
        # A build of minutes is not thrown away here: how far both models agree is in the record,
        # and among the targets.
        settings += ["verify.labels=0", "verify.clusters=0"]
        return load_recipe(self.row.recipe).override(*settings)

    def _share(self) -> float:
        """Return the share of FLOPs that ToMe has in the paper; where it has none there, that of
        Table 1's model.
        """
        own = self.paper.share("tome") if self.paper else None
        share = own or paper_row(1, f"Seg-{_parts(self.model)[1].upper()}/16").share("tome")
        assert share is not None  # results.csv has it of every size
        return share


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


def _parts(model: str) -> tuple[str, str, str, str]:
    found = _NAME.fullmatch(model)
    assert found is not None, model
    family, size, patch, head = found.groups()
    return family or "", size, patch, head


def _subjects() -> Iterator[Subject]:
    papers = [Subject(row) for row in ROWS if row.table in TABLES]
    yield from papers
    known = {subject.name for subject in papers}
    for row in ROWS:
        twin = Subject(replace(row, table=5, recipe="h100_bf16"), in_paper=False)
        if row.table == 1 and twin.name not in known:
            yield twin


SUBJECTS = {subject.name: subject for subject in _subjects()}
