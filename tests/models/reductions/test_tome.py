"""ToMe against a slow reading of its paper; in models, recipes and an artifact."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mpm_deploy.artifact import read_manifest
from mpm_deploy.builder.build import build
from mpm_deploy.models import create
from mpm_deploy.models.encoders import vit
from mpm_deploy.models.flops import count_flops
from mpm_deploy.models.reductions import Packed, Tome
from mpm_deploy.models.reductions.base import patch_counts
from mpm_deploy.models.reductions.tome import SoftMatching
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.run.runner import Runner
from tests.conftest import small_recipe
from tests.models.reductions.bipartite import (
    Rows,
    both_sets,
    edges,
    merge_map,
    numbered,
    weighted_means,
)
from tests.models.reductions.reducing import (
    Image,
    Reduced,
    blocky_images,
    check_alone,
    check_independent_of_batch,
    check_maps,
    random_patches,
    reduce_images,
)
from tests.models.reductions.refused_options import assert_refused
from tests.support.flop_counting import counted_flops
from tests.support.packed import Maker, drifting, every_dtype, exact, exact_with_copies, gaussian

SIZE, PATCHES = (80, 112), 5 * 7
EVERY_BLOCK = tuple(range(12))


def slow_tome(keys: Rows, removed: int, special: int) -> list[int]:
    """Where each image token goes (section 3, "Bipartite Soft Matching")."""
    best_first = sorted(edges(keys, special), key=lambda edge: -edge[2])
    merging = {a: b for a, b, _ in best_first[:removed]}
    if special or not best_first:
        return merge_map(len(keys), special, merging)
    # Only for a class token's sake does the authors' program sort what is left of A.
    order = [a for a, _, _ in best_first[removed:]] + both_sets(len(keys), special)[1]
    return numbered(order, merging, len(keys))


def random_image(random: np.random.Generator, maker: Maker, count: int, special: int) -> Image:
    features = maker(random, special + count, 17)
    scales = torch.tensor([0.5, 1.5]) if maker is gaussian else torch.ones(2)
    keys = features[:, None] * scales[:, None]  # their mean is what was made
    tokens = gaussian(random, special + count, 12)
    return Image(tokens.float(), keys.float(), random_patches(random, count, 60))


def check_image(image: Image, reduced: Reduced, special: int, removed: int) -> None:
    keys = image.keys.mean(dim=1).double().numpy()[special:]
    expected = slow_tome(keys, removed, special)
    assert reduced.patches.tolist() == [expected[token] for token in image.patches]
    rows = image.tokens.double().numpy()
    means = weighted_means(rows[special:], image.sizes(special), expected)
    assert torch.equal(reduced.tokens[:special], image.tokens[:special])
    np.testing.assert_allclose(reduced.tokens[special:].numpy(), means, atol=1e-5)


@pytest.mark.parametrize("special", [0, 1, 2])
@pytest.mark.parametrize("maker", [gaussian, exact, exact_with_copies])
@pytest.mark.parametrize("schedule", [(0.0, 5), (0.25, 0), (0.5, 0), (0.0, 1000)])
def test_merges_are_those_of_the_paper(
    schedule: tuple[float, int], maker: Maker, special: int
) -> None:
    ratio, r = schedule
    random = np.random.default_rng(special)
    reduction = SoftMatching(ratio, r)
    for count in (1, 2, 3, *map(int, random.integers(4, 40, 12))):  # of every image of a batch
        images = [random_image(random, maker, count, special) for _ in range(3)]
        for image, reduced in zip(images, reduce_images(reduction, images, special), strict=True):
            removed = min(int(np.floor(ratio * count + 0.5)) + r, count // 2)
            assert len(reduced.tokens) == special + count - removed
            check_image(image, reduced, special, removed)


@every_dtype
def test_means_have_the_dtype_of_the_tokens(dtype: torch.dtype) -> None:
    tokens = torch.tensor([[1.0, 0.0], [3.0, 0.0], [0.0, 1.0]], dtype=dtype)
    image = Image(tokens, tokens[:, None], torch.tensor([0, 1, 1, 1, 2]))
    (reduced,) = reduce_images(SoftMatching(0.0, 1), [image], 0)
    assert reduced.tokens.tolist() == [[0.0, 1.0], [2.5, 0.0]]  # 1 and three 3s
    assert reduced.patches.tolist() == [1, 1, 1, 1, 0]


@every_dtype
@pytest.mark.parametrize("maker", [gaussian, drifting, exact_with_copies])
def test_no_image_depends_on_its_batch(maker: Maker, dtype: torch.dtype) -> None:
    random = np.random.default_rng(0)
    for count in (1, 2, 77, 300):
        rows = [maker(random, count + 1, 64).to(dtype) for _ in range(7)]
        images = [Image(part, part[:, None], torch.arange(count)) for part in rows]
        check_alone(SoftMatching(0.3, 0), images, 1)


def tome_model(
    method: Tome,
    blocks: tuple[int, ...] = EVERY_BLOCK,
    size: tuple[int, int] = SIZE,
    name: str = "seg_t16_mask",
    reconstruct: str = "after_decoder",
) -> Segmenter:
    return create(
        name,
        classes=5,
        image_size=size,
        blocks=blocks,
        method=method,
        reconstruct=reconstruct,
    )


@pytest.mark.parametrize("name", ["seg_t16_mask", "seg_deit_t16_linear"])
def test_every_image_keeps_as_many_whatever_its_batch(name: str) -> None:
    maps = check_independent_of_batch(tome_model(Tome(r=2), name=name), blocky_images(5, SIZE))
    kept = [PATCHES - 2 * merges for merges in range(1, 13)]
    assert (maps.amax(dim=2) + 1).tolist() == [kept] * 5


@pytest.mark.parametrize("proportional", [False, True])
def test_late_reconstruction_is_early(proportional: bool) -> None:
    method = Tome(0.3, proportional_attention=proportional)
    images = blocky_images(3, SIZE)
    with torch.inference_mode():
        scores, maps = tome_model(method, (1, 4))(images)
        early, early_maps = tome_model(method, (1, 4), reconstruct="before_decoder")(images)
    assert torch.equal(maps, early_maps)
    torch.testing.assert_close(scores, early, atol=1e-4, rtol=0)


def test_patches_are_counted_once_a_merge(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks between two merges have the same rows, and so the same counts."""
    counted = 0

    def count(packed: Packed) -> torch.Tensor:
        nonlocal counted
        counted += 1
        return patch_counts(packed)

    model, images = tome_model(Tome(0.3), (1, 4)), blocky_images(2, SIZE)
    monkeypatch.setattr(vit, "patch_counts", count)
    with torch.inference_mode():
        scores, _ = model(images)
        assert counted == 2
        model.encoder.new_rows = list(range(12))  # counted anew at every block
        anew, _ = model(images)
    assert counted == 2 + 10
    assert torch.equal(scores, anew)


