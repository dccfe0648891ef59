"""The packed model, exported once for any number of images: what a GPU's `.pt2` is compiled from.

The two operations that have kernels there are stood in for by operators of the same signature,
which answer by the plain versions.
"""

from collections.abc import Callable, Iterator
from functools import partial

import pytest
import torch
from torch import Tensor

from mpm_deploy.models import create
from mpm_deploy.models.encoders import block
from mpm_deploy.models.reductions import Algm, Cts, Method, Mpm, Tome, mpm
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.ops.attention import flash
from mpm_deploy.ops.nearest_neighbor.reference import nearest_neighbor as plain_nearest_neighbor
from tests.models.reductions.reducing import blocky_images
from tests.models.small_eva import images, small_eva
from tests.models.test_reconstruction import CLASSES, HEADS, SIZE, segmenters
from tests.ops.attention.test_flash import stand_in

PATCHES = (SIZE[0] // 16) * (SIZE[1] // 16)
LATER_PARTS = {"rotary_base": 100.0, "gated_mlp": True, "layer_scale": True}


@torch.library.custom_op("mpm_tests::attention", mutates_args=())
def attention(
    q: Tensor, k: Tensor, v: Tensor, offsets: Tensor | None, max_length: int, scale: float
) -> Tensor:
    """As the kernels of `flash`."""
    return stand_in(q, k, v, offsets, max_length, scale).clone()


@torch.library.custom_op("mpm_tests::nearest_neighbor", mutates_args=())
def nearest_neighbor(
    tokens: Tensor, offsets: Tensor, max_length: int, special_tokens: int
) -> Tensor:
    """As that of `streaming`."""
    return plain_nearest_neighbor(tokens, offsets, max_length, special_tokens).clone()


@attention.register_fake
def _(q: Tensor, *_: object) -> Tensor:
    return torch.empty_like(q, memory_format=torch.contiguous_format)


@nearest_neighbor.register_fake
def _(tokens: Tensor, *_: object) -> Tensor:
    return tokens.new_empty(tokens.shape[0], dtype=torch.int64)


@pytest.fixture
def _as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(flash, "_efficient", attention)
        patch.setattr(flash, "_flash", attention)
        patch.setattr(block, "attention", flash.attention)
        patch.setattr(mpm, "nearest_neighbor", nearest_neighbor)
        yield


def export(model: Segmenter) -> torch.export.ExportedProgram:
    """For 1 to 64 images."""
    images = torch.zeros(2, 3, *SIZE, dtype=torch.uint8)
    batch = torch.export.Dim("images", min=1, max=64)
    with torch.no_grad():
        return torch.export.export(model, (images,), dynamic_shapes=({0: batch},))


@pytest.mark.usefixtures("_as_on_a_gpu")
@pytest.mark.parametrize("late", [True, False], ids=["late", "early"])
@pytest.mark.parametrize("head", HEADS)
def test_one_export_answers_for_every_batch(head: str, late: bool) -> None:
    model = segmenters(head, 1, (1, 3))[0 if late else 1]
    exported = export(model).module()
    generator = torch.Generator().manual_seed(1)
    for batch in (1, 2, 5, 33):
        coarse = torch.randint(256, (batch, 3, 6, 8), generator=generator, dtype=torch.uint8)
        images = coarse.repeat_interleave(16, dim=2).repeat_interleave(16, dim=3)
        with torch.no_grad():
            scores, merge_maps = exported(images)
            expected_scores, expected_maps = model(images)
        assert scores.shape == (batch, CLASSES, *model.score_grid)
        assert torch.equal(merge_maps, expected_maps)
        assert merge_maps[:, -1].amax(dim=1).max() < PATCHES - 1  # something did merge
        torch.testing.assert_close(scores, expected_scores, atol=1e-4, rtol=1e-4)


@pytest.mark.usefixtures("_as_on_a_gpu")
def test_one_export_of_a_padded_model_answers_for_every_batch() -> None:
    name = "vit_small_patch14_dinov2+linear"
    model = create(name, classes=CLASSES, image_size=SIZE, pad="center", blocks=(1, 3))
    assert model.pads
    exported = export(model).module()
    for batch in (1, 3):
        images = blocky_images(batch, SIZE)
        with torch.no_grad():
            scores, merge_maps = exported(images)
            expected_scores, expected_maps = model(images)
        assert torch.equal(merge_maps, expected_maps)
        torch.testing.assert_close(scores, expected_scores, atol=1e-4, rtol=1e-4)


@pytest.mark.usefixtures("_as_on_a_gpu")
@pytest.mark.parametrize("head", HEADS)
def test_only_merges_have_sizes_that_depend_on_the_data(head: str) -> None:
    """Each is read from the device: two merges, two syncs a forward, and no other one."""
    exported = export(segmenters(head, 1, (1, 3), **LATER_PARTS)[0])
    targets = [str(node.target) for node in exported.graph.nodes]
    assert sum("nonzero" in target for target in targets) == 2
    assert not [name for name in targets if name.startswith(("aten.item", "aten._local_scalar"))]


@pytest.mark.usefixtures("_as_on_a_gpu")
def test_attention_is_packed_from_the_first_merge_on() -> None:
    exported = export(segmenters("mask", 1, (1, 3))[0])
    calls = [node for node in exported.graph.nodes if "mpm_tests.attention" in str(node.target)]
    packed = [call.args[3] is not None for call in calls]
    assert packed == [False] + [True] * (len(calls) - 1)


BASELINES = [Tome(0.2, proportional_attention=False), Tome(r=4), Algm(0.9), Cts(5)]


def baseline(
    method: Method, dtype: torch.dtype = torch.float32, blocks: tuple[int, ...] = (0, 4)
) -> Segmenter:
    model = create("seg_t16_mask", classes=CLASSES, image_size=SIZE, blocks=blocks, method=method)
    return model.compute_in(dtype)


@pytest.mark.usefixtures("_as_on_a_gpu")
@pytest.mark.parametrize(
    "dtype", [pytest.param(torch.float32, marks=pytest.mark.slow), torch.bfloat16], ids=str
)
@pytest.mark.parametrize("method", BASELINES, ids=str)
def test_one_export_of_a_baseline_answers_for_every_batch(
    method: Method, dtype: torch.dtype
) -> None:
    model = baseline(method, dtype)
    exported = export(model).module()
    for batch in (1, 2, 5, 33):
        with torch.no_grad():
            scores, merge_maps = exported(blocky_images(batch, SIZE))
            expected_scores, expected_maps = model(blocky_images(batch, SIZE))
        assert torch.equal(merge_maps, expected_maps)
        assert merge_maps[:, -1].amax(dim=1).min() < PATCHES - 1  # something did merge
        torch.testing.assert_close(scores, expected_scores, atol=1e-4, rtol=1e-4)


@pytest.mark.usefixtures("_as_on_a_gpu")
@pytest.mark.parametrize(("method", "sizes"), [(Tome(0.2), 0), (Algm(0.9), 2)], ids=str)
def test_only_a_baseline_that_adapts_has_sizes_that_depend_on_the_data(
    method: Method, sizes: int
) -> None:
    """ToMe keeps equal lengths, and attention is not packed; ALGM has a sync for each merge."""
    nodes = list(export(baseline(method)).graph.nodes)
    targets = [str(node.target) for node in nodes]
    assert sum("nonzero" in target for target in targets) == sizes
    assert not [name for name in targets if name.startswith(("aten.item", "aten._local_scalar"))]
    calls = [node for node in nodes if "mpm_tests.attention" in str(node.target)][:12]
    assert [call.args[3] is not None for call in calls] == [False] + [sizes > 0] * 11


@pytest.mark.usefixtures("_as_on_a_gpu")
@pytest.mark.parametrize("blocks", [(0,), (0, 4)])
def test_sharing_has_no_size_that_depends_on_the_data(blocks: tuple[int, ...]) -> None:
    """CTS has no sync; attention is packed from the first merge by MPM on, which has one."""
    nodes = list(export(baseline(Cts(5), blocks=blocks)).graph.nodes)
    targets = [str(node.target) for node in nodes]
    assert sum("nonzero" in target for target in targets) == len(blocks) - 1
    assert not [name for name in targets if name.startswith(("aten.item", "aten._local_scalar"))]
    calls = [node for node in nodes if "mpm_tests.attention" in str(node.target)][:12]
    packed = [call.args[3] is not None for call in calls]
    assert packed == ([False] * 12 if blocks == (0,) else [False] * 4 + [True] * 8)


@pytest.mark.usefixtures("_as_on_a_gpu")
@pytest.mark.parametrize(
    "method",
    [Mpm(), *(pytest.param(method, marks=pytest.mark.slow) for method in (Tome(0.2), Cts(5)))],
    ids=str,
)
def test_one_export_of_a_vit_with_an_adapter_answers_for_every_batch(method: Method) -> None:
    model = small_eva((0, 3), method)
    exported = export(model)
    targets = [str(node.target) for node in exported.graph.nodes]
    adaptive = {"Mpm": 2, "Tome": 0, "Cts": 1}[type(method).__name__]  # CTS's second merge is MPM's
    assert sum("nonzero" in target for target in targets) == adaptive
    assert not [name for name in targets if name.startswith(("aten.item", "aten._local_scalar"))]
    assert not exported.graph_signature.lifted_tensor_constants  # nothing to copy to a GPU
    for batch in (1, 2, 5):
        with torch.no_grad():
            scores, merge_maps = exported.module()(images(batch))
            expected_scores, expected_maps = model(images(batch))
        assert torch.equal(merge_maps, expected_maps)
        assert merge_maps[:, -1].amax(dim=1).min() < PATCHES - 1  # something did merge
        torch.testing.assert_close(scores, expected_scores, atol=1e-4, rtol=1e-4)


# Four blocks compile quickly, and lie before, between and after merges, with queries and without.
COMPILED = [
    pytest.param(partial(segmenters, "mask", 1, (1, 3), depth=4), id="mask"),
    pytest.param(partial(segmenters, "eomt", 5, (1, 3), depth=4, **LATER_PARTS), id="eomt"),
    pytest.param(lambda: (small_eva((1, 3)),), id="adapter", marks=pytest.mark.slow),
    *(
        pytest.param(lambda method=each: (baseline(method),), id=str(each), marks=pytest.mark.slow)
        for each in (Tome(0.2), Algm(0.9), Cts(5))
    ),
]


@pytest.mark.filterwarnings("ignore")  # Inductor's own
@pytest.mark.usefixtures("_as_on_a_gpu")
@pytest.mark.parametrize("make", COMPILED)
def test_it_compiles_for_any_batch(
    make: Callable[[], tuple[Segmenter, ...]], tmp_path: object
) -> None:
    model = make()[0]
    package = torch._inductor.aoti_compile_and_package(
        export(model), package_path=f"{tmp_path}/model.pt2"
    )
    compiled = torch._inductor.aoti_load_package(package)
    generator = torch.Generator().manual_seed(2)
    for batch in (1, 3):
        coarse = torch.randint(256, (batch, 3, 6, 8), generator=generator, dtype=torch.uint8)
        images = coarse.repeat_interleave(16, dim=2).repeat_interleave(16, dim=3)
        with torch.no_grad():
            expected, expected_maps = model(images)
        scores, merge_maps = compiled(images)
        assert torch.equal(merge_maps, expected_maps)
        torch.testing.assert_close(scores, expected, atol=1e-4, rtol=1e-4)
