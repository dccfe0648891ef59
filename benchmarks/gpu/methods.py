"""Defines how tokens merge: Mutual Pair Merging as in the paper, and the methods it is
compared with.

mpm    before blocks 2 and 5
tome   inside blocks 2 and 5 too, so that only who merges differs. How much is a choice that ToMe
       leaves to its user: here the ratio, in hundredths, whose FLOPs come nearest to the share that
       ToMe has of the full-token model's in the paper's table. Where a table gives no GFLOPs of
       ToMe, it is the share of Table 1's model of that size.
algm   its authors' own: inside the first and the fifth block, of ViT-L the first and the seventh,
       with their threshold of each size. They train with it, and nothing here is trained with it:
       how much merges is what the images and these weights make of it.
"""

from functools import cache

import torch

from mpm_deploy.models.flops import count_flops
from mpm_deploy.models.reductions import Tome
from mpm_deploy.models.reductions.tome import SoftMatching
from mpm_deploy.models.zoo import create

METHODS = ("mpm", "tome", "algm")
BLOCKS = (2, 5)
_THRESHOLDS = {"t": 0.90, "s": 0.88, "b": 0.94, "l": 0.95}  # mpm_deploy/models/reductions/algm.py


def settings_of(
    method: str, model: str, window: int, classes: int, share: float
) -> tuple[str, ...]:
    """Return the settings that turn a recipe of Mutual Pair Merging into one of a method.

    Args:
        method: One of `METHODS`.
        model: The name of a model of the zoo.
        window: Side of the input in pixels.
        classes: The number of classes.
        share: The share of the full-token model's FLOPs that ToMe shall have.
    """
    if method == "mpm":
        return (f"merge.blocks={[*BLOCKS]}",)
    size = model.removeprefix("seg_").removeprefix("deit_")[0]
    if method == "algm":
        blocks = [0, 6] if size == "l" else [0, 4]
        return (
            "merge.method=algm",
            f"merge.blocks={blocks}",
            f"merge.threshold={_THRESHOLDS[size]}",
        )
    ratio = tome_ratio(model, window, classes, share)
    return ("merge.method=tome", f"merge.blocks={[*BLOCKS]}", f"merge.ratio={ratio}")


@cache
def tome_ratio(model: str, window: int, classes: int, share: float) -> float:
    """Return the ratio, in hundredths, at which ToMe's FLOPs are nearest to a share of
    all FLOPs.
    """
    ratios = [hundredth / 100 for hundredth in range(1, 51)]
    shares = tome_shares(model, window, classes, tuple(ratios))
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
    kept = SoftMatching(0, ratio, 0).kept
    tokens = [patches]
    for _ in BLOCKS:
        tokens.append(kept(tokens[-1]))
    return tokens
