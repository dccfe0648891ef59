"""Measures where a merged token stands best that is turned by its position.

A ViT-T with rotary positions and four registers starts from the demo model's weights, without its
learned positions, and is trained on street scenes. Then the held-out scenes are labeled with
merging, and a merged token stands

    mean              at the mean of its patches' coordinates
    representative    where the first of its patches does
    nowhere           at the center, as every other token: what positions are worth

Agreement is with the full-token model's label maps, pixel by pixel; the token error is how far the
patches' last tokens are from the full-token model's, in parts of their size. With random weights
there are no labels worth comparing, and it alone is left.
"""

import argparse
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.bench.member import Finding, Member
from benchmarks.bench.tables import rows_table
from benchmarks.gpu.prepare import FOLDER
from benchmarks.record import ROOT
from mpm_deploy.datasets.confusion import class_iou, confusion
from mpm_deploy.datasets.folder import Folder
from mpm_deploy.families import ENCODERS
from mpm_deploy.images.decode import decode
from mpm_deploy.models.encoders.named import TINY, NamedVits, vit_shape
from mpm_deploy.models.encoders.rotary import Rotary
from mpm_deploy.models.reductions import Packed
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.models.weights.files import read_weights
from mpm_deploy.models.zoo import create
from mpm_deploy.ops.attention import flash, reference

sys.path.insert(0, str(ROOT / "examples" / "scenes"))
from batches import PATCH
from generator import CLASSES, SIZE
from train import MEAN, STD, CropModel, Settings, Trainer, initialize

MODEL = "vit_tiny_patch16_rotary+mask_transformer"
SCHEDULES = ((2,), (5,), (2, 5), (1, 4, 7), (1, 3, 5, 7))
SCENES = ROOT / "examples" / "scenes"
HELD_OUT = Folder(SCENES)
TRAINING_SCENES = 3000

Row = dict[str, Any]


class TinyRotary(NamedVits):
    """DINOv3's architecture at the size of the demo model, which DINOv3 itself does not have."""

    shapes: ClassVar = {
        "vit_tiny_patch16_rotary": vit_shape(
            TINY, PATCH, 5, 1e-5, layer_scale=True, rotary_base=100.0
        )
    }


class Representative(Rotary):
    """Has a merged token stand where the first of its patches does."""

    def coordinates(self, packed: Packed) -> Tensor:
        images, patches = packed.rows.shape
        patch = torch.arange(patches).expand(images, patches)
        none = torch.full(packed.tokens.shape[:1], patches)
        first = none.scatter_reduce(0, packed.rows.flatten(), patch.flatten(), "amin")  # (T,)
        places = self.places[first.clamp(max=patches - 1), :2]  # (T, 2)
        coordinates = 2 * (places + 0.5) / self.extent - 1
        return torch.where(first[:, None] < patches, coordinates, 0.0)


class Nowhere(Rotary):
    """Has every token stand at the center."""

    def coordinates(self, packed: Packed) -> Tensor:
        return torch.zeros(packed.tokens.shape[0], 2)


PLACES = {"mean": Rotary, "representative": Representative, "nowhere": Nowhere}


