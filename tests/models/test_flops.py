"""FLOPs: the paper's figures, torch's own counter, and what merging takes away."""

import pytest
import torch

from mpm_deploy.models import create
from mpm_deploy.models.flops import count_flops
from mpm_deploy.models.zoo import outline
from tests.support.flop_counting import counted_flops


@pytest.mark.parametrize(
    ("name", "gflops"),
    [("seg_t16_mask", 25), ("seg_s16_mask", 76.9), ("seg_b16_mask", 258), ("seg_l16_mask", 800)],
)
def test_full_token_models_have_the_papers_flops(name, gflops):
    """Table 1 of the paper, ADE20K (150 classes) at 512 × 512."""
    model = outline(name, classes=150, image_size=(512, 512))
    assert count_flops(model).total([1024]) / 1e9 == pytest.approx(gflops, rel=0.02)


@pytest.mark.parametrize("reconstruct", ["after_decoder", "before_decoder"])
@pytest.mark.parametrize(
    "name",
    ["seg_t16_mask", "seg_t16_linear", "eomt_t16", "vit_small_plus_patch16_dinov3+linear"],
)
@pytest.mark.parametrize("blocks", [(), (2, 5), (2, 9)])
def test_flops_are_what_torch_counts(name, blocks, reconstruct):
    model = create(
        name,
        classes=7,
        image_size=(160, 160),
        blocks=blocks,
        reconstruct=reconstruct,
    )
    image = torch.randint(0, 256, (1, 3, 160, 160), dtype=torch.uint8)
    with counted_flops() as counter:
        _, merge_maps = model(image)
    tokens = [100, *(merge_maps[0].amax(dim=1) + 1).tolist()]
    # torch does not know the product of masks that the linear head has none of, nor any bias.
    assert count_flops(model).total(tokens) == pytest.approx(counter.get_total_flops(), rel=1e-3)
