"""FLOPs: the paper's figures, torch's own counter, and what merging takes away."""

import pytest
import torch

from mpm_deploy.models import create
from mpm_deploy.models.flops import count_flops, count_parts
from mpm_deploy.models.reductions import Cts, Mpm, Tome
from mpm_deploy.models.zoo import outline
from tests.models.small_eva import images, small_eva
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


@pytest.mark.parametrize("reconstruct", ["after_decoder", "before_decoder"])
@pytest.mark.parametrize(
    ("blocks", "method"),
    [((), Mpm()), ((1,), Mpm()), ((0, 3, 6), Mpm()), ((0, 2), Tome(0.3)), ((0, 4), Cts(5))],
    ids=str,
)
def test_flops_with_an_adapter_are_what_torch_counts(blocks, method, reconstruct):
    model = small_eva(blocks, method, reconstruct)
    with counted_flops() as counter:
        _, merge_maps = model(images(1))
    tokens = [48, *(merge_maps[0].amax(dim=1) + 1).tolist()]
    assert count_flops(model).total(tokens) == counter.get_total_flops()


def torchs_parts(model, image):
    """What torch counts in modules by their names in a model."""
    with counted_flops() as counter:
        model(image)
    counts = {name: sum(each.values()) for name, each in counter.get_flop_counts().items()}
    return lambda end: sum(count for name, count in counts.items() if name.endswith(end))


@pytest.mark.parametrize("blocks", [(), (1, 4)])
def test_parts_are_counted_by_themselves(blocks):
    model = small_eva(blocks)
    merge_maps = model(images(1))[1]
    tokens = [48, *(merge_maps[0].amax(dim=1) + 1).tolist()]
    parts = {name: part.total(tokens) for name, part in count_parts(model).items()}
    assert sum(parts.values()) == count_flops(model).total(tokens)
    counted = torchs_parts(model, images(1))
    assert parts["spatial prior"] == counted(".prior")
    assert parts["injectors"] == counted(".injector")
    assert parts["extractors"] == counted(".extractor") + sum(
        counted(f".extra_extractors.{index}") for index in range(2)
    )
    assert parts["finest map"] == counted(".up")
    assert parts["pixel decoder"] == counted(".pixel_decoder")
    scoring = 2 * 16 * 48 * 7 * 5  # places, queries, classes
    assert parts["masked decoder"] == counted(".masked_decoder") + scoring


def test_of_a_plain_model_encoder_and_head_are_the_parts():
    model = outline("seg_t16_mask", classes=150, image_size=(512, 512), blocks=(2, 5))
    parts = count_parts(model)
    assert set(parts) == {"encoder", "head"}
    tokens = [1024, 700, 500]
    total = count_flops(model).total(tokens)
    assert sum(part.total(tokens) for part in parts.values()) == pytest.approx(total)
