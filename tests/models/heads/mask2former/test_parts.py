"""Masks, scores and positions by hand; both parts scripted and exported."""

import math

import torch
from torch import Tensor, nn

from mpm_deploy.models.heads.mask2former import MaskedDecoder, PixelDecoder, semantic_scores
from mpm_deploy.models.heads.mask2former.masked_decoder import within_masks
from mpm_deploy.models.heads.mask2former.positions import sine_positions
from tests.models.heads.mask2former.random_weights import random, randomized
from tests.support.scripting import script

CHANNELS, GRIDS = (4, 6, 8), [(8, 12), (4, 6), (2, 3)]
WIDTH, HEADS, QUERIES, CLASSES = 32, 2, 3, 4
TOLERANCE = 1e-5  # float32 in another order


class Head(nn.Module):
    """Both parts, one after the other, of two levels and a finer map."""

    def __init__(self) -> None:
        super().__init__()
        about = {"heads": HEADS, "mlp_width": 40, "levels": 2}
        self.pixel_decoder = PixelDecoder(CHANNELS, WIDTH, 16, layers=1, points=3, **about)
        self.masked_decoder = MaskedDecoder(WIDTH, 16, CLASSES, queries=QUERIES, layers=3, **about)

    def forward(self, maps: list[Tensor]) -> Tensor:
        levels, mask_features = self.pixel_decoder(maps)
        class_logits, mask_logits = self.masked_decoder(levels, mask_features)
        return semantic_scores(class_logits, mask_logits)


def random_maps(images: int) -> list[Tensor]:
    maps = zip(CHANNELS, GRIDS, strict=True)
    return [random(images, count, *grid, seed=count) for count, grid in maps]


def test_a_query_reads_within_its_mask_or_everywhere() -> None:
    logits = torch.tensor([[[-1.0, 0.0, 2.0], [-3.0, -0.5, -1e-9]]])
    assert within_masks(logits).tolist() == [[[False, True, True], [True, True, True]]]


def test_scores_are_shares_of_classes_times_masks() -> None:
    shares = torch.tensor([[[0.5, 0.25, 0.25], [0.1, 0.7, 0.2]]])  # the last is of no object
    inside = torch.tensor([[[0.5, 0.9], [0.25, 0.1]]])  # two places
    scores = semantic_scores(shares.log(), inside.logit())
    expected = [[0.25 + 0.09, 0.125 + 0.63], [0.125 + 0.01, 0.0625 + 0.07]]
    torch.testing.assert_close(scores, torch.tensor([expected]))


def test_half_of_a_position_is_its_rows() -> None:
    positions = sine_positions((2, 3), 8, torch.device("cpu")).unflatten(0, (2, 3))
    assert torch.equal(positions[0, 0, :4], positions[0, 2, :4])
    assert torch.equal(positions[0, 1, 4:], positions[1, 1, 4:])
    turn = 2 / 3 * 2 * math.pi  # the second of three columns
    expected = [math.sin(turn), math.cos(turn), math.sin(turn / 100), math.cos(turn / 100)]
    torch.testing.assert_close(positions[0, 1, 4:], torch.tensor(expected), atol=1e-5, rtol=0)


@torch.inference_mode()
def test_an_image_decodes_alone_as_in_a_batch() -> None:
    head, maps = randomized(Head), random_maps(3)
    together = head(maps)
    assert together.shape == (3, 8 * 12, CLASSES)
    for image in range(3):
        alone = head([level[image : image + 1] for level in maps])
        torch.testing.assert_close(together[image : image + 1], alone, rtol=0, atol=TOLERANCE)


@torch.inference_mode()
def test_scripted_it_is_the_same() -> None:
    head, maps = randomized(Head), random_maps(2)
    torch.testing.assert_close(script(head)(maps), head(maps), rtol=0, atol=TOLERANCE)


@torch.inference_mode()
def test_exported_for_any_batch_it_is_the_same() -> None:
    head = randomized(Head)
    images = torch.export.Dim("images", min=1, max=8)
    sizes = [[{0: images}] * len(CHANNELS)]
    exported = torch.export.export(head, (random_maps(2),), dynamic_shapes=sizes)
    for count in (1, 3):
        maps = random_maps(count)
        torch.testing.assert_close(exported.module()(maps), head(maps), rtol=0, atol=TOLERANCE)
