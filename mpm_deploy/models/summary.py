"""Describe a model before it has weights: its parts, its parameters and its FLOPs."""

from dataclasses import dataclass

from mpm_deploy.models.flops import count_flops
from mpm_deploy.models.weights.files import DEMOS
from mpm_deploy.models.zoo import find_model, outline


@dataclass(frozen=True)
class ModelFacts:
    """The facts of one model at one input size.

    Args:
        name: Name of the model in the zoo.
        parameters: Number of its parameters.
        gflops: 10⁹ FLOPs of one image through the full-token model; a multiply-add counts 2.
        special_tokens: Tokens in front of the patches.
        head: Name of its head.
        has_demo: Whether this package brings weights for it; any other are a file of the user's.
    """

    name: str
    parameters: int
    gflops: float
    special_tokens: int
    head: str
    has_demo: bool


def model_facts(
    name: str, image_size: tuple[int, int] = (512, 512), classes: int = 150
) -> ModelFacts:
    """Count a model's parameters and FLOPs, without making its weights.

    Args:
        name: Name of the model in the zoo.
        image_size: Input ``(height, width)`` in pixels.
        classes: Number of classes K.

    Raises:
        ModelError: An unknown name, or a size that is not whole patches.
    """
    spec = find_model(name)
    model = outline(name, classes=classes, image_size=image_size)
    down, across = model.grid
    return ModelFacts(
        name=name,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        gflops=count_flops(model).total([down * across]) / 1e9,
        special_tokens=model.encoder.special_tokens,
        head=spec.head_name,
        has_demo=name in DEMOS,
    )
