"""Positions and patches are resized as those do who made the weights."""

import pytest
import torch
from torch.nn import functional

from mpm_deploy.errors import ModelError
from mpm_deploy.models.encoders.dinov2 import Dinov2
from mpm_deploy.models.encoders.plain import PlainVit
from mpm_deploy.models.encoders.resizing import resample_patches, resize_position, source_grid

SIZES = {"larger": ((5, 5), (8, 8)), "smaller": ((9, 9), (4, 4)), "not square": ((4, 6), (7, 3))}


def positions(grid: tuple[int, int]) -> torch.Tensor:
    return torch.randn(grid[0] * grid[1], 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("case", SIZES)
def test_positions_are_resized_as_timm_does(case):
    resample = pytest.importorskip("timm").layers.resample_abs_pos_embed
    source, grid = SIZES[case]
    expected = resample(positions(source)[None], grid, source, num_prefix_tokens=0)[0]
    resized = resize_position(positions(source), source, grid, "bicubic_antialiased")
    torch.testing.assert_close(resized, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("grid", [(3, 9), (6, 4)])
def test_positions_are_resized_as_transformers_does_with_registers(grid):
    transformers = pytest.importorskip("transformers")
    config = transformers.Dinov2WithRegistersConfig(
        hidden_size=8, num_attention_heads=1, image_size=70, patch_size=14
    )
    embeddings = transformers.models.dinov2_with_registers.modeling_dinov2_with_registers
    theirs = embeddings.Dinov2WithRegistersEmbeddings(config)
    tokens = torch.zeros(1, 1 + grid[0] * grid[1], 8)
    expected = theirs.interpolate_pos_encoding(tokens, grid[0] * 14, grid[1] * 14)[0, 1:]
    position = theirs.position_embeddings[0, 1:]
    how = Dinov2.shape("vit_small_patch14_reg4_dinov2").position_resize
    resized = resize_position(position, (5, 5), grid, how)
    torch.testing.assert_close(resized, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("grid", [(3, 9), (36, 36)])
def test_without_registers_the_new_grid_counts_as_a_tenth_of_a_patch_larger(grid):
    # facebookresearch/dinov2, dinov2/models/vision_transformer.py, interpolate_pos_encoding
    source = (37, 37)
    picture = positions(source).T.reshape(1, 8, *source)
    factors = ((grid[0] + 0.1) / 37, (grid[1] + 0.1) / 37)
    expected = functional.interpolate(picture, scale_factor=factors, mode="bicubic")
    how = Dinov2.shape("vit_small_patch14_dinov2").position_resize
    resized = resize_position(positions(source), source, grid, how)
    assert torch.equal(resized, expected[0].flatten(1).T)


def test_segmenters_positions_are_resized_linearly():
    ramp = torch.arange(4.0).repeat_interleave(4)[:, None]
    how = PlainVit.shape("vit_tiny_patch16").position_resize
    assert torch.equal(resize_position(ramp, (4, 4), (4, 4), how), ramp)
    finer = resize_position(ramp, (4, 4), (8, 4), how)[:, 0].view(8, 4)
    assert torch.equal(finer[:, 0], torch.tensor([0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]))


@pytest.mark.parametrize("sizes", [(14, 16), (16, 14), (16, 8)])
def test_patches_are_resampled_as_timm_does(sizes):
    resample = pytest.importorskip("timm").layers.resample_patch_embed
    old, new = sizes
    weight = torch.randn(4, 3, old, old, generator=torch.Generator().manual_seed(0))
    expected = resample(weight, [new, new])
    # timm inverts in float32.
    torch.testing.assert_close(resample_patches(weight, new), expected, atol=1e-4, rtol=0)


def test_larger_patches_see_in_an_enlarged_image_what_smaller_ones_saw():
    generator = torch.Generator().manual_seed(0)
    weight, pixels = (torch.randn(4, 3, 14, 14, generator=generator) for _ in range(2))
    enlarged = functional.interpolate(pixels, (16, 16), mode="bicubic", antialias=True)
    seen = torch.einsum("cxyz,nxyz->nc", weight, pixels)
    again = torch.einsum("cxyz,nxyz->nc", resample_patches(weight, 16), enlarged)
    torch.testing.assert_close(again, seen, atol=1e-3, rtol=0)


def test_the_grid_of_weights_is_that_of_their_input_or_as_wanted_or_square():
    assert source_grid(36, (64, 144), 16, (6, 6)) == (4, 9)
    assert source_grid(24, None, 16, (4, 6)) == (4, 6)
    assert source_grid(25, (64, 64), 16, (4, 6)) == (5, 5)
    with pytest.raises(ModelError, match=r"known or square, got 23"):
        source_grid(23, (64, 64), 16, (4, 6))
