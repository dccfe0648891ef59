"""Trains a Segmenter from random weights: by default the demo model, a ViT-T/16 at 512 pixels.

    python examples/scenes/make_dataset.py training --output /tmp/scenes --count 5000
    python examples/scenes/train.py --data /tmp/scenes --output demo.safetensors

Two stages share one learning-rate schedule, which follows the clock: 256-pixel crops at full scale,
each with its window of the position embedding, then whole 512-pixel scenes. The defaults are what
the shipped weights were trained with, on two x86 cores; a GPU, if there is one, is used.
"""

import argparse
import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from batches import Batches, class_frequencies
from generator import CLASSES, PALETTE, SIZE, scene
from torch import Tensor, nn
from torch.nn import functional

from mpm_deploy.datasets.confusion import class_iou, confusion
from mpm_deploy.models.heads import Head
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.models.weights.files import save_weights
from mpm_deploy.models.zoo import create
from mpm_deploy.ops.attention import flash, reference

MEAN = STD = (0.5, 0.5, 0.5)
CROP = 256  # pixels, the first stage
VALIDATION_SEED = 90_000  # neither a held-out nor a training seed
POSITION = "encoder.position"
HIDDEN = ("blocks", "proj", "mask_head", "fine")  # parts of the names of hidden matrices


@dataclass(frozen=True)
class Settings:
    """The model to train and the settings of training; the times are wall-clock minutes."""

    model: str = "seg_t16_mask"
    classes: int = len(CLASSES)  # more than the scenes have never occur
    crop_minutes: float = 48.0
    whole_minutes: float = 15.0
    crop_batch: int = 16
    whole_batch: int = 4
    search_minutes: float = 20.0  # from then on each crop is the best of some candidates,
    candidates: int = 3  # the one with most of the rare classes
    warmup_minutes: float = 1.0
    matrix_rate: float = 4e-3  # Muon's peak
    vector_rate: float = 6e-4  # AdamW's peak
    final_share: float = 0.01  # of the learning rate, at the end
    weight_decay: float = 0.03
    average_decay: float = 0.995
    dice: float = 0.5  # weight of the Dice loss
    save_minutes: float = 4.0  # from one validation, and writing of weights, to the next
    seed: int = 0

    @property
    def minutes(self) -> float:
        return self.crop_minutes + self.whole_minutes

    def rate_share(self, elapsed: float) -> float:
        """Returns the share of the peak rates after `elapsed` minutes."""
        return warm_cosine(elapsed, self.minutes, self.warmup_minutes, self.final_share)


def warm_cosine(elapsed: float, minutes: float, warmup: float, final: float) -> float:
    """Returns a share that rises by a line for `warmup` minutes, and falls by half a cosine
    to `final` until all `minutes` are over.
    """
    warm = min(elapsed / warmup + 0.01, 1.0)
    cosine = 0.5 + 0.5 * math.cos(math.pi * min(elapsed / minutes, 1.0))
    return warm * (final + (1 - final) * cosine)


