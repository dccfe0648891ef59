"""Make the eager model that a recipe asks for, with its weights."""

import math
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from itertools import islice
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

from mpm_deploy.builder.verify import (
    photos_in,
    verification_images,
)
from mpm_deploy.errors import InputError, ModelError, RecipeError
from mpm_deploy.models.own import OwnModel
from mpm_deploy.models.quantized import quantize
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.models.weights.classes import numbered_classes
from mpm_deploy.models.weights.files import (
    family_of,
    head_of,
    load_encoder_into,
    load_into,
    read_weights,
)
from mpm_deploy.models.weights.info import GIVEN, RANDOM, WeightsInfo, random_weights
from mpm_deploy.models.zoo import create, find_model
from mpm_deploy.recipe import BackendRecipe, ModelRecipe, Recipe
from mpm_deploy.support.processor import multiplies_in_bfloat16

T = TypeVar("T")

_TABLES = {"image_size": "model", "blocks": "merge", "shared": "merge"}
_CALIBRATION_IMAGES = 8
_CALIBRATION_PHOTOS = 64  # at most


def make_model(recipe: Recipe, own: OwnModel | None = None) -> tuple[Segmenter, WeightsInfo]:
    """Make a recipe's eager model, where it is built and in its dtype, and describe its weights.

    Args:
        recipe: The recipe.
        own: The model that stands in place of its ``[model]`` table, if one does.

    Raises:
        RecipeError: The recipe does not fit its weights, or its model was given in Python and is
            not given now.
        InputError: ``own`` is no `OwnModel`.
        ModelError: The weights cannot be used, or the parts of ``own`` do not fit.
    """
    if not isinstance(own, OwnModel | None):
        raise InputError(
            f"model: expected an OwnModel, got {type(own).__name__}",
            "mpm_deploy.models.OwnModel(vit, GridHead(head), classes=..., mean=..., std=...)",
        )
    with _keys_placed(recipe):
        model, weights = _make_named(recipe) if own is None else own.make(recipe.merge)
    _check_no_gaps(completed(recipe, weights), model.image_size)
    return _in_dtype(model.to(recipe.backend.builds_on), recipe.backend), weights


@contextmanager
def _keys_placed(recipe: Recipe) -> Iterator[None]:
    """Say of a key that does not fit the model in which recipe and table it stands."""
    try:
        yield
    except ModelError as error:
        key = error.problem.partition(":")[0]
        if key not in _TABLES:
            raise
        place = f"recipe {recipe.name!r}: {_TABLES[key]}"
        raise ModelError(f"{place}.{error.problem}", error.hint) from error


def _in_dtype(model: Segmenter, wanted: BackendRecipe) -> Segmenter:
    """Have a model compute in the type of a recipe: all of it, or in int8 its blocks' layers."""
    if wanted.dtype != "int8":
        return model.compute_in(getattr(torch, wanted.dtype))
    rest = torch.bfloat16 if multiplies_in_bfloat16() else torch.float32
    return quantize(model, _calibration_images(wanted.calibration, model.image_size), rest)


def _calibration_images(folder: str | None, size: tuple[int, int]) -> Iterable[Tensor]:
    """Return images ``(1, 3, H, W)`` uint8 on which ranges are measured: photos, or made up."""
    if folder is None:
        made_up: tuple[Tensor, ...] = verification_images(_CALIBRATION_IMAGES, size).split(1)
        return made_up
    return islice(photos_in(folder, size), _CALIBRATION_PHOTOS)


def _make_named(recipe: Recipe) -> tuple[Segmenter, WeightsInfo]:
    """Make the model of a recipe's ``[model]`` table."""
    wanted = recipe.model
    tensors, weights = _weights_of(recipe)
    recipe = completed(recipe, weights)
    model = create(
        weights.model,
        classes=len(weights.classes),
        image_size=wanted.image_size or weights.image_size,
        pad=recipe.input.pad,
        blocks=recipe.merge.blocks,
        method=recipe.merge.member,
        head=_trained(recipe, recipe.model.member, head_of(weights), weights),
        family=_trained(recipe, recipe.model.family, family_of(weights), weights),
        reconstruct=recipe.merge.reconstruct,
        mean=weights.mean,
        std=weights.std,
    )
    if weights.origin != RANDOM:
        load_into(model, tensors, weights.origin, weights.image_size)
    elif tensors:
        load_encoder_into(model, tensors, wanted.weights, weights.image_size)
    return model, weights


