"""A small EVA-01 with ViT-Adapter and Mask2Former, in which every number matters."""

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from mpm_deploy.models import create
from mpm_deploy.models.encoders.eva import EvaAdapter
from mpm_deploy.models.heads.mask2former.head import Mask2FormerHead
from mpm_deploy.models.reductions import Method
from mpm_deploy.models.segmenter import Segmenter

NAME, SIZE, CLASSES = "eva_g16_mask2former", (96, 128), 5
PATCHES = (SIZE[0] // 16) * (SIZE[1] // 16)

FAMILY = EvaAdapter(
    width=32, depth=8, heads=2, mlp_width=48, adapter_heads=2, adapter_points=2, stem_width=8
)
HEAD = Mask2FormerHead(
    queries=7,
    decoder_width=32,
    decoder_layers=4,
    decoder_heads=4,
    decoder_mlp_width=48,
    pixel_decoder_layers=2,
    pixel_decoder_heads=2,
    pixel_decoder_mlp_width=40,
)
# The same as assignments to a recipe.
OPTIONS = (
    "model.backbone=eva_giant_patch16_adapter",
    "model.head=mask2former",
    *(
        f"model.{name}={value}"
        for member in (FAMILY, HEAD)
        for name, value in dataclasses.asdict(member).items()
    ),
)


def small_eva(
    blocks: Sequence[int] = (), method: Method | None = None, reconstruct: str = "after_decoder"
) -> Segmenter:
    """The model, full-token unless a schedule is said."""
    model = create(
        NAME,
        classes=CLASSES,
        image_size=SIZE,
        blocks=blocks,
        method=method,
        head=HEAD,
        family=FAMILY,
        reconstruct=reconstruct,
    )
    return randomized(model)


def randomized(model: nn.Module) -> nn.Module:
    """The model with weights and statistics none of which does nothing."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            noise = torch.randn(tensor.shape, generator=generator)
            if name.endswith("running_var"):
                tensor.copy_(0.5 + noise.abs())
            elif tensor.dim() > 1:
                fan_in = tensor[0].numel()
                tensor.copy_(noise * (fan_in**-0.5 if "embed" not in name else 0.3))
            else:
                tensor.add_(0.2 * noise)
    return model.requires_grad_(False)


def images(count: int) -> Tensor:
    """Of different content, so that they keep different numbers of tokens: ``(B, 3, H, W)``."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 3, 6, 8, generator=generator)
    smooth = functional.interpolate(coarse, size=SIZE, mode="bilinear")
    noise = torch.rand(count, 3, *SIZE, generator=generator)
    shares = 0.3 * torch.arange(count).view(-1, 1, 1, 1)
    return (255 * (smooth + shares * noise) / (1 + shares)).byte()
