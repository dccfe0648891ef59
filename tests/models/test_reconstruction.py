"""Late reconstruction against the paper's: the same scores for every head and schedule.

`after_decoder` decodes merged tokens, each weighing as many as it stands for, and copies scores;
`before_decoder` copies tokens and decodes them all.
"""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mpm_deploy.models.encoders.config import EncoderConfig
from mpm_deploy.models.encoders.vit import Encoder
from mpm_deploy.models.heads.eomt import EomtHead
from mpm_deploy.models.heads.linear import LinearHead
from mpm_deploy.models.heads.mask_transformer import MaskTransformerHead
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.ops.label_map.reference import label_map

SIZE, WIDTH, CLASSES = (96, 128), 64, 19

HEADS = {
    "mask": MaskTransformerHead(),
    "linear": LinearHead(),
    "taps": LinearHead(taps=4),  # of which two lie before a merge, in some of the schedules
    "eomt": EomtHead(queries=5, query_blocks=2),  # they enter before a merge, in some
}
every_head = pytest.mark.parametrize("head", HEADS)
every_special = pytest.mark.parametrize("special_tokens", [0, 1, 2, 5])
every_schedule = pytest.mark.parametrize(
    "blocks", [(1,), (0, 2), (1, 2, 4), (0, 1, 3, 5)], ids=lambda blocks: f"{len(blocks)}"
)


def random(module: nn.Module) -> nn.Module:
    """Weights so large that attention is far from uniform, and scores far from one another."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=0.25, generator=generator)
    return module.eval()


def segmenters(
    head: str, special_tokens: int, blocks: tuple[int, ...], **parts: Any
) -> tuple[Segmenter, Segmenter]:
    """The same model, late and early; ``parts`` are other fields of its encoder's shape."""
    sizes: dict[str, Any] = {"width": WIDTH, "depth": 6, "heads": 2, "mlp_width": 96}
    config = EncoderConfig(SIZE, special_tokens=special_tokens, **(sizes | parts))
    member = HEADS[head]
    encoder = random(Encoder(config, blocks, readout=member.readout))
    own_decoder = random(member.make(WIDTH, CLASSES, config.grid))
    late, early = (
        Segmenter(encoder, own_decoder, (0.5,) * 3, (0.25,) * 3, reconstruct=reconstruct)
        for reconstruct in ("after_decoder", "before_decoder")
    )
    return late, early


@pytest.fixture(scope="module")
def images() -> Tensor:
    """Two of different content, so that they keep different numbers of tokens."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(2, 3, 6, 8, generator=generator)
    smooth = nn.functional.interpolate(coarse, size=SIZE, mode="bilinear")
    noise = torch.rand(2, 3, *SIZE, generator=generator)
    return (255 * (smooth + torch.tensor([0.0, 0.3]).view(2, 1, 1, 1) * noise) / 1.3).byte()


@every_head
@every_special
@every_schedule
def test_late_is_early(
    images: Tensor, blocks: tuple[int, ...], special_tokens: int, head: str
) -> None:
    late, early = segmenters(head, special_tokens, blocks)
    with torch.inference_mode():
        scores, merge_maps = late(images)
        expected, expected_maps = early(images)

    assert merge_maps.shape[1] == len(blocks)
    assert int(merge_maps[:, -1].max()) + 1 < merge_maps.shape[2], "nothing merged"
    assert torch.equal(merge_maps, expected_maps)
    torch.testing.assert_close(scores, expected, atol=1e-4, rtol=0)
    equal = label_map(scores, SIZE) == label_map(expected, SIZE)
    assert equal.double().mean() >= 0.9999


@every_head
@every_schedule
def test_late_is_early_with_the_parts_of_later_vits(
    images: Tensor, blocks: tuple[int, ...], head: str
) -> None:
    parts = {"rotary_base": 100.0, "gated_mlp": True, "layer_scale": True}
    late, early = segmenters(head, 5, blocks, **parts)
    with torch.inference_mode():
        scores, expected = late.double()(images)[0], early.double()(images)[0]
    torch.testing.assert_close(scores, expected, atol=0, rtol=2.0**-22)


@every_head
@every_special
@every_schedule
def test_in_float64_they_differ_by_one_float32_rounding(
    images: Tensor, blocks: tuple[int, ...], special_tokens: int, head: str
) -> None:
    late, early = segmenters(head, special_tokens, blocks)
    with torch.inference_mode():
        scores, expected = late.double()(images)[0], early.double()(images)[0]
    torch.testing.assert_close(scores, expected, atol=0, rtol=2.0**-22)
