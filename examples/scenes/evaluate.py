"""Measures the accuracy of a weights file on the held-out scenes, full-token and merged.

    python examples/scenes/evaluate.py --output benchmarks/results/demo_accuracy.json
    python examples/scenes/evaluate.py --weights my.safetensors --schedule 3 --schedule 2,5

`--record` also writes the full-token mIoU into the TOML beside the weights.
"""

import argparse
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import report
import tomli_w
import torch
from generator import CLASSES
from torch.nn import functional

from mpm_deploy.datasets.confusion import class_iou, confusion
from mpm_deploy.datasets.folder import Folder
from mpm_deploy.images.decode import decode
from mpm_deploy.models.reductions import Method
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.models.weights.files import DEMO_WEIGHTS, head_of, load_into, read_weights
from mpm_deploy.models.zoo import create

Schedule = tuple[int, ...]
HELD_OUT = Folder(Path(__file__).parent)


@dataclass(frozen=True)
class Accuracy:
    """The accuracy that one model reached."""

    class_iou: list[float]
    tokens_kept: list[float]  # mean over the images, after each merge

    @property
    def mean_iou(self) -> float:
        return round(float(np.mean(self.class_iou)), 4)

    def to_dict(self) -> dict[str, object]:
        """Returns this as plain values that JSON can hold."""
        each = {name: round(iou, 4) for name, iou in zip(CLASSES, self.class_iou, strict=True)}
        kept = [round(tokens, 1) for tokens in self.tokens_kept]
        return {"mean_iou": self.mean_iou, "tokens_kept": kept, "class_iou": each}


def load(weights: Path | str, schedule: Schedule, method: Method | None = None) -> Segmenter:
    """Loads the model of weights with a merge schedule, by a method or by Mutual Pair Merging; an
    empty schedule is the full-token model.
    """
    tensors, info = read_weights(weights)
    model = create(
        info.model,
        classes=len(info.classes),
        image_size=info.image_size,
        blocks=schedule,
        method=method,
        head=head_of(info),
        mean=info.mean,
        std=info.std,
    )
    load_into(model, tensors, info.origin)
    return model


def evaluate(model: Segmenter) -> Accuracy:
    """Runs the held-out scenes one by one."""
    total = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    kept = []
    for sample in HELD_OUT:
        pixels, labels = decode(sample.image)[None], HELD_OUT.labels(sample)
        with torch.inference_mode():
            scores, merge_maps = model(pixels)
            scores = functional.interpolate(scores, size=labels.shape, mode="bilinear")
        total += confusion(labels, scores[0].argmax(0).byte().numpy(), len(CLASSES))
        kept.append((merge_maps[0].amax(dim=1) + 1).tolist())
    return Accuracy(class_iou(total).tolist(), np.mean(kept, axis=0).tolist())


def record(weights: Path, accuracy: Accuracy) -> None:
    """Writes the held-out mIoU into the TOML beside the weights."""
    path = weights.with_suffix(".toml")
    about = tomllib.loads(path.read_text())
    about["provenance"]["held_out_mean_iou"] = accuracy.mean_iou
    about["provenance"]["held_out_class_iou"] = accuracy.to_dict()["class_iou"]
    path.write_text(tomli_w.dumps(about))


def _schedule(text: str) -> Schedule:
    return tuple(int(block) for block in text.split(","))


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line, evaluates and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, default=DEMO_WEIGHTS)
    parser.add_argument("--schedule", type=_schedule, action="append", help="default: 2,5")
    parser.add_argument("--output", type=Path, help="JSON file to write")
    parser.add_argument("--record", action="store_true", help="write the mIoU to the TOML")
    options = parser.parse_args(arguments)
    schedules = {"full-token": ()} | {
        f"merged {','.join(map(str, blocks))}": blocks for blocks in options.schedule or [(2, 5)]
    }
    reached = {name: evaluate(load(options.weights, each)) for name, each in schedules.items()}
    print(report.table(CLASSES, {name: each.class_iou for name, each in reached.items()}))
    for name, each in reached.items():
        print(f"{name}: tokens kept {[round(tokens, 1) for tokens in each.tokens_kept]}")
    if options.record:
        record(options.weights, reached["full-token"])
    if options.output:
        _, info = read_weights(options.weights)
        result = {
            "what": "accuracy on the held-out street scenes",
            "weights": {"model": info.model, "sha256": info.sha256},
            "images": len(HELD_OUT),
            "models": {name: each.to_dict() for name, each in reached.items()},
        }
        report.write(options.output, result)


if __name__ == "__main__":
    main()