def completed(recipe: Recipe, weights: WeightsInfo) -> Recipe:
    """Return the recipe with what it leaves open of its input and merge as its weights have it.

    A number that was merged of an image in training is as large a part of one of another size.
    """
    size = recipe.model.image_size or weights.image_size
    share = math.prod(size) / math.prod(weights.image_size)
    merge = recipe.merge.completed(weights.trained_merge, share)
    return replace(recipe, input=recipe.input.completed(weights.tested_input), merge=merge)


def _weights_of(recipe: Recipe) -> tuple[dict[str, Tensor], WeightsInfo]:
    wanted = recipe.model
    if wanted.weights == GIVEN:
        raise RecipeError(
            f"recipe {recipe.name!r}: model.weights: expected weights that a file holds, got those "
            "of a model that was given in Python",
            "build it where that model is: mpm_deploy.build(recipe, output, model=OwnModel(...)), "
            "as docs/guides/your-model.md shows; or name others: --weights FILE",
        )
    if wanted.weights == "random":
        return {}, random_weights(wanted.full_name, wanted.image_size, wanted.classes)
    tensors, weights = read_weights(wanted.weights, wanted.full_name)
    if weights.origin == RANDOM:
        weights = _with_head_of(wanted, weights)
    _check_weights_fit(recipe, weights)
    return tensors, weights


def _with_head_of(wanted: ModelRecipe, weights: WeightsInfo) -> WeightsInfo:
    """Describe weights with the head that a recipe wants, for an encoder that has none.

    A head that is drawn at random may be of any kind, for any number of classes, and the backbone
    may be the one with other patches, to which they are resampled.
    """
    names, palette = numbered_classes(wanted.classes or len(weights.classes))
    name = weights.model
    if wanted.full_name and _but_for_patches(wanted.full_name) == _but_for_patches(name):
        name = wanted.full_name
    return replace(weights, model=name, classes=names, palette=palette)


def _but_for_patches(model: str) -> str:
    """Return the name of a model's backbone without the size of its patches, and timm's tag."""
    backbone = find_model(model).backbone.partition(".")[0]
    return re.sub(r"_patch\d+", "_patch", backbone)


def _check_weights_fit(recipe: Recipe, weights: WeightsInfo) -> None:
    wanted = recipe.model
    if wanted.full_name not in (None, weights.model):
        raise RecipeError(
            f"recipe {recipe.name!r}: model.name: expected {weights.model!r}, which the weights "
            f"{wanted.weights!r} are for, got {wanted.full_name!r}",
            f"leave model.name out or say --model {weights.model}; or other weights: --weights "
            "FILE, or --weights random for speed only",
        )
    if wanted.classes not in (None, len(weights.classes)):
        raise RecipeError(
            f"recipe {recipe.name!r}: model.classes: expected {len(weights.classes)}, which the "
            f"weights {wanted.weights!r} have, got {wanted.classes}",
            "leave model.classes out",
        )


def _trained(recipe: Recipe, wanted: Any, trained: T, weights: WeightsInfo) -> T | None:
    """Return a part, backbone or head, with the options that the weights were trained with.

    A recipe may say them again; an option at its default counts as left out. A part of a model
    whose head is drawn at random is the recipe's.
    """
    if weights.origin == RANDOM:
        return cast(T | None, wanted)
    for option in fields(cast(Any, trained)) if wanted else ():
        said, fitting = getattr(wanted, option.name), getattr(trained, option.name)
        if said not in (option.default, fitting):
            raise RecipeError(
                f"recipe {recipe.name!r}: model.{option.name}: expected {fitting}, which the "
                f"weights {recipe.model.weights!r} have, got {said}",
                f"leave model.{option.name} out",
            )
    return trained


def _check_no_gaps(recipe: Recipe, window: tuple[int, int]) -> None:
    stride = recipe.input.stride
    if stride is not None and stride > min(window):
        raise RecipeError(
            f"recipe {recipe.name!r}: input.stride: expected at most {min(window)}, the shorter "
            f"side of a window of {window[0]} x {window[1]}, got {stride}",
            "larger strides leave gaps between the windows: set input.fit to 'slide', and a stride",
        )
