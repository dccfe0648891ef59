"""Describe weights that were read: what they are for, and which files they come from."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from mpm_deploy.errors import ModelError
from mpm_deploy.models.weights.classes import Classes
from mpm_deploy.models.weights.info import WeightsInfo, random_weights
from mpm_deploy.support.family import OptionError

Channels = tuple[float, float, float]

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def weights_info(
    place: Path,
    files: Iterable[Path],
    model: str,
    image_size: tuple[int, int],
    mean: Channels,
    std: Channels,
    classes: Classes,
    **more: Any,
) -> WeightsInfo:
    """Describe weights with a head.

    Args:
        place: The file or folder by whose name they go.
        files: All files that they were read from; their hash is that of one after the other.
        model: As for `WeightsInfo`, and so are the others.
        image_size: Input ``(height, width)`` in pixels.
        mean: Mean of each channel, on 0..1.
        std: Standard deviation of each channel, on 0..1.
        classes: Names and palette.
        more: The head's options and the values of ``[input]``.

    Raises:
        ModelError: A value that nothing can be made with.
    """
    names, palette = classes
    try:
        return WeightsInfo(
            origin=place.name,
            sha256=hash_of(files),
            model=model,
            image_size=image_size,
            mean=mean,
            std=std,
            classes=names,
            palette=palette,
            **more,
        )
    except OptionError as error:
        raise ModelError(f"{place}: {error.problem}", "take the file as it was trained") from error


def encoder_info(
    model: str,
    image_size: tuple[int, int],
    mean: Channels = IMAGENET_MEAN,
    std: Channels = IMAGENET_STD,
) -> WeightsInfo:
    """Describe an encoder without a head; that of ``model`` has to be drawn at random.

    Arguments are those of `weights_info`.
    """
    return replace(random_weights(model, image_size, None), mean=mean, std=std)


def hash_of(files: Iterable[Path]) -> str:
    """Return the SHA-256 of files, one after the other."""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()
