"""Every nearest-neighbor search against lines 1 to 3 of Algorithm 1, image by image."""

import functools
import math
from collections.abc import Callable, Iterator
from importlib.metadata import version
from importlib.util import find_spec
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor

from mpm_deploy.ops.nearest_neighbor import reference, static
from mpm_deploy.ops.nearest_neighbor.reference import nearest_neighbor as plain
from tests.models.reductions.algorithm1 import (
    best_matches,
    candidates,
    cosine_similarity,
    mutual_pairs,
)
from tests.ops.nearest_neighbor import compiled, interpreted
from tests.support.packed import (
    DTYPES,
    Maker,
    drifting,
    every_dtype,
    every_special_tokens,
    exact,
    exact_with_copies,
    gaussian,
    offsets_of,
    pack,
    twins,
    unpack,
)
from tests.support.scripting import script

NearestNeighbor = Callable[..., Tensor]
Search = Callable[..., list[list[int]]]


def image_by_image(
    tokens: Tensor, offsets: Tensor, max_length: int, special_tokens: int = 0
) -> Tensor:
    """The version for one image, on many."""
    found = [torch.empty(0, dtype=torch.int64)]
    for start, image in zip(offsets[:-1], unpack(tokens, offsets), strict=True):
        if len(image) > 0:
            own = offsets_of([len(image)])
            found.append(static.nearest_neighbor(image, own, len(image), special_tokens) + start)
    return torch.cat(found)


VERSIONS: dict[str, NearestNeighbor] = {
    "plain": plain,
    "static": image_by_image,
    "streaming": interpreted.nearest_neighbor,
    "pairwise": compiled.nearest_neighbor,
}
# An interpreter takes seconds for one.
BATCHES = {"plain": 12, "static": 12, "streaming": 3, "pairwise": 12}


@pytest.fixture(params=list(VERSIONS))
def nearest_neighbor(request: pytest.FixtureRequest) -> NearestNeighbor:
    """Each version: the GPU's by Triton's interpreter, a compiled model's out of a file."""
    if request.param == "streaming":
        _skip_without_interpreter()
    return VERSIONS[request.param]


def _skip_without_interpreter() -> None:
    if find_spec("triton") is None:
        pytest.skip("Triton is not installed: it comes with PyTorch's builds for CUDA")
    triton, numpy = (version(name).split(".")[:2] for name in ("triton", "numpy"))
    if [*map(int, triton)] < [3, 9] and [*map(int, numpy)] >= [2, 4]:
        pytest.skip(
            "an interpreter of Triton before 3.9 cannot loop to a loaded bound by NumPy 2.4"
        )


@pytest.fixture
def batches(nearest_neighbor: NearestNeighbor) -> int:
    """How many random batches a version is tested with."""
    return next(BATCHES[name] for name, version in VERSIONS.items() if version is nearest_neighbor)


@pytest.fixture
def search(nearest_neighbor: NearestNeighbor) -> Search:
    """Each image's matches, counted from its own first row."""
    return functools.partial(search_by, nearest_neighbor)


def search_by(
    nearest_neighbor: NearestNeighbor, images: list[Tensor], special_tokens: int = 0
) -> list[list[int]]:
    """Each image's matches, counted from its own first row."""
    tokens, offsets = pack(images)
    best = nearest_neighbor(tokens, offsets, max(map(len, images)), special_tokens)
    assert best.shape == (len(tokens),)
    assert best.dtype == torch.int64
    starts = offsets[:-1].tolist()
    return [(b - start).tolist() for b, start in zip(unpack(best, offsets), starts, strict=True)]


def image_matches(matches: list[int], special_tokens: int) -> list[int]:
    """The image rows' matches counted from the first image row; special rows match themselves."""
    assert matches[:special_tokens] == list(range(special_tokens))
    return [match - special_tokens for match in matches[special_tokens:]]


def random_batches(
    maker: Maker, special_tokens: int, dtype: torch.dtype, batches: int = 12
) -> Iterator[list[Tensor]]:
    random = np.random.default_rng([special_tokens, DTYPES.index(dtype), 1])
    for _ in range(batches):
        channels = int(random.integers(6, 48))
        lengths = special_tokens + random.integers(1, 90, size=random.integers(1, 7))
        yield [maker(random, int(length), channels).to(dtype) for length in lengths]


