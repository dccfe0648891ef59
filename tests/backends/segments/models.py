"""Small models to cut: the three heads, and one that reads blocks before the last merge."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from mpm_deploy.models.encoders.config import EncoderConfig
from mpm_deploy.models.encoders.vit import Encoder
from mpm_deploy.models.heads import Head
from mpm_deploy.models.heads.eomt import EomtHead
from mpm_deploy.models.heads.linear import LinearHead
from mpm_deploy.models.heads.mask_transformer import MaskTransformerHead
from mpm_deploy.models.segmenter import Segmenter

SIZE, PATCHES, WIDTH, CLASSES = (64, 96), 24, 64, 7
SCHEDULES: tuple[tuple[int, ...], ...] = ((), (2,), (2, 5), (1, 2, 5))
HEADS: dict[str, Head] = {
    "mask": MaskTransformerHead(),
    "linear": LinearHead(),
    "taps": LinearHead(taps=4),
    "eomt": EomtHead(queries=5, query_blocks=2),
}


def segmenter(
    head: str, blocks: Sequence[int], reconstruct: str = "after_decoder", **shape: Any
) -> Segmenter:
    """A model of six blocks with large random weights, so that scores are far from one another."""
    sizes = {"width": WIDTH, "depth": 6, "heads": 2, "mlp_width": 96, "special_tokens": 1}
    config = EncoderConfig(SIZE, **(sizes | shape))
    encoder = Encoder(config, blocks, readout=HEADS[head].readout)
    decoder = HEADS[head].make(WIDTH, CLASSES, config.grid)
    model = Segmenter(encoder, decoder, (0.5,) * 3, (0.25,) * 3, reconstruct)
    return _drawn(model)


def _drawn(model: Segmenter) -> Segmenter:
    generator = torch.Generator().manual_seed(0)
    module: nn.Module = model
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=0.25, generator=generator)
    return model.eval()
