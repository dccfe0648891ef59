"""A toy member of every family: all that a new member has to bring."""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mpm_deploy.backends import Compiled
from mpm_deploy.backends.torchscript import TorchScript
from mpm_deploy.cli.console import say
from mpm_deploy.datasets import Dataset, Sample
from mpm_deploy.errors import ImageError
from mpm_deploy.images.formats import Raster
from mpm_deploy.images.formats.raster import Admit
from mpm_deploy.models.encoders.base import EncoderFamily, PackedEncoder, Readout
from mpm_deploy.models.encoders.config import EncoderConfig
from mpm_deploy.models.encoders.vit import Encoder
from mpm_deploy.models.heads import Decoder, Head
from mpm_deploy.models.polynomial import Polynomial, per_row
from mpm_deploy.models.reductions import Method, Packed, Reduction
from mpm_deploy.models.reductions.base import ImageReduction
from mpm_deploy.recipe import Recipe
from mpm_deploy.run.sources import Frame, Source, SourceOptions
from mpm_deploy.support.family import require

# ---- a reduction: every ``stride`` tokens in a row become one, between attention and MLP ----


@dataclass(frozen=True)
class Stretches(Method):
    title = "Stretches"
    place = "after_attention"

    stride: int = 2

    def __post_init__(self) -> None:
        require(self.stride > 1, "stride", "> 1", self.stride)

    def reductions(self, schedule: Sequence[int], grid: tuple[int, int]) -> list[Reduction]:
        return [Stretch(self.stride) for _ in schedule]


class Stretch(ImageReduction):
    def __init__(self, stride: int) -> None:
        super().__init__(adaptive=False)
        self.stride = stride

    def features(self, tokens: Tensor, keys: Tensor) -> Tensor:
        return tokens

    def kept(self, tokens: int) -> int:
        return (tokens + self.stride - 1) // self.stride

    def map_images(
        self, features: Tensor, lengths: Tensor, special_tokens: int
    ) -> tuple[Tensor, Tensor]:
        token = torch.arange(features.shape[1], device=features.device) // self.stride
        return token.expand(features.shape[0], -1), (lengths + self.stride - 1) // self.stride


# ---- a head: 2 × 2 scores a patch ----


@dataclass(frozen=True)
class FineHead(Head):
    bias: bool = True

    def make(self, width: int, classes: int, grid: tuple[int, int]) -> Decoder:
        return FineDecoder(width, classes, grid, self.bias)


class FineDecoder(Decoder):
    upsampling = 2

    def __init__(self, width: int, classes: int, grid: tuple[int, int], bias: bool) -> None:
        super().__init__()
        self.classes = classes
        self.across = grid[1]
        self.layer = nn.Linear(width, 4 * classes, bias)

    def forward(self, taps: list[Packed], patch_counts: Tensor | None = None) -> Tensor:
        tokens, rows = taps[-1].tokens, taps[-1].rows
        images, patches, across = rows.shape[0], rows.shape[1], self.across
        scores = self.layer(tokens)[rows]  # (B, N, 4 K)
        cut = scores.view(images, patches // across, across, 2, 2, self.classes)
        return cut.permute(0, 1, 3, 2, 4, 5).reshape(images, 4 * patches, self.classes)

    def flops(self, patches: int) -> Polynomial:
        return per_row(2.0 * self.layer.in_features * self.layer.out_features, others=0)


# ---- a family of encoders with one backbone, as deep as one asks ----


@dataclass(frozen=True)
class ToyEncoders(EncoderFamily):
    depth: int = 3

    @classmethod
    def backbones(cls) -> tuple[str, ...]:
        return ("toy_patch16",)

    @classmethod
    def patch_size(cls, backbone: str) -> int:
        return 16

    def make(
        self,
        backbone: str,
        image_size: tuple[int, int],
        schedule: Sequence[int],
        method: Method,
        readout: Readout,
    ) -> PackedEncoder:
        config = EncoderConfig(image_size, width=32, depth=self.depth, heads=2, mlp_width=64)
        return Encoder(config, schedule, method, readout)


# ---- a backend whose files end in .toy, and which keeps a word ----


@dataclass(frozen=True)
class ToyBackend(TorchScript):
    name = "toy"
    suffix = ".toy"

    word: str = "toy"

    def compile(self, model: Any, recipe: Recipe, path: Path) -> Compiled:
        compiled = super().compile(model, recipe, path)
        versions = {**compiled.requires.versions, "toy": self.word}
        requires = replace(compiled.requires, backend=self.name, versions=versions)
        return Compiled(requires, compiled.batch)


# ---- a data set: NAME.ppm, and NAME.png with its labels ----


class ToyDataset(Dataset):
    name = "toy"
    layout = ("toy.txt",)  # by which a folder is known
    images = "*.ppm"
    classes = ("dark", "light", "other")

    def _find(self) -> Iterable[Sample]:
        for image in sorted(self.root.glob(self.images)):
            yield Sample(image.stem, image, image.with_suffix(".png"))


# ---- an image format: binary PPM ----


def _read_ppm(data: bytes, admit: Admit) -> Raster:
    try:
        _, width, height, _, pixels = data.split(maxsplit=4)
        admit(int(width), int(height))
        shape = (int(height), int(width), 3)
        return Raster(np.frombuffer(pixels, np.uint8).reshape(shape), orientation=1)
    except ValueError as error:
        raise ImageError(f"not a whole PPM: {error}") from error


PPM = SimpleNamespace(MAGIC=b"P6", SUFFIXES=(".ppm",), read=_read_ppm, orientation=lambda _: 1)


def write_ppm(path: Path, pixels: np.ndarray) -> None:
    """Write ``(height, width, 3)`` uint8."""
    height, width = pixels.shape[:2]
    path.write_bytes(b"P6 %d %d 255\n" % (width, height) + pixels.tobytes())


# ---- a source: "toy:3" is three frames, a second apart ----


class ToySource(Source):
    @staticmethod
    def takes(place: str) -> bool:
        return place.startswith("toy:")

    @classmethod
    def open(cls, place: str, options: SourceOptions) -> "ToySource":
        return cls(place, total=int(place.removeprefix("toy:")))

    def __iter__(self) -> Iterator[Frame]:
        for number in range(self.total or 0):
            pixels = np.full((50, 70, 3), number, np.uint8)
            yield Frame(self.name, number + 1, float(number), (50, 70), pixels.copy)


# ---- a command ----


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--word", default="toy")


def _run(arguments: argparse.Namespace) -> int:
    say(f"the word is {arguments.word}")
    return 0


COMMAND = SimpleNamespace(HELP="say a word", add_options=_add_options, run=_run)
