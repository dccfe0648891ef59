"""The assembled encoder against a plain reading, full-token and merged; and what it refuses."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mpm_deploy.errors import ModelError
from mpm_deploy.models.encoders.adapted_vit import AdaptedVit
from mpm_deploy.models.encoders.base import Readout
from mpm_deploy.models.encoders.config import EncoderConfig
from mpm_deploy.models.encoders.vit import Encoder
from mpm_deploy.models.reductions import Algm, Cts, Mpm, Tome
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.models.zoo import create, find_model
from tests.models.plain_adapter import PlainAdapter
from tests.models.small_eva import FAMILY, HEAD, NAME, PATCHES, SIZE, images, small_eva

TOLERANCE = 1e-4  # of float32, over eight blocks and six extractors of numbers of size 1
GRIDS = [(24, 32), (12, 16), (6, 8), (3, 4)]


def normalized(model: Segmenter, count: int) -> Tensor:
    return images(count) * model.scale + model.shift


def maps_of(model: Segmenter, pixels: Tensor) -> tuple[list[Tensor], Tensor]:
    """The four maps, ``(B, C, h, w)`` each, and the merge maps."""
    taps, merge_maps = model.encoder(pixels)
    cells = [tap.tokens[tap.rows] for tap in taps]
    return [
        each.transpose(1, 2).unflatten(2, grid) for each, grid in zip(cells, GRIDS, strict=True)
    ], merge_maps


@torch.inference_mode()
@pytest.mark.parametrize("blocks", [(), (1,), (0, 3, 6)], ids=str)
def test_its_maps_are_those_of_a_plain_reading(blocks: tuple[int, ...]) -> None:
    """Merged too: as the first block begins, within groups, and as the last group begins."""
    model = small_eva(blocks)
    plain = PlainAdapter(
        model.encoder.state_dict(),
        FAMILY.depth,
        FAMILY.heads,
        FAMILY.adapter_heads,
        FAMILY.adapter_points,
        blocks,
    )
    pixels = normalized(model, 2)
    maps, merge_maps = maps_of(model, pixels)
    assert merge_maps.shape == (2, len(blocks), PATCHES)
    if blocks:
        kept = merge_maps[:, -1].amax(dim=1) + 1
        assert kept[0] != kept[1] and kept.max() < PATCHES
    for image in range(2):
        for got, expected in zip(maps, plain.pyramid(pixels[image]), strict=True):
            torch.testing.assert_close(got[image], expected, rtol=0, atol=TOLERANCE)


@torch.inference_mode()
@pytest.mark.parametrize(
    "method", [Mpm(), Tome(0.3), Algm(0.95), Cts(5)], ids=lambda method: method.title
)
def test_an_image_alone_is_as_in_a_batch(method: Mpm) -> None:
    model = small_eva((0, 3), method)
    scores, merge_maps = model(images(3))
    assert merge_maps[:, -1].amax() < PATCHES - 1
    for image in range(3):
        alone, maps = model(images(3)[image : image + 1])
        assert torch.equal(maps[0], merge_maps[image])
        torch.testing.assert_close(alone[0], scores[image], rtol=0, atol=TOLERANCE)


@torch.inference_mode()
def test_late_is_early_to_the_bit_as_nothing_merged_reaches_the_head() -> None:
    late, early = (
        small_eva((1, 3), reconstruct=each) for each in ("after_decoder", "before_decoder")
    )
    for one, other in zip(late(images(2)), early(images(2)), strict=True):
        assert torch.equal(one, other)
    assert late.encoder.uncounted_merges == 2
    rows = [tap.rows.flatten() for tap in late.encoder(normalized(late, 2))[0]]
    assert all(torch.equal(each, torch.arange(len(each))) for each in rows)


@torch.inference_mode()
def test_merging_changes_what_comes_out() -> None:
    full, merged = small_eva()(images(1))[0], small_eva((1, 3))(images(1))[0]
    assert (full - merged).abs().max() > 100 * TOLERANCE


def test_a_plain_vit_refuses_a_head_that_reads_a_pyramid() -> None:
    with pytest.raises(ModelError, match="head: expected one that reads tokens") as caught:
        find_model("vit_tiny_patch16+mask2former").encoder(SIZE)
    assert "a backbone with an adapter" in (caught.value.hint or "")
    with pytest.raises(ModelError, match="head: expected one that reads tokens"):
        Encoder(EncoderConfig(SIZE), readout=Readout(pyramid=True))


@pytest.mark.parametrize("head", ["mask_transformer", "linear", "eomt"])
def test_an_adapted_one_refuses_every_other_head(head: str) -> None:
    with pytest.raises(ModelError, match="head: expected one that reads a pyramid of maps"):
        find_model(f"eva_giant_patch16_adapter+{head}", family=FAMILY).encoder(SIZE)


@pytest.mark.parametrize("size", [(80, 128), (96, 112)], ids=str)
def test_an_image_that_the_pyramid_does_not_divide_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ModelError, match=f"multiples of 32, .*, got {size[0]} x {size[1]}"):
        find_model(NAME, family=FAMILY).encoder(size)


def test_an_image_of_whose_norms_a_group_is_one_number_is_refused() -> None:
    with pytest.raises(ModelError, match=r"more than one cell of the coarsest map, .* got 32 x 32"):
        create(NAME, classes=2, image_size=(32, 32), head=HEAD, family=FAMILY)


@torch.inference_mode()
@pytest.mark.parametrize(("size", "width"), [((32, 64), 32), ((32, 32), 64)], ids=str)
def test_the_least_images_with_two_numbers_a_group_pass(size: tuple[int, int], width: int) -> None:
    head = replace(HEAD, decoder_width=width)
    model = create(NAME, classes=2, image_size=size, blocks=(), head=head, family=FAMILY)
    scores, _ = model(torch.zeros(1, 3, *size, dtype=torch.uint8))
    assert scores.isfinite().all()


def test_positions_are_resized_to_another_input() -> None:
    trained, larger = small_eva().encoder, find_model(NAME, family=FAMILY).encoder((128, 192))
    assert isinstance(larger, AdaptedVit)
    fitted = larger.fit(trained.state_dict(), SIZE)
    larger.load_state_dict(fitted)
    assert larger.position.shape == (8 * 12, FAMILY.width)
