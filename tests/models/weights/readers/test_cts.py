"""Checkpoints of CTS: read exactly, held to a plain reading of its program, and refused."""

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

from mpm_deploy.artifact import read_manifest
from mpm_deploy.builder.build import build
from mpm_deploy.builder.model import make_model
from mpm_deploy.errors import ModelError
from mpm_deploy.models.reductions import Cts
from mpm_deploy.models.weights.files import convert_weights, read_weights
from mpm_deploy.models.weights.readers.checkpoints import read_checkpoint
from mpm_deploy.recipe import Recipe, load_recipe
from tests.models import official
from tests.models.plain_segmenter import PlainSegmenter, plain_scores
from tests.models.reductions.plain_cts import assembled, best_superpatches, expanded
from tests.models.weights.readers.test_segmenter import TOLERANCE, images_of, parts_of, recipe_for

SIZE, GRID, SHARED = 128, (8, 8), 6
CASES = [
    ("vit_tiny_patch16_384", "mask_transformer"),
    ("vit_tiny_patch16_384", "linear"),
    ("deit_tiny_distilled_patch16_224", "mask_transformer"),
]


class PlainCts(PlainSegmenter):
    """CTS's network, part by part."""

    def scores(self, image: Tensor) -> Tensor:
        pixels = self.normalized(image)
        best = best_superpatches(self.chances(pixels), self.net["policy_schedule"][1])
        kernel, bias = self.pair("encoder.patch_embed.proj")
        prefix = [self.weights["encoder.cls_token"][0]]
        if self.net["distilled"]:
            prefix.append(self.weights["encoder.dist_token"][0])
        position = self.position(len(prefix), GRID)
        numbers = (
            each.double().numpy() for each in (pixels, kernel, bias, position[len(prefix) :])
        )
        tokens = torch.from_numpy(assembled(*numbers, best)).float()
        tokens = torch.cat([torch.cat(prefix) + position[: len(prefix)], tokens])
        decoded = self.score(self.transform(tokens)[len(prefix) :])
        assert len(decoded) == sum(self.net["policy_schedule"])
        patches = torch.from_numpy(expanded(decoded.numpy(), best, GRID)).float()
        return patches.T.reshape(-1, *GRID)

    def chances(self, pixels: Tensor) -> list[float]:
        """The probability of each superpatch that it is of one class, by timm's network."""
        network = nn.Module()
        network.backbone = timm.create_model("efficientnet_lite0", features_only=True)
        network.head = nn.Conv2d(320, 2, 1)
        own = "policy_net."
        tensors = {n.removeprefix(own): t for n, t in self.weights.items() if n.startswith(own)}
        network.load_state_dict(tensors)
        logits = network.head(network.eval().backbone(pixels[None])[-1])
        chances: list[float] = logits.softmax(dim=1)[0, 1].flatten().tolist()
        return chances


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return official.write_checkpoint(tmp_path, CASES[0][0], size=SIZE, shared=SHARED)


def sharing(checkpoint: Path, *changes: str) -> Recipe:
    recipe = load_recipe("cpu_portable_fp32").with_weights(str(checkpoint))
    return recipe.override("merge.method=cts", "merge.blocks=[0]", *changes)


@pytest.mark.parametrize(("backbone", "head"), CASES)
def test_scores_are_those_of_a_plain_reading(tmp_path: Path, backbone: str, head: str) -> None:
    checkpoint = official.write_checkpoint(tmp_path, backbone, head=head, size=SIZE, shared=SHARED)
    model, info = make_model(sharing(checkpoint))
    assert info.trained_merge.member == Cts(SHARED) and info.image_size == (SIZE, SIZE)
    images = images_of(SIZE, SIZE, 4)
    plain = PlainCts(*parts_of(checkpoint), 1e-5)
    with torch.no_grad():
        scores, merge_maps = model(images)
        for image, got in zip(images, scores, strict=True):
            assert torch.allclose(got, plain.scores(image), rtol=0, atol=TOLERANCE)
    assert len({tuple(each.flatten().tolist()) for each in merge_maps}) > 1


def test_an_artifact_knows_how_many_are_shared(tiny: Path, tmp_path: Path) -> None:
    merge = read_manifest(build(sharing(tiny), tmp_path / "it.pt")).merge
    assert merge.options["shared"] == SHARED
    assert merge.weights is not None and merge.weights.origin == "checkpoint.pth"


