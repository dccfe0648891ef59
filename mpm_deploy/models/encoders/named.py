"""Name shapes of ViTs, so that a recipe can ask for one by a word."""

from abc import ABC
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, ClassVar

from mpm_deploy.models.encoders.config import EncoderConfig
from mpm_deploy.models.encoders.vit import VitFamily

# Width, depth and heads of the sizes that papers call T, S, B and L.
TINY, SMALL, BASE, LARGE = (192, 12, 3), (384, 12, 6), (768, 12, 12), (1024, 24, 16)

_LEFT_TO_FAMILIES = ("image_size", "norm_epsilon", "position_resize")


class NamedVits(VitFamily, ABC):
    """A family of ViTs, each of which has one shape at inputs of any size.

    Attributes:
        shapes: The shape of each backbone, at an input of one patch.
    """

    shapes: ClassVar[Mapping[str, EncoderConfig]]

    @classmethod
    def backbones(cls) -> tuple[str, ...]:
        return tuple(cls.shapes)

    @classmethod
    def shape(cls, backbone: str) -> EncoderConfig:
        return cls.shapes[backbone]

    @classmethod
    def find(cls, config: EncoderConfig) -> str | None:
        """Return the backbone that has this shape, None if none has."""
        facts = facts_of(config)
        alike = (name for name, shape in cls.shapes.items() if facts_of(shape) == facts)
        return next(alike, None)


def facts_of(shape: EncoderConfig) -> dict[str, Any]:
    """Return the fields of a shape by which a backbone is found; others are its family's to say."""
    return {field: fact for field, fact in asdict(shape).items() if field not in _LEFT_TO_FAMILIES}


def vit_shape(
    size: tuple[int, int, int],
    patch_size: int,
    special_tokens: int,
    norm_epsilon: float,
    **parts: float | bool | str,
) -> EncoderConfig:
    """Return the shape of a ViT at an input of one patch.

    Args:
        size: Width, depth and heads.
        patch_size: Side of a patch in pixels.
        special_tokens: Class, distillation and register tokens.
        norm_epsilon: Epsilon of every LayerNorm.
        parts: Other fields of `EncoderConfig`; the MLP is four times as wide as a token, unless
            they say otherwise.
    """
    width, depth, heads = size
    shape = EncoderConfig(
        image_size=(patch_size, patch_size),
        patch_size=patch_size,
        width=width,
        depth=depth,
        heads=heads,
        mlp_width=4 * width,
        special_tokens=special_tokens,
        norm_epsilon=norm_epsilon,
    )
    return replace(shape, **parts)  # type: ignore[arg-type]
