"""Measures how ViT-Adapter's injectors best inject into merged tokens.

A ViT-T gets the demo model's trained weights, and an adapter that is drawn as ViT-Adapter's authors
draw theirs, but for gamma, which they start at zero: it would inject nothing. Then the held-out
scenes are encoded with merging, and an injector has

    every patch       each patch of a token read at its own place, and the token take the mean
    merged tokens     each token read once, at the mean of its patches' places

The token error is how far the patches' last tokens are from the full-token model's, past the demo
model's last norm and in parts of their size; the pyramid error is that of the four maps. Both ways
have the same layers compute on as many tokens: they differ in the points that are read.
"""

import argparse
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.bench.member import Finding, Member
from benchmarks.bench.tables import rows_table
from benchmarks.record import ROOT
from mpm_deploy.datasets.folder import Folder
from mpm_deploy.images.decode import decode
from mpm_deploy.models.deformable_attention import DeformableAttention
from mpm_deploy.models.encoders.adapted_vit import AdaptedVit, AdapterConfig
from mpm_deploy.models.encoders.adapter import LEVELS, VALUE_RATIO, Injector, Interaction
from mpm_deploy.models.encoders.config import EncoderConfig
from mpm_deploy.models.packing import mean_of_patches
from mpm_deploy.models.reductions import Packed
from mpm_deploy.models.reductions.base import with_tokens
from mpm_deploy.models.weights.files import read_weights

HELD_OUT = Folder(ROOT / "examples" / "scenes")
SCHEDULES = ((2, 5), (1, 2, 5))
GAMMAS = (0.1, 1.0)
WIDTH, DEPTH, HEADS, MLP_WIDTH, NORM_EPSILON = 192, 12, 3, 768, 1e-5  # the demo model's
ADAPTER = AdapterConfig(heads=6, points=4, stem_width=64)

Row = dict[str, Any]


class AtMean(Injector):
    """Injects into the tokens of one image, each of which reads once, where its patches' mean is.

    The fewer places are read; of several images, whose tokens differ in number, they would have to
    be padded.
    """

    def forward(
        self, packed: Packed, centers: Tensor, cells: Tensor, grids: list[tuple[int, int]]
    ) -> Packed:
        special = packed.special_tokens
        places = mean_of_patches(packed, centers[None])[special:]  # (T, 2)
        tokens = packed.tokens[special:]
        queries = self.query_norm(tokens)[None]
        read = self.attn(queries, places, self.feat_norm(cells), grids)[0]
        injected = torch.cat([packed.tokens[:special], tokens + self.gamma * read])
        return with_tokens(packed, injected)


WAYS = {"every patch": Injector, "merged tokens": AtMean}


@dataclass(frozen=True)
class Demo:
    """What the demo model brings."""

    encoder: Mapping[str, Tensor]
    image_size: tuple[int, int]
    mean: Tensor  # (3, 1, 1)
    std: Tensor  # (3, 1, 1)

    @classmethod
    def read(cls) -> "Demo":
        tensors, info = read_weights("demo")
        start = "encoder."
        encoder = {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}
        mean, std = (torch.tensor(each).view(3, 1, 1) for each in (info.mean, info.std))
        return cls(encoder, info.image_size, mean, std)

    def norm(self, tokens: Tensor) -> Tensor:
        weights = (self.encoder["norm.weight"], self.encoder["norm.bias"])
        return nn.functional.layer_norm(tokens, (WIDTH,), *weights, eps=NORM_EPSILON)

    def encoder_with(self, schedule: tuple[int, ...], gamma: float, way: str) -> AdaptedVit:
        """Make the ViT with the same adapter whatever the schedule, injecting in a way."""
        config = EncoderConfig(
            self.image_size,
            width=WIDTH,
            depth=DEPTH,
            heads=HEADS,
            mlp_width=MLP_WIDTH,
            norm_epsilon=NORM_EPSILON,
            final_norm=False,
        )
        with torch.random.fork_rng():
            torch.manual_seed(0)
            encoder = AdaptedVit(config, ADAPTER, schedule).requires_grad_(False).eval()
            draw(encoder, gamma)
        own = encoder.state_dict()
        encoder.load_state_dict(own | {n: t for n, t in self.encoder.items() if n in own})
        for part in encoder.interactions:
            replace_injector(part, way)
        return encoder


def draw(encoder: AdaptedVit, gamma: float) -> None:
    """Draw an adapter: Xavier's weights, heads that look in all directions, farther by point."""
    nn.init.normal_(encoder.level_embed)
    for module in encoder.interactions.modules():
        if isinstance(module, DeformableAttention):
            nn.init.xavier_uniform_(module.value_proj.weight)
            nn.init.xavier_uniform_(module.output_proj.weight)
            nn.init.normal_(module.sampling_offsets.weight, std=0.02)
            nn.init.normal_(module.attention_weights.weight, std=0.02)
            module.sampling_offsets.bias.copy_(directions(module))
        if isinstance(module, Injector):
            nn.init.constant_(module.gamma, gamma)


