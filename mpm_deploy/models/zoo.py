"""List the models by name, with their shapes, and make one with random weights."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from mpm_deploy.errors import ModelError
from mpm_deploy.models.encoders.vit import Encoder, EncoderConfig
from mpm_deploy.models.heads import LinearDecoder, MaskTransformer
from mpm_deploy.models.reductions import Method
from mpm_deploy.models.segmenter import Segmenter

_SEGMENTER_NORM_EPSILON = 1e-5  # not timm's 1e-6
MASK_DEPTH = 2  # blocks of a mask transformer


@dataclass(frozen=True)
class ModelSpec:
    """A Segmenter by its parts.

    Args:
        width: Width of a token.
        depth: Blocks of the encoder.
        heads: Attention heads of a block.
        patch_size: Side of a patch in pixels.
        head: ``"mask_transformer"`` or ``"linear"``.
        special_tokens: 1 for a class token, 2 where a distillation token follows it.
    """

    width: int
    depth: int
    heads: int
    patch_size: int
    head: str
    special_tokens: int = 1

    def encoder_config(self, image_size: tuple[int, int]) -> EncoderConfig:
        """Return the encoder's shape at ``image_size`` (height, width) pixels."""
        return EncoderConfig(
            image_size=image_size,
            patch_size=self.patch_size,
            width=self.width,
            depth=self.depth,
            heads=self.heads,
            mlp_width=4 * self.width,
            special_tokens=self.special_tokens,
            norm_epsilon=_SEGMENTER_NORM_EPSILON,
        )


_TINY = (192, 12, 3)
_SMALL = (384, 12, 6)
_BASE = (768, 12, 12)
_LARGE = (1024, 24, 16)

MODELS: dict[str, ModelSpec] = {
    "seg_t16_mask": ModelSpec(*_TINY, 16, "mask_transformer"),
    "seg_s16_mask": ModelSpec(*_SMALL, 16, "mask_transformer"),
    "seg_b16_mask": ModelSpec(*_BASE, 16, "mask_transformer"),
    "seg_l16_mask": ModelSpec(*_LARGE, 16, "mask_transformer"),
    "seg_b8_mask": ModelSpec(*_BASE, 8, "mask_transformer"),
    "seg_deit_t16_mask": ModelSpec(*_TINY, 16, "mask_transformer", special_tokens=2),
    "seg_deit_s16_mask": ModelSpec(*_SMALL, 16, "mask_transformer", special_tokens=2),
    "seg_deit_b16_mask": ModelSpec(*_BASE, 16, "mask_transformer", special_tokens=2),
    "seg_t16_linear": ModelSpec(*_TINY, 16, "linear"),
    "seg_s16_linear": ModelSpec(*_SMALL, 16, "linear"),
    "seg_b16_linear": ModelSpec(*_BASE, 16, "linear"),
    "seg_l16_linear": ModelSpec(*_LARGE, 16, "linear"),
    "seg_b8_linear": ModelSpec(*_BASE, 8, "linear"),
    "seg_deit_t16_linear": ModelSpec(*_TINY, 16, "linear", special_tokens=2),
    "seg_deit_s16_linear": ModelSpec(*_SMALL, 16, "linear", special_tokens=2),
    "seg_deit_b16_linear": ModelSpec(*_BASE, 16, "linear", special_tokens=2),
}


def find_model(name: str) -> ModelSpec:
    """Return the model called ``name``.

    Raises:
        ModelError: There is none of that name; names those there are.
    """
    if name not in MODELS:
        raise ModelError(f"model {name!r} is not known", f"known are: {', '.join(MODELS)}")
    return MODELS[name]


def model_like(spec: ModelSpec) -> str | None:
    """Return the name of the model that has these parts; None where there is none."""
    return next((name for name, known in MODELS.items() if known == spec), None)


def create(
    name: str,
    *,
    classes: int,
    image_size: tuple[int, int] = (512, 512),
    blocks: Sequence[int] = (2, 5),
    method: Method | None = None,
    reconstruct: str = "after_decoder",
    mean: Sequence[float] = (0.5, 0.5, 0.5),
    std: Sequence[float] = (0.5, 0.5, 0.5),
    seed: int = 0,
) -> Segmenter:
    """Make a model with random weights, the same for the same seed.

    Args:
        name: One of `MODELS`.
        classes: Number of classes K.
        image_size: ``(height, width)`` in pixels.
        blocks: The merge schedule, 0-based; empty is the full-token model.
        method: How tokens merge; None is Mutual Pair Merging.
        reconstruct: ``"after_decoder"`` or ``"before_decoder"``.
        mean: Mean of each channel, on 0..1.
        std: Standard deviation of each channel, on 0..1.
        seed: Seed of the weights.

    Raises:
        ModelError: An unknown name, or a size or schedule that does not fit the model.
    """
    spec = find_model(name)
    encoder = Encoder(spec.encoder_config(image_size), blocks, method)
    model = Segmenter(encoder, _decoder(spec, classes), mean, std, reconstruct)
    initialise(model, seed)
    return model.eval()


def outline(
    name: str, *, classes: int, image_size: tuple[int, int], blocks: Sequence[int] = ()
) -> Segmenter:
    """Make a model as `create` does, but without numbers: shapes alone, made at once.

    It lies on the meta device, where nothing can be computed but parameters and FLOPs counted.
    """
    spec = find_model(name)
    with torch.device("meta"):
        encoder = Encoder(spec.encoder_config(image_size), blocks)
        return Segmenter(encoder, _decoder(spec, classes), (0.0,) * 3, (1.0,) * 3)


def initialise(model: nn.Module, seed: int) -> None:
    """Draw every weight anew: normal with deviation 0.02, biases 0, norms and scales 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() >= 2:
                parameter.normal_(std=0.02, generator=generator)
            else:
                parameter.fill_(0.0 if name.endswith("bias") else 1.0)


def _decoder(spec: ModelSpec, classes: int) -> nn.Module:
    if spec.head == "linear":
        return LinearDecoder(spec.width, classes)
    return MaskTransformer(spec.width, spec.width, MASK_DEPTH, classes)
