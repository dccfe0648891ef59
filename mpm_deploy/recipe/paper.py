"""Lists the rows of the paper's Tables 1 to 7, as the settings that a build needs.

A row is a recipe, a model of the zoo, and a data set, which says how large the input is and how
many classes there are. Each stands there twice, full-token and merged before blocks 2 and 5::

    mpm-deploy build --recipe h100_fp32 --model seg_s16_mask --task cityscapes --weights FILE
"""

from dataclasses import dataclass

from mpm_deploy.errors import InputError


@dataclass(frozen=True)
class Task:
    """The input size, classes and sliding windows that a data set asks for, as
    Segmenter evaluates it, or EVA-01 at windows of 896 pixels.

    Args:
        window: Side of the input, which is a window, in pixels.
        classes: The number of classes.
        stride: From window to window, in pixels.
        short_side: What an image is scaled to first, in pixels.
        max_ratio: How many times the short side its long side may be at most.
    """

    window: int
    classes: int
    stride: int
    short_side: int
    max_ratio: float

    @property
    def image_size(self) -> tuple[int, int]:
        """The input ``(height, width)`` in pixels."""
        return self.window, self.window

    def overrides(self) -> tuple[str, ...]:
        """Return these settings as assignments for `Recipe.override`."""
        return (
            f"model.image_size=[{self.window}, {self.window}]",
            f"model.classes={self.classes}",
            "input.fit=slide",
            f"input.stride={self.stride}",
            f"input.short_side={self.short_side}",
            f"input.max_ratio={self.max_ratio}",
        )


@dataclass(frozen=True)
class Row:
    """One model of one of the paper's tables.

    Args:
        table: The table's number in the paper.
        recipe: The built-in recipe for that table's machine and precision.
        dataset: One of `TASKS`.
        model: One of the zoo's.
        settings: Assignments for `Recipe.override`, where the recipe is another machine's.
    """

    table: int
    recipe: str
    dataset: str
    model: str
    settings: tuple[str, ...] = ()


TASKS = {
    "ade20k": Task(512, 150, stride=512, short_side=512, max_ratio=4.0),
    "ade20k_896": Task(896, 150, stride=512, short_side=896, max_ratio=4.0),
    "pascal_context": Task(480, 60, stride=320, short_side=520, max_ratio=8.0),
    "cityscapes": Task(768, 19, stride=512, short_side=1024, max_ratio=2.0),
}

_T16, _S16, _B16, _L16 = (f"seg_{size}16_mask" for size in "tsbl")

# B/8 has a linear head: with a mask transformer it would be 1558 GFLOPs, and Table 1 says 1320.
_TABLES = {
    1: ("h100_fp32", "ade20k", (_T16, _S16, _B16, "seg_b8_linear", _L16)),
    2: ("h100_fp32", "pascal_context", (_S16, _B16, _L16)),
    3: ("h100_fp32", "cityscapes", (_S16, _B16)),
    4: ("rpi5_fp32", "ade20k", (_T16, _S16)),
    5: ("h100_bf16", "ade20k", (_B16, _L16)),
    6: ("h100_fp32", "ade20k", ("seg_deit_b16_mask", "seg_b16_linear")),
}

# Measured on an A100, in a precision that the paper does not say: so many images a second are more
# than an A100 computes in float32 (docs/results/eva_flops.md).
_EVA = Row(7, "h100_bf16", "ade20k_896", "eva_g16_mask2former", ("backend.cuda_capability=[8,0]",))

ROWS = (
    *(
        Row(table, recipe, dataset, model)
        for table, (recipe, dataset, models) in _TABLES.items()
        for model in models
    ),
    _EVA,
)


def find_task(dataset: str) -> Task:
    """Return the task of a data set.

    Raises:
        InputError: The paper has no such data set; names those it has.
    """
    if dataset not in TASKS:
        raise InputError(
            f"data set {dataset!r}: expected one of {', '.join(TASKS)}",
            "for another one, --set model.image_size=[H,W] and --set model.classes=K",
        )
    return TASKS[dataset]
