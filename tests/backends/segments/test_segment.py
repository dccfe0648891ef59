"""A chain of segments is the model: the same scores and merge maps, of every schedule and head."""

import pytest
import torch
from torch import Tensor

from mpm_deploy.backends.segments.chain import outputs_of, run_chain
from mpm_deploy.backends.segments.merge import merge_into_buffer
from mpm_deploy.backends.segments.segment import Segment, cut
from mpm_deploy.builder.verify import verification_images
from mpm_deploy.errors import ModelError
from mpm_deploy.models.packing import equal_offsets, patch_rows
from mpm_deploy.models.reductions import Packed, Tome
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.models.zoo import create
from tests.backends.segments.models import HEADS, PATCHES, SCHEDULES, SIZE, segmenter
from tests.models.small_eva import small_eva

every_head = pytest.mark.parametrize("head", HEADS)
every_schedule = pytest.mark.parametrize("blocks", [*SCHEDULES, (0, 3), (0, 1, 2, 3, 4, 5)])


@pytest.fixture(scope="module")
def images() -> Tensor:
    return verification_images(3, SIZE)


def chained(model: Segmenter, image: Tensor) -> tuple[Tensor, Tensor]:
    merges = len(model.encoder.schedule)
    return outputs_of(run_chain(cut(model), image), merges, PATCHES)


def assert_same(model: Segmenter, images: Tensor) -> None:
    with torch.inference_mode():
        for image in images.split(1):
            scores, merge_maps = model(image)
            got_scores, got_maps = chained(model, image)
            assert torch.equal(got_maps, merge_maps) and got_maps.dtype == torch.int32
            torch.testing.assert_close(got_scores, scores, atol=5e-5, rtol=0)


@every_head
@every_schedule
def test_the_chain_is_the_model(head: str, blocks: tuple[int, ...], images: Tensor) -> None:
    model = segmenter(head, blocks)
    assert len(cut(model)) == len(blocks) + 1
    assert_same(model, images)


@every_head
def test_tokens_may_become_patches_before_the_decoder(head: str, images: Tensor) -> None:
    assert_same(segmenter(head, (1, 3), reconstruct="before_decoder"), images)


@every_head
@pytest.mark.parametrize("special_tokens", [0, 5])
def test_the_parts_of_later_vits_are_there(head: str, special_tokens: int, images: Tensor) -> None:
    parts = {"rotary_base": 100.0, "gated_mlp": True, "layer_scale": True, "qk_norm": True}
    assert_same(segmenter(head, (1, 4), special_tokens=special_tokens, **parts), images)


def test_the_mean_of_rows_is_within_float16_where_their_sum_is_not() -> None:
    rows = torch.tensor([[60032.0, 50048.0], [50048.0, 60032.0]], dtype=torch.float16)
    device = rows.device
    merged = merge_into_buffer(
        Packed(rows, equal_offsets(1, 2, device), 2, patch_rows(1, 2, 0, device), 0)
    )
    assert merged.tokens.tolist() == [[55040.0, 55040.0], [0.0, 0.0]]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_narrow_tokens_merge_as_their_values_in_float32_do(dtype: torch.dtype) -> None:
    model = segmenter("mask", (2, 5)).compute_in(dtype)
    first = cut(model)[0]
    with torch.inference_mode():
        merged = first.run([verification_images(1, SIZE)])
        packed, _ = first._transform(first._begin({"images": verification_images(1, SIZE)}))
        wide = packed.tokens.float()
        reduction = model.encoder.blocks[2].reduction
        expected = reduction.before_block(packed._replace(tokens=wide))
    assert int(merged["kept_1"]) == len(expected.tokens)
    assert torch.equal(merged["merge_map_1"].long() + 1, expected.rows)
    assert merged["tokens_1"].dtype == dtype


def test_segments_share_the_models_weights() -> None:
    model = segmenter("mask", (2,))
    own = {id(parameter) for parameter in model.parameters()}
    for segment in cut(model):
        assert {id(parameter) for parameter in segment.parameters()} <= own


def test_names_say_what_goes_from_segment_to_segment() -> None:
    first, second, last = cut(segmenter("taps", (3, 5)))
    assert first.inputs == ["images"]
    assert first.outputs == ["tokens_1", "kept_1", "merge_map_1", "tap_2"]
    assert second.outputs == ["tokens_2", "kept_2", "merge_map_2", "tap_3", "tap_4"]
    assert last.inputs == ["tokens_2", "merge_map_2", "tap_2", "tap_3", "merge_map_1", "tap_4"]
    assert last.outputs == ["scores"]


def test_the_next_segment_gets_the_front_of_the_buffer_where_it_lies() -> None:
    class Watched:
        def __init__(self, segment: Segment) -> None:
            self.segment, self.inputs = segment, segment.inputs

        def run(self, inputs: list[Tensor]) -> dict[str, Tensor]:
            seen.append(inputs[0])
            given = self.segment.run(inputs)
            buffers.append(given.get("tokens_1"))
            kept.append(given.get("kept_1"))
            return given

    seen: list[Tensor] = []
    buffers: list[Tensor | None] = []
    kept: list[Tensor | None] = []
    with torch.inference_mode():
        run_chain([*map(Watched, cut(segmenter("mask", (2,))))], verification_images(1, SIZE))
    buffer, count = buffers[0], kept[0]
    assert buffer is not None and count is not None
    assert count.dtype == torch.int32 and count.shape == (1,)
    assert len(buffer) == PATCHES + 1 > int(count) == len(seen[1])
    assert seen[1].data_ptr() == buffer.data_ptr()
    assert not buffer[int(count) :].any()


@pytest.mark.parametrize("kept", [-1, PATCHES + 2])
def test_more_rows_than_there_are_cannot_be_kept(kept: int) -> None:
    first, last = cut(segmenter("mask", (2,)))

    class Wrong:
        inputs = first.inputs

        def run(self, inputs: list[Tensor]) -> dict[str, Tensor]:
            return {**first.run(inputs), "kept_1": torch.tensor([kept])}

    with torch.inference_mode(), pytest.raises(RuntimeError, match=f"kept {kept} of 25 rows"):
        run_chain([Wrong(), last], verification_images(1, SIZE))


def test_what_no_segment_gives_is_named() -> None:
    first, last = cut(segmenter("mask", (2,)))

    class Lacking:
        inputs = first.inputs

        def __init__(self, name: str) -> None:
            self.name = name

        def run(self, inputs: list[Tensor]) -> dict[str, Tensor]:
            return {name: given for name, given in first.run(inputs).items() if name != self.name}

    for name in ("tokens_1", "kept_1", "merge_map_1"):
        with torch.inference_mode(), pytest.raises(RuntimeError, match=f"no segment gives {name}"):
            run_chain([Lacking(name), last], verification_images(1, SIZE))
    with pytest.raises(RuntimeError, match="no segment gives scores"):
        outputs_of({}, 0, PATCHES)


def test_what_cannot_be_cut_is_refused() -> None:
    tome = create("seg_t16_mask", classes=7, image_size=SIZE, blocks=[2], method=Tome(r=4))
    with pytest.raises(ModelError, match=r"merge at block 2: expected mutual pairs.*got") as caught:
        cut(tome)
    assert "method 'mpm'" in str(caught.value.hint)
    with pytest.raises(ModelError, match="expected a plain ViT, which can be cut, got AdaptedVit"):
        cut(small_eva())
