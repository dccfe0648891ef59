"""EVA-01's ViT with ViT-Adapter as plainly as it can be said: one image, and torch alone.

Read from the two papers and their facts; it has no code of the package but the names of weights.
Tokens merge as Algorithm 1 says, and stay merged: behind each merge stands where each patch went.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.models.reductions.algorithm1 import algorithm1
from tests.support.deformable import deformable_attention_by_hand

GROUPS, EPSILON = 4, 1e-6

Grids = list[tuple[int, int]]


def centers(grids: Grids) -> list[tuple[float, float]]:
    """Where cells lie, x and y from 0 to 1."""
    return [
        ((column + 0.5) / across, (row + 0.5) / down)
        for down, across in grids
        for row in range(down)
        for column in range(across)
    ]


@dataclass
class PlainAdapter:
    """The encoder, part by part.

    Args:
        weights: By their names in the package's encoder.
        depth: Number of blocks.
        heads: Heads of a block.
        adapter_heads: Heads of deformable attention.
        points: Points of such a head.
        merges: Blocks before which tokens merge.
    """

    weights: dict[str, Tensor]
    depth: int
    heads: int
    adapter_heads: int
    points: int
    merges: Sequence[int] = ()

    def pyramid(self, pixels: Tensor) -> list[Tensor]:
        """Normalized pixels ``(3, H, W)`` -> four maps ``(C, h, w)``, the finest first."""
        down, across = pixels.shape[1] // 16, pixels.shape[2] // 16
        grid = (down, across)
        grids = [(2 * down, 2 * across), grid, (down // 2, across // 2)]
        levels = self.prior(pixels)
        cells = torch.cat(
            [
                level.flatten(1).T + self.weights["level_embed"][i]
                for i, level in enumerate(levels[1:])
            ]
        )
        kernel, bias = self.pair("patch_embed")
        patches = F.conv2d(pixels[None], kernel, bias, stride=16)[0].flatten(1).T
        tokens = patches + self.weights["position"]  # one a token, and the class token by itself
        special = self.weights["special"]
        went_to = list(range(down * across))
        outputs = []
        for group in range(GROUPS):
            name = f"interactions.{group}"
            tokens = self.inject(f"{name}.injector", tokens, went_to, grid, cells, grids)
            size = self.depth // GROUPS
            for block in range(group * size, (group + 1) * size):
                if block in self.merges:
                    merge = algorithm1(tokens.double().numpy())
                    tokens = torch.from_numpy(merge.tokens).to(tokens.dtype)
                    went_to = [merge.merge_map[token] for token in went_to]
                rows = self.block(f"blocks.{block}", torch.cat([special, tokens]))
                special, tokens = rows[:1], rows[1:]
            every = tokens[went_to]  # one a patch again
            outputs.append(every.T.reshape(-1, *grid))
            extra = (
                [f"{name}.extra_extractors.{i}" for i in range(2)] if group == GROUPS - 1 else []
            )
            for extractor in [f"{name}.extractor", *extra]:
                cells = self.extract(extractor, cells, grids, every, grid)
        return self.summed(levels[0], cells, grids, outputs)

    def summed(
        self, finest: Tensor, cells: Tensor, grids: Grids, outputs: list[Tensor]
    ) -> list[Tensor]:
        parts = cells.split([h * w for h, w in grids])
        maps = [part.T.reshape(-1, *grid) for part, grid in zip(parts, grids, strict=True)]
        kernel, bias = self.pair("up")
        maps.insert(0, F.conv_transpose2d(maps[0][None], kernel, bias, stride=2)[0] + finest)
        scales = (4, 2, 1, 0.5)
        resized = [
            F.interpolate(output[None], scale_factor=scale, mode="bilinear", align_corners=False)[0]
            for output, scale in zip(outputs, scales, strict=True)
        ]
        return [
            self.batch_norm(f"norm{i + 1}", each + other)
            for i, (each, other) in enumerate(zip(maps, resized, strict=True))
        ]

    def inject(
        self,
        name: str,
        tokens: Tensor,
        went_to: list[int],
        grid: tuple[int, int],
        cells: Tensor,
        grids: Grids,
    ) -> Tensor:
        """Every patch by itself; a token becomes the mean of its patches."""
        every = tokens[went_to]
        read = self.attend(name, every, centers([grid]), cells, grids)
        injected = every + self.weights[f"{name}.gamma"] * read
        members = [
            [patch for patch, token in enumerate(went_to) if token == index]
            for index in range(len(tokens))
        ]
        return torch.stack([injected[patches].mean(dim=0) for patches in members])

    def extract(
        self, name: str, cells: Tensor, grids: Grids, tokens: Tensor, grid: tuple[int, int]
    ) -> Tensor:
        cells = cells + self.attend(name, cells, centers(grids), tokens, [grid])
        hidden = self.linear(f"{name}.ffn.fc1", self.norm(f"{name}.ffn_norm", cells))
        kernel, bias = self.pair(f"{name}.ffn.dwconv")
        blended = [
            F.conv2d(part.T.reshape(1, -1, *each), kernel, bias, padding=1, groups=len(bias))[0]
            .flatten(1)
            .T
            for part, each in zip(hidden.split([h * w for h, w in grids]), grids, strict=True)
        ]
        return cells + self.linear(f"{name}.ffn.fc2", F.gelu(torch.cat(blended)))

    def attend(
        self,
        name: str,
        queries: Tensor,
        places: list[tuple[float, float]],
        cells: Tensor,
        grids: Grids,
    ) -> Tensor:
        """Deformable attention, ``(Q, C)`` on ``(S, C)``."""
        queries, cells = (
            self.norm(f"{name}.query_norm", queries),
            self.norm(f"{name}.feat_norm", cells),
        )
        shape = (len(queries), self.adapter_heads, len(grids), self.points)
        offsets = self.linear(f"{name}.attn.sampling_offsets", queries).view(*shape, 2)
        logits = self.linear(f"{name}.attn.attention_weights", queries)
        weights = logits.view(*shape[:2], -1).softmax(dim=-1).view(shape)
        locations = torch.empty_like(offsets)
        for query, (x, y) in enumerate(places):
            for level, (down, across) in enumerate(grids):
                locations[query, :, level, :, 0] = x + offsets[query, :, level, :, 0] / across
                locations[query, :, level, :, 1] = y + offsets[query, :, level, :, 1] / down
        values = self.linear(f"{name}.attn.value_proj", cells).unflatten(
            1, (self.adapter_heads, -1)
        )
        read = deformable_attention_by_hand(values[None], grids, locations[None], weights[None])
        return self.linear(f"{name}.attn.output_proj", read[0].flatten(1).to(queries.dtype))

    def prior(self, pixels: Tensor) -> list[Tensor]:
        """The four maps of convolutions."""
        cells = pixels
        for index, stride in ((0, 2), (3, 1), (6, 1)):
            cells = self.convolved(f"prior.stem.{index}", f"prior.stem.{index + 1}", cells, stride)
        found = [F.max_pool2d(cells, 3, stride=2, padding=1)]
        for name in ("conv2", "conv3", "conv4"):
            found.append(self.convolved(f"prior.{name}.0", f"prior.{name}.1", found[-1], 2))
        return [F.conv2d(each, *self.pair(f"prior.fc{i + 1}")) for i, each in enumerate(found)]

    def convolved(self, name: str, norm: str, cells: Tensor, stride: int) -> Tensor:
        kernel = self.weights[f"{name}.weight"]
        return F.relu(self.batch_norm(norm, F.conv2d(cells, kernel, None, stride, padding=1)))

    def batch_norm(self, name: str, cells: Tensor) -> Tensor:
        """A channel at a time, by what training has seen of it."""
        mean, variance = (self.weights[f"{name}.running_{each}"] for each in ("mean", "var"))
        weight, bias = self.pair(name)
        scale = weight / (variance + 1e-5).sqrt()
        return (cells - mean[:, None, None]) * scale[:, None, None] + bias[:, None, None]

    def block(self, name: str, rows: Tensor) -> Tensor:
        q, k, v = self.linear(f"{name}.qkv", self.norm(f"{name}.norm1", rows)).chunk(3, dim=1)
        width = q.shape[1] // self.heads
        read = []
        for head in range(self.heads):
            own = slice(head * width, (head + 1) * width)
            read.append((q[:, own] @ k[:, own].T / width**0.5).softmax(dim=1) @ v[:, own])
        rows = rows + self.linear(f"{name}.proj", torch.cat(read, dim=1))
        hidden = F.gelu(self.linear(f"{name}.fc1", self.norm(f"{name}.norm2", rows)))
        return rows + self.linear(f"{name}.fc2", hidden)

    def norm(self, name: str, rows: Tensor) -> Tensor:
        return F.layer_norm(rows, rows.shape[-1:], *self.pair(name), eps=EPSILON)

    def linear(self, name: str, rows: Tensor) -> Tensor:
        return F.linear(rows, *self.pair(name))

    def pair(self, name: str) -> tuple[Tensor, Tensor]:
        return self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
