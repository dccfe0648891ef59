"""Measures how far color alone goes: classifies each held-out pixel by its color and nothing else.

    python examples/scenes/pixel_baseline.py --output benchmarks/results/pixel_baseline.json

The color cube is cut into 32 x 32 x 32 cells. Each cell takes the class that is most frequent
there in the training scenes, or, as a second rule that favours small classes, the most frequent one
after dividing by the root of its area. The better of the two counts.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import report
from generator import CLASSES, scene
from make_dataset import TRAINING_SEED
from numpy.typing import NDArray

from mpm_deploy.datasets.confusion import class_iou, confusion
from mpm_deploy.datasets.folder import Folder
from mpm_deploy.images.decode import decode

BITS = 5  # of each channel
CELLS = 1 << 3 * BITS


def cells(image: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Returns the color cell of each pixel: (H, W, 3) -> (H, W)."""
    red, green, blue = np.moveaxis(image.astype(np.int64) >> (8 - BITS), -1, 0)
    return red << 2 * BITS | green << BITS | blue


def histogram(count: int) -> NDArray[np.int64]:
    """Counts how often each class has each color (CELLS, K), over `count` training scenes."""
    total = np.zeros(CELLS * len(CLASSES), np.int64)
    for seed in range(TRAINING_SEED, TRAINING_SEED + count):
        image, labels = scene(seed)
        total += np.bincount((cells(image) * len(CLASSES) + labels).ravel(), minlength=len(total))
    return total.reshape(CELLS, len(CLASSES))


def rules(counts: NDArray[np.int64]) -> dict[str, NDArray[np.uint8]]:
    """Returns the class of each cell (CELLS,) by each rule; unseen cells take the most
    frequent class.
    """
    seen = counts.sum(axis=1) > 0
    common = counts.sum(axis=0).argmax()
    shares = counts / np.sqrt(counts.sum(axis=0))
    return {
        "most frequent": np.where(seen, counts.argmax(axis=1), common).astype(np.uint8),
        "balanced": np.where(seen, shares.argmax(axis=1), common).astype(np.uint8),
    }


def evaluate(rule: NDArray[np.uint8]) -> list[float]:
    """Returns each class's IoU on the held-out scenes."""
    total = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    held_out = Folder(Path(__file__).parent)
    for sample in held_out:
        image = decode(sample.image).permute(1, 2, 0).numpy()
        total += confusion(held_out.labels(sample), rule[cells(image)], len(CLASSES))
    return [round(float(iou), 4) for iou in class_iou(total)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line, fits, evaluates and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, default=500, help="training scenes to fit on")
    parser.add_argument("--output", type=Path, help="JSON file to write")
    options = parser.parse_args(arguments)
    counts = histogram(options.scenes)
    iou = {name: evaluate(rule) for name, rule in rules(counts).items()}
    print(report.table(CLASSES, iou))
    best = max(iou, key=lambda name: float(np.mean(iou[name])))
    if options.output:
        result = {
            "what": "single-pixel color classifier on the held-out street scenes",
            "training_scenes": options.scenes,
            "color_cells": CELLS,
            "mean_iou": round(float(np.mean(iou[best])), 4),
            "rule": best,
            "class_iou": {
                name: dict(zip(CLASSES, each, strict=True)) for name, each in iou.items()
            },
        }
        report.write(options.output, result)


if __name__ == "__main__":
    main()