@every_special_tokens
@every_dtype
@pytest.mark.parametrize("maker", [exact, exact_with_copies])
def test_bit_equal_similarities_go_to_the_lowest_index(
    search: Search, batches: int, maker: Maker, dtype: torch.dtype, special_tokens: int
) -> None:
    for images in random_batches(maker, special_tokens, dtype, batches):
        for image, matches in zip(images, search(images, special_tokens), strict=True):
            similarity = cosine_similarity(image[special_tokens:].double().numpy())
            assert image_matches(matches, special_tokens) == best_matches(similarity)


@every_special_tokens
@every_dtype
@pytest.mark.parametrize("maker", [gaussian, drifting, twins])
def test_every_match_is_the_best_to_float32_accuracy(
    search: Search, batches: int, maker: Maker, dtype: torch.dtype, special_tokens: int
) -> None:
    clear, rows = 0, 0
    for images in random_batches(maker, special_tokens, dtype, batches):
        for image, matches in zip(images, search(images, special_tokens), strict=True):
            similarity = cosine_similarity(image[special_tokens:].double().numpy())
            choices = candidates(similarity)
            for match, choice in zip(image_matches(matches, special_tokens), choices, strict=True):
                assert match in choice
                clear += len(choice) == 1
                rows += 1
    assert clear > (0.6 if maker is twins else 0.9) * rows


@pytest.mark.parametrize("special_tokens", [0, 1])
def test_bfloat16_tokens_are_compared_in_float32(search: Search, special_tokens: int) -> None:
    # Cosines with row 0 are 1 - 1.8e-3 and 1 - 1.1e-4: both 1 in bfloat16, where the first wins.
    angles = [0.0, 0.06, 0.015]
    rows = [[256 * math.cos(angle), 256 * math.sin(angle)] for angle in angles]
    special = [[1.0, 0.0]] * special_tokens
    image = torch.tensor(special + rows).bfloat16()
    (matches,) = search([image], special_tokens)
    assert image_matches(matches, special_tokens) == [2, 2, 0]


def test_near_duplicates_have_an_order(search: Search) -> None:
    # Cosines of 1 - 7.2e-7, 1 - 1.3e-7 and 1 - 2.5e-7: a float32 has eight steps between them.
    angles = [0.0, 0.0012, 0.0005]
    image = torch.tensor([[math.cos(angle), math.sin(angle)] for angle in angles])
    assert search([image]) == [[2, 2, 0]]


@pytest.mark.parametrize("make", [gaussian, drifting])
def test_near_duplicates_make_as_many_pairs_as_in_float64(search: Search, make: Maker) -> None:
    random = np.random.default_rng(12)
    pairs = {"float32": 0, "float64": 0}
    for _ in range(6):
        rows = make(random, 8, 64).repeat_interleave(8, dim=0)
        rows += gaussian(random, 64, 64) * rows.norm(dim=1, keepdim=True) * 1e-4  # 1 - 4e-7
        similarity = cosine_similarity(rows.float().double().numpy())
        pairs["float32"] += len(mutual_pairs(search([rows.float()])[0]))
        pairs["float64"] += len(mutual_pairs(best_matches(similarity)))
    assert pairs["float32"] > 0.9 * pairs["float64"]


