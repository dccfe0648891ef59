"""ALGM without training against a slow reading of its paper; in models, recipes and an artifact."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch

from mpm_deploy.artifact import read_manifest
from mpm_deploy.builder.build import build
from mpm_deploy.errors import ModelError
from mpm_deploy.models import create
from mpm_deploy.models.flops import count_flops
from mpm_deploy.models.reductions import Algm
from mpm_deploy.models.reductions.algm import GlobalMatching, WindowPooling
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.run.runner import Runner
from tests.conftest import small_recipe
from tests.models.reductions.bipartite import (
    Rows,
    cosine,
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
from tests.support.packed import Maker, drifting, every_dtype, gaussian

SIZE, PATCHES = (80, 112), 5 * 7
every_special = pytest.mark.parametrize("special", [0, 1, 2])


def slow_windows(tokens: Rows, grid: tuple[int, int], threshold: float) -> list[int]:
    """Where each patch goes in the local merge: windows that are alike in front, best first."""
    down, across = grid
    alike: list[tuple[float, list[int]]] = []
    for top in range(0, down - 1, 2):
        for left in range(0, across - 1, 2):
            window = [(top + i) * across + left + j for i in (0, 1) for j in (0, 1)]
            cosines = [cosine(tokens[i], tokens[j]) for i, j in combinations(window, 2)]
            if sum(cosines) / 6 >= threshold:
                alike.append((sum(cosines) / 6, window))
    best_first = [window for _, window in sorted(alike, key=lambda pair: -pair[0])]
    alone = sorted(set(range(len(tokens))) - {patch for window in best_first for patch in window})
    merging = {patch: window[0] for window in best_first for patch in window}
    return numbered([window[0] for window in best_first] + alone, merging, len(tokens))


def slow_global(tokens: Rows, special: int) -> list[int]:
    """Where each token goes in the global merge, at the fifth block."""
    found = edges(tokens, special)
    cosines = [similarity for _, _, similarity in found]
    # the deviation of a sample, by the number of the layer
    cut = np.mean(cosines) + np.std(cosines, ddof=1) / 5 if len(found) > 1 else np.inf
    merging = {a: b for a, b, similarity in found if similarity >= cut}
    return merge_map(len(tokens), special, merging)


def check_image(image: Image, reduced: Reduced, special: int, expected: list[int]) -> None:
    assert reduced.patches.tolist() == [expected[token] for token in image.patches]
    rows = image.tokens.double().numpy()
    means = weighted_means(rows[special:], image.sizes(special), expected)
    assert torch.equal(reduced.tokens[:special], image.tokens[:special])
    np.testing.assert_allclose(reduced.tokens[special:].numpy(), means, atol=1e-5, rtol=1e-5)


def image_of(tokens: torch.Tensor, patches: torch.Tensor) -> Image:
    keys = torch.full((len(tokens), 2, 3), float("nan"))  # not what it compares
    return Image(tokens.float(), keys, patches)


@every_special
@pytest.mark.parametrize("grid", [(4, 6), (5, 7), (1, 8), (6, 1), (3, 4)])
def test_windows_merge_where_they_are_alike(grid: tuple[int, int], special: int) -> None:
    random = np.random.default_rng([*grid, special])
    down, across = grid
    merged = []
    for _ in range(4):
        images = []
        for _ in range(4):
            # Windows from nearly equal to unlike, about directions of their own.
            centres = random.standard_normal(((down + 1) // 2, (across + 1) // 2, 16))
            noise = random.uniform(0, 1.2, (*centres.shape[:2], 1))
            spread = [
                np.repeat(np.repeat(part, 2, 0), 2, 1)[:down, :across] for part in (centres, noise)
            ]
            rows = spread[0] + spread[1] * random.standard_normal((down, across, 16))
            tokens = torch.cat(
                [gaussian(random, special, 16), torch.from_numpy(rows.reshape(-1, 16))]
            )
            images.append(image_of(tokens, torch.arange(down * across)))
        reduction = WindowPooling(grid, 0.8)
        for image, reduced in zip(images, reduce_images(reduction, images, special), strict=True):
            tokens = image.tokens.double().numpy()[special:]
            check_image(image, reduced, special, slow_windows(tokens, grid, 0.8))
            merged.append(len(image.tokens) - len(reduced.tokens))
    whole = min(grid) > 1
    assert (len(set(merged)) > 1) == whole and (max(merged) > 0) == whole


@every_special
@pytest.mark.parametrize("maker", [gaussian, drifting])
def test_the_global_merge_cuts_at_mean_and_a_part_of_the_deviation_of_each_image(
    maker: Maker, special: int
) -> None:
    random = np.random.default_rng(special)
    removed = []
    for _ in range(8):
        images = []
        for count in random.integers(1, 40, 5):
            tokens = maker(random, special + int(count), 12)
            images.append(image_of(tokens, random_patches(random, int(count), 60)))
        for image, reduced in zip(
            images, reduce_images(GlobalMatching(5), images, special), strict=True
        ):
            tokens = image.tokens.double().numpy()[special:]
            check_image(image, reduced, special, slow_global(tokens, special))
            removed.append(len(image.tokens) - len(reduced.tokens))
    assert max(removed) > 2


@every_dtype
def test_means_have_the_dtype_of_the_tokens(dtype: torch.dtype) -> None:
    tokens = torch.tensor([[1.0, 0.0], [2.0, 0.0], [4.0, 0.0], [5.0, 0.0]], dtype=dtype)
    image = Image(tokens, tokens[:, None], torch.arange(4))
    (reduced,) = reduce_images(WindowPooling((2, 2), 0.99), [image], 0)
    assert reduced.tokens.tolist() == [[3.0, 0.0]]


@every_dtype
@pytest.mark.parametrize("maker", [gaussian, drifting])
def test_no_image_depends_on_its_batch(maker: Maker, dtype: torch.dtype) -> None:
    random = np.random.default_rng(0)
    for reduction, counts in (
        (WindowPooling((15, 20), 0.3), [300] * 6),
        (GlobalMatching(5), [1, 2, 3, 4, 77, 299, 300]),
    ):
        rows = [maker(random, count + 1, 64).to(dtype) for count in counts]
        patches = [torch.arange(300) % count for count in counts]
        images = [Image(row, row[:, None], patch) for row, patch in zip(rows, patches, strict=True)]
        check_alone(reduction, images, 1)


def algm_model(
    size: tuple[int, int] = SIZE,
    name: str = "seg_t16_mask",
    reconstruct: str = "after_decoder",
    weighted: bool = False,
) -> Segmenter:
    return create(
        name,
        classes=5,
        image_size=size,
        blocks=(0, 4),
        method=Algm(0.9, weighted_decoding=weighted),
        reconstruct=reconstruct,
    )


@pytest.mark.parametrize("name", ["seg_t16_mask", "seg_deit_t16_linear"])
def test_images_keep_what_they_would_alone(name: str) -> None:
    maps = check_independent_of_batch(algm_model(name=name), blocky_images(6, SIZE))
    kept = maps.amax(dim=2) + 1
    assert len(set(kept[:, 0].tolist())) > 1  # of all images of a batch, no least
    assert (kept[:, 1] < kept[:, 0]).any()


@pytest.mark.parametrize(("blocks", "layer"), [((0, 4), 5), ((0, 6), 7)])
def test_the_deviation_is_divided_by_the_number_of_the_layer(
    blocks: tuple[int, ...], layer: int
) -> None:
    _, matching = Algm(0.9).reductions(blocks, (4, 4))
    assert isinstance(matching, GlobalMatching) and matching.layer == layer


def test_where_decoding_is_weighted_late_reconstruction_is_early() -> None:
    images = blocky_images(4, SIZE)
    with torch.inference_mode():
        scores, maps = algm_model(weighted=True)(images)
        early, early_maps = algm_model(reconstruct="before_decoder")(images)
    assert torch.equal(maps, early_maps)
    torch.testing.assert_close(scores, early, atol=1e-4, rtol=0)


def test_merged_tokens_are_decoded_unweighted() -> None:
    model, images = algm_model(), blocky_images(4, SIZE)
    with torch.inference_mode():
        scores, _ = model(images)
        taps, _ = model.encoder(images * model.scale + model.shift)
        expected = model.decoder(taps, None)
    assert torch.equal(scores.flatten(2).transpose(1, 2), expected)


@pytest.mark.parametrize("name", ["seg_t16_mask", "seg_t16_linear"])
def test_flops_are_what_torch_counts(name: str) -> None:
    model = algm_model((160, 160), name)
    with counted_flops() as counter:
        _, merge_maps = model(blocky_images(2, (160, 160))[1:])
    tokens = [100, *(merge_maps[0].amax(dim=1) + 1).tolist()]
    assert tokens[2] < tokens[1] < tokens[0]
    assert count_flops(model).total(tokens) == pytest.approx(counter.get_total_flops(), rel=1e-3)


def test_one_export_answers_for_any_number_of_tokens() -> None:
    model, images = algm_model(), blocky_images(4, SIZE)
    with torch.no_grad():
        exported = torch.export.export(model, (images[:1],)).module()
        for image in images.split(1):
            scores, maps = exported(image)
            expected, expected_maps = model(image)
            assert torch.equal(maps, expected_maps)
            torch.testing.assert_close(scores, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("blocks", [(0,), (0, 4, 7)])
def test_a_model_merges_at_two_blocks(blocks: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match="expected two blocks for ALGM"):
        create("seg_t16_mask", classes=5, blocks=blocks, method=Algm(0.9))


@pytest.mark.parametrize(
    ("merge", "problem", "hint"),
    [
        ({}, "merge.threshold: expected above 0, 1 at most, got none", "merge.threshold=0.9"),
        ({"threshold": 1.5}, "merge.threshold: expected above 0, 1 at most, got 1.5", ""),
        ({"threshold": "high"}, "merge.threshold: expected a number, got 'high'", ""),
        ({"threshold": 0.9, "ratio": 0.1}, "merge.ratio: unknown key with merge method", "tome"),
        (
            {"threshold": 0.9, "blocks": [2]},
            "merge.blocks: expected 2 blocks with method 'algm', got [2]",
            "[0, 4]",
        ),
    ],
)
def test_a_recipe_says_what_is_wrong_with_its_options(
    merge: dict[str, object], problem: str, hint: str
) -> None:
    assert_refused("algm", merge, problem, hint)


def test_an_artifact_runs(tmp_path: Path, image_folder: Path) -> None:
    recipe = small_recipe().override(
        "merge.method=algm", "merge.threshold=0.9", "merge.blocks=[0,4]"
    )
    path = build(recipe, tmp_path / "algm.pt")
    manifest = read_manifest(path)
    assert manifest.merge.method == "algm" and manifest.merge.blocks == (0, 4)
    assert len(manifest.flops.stages) == 3
    with Runner(path) as runner:
        for file in sorted(image_folder.iterdir()):
            result = runner(file)
            assert 24 >= result.tokens_kept[0] > result.tokens_kept[1] >= 3
            check_maps(torch.from_numpy(result.merge_maps)[None])
