"""Describe an artifact as its manifest does."""

from dataclasses import replace
from datetime import UTC, datetime

import torch

import mpm_deploy
from mpm_deploy.artifact import (
    FORMAT,
    Agreement,
    CreatedBy,
    InputInfo,
    Manifest,
    MergeInfo,
    ModelInfo,
    OutputInfo,
    WeightsOrigin,
)
from mpm_deploy.backends import Compiled
from mpm_deploy.builder.model import completed
from mpm_deploy.models.flops import count_flops
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.models.weights.checks import of_reduction
from mpm_deploy.models.weights.info import WeightsInfo
from mpm_deploy.recipe import MergeRecipe, Recipe
from mpm_deploy.recipe.model_names import parts_of
from mpm_deploy.support.schema import to_mapping


def describe(
    recipe: Recipe, model: Segmenter, weights: WeightsInfo, compiled: Compiled
) -> Manifest:
    """Say what an artifact holds, but for what only its verified and written file tells: the
    agreement is empty, and so is the hash.
    """
    recipe, parts = completed(recipe, weights), parts_of(weights.model)
    encoder = model.encoder
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Manifest(
        format=FORMAT,
        created_by=CreatedBy(mpm_deploy.__version__, torch.__version__, now),
        recipe=recipe.to_dict(),
        model=ModelInfo(
            name=weights.model,
            backbone=parts.backbone,
            head=parts.head,
            parameters=count_parameters(model),
            patch_size=encoder.patch_size,
            special_tokens=encoder.special_tokens,
            classes=weights.classes,
            palette=weights.palette,
        ),
        weights=WeightsOrigin(weights.origin, weights.sha256),
        input=_describe_input(recipe, model.image_size, weights),
        merge=_describe_merge(recipe.merge, model, weights),
        outputs=_describe_outputs(model, len(weights.classes)),
        flops=count_flops(model),
        batch=compiled.batch,
        requires=compiled.requires,
        agreement=Agreement(images=0, labels=0.0, clusters=()),  # known once it is verified
        payload_sha256="",  # known once it is written
    )


def count_parameters(model: Segmenter) -> int:
    """Count the numbers that training sets."""
    return sum(parameter.numel() for parameter in model.parameters())


def _describe_merge(merge: MergeRecipe, model: Segmenter, weights: WeightsInfo) -> MergeInfo:
    """Describe the merge; weights of its own come with those of the model."""
    has_weights = any(map(of_reduction, model.state_dict()))
    return MergeInfo(
        method=merge.method,
        place=merge.member.place,
        blocks=merge.blocks,
        reconstruct=merge.reconstruct,
        options=to_mapping(merge.member),
        weights=WeightsOrigin(weights.origin, weights.sha256) if has_weights else None,
    )


def _describe_outputs(model: Segmenter, classes: int) -> tuple[OutputInfo, ...]:
    down, across = model.grid
    maps = (len(model.encoder.schedule), down * across)
    return (
        OutputInfo("scores", "float32", (classes, *model.score_grid), model.decoder.score_kind),
        OutputInfo("merge_maps", "int32", maps),
    )


def _describe_input(recipe: Recipe, window: tuple[int, int], weights: WeightsInfo) -> InputInfo:
    wanted = recipe.input
    info = InputInfo(*window, weights.mean, weights.std, wanted.fit or "resize")
    if wanted.fit != "slide":
        return info
    return replace(
        info,
        stride=wanted.stride or min(window),
        short_side=wanted.short_side or window[0],
        max_ratio=wanted.max_ratio or 4.0,
    )
