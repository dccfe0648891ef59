"""Mask2Former's parts against those of `transformers`, with the same weights."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mpm_deploy.models.heads.mask2former import MaskedDecoder, PixelDecoder, semantic_scores
from mpm_deploy.models.heads.mask2former.head import Mask2FormerHead
from mpm_deploy.models.packing import equal_offsets
from mpm_deploy.models.reductions import Packed
from tests.models.heads.mask2former.random_weights import random, randomized

transformers = pytest.importorskip("transformers")

TOLERANCE = 1e-4  # of float32, over some ten layers of numbers of size 1
CHANNELS = (8, 12, 16, 20)
GRIDS = [(24, 40), (12, 20), (6, 10), (3, 5)]  # the finest first
WIDTH, MASK_WIDTH, HEADS, QUERIES, CLASSES = 64, 32, 4, 9, 5

Tensors = dict[str, Tensor]

_PIXEL_DECODER = {  # of transformers, and ours
    "input_projections": "input_convs",
    "encoder.layers": "encoder",
    "self_attn_layer_norm": "norm1",
    "self_attn": "attention",
    "final_layer_norm": "norm2",
    "level_embed": "level_encoding",
    "adapter_1": "finer.0.lateral_conv",
    "layer_1": "finer.0.output_conv",
    "mask_projection": "mask_feature",
}
_MASKED_DECODER = {
    "queries_features.weight": "query_feat",
    "queries_embedder.weight": "query_embed",
    "level_embed.weight": "level_embed",
    "decoder.layernorm": "post_norm",
    "decoder.layers": "layers",
    "self_attn_layer_norm": "norm2",
    "self_attn": "self_attention",
    "cross_attn_layer_norm": "norm1",
    "cross_attn": "cross_attention",
    "final_layer_norm": "norm3",
    **{f"decoder.mask_predictor.mask_embedder.{i}.0": f"mask_embed.{2 * i}" for i in range(3)},
}


def config(mask_width: int = MASK_WIDTH) -> Any:
    return transformers.Mask2FormerConfig(
        feature_size=WIDTH,
        hidden_dim=WIDTH,
        mask_feature_size=mask_width,
        num_attention_heads=HEADS,
        num_queries=QUERIES,
        encoder_layers=2,
        encoder_feedforward_dim=96,
        decoder_layers=5,  # theirs is one less than they say
        dim_feedforward=80,
    )


def theirs(name: str, *given: Any) -> nn.Module:
    modules = transformers.models.mask2former.modeling_mask2former
    return randomized(lambda: getattr(modules, f"Mask2Former{name}")(*given))


def renamed(tensors: Tensors, names: dict[str, str]) -> Tensors:
    ours = {}
    for name, tensor in tensors.items():
        for old, new in names.items():
            name = name.replace(old, new)
        ours[name] = tensor
    return ours


def with_parted_projections(tensors: Tensors) -> Tensors:
    """Tensors with one projection each for queries, keys and values."""
    parted = {}
    for name, tensor in tensors.items():
        if "in_proj_" in name:
            for letter, part in zip("qkv", tensor.chunk(3), strict=True):
                parted[name.replace("in_proj_", f"{letter}_proj.")] = part
        else:
            parted[name] = tensor
    return parted


def random_maps(images: int, channels: tuple[int, ...] = CHANNELS) -> list[Tensor]:
    maps = zip(channels, GRIDS, strict=True)
    return [random(images, count, *grid, seed=count) for count, grid in maps]


def pixel_decoder_of(tensors: Tensors) -> PixelDecoder:
    ours = PixelDecoder(CHANNELS, WIDTH, MASK_WIDTH, layers=2, heads=HEADS, mlp_width=96).eval()
    ours.load_state_dict(renamed(tensors, _PIXEL_DECODER))
    return ours


def masked_decoder_of(tensors: Tensors) -> MaskedDecoder:
    about = {"queries": QUERIES, "layers": 4, "heads": HEADS, "mlp_width": 80}
    ours = randomized(lambda: MaskedDecoder(WIDTH, MASK_WIDTH, CLASSES, **about))
    own = {name: ours.state_dict()[name] for name in ("cls_embed.weight", "cls_embed.bias")}
    ours.load_state_dict(renamed(with_parted_projections(tensors), _MASKED_DECODER) | own)
    return ours


def assert_close(got: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(got, expected, rtol=0, atol=TOLERANCE)


@torch.inference_mode()
@pytest.mark.parametrize("images", [1, 2])
def test_the_pixel_decoder_is_theirs(images: int) -> None:
    reference = theirs("PixelDecoder", config(), CHANNELS)
    maps = random_maps(images)
    expected = reference(maps)
    levels, mask_features = pixel_decoder_of(reference.state_dict())(maps)
    assert [tuple(level.shape[2:]) for level in levels] == GRIDS[:0:-1]
    for level, other in zip(levels, expected.multi_scale_features, strict=True):
        assert_close(level, other)
    assert_close(mask_features, expected.mask_features)


def inputs_of(ours: MaskedDecoder, images: int, shift: float) -> tuple[list[Tensor], Tensor]:
    """Levels, and mask features that are shifted away from the mask of the first query."""
    levels = [random(images, WIDTH, *grid, seed=grid[0]) for grid in GRIDS[:0:-1]]
    first = ours.mask_embed(ours.post_norm(ours.query_feat[0]))  # (M,)
    away = -shift * first / first.norm()
    return levels, random(images, MASK_WIDTH, *GRIDS[0], seed=1) + away[:, None, None]


@torch.inference_mode()
@pytest.mark.parametrize("shift", [0.0, 2.0, 20.0])
@pytest.mark.parametrize("images", [1, 2])
def test_the_masked_decoder_is_theirs(images: int, shift: float) -> None:
    reference = theirs("TransformerModule", WIDTH, config())
    ours = masked_decoder_of(reference.state_dict())
    levels, mask_features = inputs_of(ours, images, shift)
    expected = reference(levels, mask_features)
    expected_masks = expected.masks_queries_logits[-1].flatten(2)  # (B, Q, S)
    if shift == 20:  # so that a query whose mask is empty is looked at
        assert (expected.masks_queries_logits[0][:, 0] < 0).all()

    class_logits, mask_logits = ours(levels, mask_features)
    decoded = expected.intermediate_hidden_states[-1].transpose(0, 1)  # (B, Q, C)
    assert_close(class_logits, ours.cls_embed(decoded))
    scale = 1 + shift  # mask logits grow with the features that they are products of
    assert_close(mask_logits.transpose(1, 2) / scale, expected_masks / scale)


@torch.inference_mode()
def test_scores_of_both_parts_are_theirs() -> None:
    pixels = theirs("PixelDecoder", config(), CHANNELS)
    masked = theirs("TransformerModule", WIDTH, config())
    ours = masked_decoder_of(masked.state_dict())
    maps = random_maps(2)
    decoded = pixels(maps)
    said = masked(list(decoded.multi_scale_features), decoded.mask_features)
    queries = said.intermediate_hidden_states[-1].transpose(0, 1)
    classes = ours.cls_embed(queries).softmax(dim=-1)[..., :-1]
    masks = said.masks_queries_logits[-1].sigmoid()
    expected = torch.einsum("bqc,bqhw->bchw", classes, masks)  # as they combine the two
    scores = semantic_scores(*ours(*pixel_decoder_of(pixels.state_dict())(maps)))
    assert_close(scores.transpose(1, 2).unflatten(2, GRIDS[0]), expected)


def as_tap(cells: Tensor) -> Packed:
    """A map ``(B, C, h, w)`` as an encoder with an adapter gives it."""
    images, count = cells.shape[0], cells.shape[2] * cells.shape[3]
    rows = torch.arange(images * count).view(images, count)
    offsets = equal_offsets(images, count, cells.device)
    return Packed(cells.permute(0, 2, 3, 1).flatten(0, 2), offsets, count, rows, 0)


@torch.inference_mode()
@pytest.mark.parametrize("images", [1, 3])
def test_the_head_scores_a_pyramid_as_they_do(images: int) -> None:
    channels = (24,) * 4
    pixels = theirs("PixelDecoder", config(WIDTH), channels)
    masked = theirs("TransformerModule", WIDTH, config(WIDTH))
    head = Mask2FormerHead(
        queries=QUERIES,
        decoder_width=WIDTH,
        decoder_layers=4,
        decoder_heads=HEADS,
        decoder_mlp_width=80,
        pixel_decoder_layers=2,
        pixel_decoder_heads=HEADS,
        pixel_decoder_mlp_width=96,
    )
    ours = randomized(lambda: head.make(24, CLASSES, GRIDS[2]))
    own = {n: t for n, t in ours.state_dict().items() if "cls_embed" in n}
    parts = {
        "pixel_decoder": renamed(pixels.state_dict(), _PIXEL_DECODER),
        "masked_decoder": renamed(with_parted_projections(masked.state_dict()), _MASKED_DECODER),
    }
    named = {f"{part}.{n}": t for part, tensors in parts.items() for n, t in tensors.items()}
    ours.load_state_dict(named | own)

    maps = random_maps(images, channels)
    decoded = pixels(maps)
    said = masked(list(decoded.multi_scale_features), decoded.mask_features)
    queries = said.intermediate_hidden_states[-1].transpose(0, 1)
    classes = ours.masked_decoder.cls_embed(queries).softmax(dim=-1)[..., :-1]
    masks = said.masks_queries_logits[-1].sigmoid()
    expected = torch.einsum("bqc,bqhw->bchw", classes, masks)
    scores = ours([as_tap(level) for level in maps])
    assert_close(scores.transpose(1, 2).unflatten(2, GRIDS[0]), expected)
