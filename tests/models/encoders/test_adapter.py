"""ViT-Adapter's parts against a reading of the paper, cell by cell."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from mpm_deploy.models.deformable_attention import DeformableAttention, cell_centers
from mpm_deploy.models.encoders.adapter import BatchNorm, Extractor, Injector, SpatialPrior
from mpm_deploy.models.packing import equal_offsets, patch_rows
from mpm_deploy.models.reductions import Packed
from tests.support.deformable import deformable_attention_by_hand
from tests.support.scripting import script

WIDTH, HEADS, POINTS = 16, 2, 2
GRID = (2, 4)  # of patches
PYRAMID = [(4, 8), (2, 4), (1, 2)]
OF_TOKENS, OF_CELLS = (cell_centers(grids, torch.device("cpu")) for grids in ([GRID], PYRAMID))
TOLERANCE = 1e-10  # float64

Grids = list[tuple[int, int]]


def randomized(module: nn.Module) -> nn.Module:
    """The module in float64, with no weight and no statistic that does nothing."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in module.double().state_dict().items():
            if tensor.is_floating_point():
                tensor.normal_(std=0.4, generator=generator)
            if name.endswith("running_var"):
                tensor.abs_().add_(0.5)
    return module.eval()


def random(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(shape[1])
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def assert_close(got: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(got, expected, rtol=0, atol=TOLERANCE)


def normed(norm: nn.LayerNorm, row: Tensor) -> Tensor:
    centered = row - row.mean()
    deviation = (centered.square().mean() + 1e-6).sqrt()
    return centered / deviation * norm.weight + norm.bias


def normed_rows(norm: nn.LayerNorm, rows: Tensor) -> Tensor:
    return torch.stack([torch.stack([normed(norm, row) for row in image]) for image in rows])


def attention_by_hand(
    attn: DeformableAttention, queries: Tensor, centers: Tensor, cells: Tensor, grids: Grids
) -> Tensor:
    """A query and a head at a time, where its points lie and how much each counts."""
    images, rows, levels = queries.shape[0], queries.shape[1], len(grids)
    locations = torch.empty(images, rows, HEADS, levels, POINTS, 2, dtype=torch.float64)
    weights = torch.empty(images, rows, HEADS, levels, POINTS, dtype=torch.float64)
    for image in range(images):
        for row in range(rows):
            offsets = attn.sampling_offsets(queries[image, row]).tolist()
            shares = attn.attention_weights(queries[image, row]).chunk(HEADS)
            for head in range(HEADS):
                count = levels * POINTS
                weights[image, row, head] = shares[head].softmax(0).view(levels, POINTS)
                for index in range(count):
                    level, point = divmod(index, POINTS)
                    down, across = grids[level]
                    first = 2 * (head * count + index)
                    x = centers[row, 0].item() + offsets[first] / across
                    y = centers[row, 1].item() + offsets[first + 1] / down
                    locations[image, row, head, level, point, 0] = x
                    locations[image, row, head, level, point, 1] = y
    values = attn.value_proj(cells).unflatten(2, (HEADS, -1))
    read = deformable_attention_by_hand(values, grids, locations, weights)
    return attn.output_proj(read.flatten(2))


def convolved(cells: Tensor, weight: Tensor, stride: int = 1) -> Tensor:
    """``(C, h, w)`` by ``(D, C, 3, 3)``, a place at a time: ``(D, h / stride, w / stride)``."""
    framed = functional.pad(cells, [1, 1, 1, 1])
    rows = []
    for i in range(0, cells.shape[1], stride):
        places = range(0, cells.shape[2], stride)
        seen = [framed[:, i : i + 3, j : j + 3] for j in places]
        rows.append(torch.stack([(weight * patch).sum(dim=(1, 2, 3)) for patch in seen], dim=1))
    return torch.stack(rows, dim=1)


def step_by_hand(cells: Tensor, conv: nn.Conv2d, norm: BatchNorm, stride: int) -> Tensor:
    """A convolution, what a BatchNorm has seen before, and what is above zero."""
    centered = convolved(cells, conv.weight, stride) - norm.running_mean[:, None, None]
    scale = norm.weight / (norm.running_var + 1e-5).sqrt()
    return (centered * scale[:, None, None] + norm.bias[:, None, None]).clamp(min=0)


def pooled(cells: Tensor) -> Tensor:
    """The largest of each 3 × 3 places, at every other one: ``(C, h / 2, w / 2)``."""
    framed = functional.pad(cells, [1, 1, 1, 1], value=-torch.inf)
    down, across = cells.shape[1] // 2, cells.shape[2] // 2
    rows = [
        [framed[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3].amax(dim=(1, 2)) for j in range(across)]
        for i in range(down)
    ]
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)


@torch.inference_mode()
def test_the_spatial_prior_is_convolutions_of_the_image() -> None:
    prior = randomized(SpatialPrior(WIDTH, stem_width=4))
    images = random(2, 3, 32, 64)
    maps = prior(images)
    assert [tuple(level.shape) for level in maps] == [
        (2, WIDTH, 32 // stride, 64 // stride) for stride in (4, 8, 16, 32)
    ]
    for image in range(2):
        cells = images[image]
        for index, stride in ((0, 2), (3, 1), (6, 1)):
            cells = step_by_hand(cells, prior.stem[index], prior.stem[index + 1], stride)
        cells = pooled(cells)
        for level, name in enumerate(("", "conv2", "conv3", "conv4")):
            if name:
                conv, norm, _ = getattr(prior, name)
                cells = step_by_hand(cells, conv, norm, 2)
            layer = getattr(prior, f"fc{level + 1}")
            expected = torch.einsum("dc,chw->dhw", layer.weight[:, :, 0, 0], cells)
            assert_close(maps[level][image], expected + layer.bias[:, None, None])


@torch.inference_mode()
def test_an_injector_adds_what_tokens_read_of_the_pyramid() -> None:
    injector = randomized(Injector(WIDTH, HEADS, len(PYRAMID), POINTS, value_ratio=0.5))
    tokens, cells, centers = random(2, 8, WIDTH), random(2, 42, WIDTH), OF_TOKENS.double()
    queries = normed_rows(injector.query_norm, tokens)
    values = normed_rows(injector.feat_norm, cells)
    read = attention_by_hand(injector.attn, queries, centers, values, PYRAMID)
    got = injector(packed(tokens), centers, cells, PYRAMID)
    assert_close(got.tokens, (tokens + injector.gamma * read).flatten(0, 1))


def packed(tokens: Tensor) -> Packed:
    """Tokens ``(B, N, C)``, one a patch, as packed rows."""
    images, count = tokens.shape[:2]
    device = tokens.device
    rows = patch_rows(images, count, 0, device)
    return Packed(tokens.flatten(0, 1), equal_offsets(images, count, device), count, rows, 0)


# Two images whose patches went to three tokens and to two, each behind a special token.
MERGED_TO = torch.tensor([[1, 1, 2, 3, 1, 2, 2, 3], [5, 6, 5, 5, 6, 6, 6, 6]])
OFFSETS = torch.tensor([0, 4, 7], dtype=torch.int32)


@torch.inference_mode()
def test_into_merged_tokens_it_injects_as_into_every_patch_merged_again() -> None:
    injector = randomized(Injector(WIDTH, HEADS, len(PYRAMID), POINTS))
    tokens, cells, centers = random(7, WIDTH), random(2, 42, WIDTH), OF_TOKENS.double()
    merged = Packed(tokens, OFFSETS, 9, MERGED_TO, 1)
    got = injector(merged, centers, cells, PYRAMID)
    every = injector(packed(tokens[MERGED_TO]), centers, cells, PYRAMID).tokens  # (16, C)
    for row in range(7):
        members = every[MERGED_TO.flatten() == row]
        assert_close(got.tokens[row], members.mean(dim=0) if len(members) else tokens[row])


@torch.inference_mode()
def test_an_extractor_adds_what_cells_read_of_the_tokens() -> None:
    extractor = randomized(Extractor(WIDTH, HEADS, POINTS, value_ratio=0.5, ffn_ratio=0.25))
    tokens, cells, centers = random(2, 8, WIDTH), random(2, 42, WIDTH), OF_CELLS.double()
    queries = normed_rows(extractor.query_norm, cells)
    values = normed_rows(extractor.feat_norm, tokens)
    read = attention_by_hand(extractor.attn, queries, centers, values, [GRID])
    expected = ffn_added(extractor, cells + read)
    assert_close(extractor(cells, centers, PYRAMID, tokens, GRID), expected)


def ffn_added(extractor: Extractor, cells: Tensor) -> Tensor:
    """Cells ``(B, S, C)`` after the feed-forward network, a level of an image at a time."""
    ffn = extractor.ffn
    hidden = ffn.fc1(normed_rows(extractor.ffn_norm, cells))
    seen = torch.empty_like(hidden)
    weight = torch.diag_embed(ffn.dwconv.weight[:, 0].permute(1, 2, 0))  # (3, 3, M, M)
    for image in range(len(cells)):
        first = 0
        for down, across in PYRAMID:
            part = slice(first, first + down * across)
            level = hidden[image, part].T.reshape(-1, down, across)
            blended = convolved(level, weight.permute(2, 3, 0, 1))
            seen[image, part] = blended.flatten(1).T + ffn.dwconv.bias
            first += down * across
    return cells + ffn.fc2(functional.gelu(seen))


@torch.inference_mode()
def test_scripted_they_are_the_same() -> None:
    injector = randomized(Injector(WIDTH, HEADS, len(PYRAMID), POINTS))
    extractor = randomized(Extractor(WIDTH, HEADS, POINTS))
    tokens, cells = random(2, 8, WIDTH), random(2, 42, WIDTH)
    given = (packed(tokens), OF_TOKENS.double(), cells, PYRAMID)
    assert_close(script(injector)(*given).tokens, injector(*given).tokens)
    given = (cells, OF_CELLS.double(), PYRAMID, tokens, GRID)
    assert_close(script(extractor)(*given), extractor(*given))
    prior, images = randomized(SpatialPrior(WIDTH, stem_width=4)), random(1, 3, 32, 32)
    for got, expected in zip(script(prior)(images), prior(images), strict=True):
        assert_close(got, expected)
