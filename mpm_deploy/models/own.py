"""Make a model of a ViT and a head that a program holds, rather than of names and files."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from mpm_deploy.errors import ModelError
from mpm_deploy.models.encoders.timm_vit import encoder_from_timm
from mpm_deploy.models.heads.own import OwnHead
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.models.weights.checks import as_float32
from mpm_deploy.models.weights.classes import numbered_classes
from mpm_deploy.models.weights.info import GIVEN, WeightsInfo
from mpm_deploy.recipe import MergeRecipe
from mpm_deploy.support.schema import StructureError, read_structure
from mpm_deploy.support.tensors import shown


@dataclass(frozen=True)
class OwnModel:
    """A model of your own, which `build` takes in place of its recipe's ``[model]`` table.

    Both modules are copied, as they would run in evaluation, and stay as they are.

    Args:
        vit: A plain ViT of timm, as `encoder_from_timm` takes it, made for the input size that the
            artifact is to have.
        head: Your head, as ``GridHead(module)`` or ``TokenHead(module)``.
        classes: Names of the K classes.
        mean: Mean of each channel, on 0..1, as the training normalized images.
        std: Standard deviation of each channel, on 0..1.
        palette: Red, green and blue of each class, 0 to 255; None gives each a hue.
    """

    vit: nn.Module
    head: OwnHead
    classes: Sequence[str]
    mean: Sequence[float]
    std: Sequence[float]
    palette: Sequence[Sequence[int]] | None = None

    @property
    def name(self) -> str:
        """Its name, ``BACKBONE+HEAD``: timm's name of the ViT, and the class of the head."""
        about: Any = getattr(self.vit, "pretrained_cfg", None) or {}
        return f"{about.get('architecture', type(self.vit).__name__)}+{self.head.name}"

    def make(self, merge: MergeRecipe) -> tuple[Segmenter, WeightsInfo]:
        """Make the model that merges as a recipe says, and describe its weights.

        Raises:
            ModelError: A ViT that the encoder does not compute, a head that does not fit it,
                weights that are not finite, or a description that does not fit the model.
            MissingPackageError: timm is not installed.
        """
        self._check_types()
        encoder = encoder_from_timm(self.vit, merge.blocks, merge.member, self.head.readout)
        weights = self._describe(encoder.image_size)
        decoder = self.head.make(encoder.width, len(weights.classes), encoder.grid)
        model = Segmenter(encoder.cpu(), decoder, weights.mean, weights.std, merge.reconstruct)
        return model.eval(), replace(weights, sha256=_hash_of(model.state_dict()))

    def _check_types(self) -> None:
        if not isinstance(self.head, OwnHead):
            raise ModelError(
                f"head: expected GridHead or TokenHead, got {shown(self.head)}",
                "GridHead(head) for a module on features (B, C, h, w), TokenHead(head) for one on "
                "tokens (T, C)",
            )
        if not isinstance(self.classes, Sequence):
            raise ModelError(f"classes: expected the name of each, got {self.classes!r}")

    def _describe(self, image_size: tuple[int, int]) -> WeightsInfo:
        described = {
            "origin": GIVEN,
            "sha256": None,
            "model": self.name,
            "image_size": image_size,
            "mean": self.mean,
            "std": self.std,
            "classes": self.classes,
            "palette": self.palette or numbered_classes(len(self.classes))[1],
        }
        try:
            return read_structure(WeightsInfo, described)
        except StructureError as error:
            raise ModelError(f"OwnModel: {error}", error.hint) from error


def _hash_of(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of tensors with their names and types, which must be finite."""
    as_float32(GIVEN, {name: each for name, each in tensors.items() if each.is_floating_point()})
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {shown(tensor)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