def test_proportional_attention_counts_equal_tokens_as_they_were() -> None:
    """Where only equal tokens merge, in pairs, nothing is lost; without it something is."""
    pairs = torch.randint(0, 256, (1, 3, 5, 4), dtype=torch.uint8, generator=torch.manual_seed(0))
    images = pairs.repeat_interleave(16, dim=2).repeat_interleave(32, dim=3)  # 5 × 8 patches
    images[..., :32] = images[..., 32:64]  # a column of quadruplets: sizes differ
    scores = {}
    for key, method, blocks in (
        ("full", None, ()),
        ("proportional", Tome(r=20), (0,)),
        ("plain", Tome(r=20, proportional_attention=False), (0,)),
    ):
        model = create(
            "seg_t16_mask", classes=5, image_size=(80, 128), blocks=blocks, method=method
        )
        with torch.inference_mode():
            for parameter in model.parameters():
                parameter.mul_(3)  # far from uniform attention
            model.encoder.position.zero_()
            scores[key] = model(images)[0]
    torch.testing.assert_close(scores["proportional"], scores["full"], atol=1e-4, rtol=0)
    assert (scores["plain"] - scores["full"]).abs().max() > 1e-3


@pytest.mark.parametrize("name", ["seg_t16_mask", "seg_t16_linear"])
@pytest.mark.parametrize("blocks", [EVERY_BLOCK, (2, 5)])
def test_flops_are_what_torch_counts(name: str, blocks: tuple[int, ...]) -> None:
    """Attention at the tokens before a merge, the MLP at those after it."""
    model = tome_model(Tome(0.1), blocks, (160, 160), name)
    with counted_flops() as counter:
        _, merge_maps = model(blocky_images(1, (160, 160)))
    tokens = [100, *(merge_maps[0].amax(dim=1) + 1).tolist()]
    assert count_flops(model).total(tokens) == pytest.approx(counter.get_total_flops(), rel=1e-3)