class RotaryCrops(CropModel):
    """Runs the model on crops, whose patches stand where they do in the whole scene."""

    def __call__(self, images: Tensor, corner: tuple[int, int]) -> tuple[Tensor, Tensor]:
        whole, crop = self.model.encoder.rotary, self.twin.encoder.rotary
        down, across = (torch.arange(side) for side in self.twin.grid)
        row, column = (pixels // PATCH for pixels in corner)
        places = torch.cartesian_prod(down + row, across + column)
        crop.places = functional.pad(places, (0, 1), value=1)  # (N, 3), counted by the last
        crop.extent = whole.extent
        return super().__call__(images, corner)


class RotaryTrainer(Trainer):
    """Trains the rotary model, from the demo model's weights."""

    def _new_crops(self, twin: Segmenter) -> RotaryCrops:
        return RotaryCrops(self.model, twin)

    def _initialize(self) -> None:
        super()._initialize()
        start_from_demo(self.model)

    def about(self) -> dict[str, object]:
        about = super().about()
        about["provenance"] |= {"script": "benchmarks/rotary_positions.py", "from": "demo"}
        return about


def start_from_demo(model: Segmenter) -> None:
    """Copy the demo model's weights; registers are drawn, and learned positions stay zero."""
    tensors, _ = read_weights("demo")
    weights = dict(model.state_dict())
    for name, tensor in tensors.items():
        if name == "encoder.special":
            weights[name] = torch.cat([tensor, 0.02 * torch.randn(4, tensor.shape[1])])
        elif name != "encoder.position":
            weights[name] = tensor
    weights["encoder.position"] = torch.zeros_like(weights["encoder.position"])
    model.load_state_dict(weights)
    model.encoder.position.requires_grad_(False)


@dataclass(frozen=True)
class Seen:
    """What a model makes of the held-out scenes, one entry a scene."""

    tokens: list[Tensor]  # the last of each patch, (N, C)
    labels: list[np.ndarray]  # (H, W) uint8
    kept: list[int]  # tokens of an image, in the end


def look(model: Segmenter, limit: int) -> Seen:
    """Run the first held-out scenes one by one."""
    seen = Seen([], [], [])
    for sample in [*HELD_OUT][:limit]:
        with torch.inference_mode():
            scores, _ = model(decode(sample.image)[None])
            taps, _ = model.encoder(decode(sample.image)[None] * model.scale + model.shift)
            fine = functional.interpolate(scores, size=(SIZE, SIZE), mode="bilinear")
        seen.tokens.append(taps[-1].tokens[taps[-1].rows[0]])
        seen.labels.append(fine[0].argmax(0).byte().numpy())
        seen.kept.append(len(taps[-1].tokens) - taps[-1].special_tokens)
    return seen


def mean_iou(labels: Iterable[np.ndarray]) -> float:
    """Return the mean over the classes of their IoU with the scenes' true labels."""
    total = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    for sample, mine in zip(HELD_OUT, labels, strict=False):
        total += confusion(HELD_OUT.labels(sample), mine, len(CLASSES))
    return float(np.nanmean(class_iou(total)))


def agreements(seen: Seen, full: Seen) -> list[float]:
    """Return the share of pixels with the full-token model's label, scene by scene."""
    pairs = zip(seen.labels, full.labels, strict=True)
    return [float((mine == theirs).mean()) for mine, theirs in pairs]


def token_errors(seen: Seen, full: Seen) -> list[float]:
    """Return how far tokens are from the full-token model's, in parts of their size, by scene."""
    pairs = zip(seen.tokens, full.tokens, strict=True)
    return [((mine - theirs).norm() / theirs.norm()).item() for mine, theirs in pairs]


def load(weights: Mapping[str, Tensor], schedule: tuple[int, ...], place: str) -> Segmenter:
    """Make the model with a schedule, whose merged tokens stand at a place."""
    model = new_model(schedule)
    model.load_state_dict(weights)
    rotary = model.encoder.rotary
    model.encoder.rotary = PLACES[place](model.grid, rotary.head_width, rotary.base)
    return model


def new_model(schedule: tuple[int, ...] = ()) -> Segmenter:
    """Make the model with a schedule, whose weights are drawn."""
    size = (SIZE, SIZE)
    model = create(
        MODEL, classes=len(CLASSES), image_size=size, blocks=schedule, mean=MEAN, std=STD
    )
    if not schedule:
        initialize(model)  # with attention that tells tokens apart
        torch.nn.init.zeros_(model.encoder.position)
    return model


def compare(weights: Mapping[str, Tensor], name: str, limit: int) -> Iterator[Row]:
    """Measure every schedule at every place, against the full-token model."""
    full = look(load(weights, (), "mean"), limit)
    nowhere = look(load(weights, (), "nowhere"), limit)
    yield row_of(name, "full-token", "its own", full, full)
    yield row_of(name, "full-token", "nowhere", nowhere, full)
    for schedule in SCHEDULES:
        mean, first = (
            look(load(weights, schedule, place), limit) for place in ("mean", "representative")
        )
        words = ",".join(map(str, schedule))
        yield row_of(name, words, "mean", mean, full, first)
        yield row_of(name, words, "representative", first, full, mean)


def row_of(
    weights: str, schedule: str, place: str, seen: Seen, full: Seen, other: Seen | None = None
) -> Row:
    """Return one row; labels of random weights are worth nothing."""
    errors = token_errors(seen, full)
    row: Row = {
        "weights": weights,
        "schedule": schedule,
        "place": place,
        "tokens_kept": round(float(np.mean(seen.kept)), 1),
        "token_error": round(float(np.mean(errors)), 4),
        "closer_in": None,  # so many scenes than with the other place
        "agreement": None,
        "mean_iou": None,
    }
    if other is not None:
        others = token_errors(other, full)
        row["closer_in"] = sum(mine < its for mine, its in zip(errors, others, strict=True))
    if weights != "random":
        row["agreement"] = round(float(np.mean(agreements(seen, full))), 4)
        row["mean_iou"] = round(mean_iou(seen.labels), 4)
    return row


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this member."""
    scenes = FOLDER / "training"
    parser.add_argument("--data", type=Path, default=scenes, help="training scenes, made if none")
    parser.add_argument("--weights", type=Path, help="of an earlier run, which are not trained")
    parser.add_argument("--keep", type=Path, help="where to keep the weights, .safetensors")
    parser.add_argument("--minutes", type=float, default=20.0, help="of training")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--limit", type=int, default=72, help="first scenes of those held out")


def measure(options: argparse.Namespace) -> Iterator[Finding]:
    """Train, then measure one row per weights, schedule and place."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    ENCODERS.add("rotary", TinyRotary)
    with tempfile.TemporaryDirectory() as folder:
        path = options.weights or options.keep or Path(folder, "rotary.safetensors")
        if options.weights is None:
            train(options.data, path, options.minutes)
        trained, _ = read_weights(path)
        about = tomllib.loads(path.with_suffix(".toml").read_text())
    record = {"scenes": options.limit, "training": about["provenance"]}
    rows: list[Row] = []
    for name, weights in (("trained", trained), ("random", new_model().state_dict())):
        new = [*compare(weights, name, options.limit)]
        rows += new
        yield Finding(record | {"rows": rows}, [rows_table(new, f"{name} weights")])


def train(data: Path, output: Path, minutes: float) -> None:
    """Train for so many minutes, the last quarter on whole scenes."""
    if not data.exists():
        make = [sys.executable, SCENES / "make_dataset.py", "training"]
        subprocess.run([*make, f"--output={data}", f"--count={TRAINING_SCENES}"], check=True)
    settings = Settings(
        model=MODEL,
        crop_minutes=0.75 * minutes,
        whole_minutes=0.25 * minutes,
        search_minutes=minutes,
        matrix_rate=2e-3,
        vector_rate=4e-4,
    )
    # The kernels for packed rows promise no gradients; the plain attention's have them.
    with mock.patch.object(flash, "attention", reference.attention):
        RotaryTrainer(settings, data, output, checkpoint=None).run()


MEMBER = Member(
    "rotary_positions", "where a merged token stands that is turned by its position", measure,
    add_options,
)  # fmt: skip

if __name__ == "__main__":
    MEMBER.run()