def directions(module: DeformableAttention) -> Tensor:
    """Return offsets of heads in as many directions: ``(heads * levels * points * 2,)``."""
    angles = torch.arange(module.heads) * (2 * math.pi / module.heads)
    around = torch.stack([angles.cos(), angles.sin()], dim=1)
    around = around / around.abs().amax(dim=1, keepdim=True)  # (heads, 2), on a square
    steps = torch.arange(1, module.points + 1)[:, None]  # (points, 1)
    return (around[:, None, None] * steps).expand(-1, module.levels, -1, -1).flatten()


def replace_injector(part: nn.Module, way: str) -> None:
    """Have a group's injector inject in a way, with the same weights."""
    assert isinstance(part, Interaction)
    injector = WAYS[way](WIDTH, ADAPTER.heads, LEVELS, ADAPTER.points, VALUE_RATIO)
    injector.load_state_dict(part.injector.state_dict())
    part.injector = injector.requires_grad_(False).eval()


@dataclass(frozen=True)
class Seen:
    """What an encoder makes of a scene."""

    tokens: Tensor  # the last of each patch, (N, C)
    pyramid: list[Tensor]  # four maps, one row a cell
    kept: int
    milliseconds: float


def look(encoder: AdaptedVit, demo: Demo, image: Tensor) -> Seen:
    """Encode one scene ``(3, H, W)`` uint8."""
    last: list[Packed] = []
    hook = encoder.blocks[-1].register_forward_hook(lambda _, __, packed: last.append(packed))
    with torch.inference_mode():
        pixels = (image / 255 - demo.mean) / demo.std
        began = time.perf_counter()
        taps, _ = encoder(pixels[None])
        took = 1e3 * (time.perf_counter() - began)
    hook.remove()
    (packed,) = last
    kept = packed.tokens.shape[0] - packed.special_tokens
    tokens = demo.norm(packed.tokens[packed.rows[0]])
    return Seen(tokens, [tap.tokens for tap in taps], kept, took)


def error(mine: Tensor, theirs: Tensor) -> float:
    """Return how far one is from the other, in parts of its size."""
    return float((mine - theirs).norm() / theirs.norm())


def compare(
    demo: Demo, images: list[Tensor], gamma: float, schedule: tuple[int, ...]
) -> Iterator[Row]:
    """Encode scenes in every way, in turns, and yield a row for each."""
    full = demo.encoder_with((), gamma, "every patch")
    encoders = {way: demo.encoder_with(schedule, gamma, way) for way in WAYS}
    seen: dict[str, list[Seen]] = {way: [] for way in WAYS}
    errors: dict[str, list[float]] = {way: [] for way in WAYS}
    pyramid: dict[str, list[float]] = {way: [] for way in WAYS}
    for image in images:
        truth = look(full, demo, image)
        for way, encoder in encoders.items():
            found = look(encoder, demo, image)
            seen[way].append(found)
            errors[way].append(error(found.tokens, truth.tokens))
            pairs = zip(found.pyramid, truth.pyramid, strict=True)
            pyramid[way].append(float(np.mean([error(*pair) for pair in pairs])))
    for way, other in zip(WAYS, reversed(WAYS), strict=True):
        closer = sum(mine < its for mine, its in zip(errors[way], errors[other], strict=True))
        yield {
            "gamma": gamma,
            "schedule": ",".join(map(str, schedule)),
            "way": way,
            "tokens_kept": round(float(np.mean([each.kept for each in seen[way]])), 1),
            "token_error": round(float(np.mean(errors[way])), 4),
            "pyramid_error": round(float(np.mean(pyramid[way])), 4),
            "closer_in": closer,  # so many scenes than the other way
            "milliseconds": round(median(each.milliseconds for each in seen[way]), 1),
        }


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this member."""
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--limit", type=int, default=12, help="first scenes of those held out")


def measure(options: argparse.Namespace) -> Iterator[Finding]:
    """Measure two rows, one a way, for every gamma and schedule."""
    torch.set_num_threads(options.threads)
    demo = Demo.read()
    images = [decode(sample.image) for sample in [*HELD_OUT][: options.limit]]
    rows: list[Row] = []
    for gamma in GAMMAS:
        new = [row for schedule in SCHEDULES for row in compare(demo, images, gamma, schedule)]
        rows += new
        yield Finding({"scenes": len(images), "rows": rows}, [rows_table(new)])


MEMBER = Member(
    "injection", "how an adapter best injects into merged tokens", measure, add_options
)  # fmt: skip

if __name__ == "__main__":
    MEMBER.run()