def test_without_sharing_the_policy_is_left_out(tiny: Path) -> None:
    model, _ = make_model(recipe_for(tiny))
    (image,) = images_of(SIZE, SIZE, 1)
    with torch.no_grad():
        scores, _ = model(image[None])
        expected = plain_scores(*parts_of(tiny), image)
    assert torch.allclose(scores[0], expected, rtol=0, atol=TOLERANCE)


def test_converted_weights_share_alike(tiny: Path, tmp_path: Path) -> None:
    target = tmp_path / "it.safetensors"
    convert_weights(tiny, target)
    tensors, info = read_checkpoint(tiny)
    converted, info_of_converted = read_weights(target)
    assert converted.keys() == tensors.keys()
    assert all(torch.equal(converted[name], tensors[name]) for name in tensors)
    assert info_of_converted.trained_merge == info.trained_merge


def test_a_network_that_shares_nothing_is_a_segmenter(tmp_path: Path) -> None:
    checkpoint = official.write_checkpoint(tmp_path, CASES[0][0], size=SIZE)
    _, net = parts_of(checkpoint)
    nothing = {"policy_method": "no_sharing", "policy_schedule": (None, None)}
    official.write_variant(tmp_path, net | nothing | {"policynet_ckpt": None})
    tensors, info = read_checkpoint(checkpoint)
    assert info.merge == {} and not any("policy" in name for name in tensors)


# ---- bad input ----


def refused(checkpoint: Path) -> str:
    with pytest.raises(ModelError) as caught:
        read_checkpoint(checkpoint)
    error = caught.value
    assert "\n" not in error.problem and error.hint
    return error.problem


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"policy_schedule": (40, 5)}, "policy_schedule: expected tokens of one patch and of four"),
        ({"policy_schedule": (64, 0)}, "make up 8 x 8 patches, got (64, 0)"),
        ({"policy_schedule": (-4, 17)}, "make up 8 x 8 patches, got (-4, 17)"),
        ({"policy_schedule": None}, "make up 8 x 8 patches, got None"),
        ({"policy_schedule": (40, "6")}, "policy_schedule[1]: expected a whole number, got '6'"),
        ({"policy_method": "random"}, "unknown value 'random'; known are policy_net, no_sharing"),
        ({"policy_method": "no_sharing"}, "unexpected ['policy_net.backbone.blocks.0.0.bn1.bias'"),
    ],
)
def test_a_variant_that_shares_otherwise_is_refused(
    tiny: Path, change: dict[str, Any], problem: str
) -> None:
    _, net = parts_of(tiny)
    official.write_variant(tiny.parent, net | change)
    assert problem in refused(tiny)


def with_model(checkpoint: Path, **changes: Tensor | None) -> Path:
    """The checkpoint with other tensors of its policy; None takes one away."""
    model = parts_of(checkpoint)[0]
    model |= {f"policy_net.{name}": tensor for name, tensor in changes.items()}
    left = {name: tensor for name, tensor in model.items() if tensor is not None}
    torch.save({"model": left}, checkpoint)
    return checkpoint


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"head.bias": None}, "missing ['policy_net.head.bias'], unexpected none"),
        (
            {"backbone.blocks.0.0.bn1.running_var": None},
            "missing ['policy_net.backbone.blocks.0.0.bn1.running_var']",
        ),
        ({"head.extra": torch.zeros(2)}, "unexpected ['policy_net.head.extra']"),
        (
            {"head.weight": torch.zeros(3, 320, 1, 1)},
            "policy_net.head.weight: expected shape (2, 320, 1, 1)",
        ),
        (
            {"backbone.bn1.running_mean": torch.full((32,), float("nan"))},
            "policy_net.backbone.bn1.running_mean: expected values that are finite",
        ),
        (
            {"backbone.bn1.running_var": torch.full((32,), -1.0)},
            "policy.backbone.conv_stem.weight: expected values that are finite",
        ),
    ],
)
def test_a_damaged_policy_is_refused(
    tiny: Path, changes: dict[str, Tensor | None], problem: str
) -> None:
    assert problem in refused(with_model(tiny, **changes))


def test_a_policy_that_is_not_there_is_missing(tiny: Path) -> None:
    names = [name for name in parts_of(tiny)[0] if name.startswith("policy_net.")]
    gone = {name.removeprefix("policy_net."): None for name in names}
    problem = refused(with_model(tiny, **gone))
    assert "missing ['policy_net.backbone.blocks.0.0.bn1.bias'" in problem
    assert "and 234 more, unexpected none" in problem
