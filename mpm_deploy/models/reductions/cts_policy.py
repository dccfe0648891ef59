"""Define the policy of CTS, a network that says which superpatches are of one class.

images (B, 3, H, W) ─▶ efficientnet_lite0 ─▶ (B, 320, H / 32, W / 32) ─▶ 1 × 1 ─▶ 2 logits

The network is timm's. It runs with each batch norm folded into the convolution before it, which
computes the same in fewer steps.
"""

import copy
import math
from collections import OrderedDict
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mpm_deploy.models.timm_package import import_timm

STRIDE = 32  # pixels, along each axis, that one score is for
_CHANNELS = 320  # of the last features


class Policy(nn.Module):
    """Scores each square of 32 × 32 pixels by how likely it is of one class.

    Args:
        network: The network as it is trained, which stays as it is; None makes one with weights of
            any value.
    """

    def __init__(self, network: nn.Module | None = None) -> None:
        super().__init__()
        folded: Any = _folded(policy_network() if network is None else network)
        self.backbone = folded.backbone
        self.head = folded.head

    def forward(self, images: Tensor) -> Tensor:
        """Score images ``(B, 3, H, W)``, normalized, on their grid: ``(B, H / 32 * W / 32)``.

        A score rises with the probability that a softmax of the two logits gives; that would round
        to 1 where many are certain, and tell them apart no more.
        """
        logits = self.head(self.backbone(images))  # (B, 2, H / 32, W / 32) float32
        return (logits[:, 1] - logits[:, 0]).flatten(1)

    def initialize(self, generator: torch.Generator) -> None:
        """Draw every weight anew, so large that what passes 50 layers is still told apart."""
        with torch.no_grad():
            for layer in self._convolutions():
                layer.weight.normal_(
                    std=math.sqrt(2 / layer.weight[0].numel()), generator=generator
                )

    def flops(self, size: tuple[int, int]) -> float:
        """Count the FLOPs for one image of ``size``, height and width in pixels."""
        outline = copy.deepcopy(self).to("meta")
        counts: list[float] = []

        def count(layer: nn.Conv2d, _: tuple[Tensor], output: Tensor) -> None:
            counts.append(2.0 * output.numel() * layer.weight[0].numel())

        for layer in outline._convolutions():
            layer.register_forward_hook(count)
        outline(torch.empty(1, 3, *size, dtype=outline.head.weight.dtype, device="meta"))
        return sum(counts)

    def _convolutions(self) -> Iterator[nn.Conv2d]:
        return (layer for layer in self.modules() if isinstance(layer, nn.Conv2d))


class _LastConvolution(nn.Conv2d):
    """A convolution in float32, whatever type its features and weights have.

    Logits of 4 to 8 that are rounded to bfloat16 are 1/32 apart: many superpatches would tie.
    """

    def forward(self, features: Tensor) -> Tensor:
        bias = self.bias
        if bias is not None:
            bias = bias.float()
        return self._conv_forward(features.float(), self.weight.float(), bias)


def policy_network() -> nn.Module:
    """Make the network as it is trained, with batch norms, and with weights of any value.

    Raises:
        MissingPackageError: timm is not installed.
    """
    timm = import_timm("the policy network of CTS")
    features = timm.create_model("efficientnet_lite0", features_only=True)
    backbone = nn.Sequential(OrderedDict(features.named_children()))
    return nn.Sequential(OrderedDict(backbone=backbone, head=_LastConvolution(_CHANNELS, 2, 1)))


def _folded(network: nn.Module) -> nn.Module:
    """Return a copy with each batch norm folded, and what it did behind its norm in its place."""
    folded = copy.deepcopy(network).eval()
    for convolution, norm in list(convolutions_with_norms(folded)):
        behind: Any = folded.get_submodule(norm)
        before: Any = folded.get_submodule(convolution)
        folded.set_submodule(convolution, fuse_conv_bn_eval(before, behind))
        folded.set_submodule(norm, behind.act)
    return folded


def convolutions_with_norms(network: nn.Module) -> Iterator[tuple[str, str]]:
    """Yield the names of each convolution and of the batch norm behind it."""
    for place, module in network.named_modules():
        for (name, child), (next_name, behind) in pairwise(module.named_children()):
            if isinstance(child, nn.Conv2d) and isinstance(behind, nn.BatchNorm2d):
                prefix = f"{place}." if place else ""
                yield f"{prefix}{name}", f"{prefix}{next_name}"
