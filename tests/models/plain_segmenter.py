"""Segmenter's forward as plainly as it can be said: one image, and torch alone.

It has no code of the package and reads a checkpoint's own dicts: the truth that models made from a
checkpoint are held to.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

MEAN_AND_STD = {
    "vit": ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5]),
    "deit": ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
}


def plain_scores(
    weights: dict[str, Tensor], net: dict[str, Any], image: Tensor, eps: float = 1e-5
) -> Tensor:
    """Full-token class scores of one image.

    Args:
        weights: A checkpoint's ``model``.
        net: Its variant's ``net_kwargs``.
        image: ``(3, H, W)`` uint8; is padded with zeros to a multiple of the patch.
        eps: Of every LayerNorm.

    Returns:
        ``(K, h, w)``, a score for every patch.
    """
    with torch.no_grad():
        return PlainSegmenter(weights, net, eps).scores(image)


def plain_pixel_scores(weights: dict[str, Tensor], net: dict[str, Any], image: Tensor) -> Tensor:
    """The same for every pixel: upsampled, and what was padded cut off; ``(K, H, W)``."""
    scores = plain_scores(weights, net, image)
    patch, (height, width) = net["patch_size"], image.shape[1:]
    size = (scores.shape[1] * patch, scores.shape[2] * patch)
    pixels = F.interpolate(scores[None], size, mode="bilinear", align_corners=False)
    return pixels[0, :, :height, :width]


class PlainSegmenter:
    """The network, part by part."""

    def __init__(self, weights: dict[str, Tensor], net: dict[str, Any], eps: float) -> None:
        self.weights, self.net, self.eps = weights, net, eps

    def scores(self, image: Tensor) -> Tensor:
        pixels = self.normalized(image)
        patch = self.net["patch_size"]
        _, height, width = pixels.shape
        pixels = F.pad(pixels, (0, -width % patch, 0, -height % patch))
        tokens, grid = self.encode(pixels)
        return self.score(tokens).T.reshape(-1, *grid)

    def normalized(self, image: Tensor) -> Tensor:
        mean, std = (
            torch.tensor(v)[:, None, None] for v in MEAN_AND_STD[self.net["normalization"]]
        )
        return (image / 255 - mean) / std

    def score(self, tokens: Tensor) -> Tensor:
        name = self.net["decoder"]["name"]
        return self.linear("decoder.head", tokens) if name == "linear" else self.decode(tokens)

    def encode(self, pixels: Tensor) -> tuple[Tensor, tuple[int, int]]:
        kernel, bias = self.pair("encoder.patch_embed.proj")
        embedded = F.conv2d(pixels[None], kernel, bias, stride=self.net["patch_size"])[0]
        grid = (embedded.shape[1], embedded.shape[2])
        prefix = [self.weights["encoder.cls_token"][0]]
        if "encoder.dist_token" in self.weights:
            prefix.append(self.weights["encoder.dist_token"][0])
        tokens = torch.cat([*prefix, embedded.flatten(1).T])
        tokens = tokens + self.position(len(prefix), grid)
        return self.transform(tokens)[len(prefix) :], grid

    def transform(self, tokens: Tensor) -> Tensor:
        for index in range(self.net["n_layers"]):
            tokens = self.block(f"encoder.blocks.{index}", tokens, self.net["n_heads"])
        return self.norm("encoder.norm", tokens)

    def position(self, prefix: int, grid: tuple[int, int]) -> Tensor:
        position = self.weights["encoder.pos_embed"][0]
        if len(position) == prefix + grid[0] * grid[1]:
            return position
        trained = [side // self.net["patch_size"] for side in self.net["image_size"]]
        square = position[prefix:].T.reshape(1, -1, *trained)
        resized = F.interpolate(square, grid, mode="bilinear")[0].flatten(1).T
        return torch.cat([position[:prefix], resized])

    def decode(self, tokens: Tensor) -> Tensor:
        patches = len(tokens)
        tokens = self.linear("decoder.proj_dec", tokens)
        tokens = torch.cat([tokens, self.weights["decoder.cls_emb"][0]])
        for index in range(2):
            tokens = self.block(f"decoder.blocks.{index}", tokens, tokens.shape[1] // 64)
        tokens = self.norm("decoder.decoder_norm", tokens)
        p = tokens[:patches] @ self.weights["decoder.proj_patch"]
        k = tokens[patches:] @ self.weights["decoder.proj_classes"]
        cosines = (p / p.norm(dim=1, keepdim=True)) @ (k / k.norm(dim=1, keepdim=True)).T
        return self.norm("decoder.mask_norm", cosines)

    def block(self, name: str, tokens: Tensor, heads: int) -> Tensor:
        tokens = tokens + self.attention(f"{name}.attn", self.norm(f"{name}.norm1", tokens), heads)
        hidden = F.gelu(self.linear(f"{name}.mlp.fc1", self.norm(f"{name}.norm2", tokens)))
        return tokens + self.linear(f"{name}.mlp.fc2", hidden)

    def attention(self, name: str, tokens: Tensor, heads: int) -> Tensor:
        q, k, v = self.linear(f"{name}.qkv", tokens).chunk(3, dim=1)
        width = q.shape[1] // heads
        outputs = []
        for head in range(heads):
            own = slice(head * width, (head + 1) * width)
            shares = torch.softmax(q[:, own] @ k[:, own].T / width**0.5, dim=1)
            outputs.append(shares @ v[:, own])
        return self.linear(f"{name}.proj", torch.cat(outputs, dim=1))

    def norm(self, name: str, tokens: Tensor) -> Tensor:
        return F.layer_norm(tokens, tokens.shape[-1:], *self.pair(name), eps=self.eps)

    def linear(self, name: str, tokens: Tensor) -> Tensor:
        return F.linear(tokens, *self.pair(name))

    def pair(self, name: str) -> tuple[Tensor, Tensor]:
        return self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