@pytest.mark.parametrize("version", [reference, static], ids=["plain", "static"])
def test_equal_rows_go_to_the_lowest_however_a_product_rounds_them(
    version: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = torch.Generator().manual_seed(13)

    def rounding(rows: Tensor, others: Tensor) -> Tensor:  # more than MKL does with AVX2
        products = rows @ others.t()
        return products + 1e-6 * torch.rand(products.shape, generator=random)

    monkeypatch.setattr(version, "inner_products", rounding)
    image = torch.randn(5, 64, generator=random)[[0, 1, 2, 1, 3, 1, 1, 0, 4]]
    matches = search_by(version.nearest_neighbor, [image])[0]
    assert [matches[row] for row in (0, 1, 3, 5, 6, 7)] == [7, 3, 1, 1, 1, 0]
    assert {matches[row] for row in (2, 4, 8)} <= {0, 1, 2, 4, 8}


def test_equal_rows_go_to_the_lowest_whichever_of_them_an_engine_finds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As engines need not give the first of the greatest, they give the last here."""
    first = Tensor.argmax

    def last(values: Tensor, dim: int) -> Tensor:
        return values.shape[dim] - 1 - first(values.flip(dim), dim)

    image = torch.randn(5, 64, generator=torch.Generator().manual_seed(13))
    image = image[[0, 1, 2, 1, 3, 1, 1, 0, 4]]
    expected = search_by(plain, [image])[0]
    monkeypatch.setattr(Tensor, "argmax", last)
    assert search_by(static.nearest_neighbor, [image])[0] == expected


def test_a_special_row_is_matched_by_nothing_however_similar(search: Search) -> None:
    image = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    assert search([image], special_tokens=1) == [[0, 2, 1]]
    assert search([image], special_tokens=2) == [[0, 1, 2]]
    assert search([image], special_tokens=3) == [[0, 1, 2]]


def test_another_image_is_matched_by_nothing_however_similar(search: Search) -> None:
    image = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    assert search([image, image, image[:1]]) == [[1, 0], [1, 0], [0]]


def test_a_negative_similarity_is_better_than_oneself(search: Search) -> None:
    image = torch.tensor([[1.00, 0.00], [-0.34, 0.94], [-0.64, -0.77]])  # at 0, 110 and 230 degrees
    assert search([image]) == [[1, 0, 1]]


def test_empty_images_between_others(search: Search) -> None:
    random = np.random.default_rng(3)
    one, two = (exact(random, count, 16).float() for count in (7, 12))
    empty = one[:0]
    (of_one,), (of_two,) = search([one]), search([two])
    assert search([empty, one, empty, empty, two]) == [[], of_one, [], [], of_two]
    assert search([one, empty, two, empty]) == [of_one, [], of_two, []]


def test_no_rows_at_all(nearest_neighbor: NearestNeighbor) -> None:
    assert nearest_neighbor(torch.empty(0, 4), offsets_of([0]), 0).tolist() == []


@every_dtype
def test_zero_rows_have_similarity_zero(search: Search, dtype: torch.dtype) -> None:
    image = torch.tensor([[1, 0], [-1, 0], [0, 0], [0, 0]], dtype=dtype)
    assert search([image]) == [[2, 2, 0, 0]]


@pytest.mark.parametrize("value", [math.nan, math.inf])
@every_special_tokens
def test_rows_that_are_not_finite_still_match_within_their_image(
    search: Search, special_tokens: int, value: float
) -> None:
    random = np.random.default_rng(8)
    images = [gaussian(random, special_tokens + count, 8).float() for count in (5, 20, 1)]
    images[1][special_tokens + 3, 2] = value
    images[0][special_tokens:] = value
    for image, matches in zip(images, search(images, special_tokens), strict=True):
        image_rows = range(len(image) - special_tokens)
        assert all(match in image_rows for match in image_matches(matches, special_tokens))


def test_lengths_of_rows_do_not_matter(search: Search) -> None:
    random = np.random.default_rng(9)
    image = drifting(random, 150, 48).float()
    scale = torch.from_numpy(2.0 ** random.integers(-10, 11, (150, 1))).float()
    assert search([image * scale]) == search([image])


def test_max_length_may_be_an_upper_bound(nearest_neighbor: NearestNeighbor) -> None:
    random = np.random.default_rng(10)
    tokens, offsets = pack([drifting(random, count, 24).float() for count in (40, 3, 77)])
    tight = nearest_neighbor(tokens, offsets, 77, 1)
    assert torch.equal(nearest_neighbor(tokens, offsets, 500, 1), tight)


@every_dtype
@pytest.mark.parametrize("channels", [37, 192])
def test_an_image_is_searched_alone_as_in_a_batch_of_32(
    search: Search, channels: int, dtype: torch.dtype
) -> None:
    random = np.random.default_rng(11)
    lengths = random.integers(2, 120, size=32)
    images = [drifting(random, int(length), channels).to(dtype) for length in lengths]
    assert search(images, 1) == [search([image], 1)[0] for image in images]


@every_dtype
def test_scripted_search_is_the_same(dtype: torch.dtype) -> None:
    scripted = script(plain)
    for special_tokens in (0, 2):
        for images in random_batches(drifting, special_tokens, dtype):
            tokens, offsets = pack(images)
            longest = max(map(len, images))
            eager = plain(tokens, offsets, longest, special_tokens)
            assert torch.equal(scripted(tokens, offsets, longest, special_tokens), eager)
