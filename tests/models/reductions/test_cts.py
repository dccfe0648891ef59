"""CTS against a plain reading of its authors' program; in models and before later merges."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mpm_deploy import sweep
from mpm_deploy.artifact import WeightsOrigin, read_manifest
from mpm_deploy.builder.build import build
from mpm_deploy.builder.model import make_model
from mpm_deploy.errors import MissingPackageError, ModelError
from mpm_deploy.models import create
from mpm_deploy.models.encoders.config import EncoderConfig
from mpm_deploy.models.encoders.timm_vit import encoder_from_timm
from mpm_deploy.models.encoders.vit import Encoder
from mpm_deploy.models.flops import count_flops
from mpm_deploy.models.reductions import Cts, Mpm
from mpm_deploy.models.reductions.cts import Sharing
from mpm_deploy.models.reductions.cts_policy import Policy, policy_network
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.models.weights.files import save_weights
from mpm_deploy.recipe import Recipe, load_recipe
from mpm_deploy.run.runner import Runner
from mpm_deploy.show.tables import way_of_merging
from mpm_deploy.support.schema import to_mapping
from tests.conftest import cpu_recipes, small_recipe
from tests.models.reductions.plain_cts import assembled, best_superpatches, cells, expanded
from tests.models.reductions.reducing import blocky_images, check_independent_of_batch
from tests.models.reductions.refused_options import assert_refused
from tests.support.flop_counting import counted_flops
from tests.support.packed import unpack

GRIDS = [(4, 6), (2, 2), (6, 8), (2, 10)]
SIZE, GRID, SHARED = (96, 128), (6, 8), 5
SCENES = Path(__file__).parents[3] / "examples" / "scenes"


def encoder_of(grid: tuple[int, int], special: int, shared: int, pre_norm: bool = False) -> Encoder:
    """A float64 encoder whose every weight matters."""
    config = EncoderConfig(
        (16 * grid[0], 16 * grid[1]),
        width=24,
        depth=1,
        heads=2,
        mlp_width=32,
        special_tokens=special,
        pre_norm=pre_norm,
    )
    encoder = Encoder(config, (0,), Cts(shared))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.normal_(std=0.3, generator=generator)
    return encoder.double().eval()


def sharing_of(encoder: Any) -> Sharing:
    sharing = encoder.blocks[0].reduction
    assert isinstance(sharing, Sharing)
    return sharing


@pytest.mark.parametrize("special", [0, 1, 2])
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_tokens_are_assembled_as_the_authors_do(
    grid: tuple[int, int], special: int, share: float
) -> None:
    superpatches = grid[0] * grid[1] // 4
    shared = max(1, round(share * superpatches))
    encoder = encoder_of(grid, special, shared)
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(3, 3, *encoder.image_size, generator=generator).double()
    scores = torch.randint(-2, 3, (3, superpatches), generator=generator).double()  # with ties
    with torch.no_grad():
        packed = sharing_of(encoder).share(
            encoder.embed(images), scores, encoder._embed_halved(images)
        )
    length = special + grid[0] * grid[1] - 3 * shared
    assert packed.offsets.tolist() == [0, length, 2 * length, 3 * length]
    assert packed.offsets.dtype == torch.int32 and packed.rows.dtype == torch.int64
    assert (packed.max_length, packed.special_tokens) == (length, special)
    kernel, bias = encoder.patch_embed.weight.detach().numpy(), encoder.patch_embed.bias
    for image, tokens, rows, score in zip(
        images, unpack(packed.tokens, packed.offsets), packed.rows, scores, strict=True
    ):
        best = best_superpatches(score.tolist(), shared)
        expected = assembled(
            image.numpy(),
            kernel,
            bias.detach().numpy(),
            encoder.position.detach().numpy(),
            best,
        )
        assert torch.equal(tokens[:special], encoder.special)
        np.testing.assert_allclose(tokens[special:].numpy(), expected, rtol=1e-9, atol=1e-9)
        # What each patch reads is what expanding gives it.
        own = rows - rows.min() if shared == superpatches else rows - rows[0] + _token(best, grid)
        marks = np.arange(length - special, dtype=float)[:, None]
        assert own.tolist() == expanded(marks, best, grid)[:, 0].tolist()


def _token(best: list[int], grid: tuple[int, int]) -> int:
    """The token of the first patch."""
    return grid[0] * grid[1] - 4 * len(best) if best[0] == 0 else 0


def test_a_norm_before_the_blocks_is_that_of_shared_tokens_too() -> None:
    plain, normed = (encoder_of((4, 4), 1, 2, pre_norm) for pre_norm in (False, True))
    normed.load_state_dict(plain.state_dict(), strict=False)
    images = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        expected = normed.norm_pre(plain._embed_halved(images))
        assert torch.equal(normed._embed_halved(images), expected)


# ---- the policy ----


def trained_network() -> nn.Module:
    """A network whose batch norms all say something."""
    generator = torch.Generator().manual_seed(3)
    network = policy_network()
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 2.0, generator=generator)
            elif tensor.dim() == 1 and tensor.is_floating_point():
                tensor.normal_(0.8 if name.endswith("weight") else 0.0, 0.2, generator=generator)
    return network


def test_the_policy_orders_superpatches_by_the_softmax_of_the_networks_second_class() -> None:
    network = trained_network()
    policy = Policy(network)
    images = torch.randn(2, 3, 160, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert network.training
        logits = network.eval()(images)
        scores = policy(images)
    assert logits.shape == (2, 2, 5, 3) and scores.shape == (2, 15)
    expected = (logits[:, 1] - logits[:, 0]).flatten(1)
    torch.testing.assert_close(scores, expected, rtol=1e-4, atol=1e-4)
    chances = logits.softmax(dim=1)[:, 1].flatten(1)
    assert torch.equal(scores.argsort(dim=1), chances.argsort(dim=1))
    assert chances.std() > 0.01
    assert not any("running" in name for name in policy.state_dict())


def test_superpatches_that_are_nearly_alike_keep_their_order_in_bfloat16() -> None:
    policy = Policy(trained_network()).bfloat16()
    images = torch.randn(1, 3, 160, 96, generator=torch.Generator().manual_seed(0)).bfloat16()
    with torch.no_grad():
        policy.head.bias.copy_(torch.tensor([0.0, 300.0]))  # of bfloat16 the next is 302
        scores = policy(images)[0]
        features = policy.backbone(images)[0].flatten(1).double()  # (C, 15)
        weight = policy.head.weight.flatten(1).double()
        expected = (weight[1] - weight[0]) @ features + 300.0
    assert scores.dtype == torch.float32
    assert len(scores.unique()) == 15
    assert torch.equal(scores.argsort(), expected.argsort())


def test_random_policies_are_the_same_for_the_same_seed_and_differ_by_image() -> None:
    first, second = (model(seed=seed) for seed in (0, 0))
    third = model(seed=1)
    images = blocky_images(6, SIZE)
    maps = [each(images)[1] for each in (first, second, third)]
    assert torch.equal(maps[0], maps[1]) and not torch.equal(maps[0], maps[2])
    assert len({tuple(each.flatten().tolist()) for each in maps[0]}) == 6


def test_without_timm_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingPackageError, match=r"the policy network of CTS needs timm"):
        Policy()


# ---- models ----


def model(
    blocks: tuple[int, ...] = (0,),
    name: str = "seg_t16_mask",
    size: tuple[int, int] = SIZE,
    reconstruct: str = "after_decoder",
    seed: int = 0,
    **options: Any,
) -> Segmenter:
    return create(
        name,
        classes=5,
        image_size=size,
        blocks=blocks,
        method=Cts(**{"shared": SHARED, **options}),
        reconstruct=reconstruct,
        seed=seed,
    )


def plain_scores(segmenter: Segmenter, image: Tensor) -> Tensor:
    """Scores ``(N, K)`` of one image, token by token as `plain_cts` has them."""
    encoder: Any = segmenter.encoder
    normalized = (image[None] * segmenter.scale + segmenter.shift).double()
    best = best_superpatches(sharing_of(encoder).policy(normalized.float())[0].tolist(), SHARED)
    tokens = assembled(
        normalized[0].numpy(),
        encoder.patch_embed.weight.double().numpy(),
        encoder.patch_embed.bias.double().numpy(),
        encoder.position.double().numpy(),
        best,
    )
    rows = torch.cat([encoder.special, torch.from_numpy(tokens).float()])
    offsets = torch.tensor([0, len(rows)], dtype=torch.int32)
    alone = torch.arange(len(tokens))[None] + encoder.special_tokens
    packed = encoder.embed(normalized.float())._replace(
        tokens=rows, offsets=offsets, max_length=len(rows), rows=alone
    )
    for block in encoder.blocks:
        packed = block(packed)
    packed = packed._replace(tokens=encoder.norm(packed.tokens))
    scores = segmenter.decoder([packed], None)[0]  # (K tokens, classes)
    return torch.from_numpy(expanded(scores.numpy(), best, encoder.grid))


@pytest.mark.parametrize(
    "name", ["seg_t16_mask", "seg_deit_t16_linear", "vit_tiny_patch16+mask_transformer"]
)
def test_scores_are_those_of_the_plain_reading(name: str) -> None:
    segmenter, images = model(name=name), blocky_images(3, SIZE)
    with torch.inference_mode():
        scores, merge_maps = segmenter(images)
        for image, got, maps in zip(images, scores, merge_maps, strict=True):
            expected = plain_scores(segmenter, image).float()
            torch.testing.assert_close(got.flatten(1).T, expected, atol=2e-5, rtol=0)
            kept = GRID[0] * GRID[1] - 3 * SHARED
            assert maps.unique().tolist() == list(range(kept))
            sizes = torch.bincount(maps[0])
            assert sizes.tolist() == [1] * (kept - SHARED) + [4] * SHARED


def test_four_patches_of_a_token_are_one_superpatch() -> None:
    _, merge_maps = model()(blocky_images(4, SIZE))
    for merge_map in merge_maps[:, 0]:
        for token in range(GRID[0] * GRID[1] - 4 * SHARED, GRID[0] * GRID[1] - 3 * SHARED):
            first = int((merge_map == token).nonzero()[0])
            superpatch = first // GRID[1] // 2 * (GRID[1] // 2) + first % GRID[1] // 2
            assert (merge_map == token).nonzero().flatten().tolist() == cells(superpatch, GRID[1])


@pytest.mark.parametrize("blocks", [(0,), (0, 2, 5)])
@pytest.mark.parametrize("name", ["seg_t16_mask", "eomt_t16"])
def test_images_keep_what_they_would_alone(name: str, blocks: tuple[int, ...]) -> None:
    maps = check_independent_of_batch(model(blocks, name), blocky_images(6, SIZE))
    kept = maps.amax(dim=2) + 1
    assert (kept[:, 0] == GRID[0] * GRID[1] - 3 * SHARED).all()
    assert (kept.diff(dim=1) < 0).all()


@pytest.mark.parametrize("name", ["seg_t16_mask", "seg_t16_linear", "eomt_t16"])
@pytest.mark.parametrize("blocks", [(0,), (0, 2, 5)])
def test_where_patches_are_counted_late_reconstruction_is_early(
    name: str, blocks: tuple[int, ...]
) -> None:
    images = blocky_images(4, SIZE)
    with torch.inference_mode():
        scores, maps = model(blocks, name, weighted_decoding=True)(images)
        early, early_maps = model(blocks, name, reconstruct="before_decoder")(images)
    assert torch.equal(maps, early_maps)
    torch.testing.assert_close(scores, early, atol=1e-4, rtol=0)


def test_what_merges_after_sharing_counts_as_often_as_its_tokens() -> None:
    """The scores are those that the tokens left by sharing would have, decoded by themselves."""
    segmenter, images = model((0, 2, 5)), blocky_images(4, SIZE)
    with torch.inference_mode():
        scores, maps = segmenter(images)
        taps, _ = segmenter.encoder(images * segmenter.scale + segmenter.shift)
        packed = taps[-1]
        for index in range(len(images)):
            shared, last = maps[index, 0].long(), maps[index, -1].long()
            kept = int(shared.max()) + 1
            token_of = torch.zeros(kept, dtype=torch.int64).scatter(0, shared, last)
            first = int(packed.offsets[index])
            rows = torch.cat([torch.zeros(1, dtype=torch.int64), 1 + token_of]) + first
            offsets = torch.tensor([0, len(rows)], dtype=torch.int32)
            alone = packed._replace(
                tokens=packed.tokens[rows],
                offsets=offsets,
                max_length=len(rows),
                rows=torch.arange(1, kept + 1)[None],
            )
            expected = segmenter.decoder([alone], None)[0][shared]  # (N, K)
            torch.testing.assert_close(scores[index].flatten(1).T, expected, atol=1e-4, rtol=0)


def test_an_empty_schedule_is_the_full_token_model() -> None:
    images = blocky_images(2, SIZE)
    segmenter = model(())
    assert not any("policy" in name for name in segmenter.state_dict())
    full = create("seg_t16_mask", classes=5, image_size=SIZE, blocks=())
    with torch.inference_mode():
        assert torch.equal(segmenter(images)[0], full(images)[0])


def test_gradients_reach_patches_but_not_the_policy() -> None:
    segmenter = model()
    segmenter(blocky_images(1, SIZE))[0].square().sum().backward()
    grown = {name for name, each in segmenter.named_parameters() if each.grad is not None}
    assert "encoder.patch_embed.weight" in grown and "encoder.position" in grown
    assert not [name for name in grown if "policy" in name]


@pytest.mark.parametrize("name", ["seg_t16_mask", "seg_t16_linear"])
@pytest.mark.parametrize("blocks", [(0,), (0, 2, 5)])
def test_flops_are_what_torch_counts(name: str, blocks: tuple[int, ...]) -> None:
    size = (160, 192)
    segmenter = model(blocks, name, size)
    with counted_flops() as counter:
        _, merge_maps = segmenter(blocky_images(2, size)[1:])
    tokens = [120, *(merge_maps[0].amax(dim=1) + 1).tolist()]
    expected = pytest.approx(counter.get_total_flops(), rel=1e-3)
    assert count_flops(segmenter).total(tokens) == expected
    policy = sharing_of(segmenter.encoder).policy
    with counted_flops() as counter:
        policy(torch.zeros(1, 3, *size))
    assert policy.flops(size) == counter.get_total_flops() > 1e8


# ---- errors ----


@pytest.mark.parametrize(
    ("blocks", "size", "options", "problem", "hint"),
    [
        (
            (2, 5),
            SIZE,
            {},
            "blocks: expected block 0 first for CTS, got [2, 5]",
            "=[0], or with later blocks too, at which what is left merges: "
            "--set merge.blocks=[0, 2, 5]",
        ),
        ((0,), (80, 128), {}, "expected a grid of 2 × 2 patches each, got 5 × 8", "whole 32"),
        ((0,), SIZE, {"shared": 13}, "shared: expected at most the 12 superpatches", "shared=4"),
        ((0,), (32, 32), {"shared": 2}, "expected at most the 1 superpatches", "shared=1"),
        ((0,), SIZE, {"shared": None}, "shared: expected how many superpatches", "shared=103"),
    ],
)
def test_a_model_says_what_does_not_fit(
    blocks: tuple[int, ...],
    size: tuple[int, int],
    options: dict[str, Any],
    problem: str,
    hint: str,
) -> None:
    with pytest.raises(ModelError) as caught:
        model(blocks, size=size, **options)
    assert problem in caught.value.problem
    assert hint in (caught.value.hint or "")


def test_other_patches_are_refused() -> None:
    with pytest.raises(ModelError, match=r"expected patches of 16 pixels.*got 8"):
        model(name="seg_b8_mask", size=(32, 32), shared=1)


def test_a_merge_after_embedding_is_at_the_first_block_alone() -> None:
    class Late(Mpm):
        def reductions(self, schedule: Any, grid: Any) -> Any:
            return [Sharing(grid, 1) for _ in schedule]

    with pytest.raises(ModelError, match="blocks: expected 0 for a merge after embedding, got 3"):
        create("seg_t16_mask", classes=5, image_size=SIZE, blocks=(3,), method=Late())


@pytest.mark.parametrize(
    ("merge", "problem", "hint"),
    [
        ({"shared": 0}, "merge.shared: expected > 0, got 0", "merge.shared=103"),
        ({"shared": "half"}, "merge.shared: expected a whole number, got 'half'", ""),
        ({"ratio": 0.1}, "merge.ratio: unknown key with merge method", "tome"),
        (
            {"shared": 3, "blocks": [2, 5]},
            "merge.blocks: expected block 0 first with method 'cts', got [2, 5]",
            "merge.blocks=[0], or --set merge.blocks=[0, 2, 5]",
        ),
    ],
)
def test_a_recipe_says_what_is_wrong_with_its_options(
    merge: dict[str, object], problem: str, hint: str
) -> None:
    assert_refused("cts", merge, problem, hint)


# ---- recipes, weights and artifacts ----


SHARING = ("merge.method=cts", "merge.blocks=[0,2]", "merge.shared=3")


def cts_recipe(name: str = "cpu_portable_fp32", *changes: str) -> Recipe:
    return small_recipe(name).override(*SHARING, *changes)


@pytest.mark.parametrize("name", cpu_recipes(("cpu_portable_fp32",), SHARING))
def test_an_artifact_runs(name: str, tmp_path: Path, image_folder: Path) -> None:
    recipe = cts_recipe(name)
    path = build(recipe, tmp_path / f"cts{recipe.backend.member.suffix}")
    manifest = read_manifest(path)
    merge = manifest.merge
    assert (merge.method, merge.place, merge.blocks) == ("cts", "before_block", (0, 2))
    assert merge.options == {"shared": 3, "weighted_decoding": False}
    assert merge.weights == WeightsOrigin("random", None)
    assert way_of_merging(merge) == "cts before blocks 0 and 2"
    assert len(manifest.flops.stages) == 3
    with Runner(path) as runner:
        for file in sorted(image_folder.iterdir()):
            result = runner(file)
            assert 24 - 3 * 3 == result.tokens_kept[0] > result.tokens_kept[1] >= 7
            assert np.bincount(result.merge_maps[0]).tolist() == [1] * 12 + [4] * 3


def trained_weights(folder: Path, name: str = "it.safetensors") -> Path:
    """Weights that a model of `cts_recipe` was trained with, which say so."""
    source, info = make_model(cts_recipe())
    about = {
        name: each
        for name, each in to_mapping(info).items()
        if name not in ("origin", "sha256", "base")
    }
    merge = {"method": "cts", "blocks": [0], "shared": 3}
    save_weights(source, folder / name, about | {"merge": merge})
    return folder / name


def test_a_recipe_takes_how_many_are_shared_from_its_weights(tmp_path: Path) -> None:
    weights = str(trained_weights(tmp_path))
    plain = load_recipe("cpu_portable_fp32").with_weights(weights)
    recipe = plain.override("merge.method=cts", "merge.blocks=[0]")
    path = build(recipe, tmp_path / "it.pt")
    merge = read_manifest(path).merge
    assert merge.options["shared"] == 3
    assert merge.weights is not None and merge.weights.origin == "it.safetensors"
    other, _ = make_model(recipe.override("merge.shared=2"))
    assert sharing_of(other.encoder).shared == 2
    for size, superpatches in (((128, 128), 8), ((32, 96), 2)):  # of 16 and of 3, as 3 of 6
        larger, _ = make_model(recipe.override(f"model.image_size={[*size]}"))
        assert sharing_of(larger.encoder).shared == superpatches
    merged, _ = make_model(plain)  # by Mutual Pair Merging, without the policy
    assert merged.encoder.schedule == [2, 5]


def test_weights_without_a_policy_are_refused() -> None:
    recipe = load_recipe("cpu_portable_fp32").override("merge.method=cts", "merge.blocks=[0]")
    with pytest.raises(ModelError) as caught:
        make_model(recipe.override("merge.shared=103"))
    assert "demo: expected weights of the merge method too" in caught.value.problem
    assert "trained with this merge.method" in (caught.value.hint or "")


def test_a_vit_that_is_given_in_python_has_no_policy() -> None:
    import timm

    vit = timm.create_model("vit_tiny_patch16_224", img_size=64).eval()
    with pytest.raises(ModelError, match="VisionTransformer: expected weights of the merge method"):
        encoder_from_timm(vit, (0,), Cts(3))


def test_a_sweep_finds_before_it_builds_that_there_is_no_policy(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="demo: expected weights of the merge method too"):
        sweep(
            "cpu_portable_fp32",
            SCENES,
            methods=["mpm", "cts:shared=103"],
            schedules=[(0,)],
            output=tmp_path / "sweep",
        )
    assert not list((tmp_path / "sweep").glob("*.pt"))
