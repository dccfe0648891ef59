"""Options of EVA-01's parts that nothing can be made with, as a recipe says them."""

import pytest

from mpm_deploy.errors import RecipeError
from mpm_deploy.models import MODELS
from mpm_deploy.models.zoo import outline
from mpm_deploy.recipe import Recipe
from tests.models.small_eva import NAME

PARTS = MODELS[NAME]._asdict()


@pytest.mark.parametrize(
    ("option", "value", "problem"),
    [
        ("depth", 0, "depth: expected > 0, got 0"),
        ("depth", 10, "depth: expected 4 groups of equal size, got 10"),
        ("width", 1400, "width: expected a multiple of heads, 16, got 1400"),
        ("adapter_heads", 12, "width: expected a multiple of 24, as each of adapter_heads reads"),
        ("stem_width", -1, "stem_width: expected > 0, got -1"),
        ("queries", 0, "queries: expected > 0, got 0"),
        ("decoder_width", 80, "decoder_width: expected a multiple of 32, the groups of its norms"),
        ("decoder_heads", 3, "decoder_heads: expected a divisor of decoder_width, 1024, got 3"),
        ("pixel_decoder_heads", 5, "pixel_decoder_heads: expected a divisor of decoder_width"),
        ("pixel_decoder_layers", 1.5, "pixel_decoder_layers: expected a whole number, got 1.5"),
    ],
)
def test_what_does_not_divide_is_refused(option: str, value: float, problem: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.from_dict({"name": "mine", "model": {**PARTS, "weights": "random", option: value}})
    assert f"model.{problem}" in caught.value.problem


def test_the_full_one_has_the_authors_sizes() -> None:
    """Of the checkpoint that the paper's Table 7 is about; ViT-g alone has 1.0 billion."""
    model = outline(NAME, classes=150, image_size=(896, 896), blocks=(2, 5))
    encoder, decoder = model.encoder, model.decoder
    assert len(encoder.blocks) == 40 and encoder.position.shape == (56 * 56, 1408)
    assert encoder.blocks[0].fc1.weight.shape == (6144, 1408)
    assert encoder.interactions[0].injector.attn.value_proj.weight.shape == (704, 1408)
    assert encoder.interactions[3].extra_extractors[1].ffn.fc1.weight.shape == (352, 1408)
    assert len(decoder.masked_decoder.layers) == 8 and len(decoder.pixel_decoder.encoder) == 6
    assert decoder.masked_decoder.query_feat.shape == (200, 1024)
    blocks = sum(parameter.numel() for parameter in encoder.blocks.parameters())
    assert blocks == pytest.approx(1.0e9, rel=0.02)
