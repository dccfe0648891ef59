"""Measures how long a label map takes on one core: ``python -m benchmarks.label_map``

Scores to the labels of 512 × 512 pixels, in milliseconds: the native kernel, its twin in plain
torch, and torch's own interpolation and argmax, for

    demo      12 classes, what the demo model says of scenes
    smooth    150 classes that change slowly from patch to patch, as a trained model's do
    random    150 classes of noise: every class may win everywhere, the worst there is
"""

import statistics
from collections.abc import Callable, Iterator
from itertools import islice

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.bench.ceilings import durations
from benchmarks.bench.member import Finding, Member
from benchmarks.bench.tables import rows_table
from benchmarks.record import IMAGES
from mpm_deploy.builder.model import make_model
from mpm_deploy.images.decode import decode, find_images
from mpm_deploy.ops.label_map import native, pruned
from mpm_deploy.recipe import load_recipe

SIZE = (512, 512)
CLASSES, GRID = 150, 32
REPEATS = 20

LabelMap = Callable[[Tensor, tuple[int, int]], Tensor]


def measure(_: object) -> Iterator[Finding]:
    """Measure one row per kind of scores and version, on one thread."""
    torch.set_num_threads(1)
    kinds = {"demo": demo_scores(), "smooth": smooth_scores(), "random": random_scores()}
    versions: dict[str, LabelMap] = {
        "native": native.label_map,
        "survivors": pruned.label_map,
        "torch": interpolate,
    }
    rows = [
        {
            "scores": kind,
            "version": name,
            "classes": scores.shape[1],
            "survivors_a_cell": survivors_a_cell(scores),
            "milliseconds": statistics.median(
                durations(lambda f=version, s=scores: f(s, SIZE), torch.device("cpu"), REPEATS)
            ),
            "mismatches": int((version(scores, SIZE) != interpolate(scores, SIZE)).sum()),
        }
        for kind, scores in kinds.items()
        for name, version in versions.items()
    ]
    shown = [rows_table(rows, "scores to labels")]
    yield Finding({"size": SIZE, "threads": 1, "rows": rows}, shown)


def interpolate(scores: Tensor, size: tuple[int, int]) -> Tensor:
    """Compute the labels in the plain way: interpolation, then argmax."""
    upsampled = functional.interpolate(scores, size=size, mode="bilinear")
    return upsampled.argmax(dim=1).to(torch.uint8)


def demo_scores() -> Tensor:
    """Return the demo model's scores of a scene, ``(1, 12, 32, 32)``."""
    model, _ = make_model(load_recipe("cpu_portable_fp32"))
    (file,) = islice(find_images(IMAGES), 1)
    with torch.inference_mode():
        scores, _ = model(decode(file)[None])
    return scores


def smooth_scores() -> Tensor:
    """Return scores that change slowly from patch to patch, ``(1, 150, 32, 32)``."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(1, CLASSES, 14, 14, generator=generator)
    return functional.interpolate(coarse, size=(GRID, GRID), mode="bicubic")


def random_scores() -> Tensor:
    """Return scores of pure noise, ``(1, 150, 32, 32)``."""
    return torch.randn(1, CLASSES, GRID, GRID, generator=torch.Generator().manual_seed(0))


def survivors_a_cell(scores: Tensor) -> float:
    """Return the number of classes that can win a pixel between four patches, the mean
    over all such cells.
    """
    most = functional.max_pool2d(scores, 2, stride=1)
    least = -functional.max_pool2d(-scores, 2, stride=1)
    return float((most >= least.amax(dim=1, keepdim=True)).sum(dim=1).float().mean())


MEMBER = Member("label_map", "scores to labels on one core, in milliseconds", measure)

if __name__ == "__main__":
    MEMBER.run()