def test_one_image_exports_without_a_size_that_depends_on_the_data() -> None:
    model, images = tome_model(Tome(0.1)), blocky_images(3, SIZE)
    with torch.no_grad():
        exported = torch.export.export(model, (images[:1],)).module()
        for image in images.split(1):
            scores, maps = exported(image)
            expected, expected_maps = model(image)
            assert torch.equal(maps, expected_maps)
            torch.testing.assert_close(scores, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("merge", "problem", "hint"),
    [
        ({}, "merge.ratio: expected ratio or r, got neither", "merge.ratio=0.1"),
        ({"ratio": 0.1, "r": 4}, "expected ratio or r, got both", "merge.ratio=0.1"),
        ({"ratio": 0.6}, "merge.ratio: expected above 0, 0.5 at most, got 0.6", ""),
        ({"ratio": 0}, "merge.ratio: expected above 0", ""),
        ({"r": 0}, "merge.r: expected > 0, got 0", ""),
        ({"r": 2.5}, "merge.r: expected a whole number", ""),
        ({"r": 4, "threshold": 0.9}, "merge.threshold: unknown key with merge method", "'algm'"),
        ({"method": "mpm", "r": 4}, "merge.r: unknown key with merge method 'mpm'", "'tome'"),
        (
            {"method": "mpm", "proportional_attention": True},
            "merge.proportional_attention: unknown key with merge method 'mpm'",
            "'tome'",
        ),
    ],
)
def test_a_recipe_says_what_is_wrong_with_its_options(
    merge: dict[str, object], problem: str, hint: str
) -> None:
    assert_refused("tome", merge, problem, hint)


def test_images_of_another_size_lose_as_large_a_part() -> None:
    assert Tome(r=8).scaled(4) == Tome(r=32)
    assert Tome(r=8).scaled(1 / 64) == Tome(r=1)  # none would be no merge
    assert Tome(0.2).scaled(4) == Tome(0.2)


def test_a_recipe_without_merging_has_no_options_left() -> None:
    recipe = small_recipe().override("merge.method=tome", "merge.r=4")
    assert recipe.full_token() == small_recipe().full_token()


@pytest.mark.parametrize("options", ["merge.ratio=0.2", "merge.proportional_attention=false"])
def test_an_artifact_runs(options: str, tmp_path: Path, image_folder: Path) -> None:
    also = "merge.r=3" if "ratio" not in options else options
    recipe = small_recipe().override(
        "merge.method=tome", f"merge.blocks={list(EVERY_BLOCK)}", options, also
    )
    path = build(recipe, tmp_path / "tome.pt")
    manifest = read_manifest(path)
    assert manifest.merge.method == "tome" and manifest.merge.blocks == EVERY_BLOCK
    assert len(manifest.flops.stages) == 13
    kept = {
        "merge.ratio=0.2": (19, 15, 12, 10, 8, 6, 5, 4, 3, 2, 2, 2),
        "merge.proportional_attention=false": (21, 18, 15, 12, 9, 6, 3, 2, 1, 1, 1, 1),
    }
    with Runner(path) as runner:
        for file in sorted(image_folder.iterdir()):
            result = runner(file)
            assert result.tokens_kept == kept[options]
            check_maps(torch.from_numpy(result.merge_maps)[None])
