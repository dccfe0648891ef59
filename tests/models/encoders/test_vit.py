"""The packed encoder: schedules, merge maps, and images that do not see each other."""

import pytest
import torch

from mpm_deploy.errors import ModelError
from mpm_deploy.models import create
from mpm_deploy.models.encoders.base import Readout
from mpm_deploy.models.encoders.config import EncoderConfig
from mpm_deploy.models.encoders.vit import Encoder

SIZE = (96, 128)
PATCHES = 6 * 8


def images(count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(count)
    return torch.randint(0, 256, (count, 3, *SIZE), generator=generator, dtype=torch.uint8)


@pytest.fixture(
    scope="module",
    params=["seg_t16_mask", "seg_t16_linear", "eomt_t16", "vit_small_patch16_dinov3+linear"],
)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def test_merge_maps_number_the_tokens_kept_from_zero(name):
    model = create(name, classes=5, image_size=SIZE, blocks=(1, 4, 9))
    with torch.inference_mode():
        scores, merge_maps = model(images(3))
    assert scores.shape == (3, 5, *model.score_grid) and scores.dtype == torch.float32
    assert merge_maps.shape == (3, 3, PATCHES) and merge_maps.dtype == torch.int32
    for image in merge_maps:
        kept = [PATCHES]
        for merge_map in image:
            tokens = merge_map.unique()
            assert tokens.tolist() == list(range(len(tokens)))
            assert -(-kept[-1] // 2) <= len(tokens) <= kept[-1]
            kept.append(len(tokens))
        assert kept[-1] < PATCHES


def test_later_maps_only_join_what_earlier_maps_joined(name):
    model = create(name, classes=5, image_size=SIZE, blocks=(1, 4))
    with torch.inference_mode():
        _, merge_maps = model(images(2))
    for first, second in merge_maps:
        for token in first.unique():
            assert len(second[first == token].unique()) == 1


def test_full_token_model_has_no_merge_maps(name):
    model = create(name, classes=5, image_size=SIZE, blocks=())
    with torch.inference_mode():
        _, merge_maps = model(images(2))
    assert merge_maps.shape == (2, 0, PATCHES)


@pytest.mark.parametrize("blocks", [(), (2, 5)])
def test_an_image_does_not_depend_on_its_batch(name, blocks):
    model = create(name, classes=5, image_size=SIZE, blocks=blocks)
    batch = images(32)
    with torch.inference_mode():
        scores, merge_maps = model(batch)
        for index, image in enumerate(batch.split(1)):
            alone, alone_maps = model(image)
            assert torch.equal(alone_maps[0], merge_maps[index])
            torch.testing.assert_close(alone[0], scores[index], atol=1e-5, rtol=0)


@pytest.mark.parametrize("blocks", [(5, 2), (2, 2), (-1,), (12,)])
def test_a_schedule_must_rise_within_the_blocks(blocks):
    with pytest.raises(ModelError, match="blocks"):
        Encoder(EncoderConfig(image_size=SIZE), blocks)


@pytest.mark.parametrize(
    "readout", [Readout(taps=(3, 2)), Readout(taps=(12,)), Readout(queries=1, query_blocks=13)]
)
def test_a_head_reads_blocks_that_there_are(readout):
    expected = r"taps: expected rising|query_blocks: expected at most"
    with pytest.raises(ModelError, match=expected) as caught:
        Encoder(EncoderConfig(image_size=SIZE), readout=readout)
    assert caught.value.hint


@pytest.mark.parametrize("size", [(100, 96), (96, 0)])
def test_an_input_must_be_whole_patches(size):
    with pytest.raises(ModelError, match="multiples of the patch size 16"):
        EncoderConfig(image_size=size)
