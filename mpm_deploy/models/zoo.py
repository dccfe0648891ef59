"""Make models by name: a backbone of a family of encoders, and a head."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from mpm_deploy.errors import ModelError
from mpm_deploy.families import HEADS
from mpm_deploy.models.encoders.base import EncoderFamily, PackedEncoder
from mpm_deploy.models.heads import Head
from mpm_deploy.models.reductions import Method, Mpm, Reduction
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.recipe.model_names import MODELS, family_of, split_name


@dataclass(frozen=True)
class ModelSpec:
    """A model by its parts.

    Args:
        backbone: The backbone's name.
        head_name: The head's name.
        family: The backbone's family with its options.
        head: The head with its options.
    """

    backbone: str
    head_name: str
    family: EncoderFamily
    head: Head

    def encoder(
        self, image_size: tuple[int, int], blocks: Sequence[int] = (), method: Method | None = None
    ) -> PackedEncoder:
        """Make the encoder with weights of any value; arguments are those of `create`."""
        method = method or Mpm()
        return self.family.make(self.backbone, image_size, blocks, method, self.head.readout)

    def whole_patches(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """Return the least ``(height, width)`` of whole patches that an image fits in."""
        patch = self.family.patch_size(self.backbone)
        height, width = image_size
        return -(-height // patch) * patch, -(-width // patch) * patch


def find_model(
    name: str, head: Head | None = None, family: EncoderFamily | None = None
) -> ModelSpec:
    """Return the model called ``name``.

    Args:
        name: A short name, or ``BACKBONE+HEAD``.
        head: The head with its options; None takes their defaults.
        family: The backbone's family with its options; None takes their defaults.

    Raises:
        ModelError: There is none of that name; names those there are.
    """
    pair = split_name(name)
    if pair is None:
        raise ModelError(f"model {name!r} is not known", f"known are: {', '.join(MODELS)}")
    return ModelSpec(
        pair.backbone,
        pair.head,
        family or family_of(pair.backbone)(),
        head or HEADS.find(pair.head)(),
    )


def create(
    name: str,
    *,
    classes: int,
    image_size: tuple[int, int] = (512, 512),
    pad: Literal["center"] | None = None,
    blocks: Sequence[int] = (2, 5),
    method: Method | None = None,
    head: Head | None = None,
    family: EncoderFamily | None = None,
    reconstruct: str = "after_decoder",
    mean: Sequence[float] = (0.5, 0.5, 0.5),
    std: Sequence[float] = (0.5, 0.5, 0.5),
    seed: int = 0,
) -> Segmenter:
    """Make a model with random weights, the same for the same seed.

    Args:
        name: A short name, or ``BACKBONE+HEAD``.
        classes: Number of classes K.
        image_size: ``(height, width)`` in pixels.
        pad: ``"center"`` takes sizes that are not whole patches; None refuses them.
        blocks: The merge schedule, 0-based; empty is the full-token model.
        method: How tokens merge; None is Mutual Pair Merging.
        head: The head with its options; None takes their defaults.
        family: The backbone's family with its options; None takes their defaults.
        reconstruct: ``"after_decoder"`` or ``"before_decoder"``.
        mean: Mean of each channel, on 0..1.
        std: Standard deviation of each channel, on 0..1.
        seed: Seed of the weights.

    Raises:
        ModelError: An unknown name, or a size or schedule that does not fit the model.
    """
    spec = find_model(name, head, family)
    padded_size = spec.whole_patches(image_size) if pad == "center" else image_size
    encoder = spec.encoder(padded_size, blocks, method)
    decoder = spec.head.make(encoder.width, classes, encoder.grid)
    model = Segmenter(encoder, decoder, mean, std, reconstruct, image_size)
    initialize(model, seed)
    return model.eval()


def outline(
    name: str, *, classes: int, image_size: tuple[int, int], blocks: Sequence[int] = ()
) -> Segmenter:
    """Make a model as `create` does, but without numbers: shapes alone, made at once.

    It lies on the meta device, where nothing can be computed but parameters and FLOPs counted.
    """
    spec = find_model(name)
    with torch.device("meta"):
        encoder = spec.encoder(image_size, blocks)
        decoder = spec.head.make(encoder.width, classes, encoder.grid)
        return Segmenter(encoder, decoder, (0.0,) * 3, (1.0,) * 3)


def initialize(model: nn.Module, seed: int) -> None:
    """Draw every weight anew: normal with deviation 0.02, biases 0, norms and scales 1.

    A reduction that has weights draws them itself.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() >= 2:
                parameter.normal_(std=0.02, generator=generator)
            else:
                parameter.fill_(0.0 if name.endswith("bias") else 1.0)
        for module in model.modules():
            if isinstance(module, Reduction):
                module.initialize(generator)