class CropModel:
    """Runs the model on crops: a smaller twin runs on the same parameters.

    The twin has no weights of its own; it borrows the model's, with the window of the position
    embedding that the crop looks through.
    """

    def __init__(self, model: Segmenter, twin: Segmenter) -> None:
        self.model = model
        self.twin = twin

    def __call__(self, images: Tensor, corner: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Computes what the model does of crops (B, 3, S, S) whose first pixel is `corner`."""
        if images.shape[-1] == SIZE:
            return self.model(images)
        parameters = dict(self.model.named_parameters())
        side, patches = self.model.grid[0], self.twin.grid[0]
        row, column = (pixels * side // SIZE for pixels in corner)
        grid = parameters[POSITION].view(side, side, -1)
        window = grid[row : row + patches, column : column + patches]
        parameters[POSITION] = window.flatten(0, 1)
        return torch.func.functional_call(self.twin, parameters, (images,))


def initialize(model: Segmenter) -> None:
    """Sets weights that let a small ViT learn fast: unit gain, quiet branches,
    sinusoidal positions.
    """
    depth = len(model.encoder.blocks)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "blocks" in name and parameter.dim() == 2:
                quiet = math.sqrt(2 * depth) if name.split(".")[-2] in ("proj", "fc2") else 1.0
                parameter.normal_(std=0.8 / math.sqrt(parameter.shape[1]) / quiet)
            elif name.startswith("decoder.proj_") and parameter.dim() == 2:
                parameter.normal_(std=1 / math.sqrt(parameter.shape[0]))
            elif name == "decoder.cls_emb":
                parameter.normal_(std=0.5)
        side, width = model.grid[0], model.encoder.position.shape[1]
        model.encoder.position.copy_(0.4 * sinusoids(side, width))


def sinusoids(side: int, width: int) -> Tensor:
    """Returns position embeddings (side * side, width): sines and cosines of row and column."""
    frequencies = 0.5 ** torch.linspace(0, 5, width // 4) * math.pi / 2
    angles = torch.arange(side)[:, None] * frequencies
    axis = torch.cat([angles.sin(), angles.cos()], dim=1)  # (side, width / 2)
    rows = axis[:, None].expand(side, side, -1)
    return torch.cat([rows, rows.transpose(0, 1)], dim=2).flatten(0, 1)


def optimizers(model: Segmenter, settings: Settings) -> list[torch.optim.Optimizer]:
    """Returns Muon for the hidden matrices, and AdamW for embeddings, norms and biases."""
    matrices, rest = [], []
    for name, parameter in model.named_parameters():
        hidden = parameter.dim() == 2 and any(part in name for part in HIDDEN)
        (matrices if hidden else rest).append(parameter)
    return [
        torch.optim.Muon(
            matrices,
            settings.matrix_rate,
            weight_decay=settings.weight_decay,
            adjust_lr_fn="match_rms_adamw",
        ),
        torch.optim.AdamW(rest, settings.vector_rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def at_half_size(scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Brings scores (B, K, h, w) and labels (B, H, W) to half the labels' size."""
    row, column = torch.randint(0, 2, (2,)).tolist()  # every second pixel, any of the four phases
    labels = labels[:, row::2, column::2]
    return functional.interpolate(scores, size=labels.shape[1:], mode="bilinear"), labels


def loss_of(scores: Tensor, labels: Tensor, weights: Tensor, dice: float) -> Tensor:
    """Computes weighted cross-entropy and soft Dice.

    Args:
        scores: (B, K, H, W) float32, logits.
        labels: (B, H, W) int64.
        weights: (K,), of each class in the cross-entropy.
        dice: Weight of the Dice term, the mean over the classes in the batch.
    """
    loss = functional.cross_entropy(scores, labels, weights, label_smoothing=0.02)
    likely = scores.softmax(dim=1)
    truth = functional.one_hot(labels, scores.shape[1]).permute(0, 3, 1, 2)
    both = (likely * truth).sum(dim=(0, 2, 3))
    size, area = likely.sum(dim=(0, 2, 3)), truth.sum(dim=(0, 2, 3))
    overlap = ((2 * both + 50) / (size + area + 50))[area > 0]
    return loss + dice * (1 - overlap).mean()


def validate(model: Segmenter, count: int = 24) -> list[float]:
    """Returns each class's IoU on `count` scenes that are neither trained on nor held out."""
    device = next(model.parameters()).device
    total = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    for seed in range(VALIDATION_SEED, VALIDATION_SEED + count):
        image, labels = scene(seed)
        pixels = torch.from_numpy(image).permute(2, 0, 1)[None].to(device)
        with torch.no_grad():
            coarse = model(pixels)[0][:, : len(CLASSES)]
        scores = functional.interpolate(coarse, size=(SIZE, SIZE), mode="bilinear")
        total += confusion(labels, scores[0].argmax(0).byte().cpu().numpy(), len(CLASSES))
    return class_iou(total).tolist()


class Trainer:
    """A model in training, with all that a later run needs to go on with it."""

    SETTINGS = Settings
    SCRIPT = "train.py"

    def __init__(
        self, settings: Settings, data: Path, output: Path, checkpoint: Path | None
    ) -> None:
        self.settings, self.output, self.checkpoint = settings, output, checkpoint
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(settings.seed)
        self.model = self._new_model(SIZE)
        self._initialize()
        self.average = self._new_model(SIZE)
        self.average.load_state_dict(self.model.state_dict())
        self.crops = self._new_crops(self._new_model(CROP))
        self.optimizers = optimizers(self.model, settings)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["initial_lr"] = group["lr"]
        frequencies = class_frequencies(data, len(CLASSES))
        weights = frequencies**-0.4
        weights = weights / (weights * frequencies).sum()
        never = [0, settings.classes - len(CLASSES)]
        self.class_weights = functional.pad(weights, never, value=1.0).to(self.device)
        self.batches = Batches(data, 1 / frequencies, settings.seed)
        self.elapsed, self.steps, self.seen = 0.0, 0, 0  # minutes, steps, images

    def _new_model(self, size: int, head: Head | None = None) -> Segmenter:
        model = create(
            self.settings.model,
            classes=self.settings.classes,
            image_size=(size, size),
            blocks=(),
            head=head,
            mean=MEAN,
            std=STD,
        )
        return model.to(self.device)

    def _new_crops(self, twin: Segmenter) -> CropModel:
        return CropModel(self.model, twin)

    def _initialize(self) -> None:
        initialize(self.model)

    def run(self) -> None:
        """Trains until the settings' minutes are over; saves every so many."""
        next_save = self.elapsed + self.settings.save_minutes
        while self.elapsed < self.settings.minutes:
            start = time.perf_counter()
            loss = self._step()
            self.elapsed += (time.perf_counter() - start) / 60
            if self.steps % 25 == 0:
                print(f"{self.elapsed:6.2f} min  step {self.steps}  loss {loss:.4f}", flush=True)
            if self.elapsed >= next_save:
                self._save()
                next_save += self.settings.save_minutes
        self._save()

    def _step(self) -> float:
        whole = self.elapsed >= self.settings.crop_minutes
        size = SIZE if whole else CROP
        batch = self.settings.whole_batch if whole else self.settings.crop_batch
        search = not whole and self.elapsed >= self.settings.search_minutes
        candidates = self.settings.candidates if search else 1
        images, labels, corner = self.batches.draw(batch, size, candidates)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * self.settings.rate_share(self.elapsed)
        loss = self._loss(images.to(self.device), labels.to(self.device), corner)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad()
        self.steps, self.seen = self.steps + 1, self.seen + batch
        self._follow()
        return loss.item()

    def _loss(self, images: Tensor, labels: Tensor, corner: tuple[int, int]) -> Tensor:
        with torch.autocast(self.device.type, torch.bfloat16):
            scores, _ = self.crops(images, corner)
        scores, labels = at_half_size(scores.float(), labels)
        return loss_of(scores, labels, self.class_weights, self.settings.dice)

    def _follow(self) -> None:
        """Moves the average towards the model, faster in the first steps."""
        decay = min(self.settings.average_decay, self.steps / (self.steps + 10))
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self.average.parameters()), list(self.model.parameters()), 1 - decay
            )

    def _save(self) -> None:
        """Validates the averaged weights, writes them and, where one is wanted, a checkpoint."""
        iou = validate(self.average)
        each = "  ".join(f"{name} {value:.2f}" for name, value in zip(CLASSES, iou, strict=True))
        print(f"{self.elapsed:6.2f} min  mIoU {np.nanmean(iou):.4f}  {each}", flush=True)
        save_weights(self.average, self.output, self.about())
        if self.checkpoint is not None:
            torch.save(self.state(), self.checkpoint)

    def about(self) -> dict[str, object]:
        """Returns the contents of the TOML that goes beside the weights."""
        never = self.settings.classes - len(CLASSES)
        return {
            "model": self.settings.model,
            "image_size": [SIZE, SIZE],
            "mean": list(MEAN),
            "std": list(STD),
            "classes": [*CLASSES, *(f"never {number}" for number in range(never))],
            "palette": [*map(list, PALETTE), *[[0, 0, 0]] * never],
            "provenance": {
                "script": f"examples/scenes/{self.SCRIPT}",
                "data": f"{len(self.batches)} procedural street scenes, examples/scenes",
                "steps": self.steps,
                "images_seen": self.seen,
                "minutes": round(self.elapsed, 1),
                "device": self.device.type,
                "settings": asdict(self.settings),
            },
        }

    def state(self) -> dict[str, object]:
        """Returns all that `resume` needs."""
        return {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "progress": (self.elapsed, self.steps, self.seen),
        }

    def resume(self, checkpoint: Path) -> None:
        """Goes on from the checkpoint."""
        state = torch.load(checkpoint, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.elapsed, self.steps, self.seen = state["progress"]
        seed = self.settings.seed + self.steps
        self.batches = Batches(self.batches.folder, torch.from_numpy(self.batches.interest), seed)


def main(
    arguments: Sequence[str] | None = None,
    kind: type[Trainer] = Trainer,
    description: str = __doc__,
) -> None:
    """Parses the command line and trains."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of make_dataset.py training"
    )
    parser.add_argument("--output", type=Path, required=True, help="weights to write, .safetensors")
    parser.add_argument(
        "--checkpoint", type=Path, help="what a later run goes on from: written too"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads, 0: torch's choice")
    for name, value in asdict(kind.SETTINGS()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    options = vars(parser.parse_args(arguments))
    places = [options.pop(name) for name in ("data", "output", "checkpoint")]
    resume, threads = options.pop("resume"), options.pop("threads")
    if resume and places[-1] is None:
        parser.error("--resume needs --checkpoint FILE")
    if threads:
        torch.set_num_threads(threads)
    trainer = kind(kind.SETTINGS(**options), *places)
    print(json.dumps(trainer.about()), flush=True)
    if resume:
        trainer.resume(places[-1])
    # The kernels for packed rows promise no gradients; the plain attention's have them.
    with mock.patch.object(flash, "attention", reference.attention):
        trainer.run()


if __name__ == "__main__":
    main()
