"""Segments as files of ONNX: no size depends on data, weights lie there once, nobody is named."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from mpm_deploy.backends.segments.chain import outputs_of, run_chain
from mpm_deploy.backends.segments.segment import cut
from mpm_deploy.builder.verify import same_cluster, verification_images
from mpm_deploy.ops.label_map.reference import label_map
from tests.backends.segments.models import HEADS, PATCHES, SCHEDULES, SIZE, segmenter

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")

from mpm_deploy.backends.onnxruntime.sessions import open_folder  # noqa: E402
from mpm_deploy.backends.segments.export import write_segments  # noqa: E402

# What TensorRT refuses: sizes that depend on values, and a scatter that adds.
SIZED_BY_DATA = {"NonZero", "Unique", "Compress", "NonMaxSuppression", "If", "Loop"}
QUICK = [("taps", (3, 5)), ("eomt", (2,)), ("linear", ())]
PARTS = {"rotary_base": 100.0, "gated_mlp": True, "layer_scale": True, "special_tokens": 5}


def every_pair() -> list[object]:
    """Heads and schedules; all but a few are slow: an export takes seconds."""
    pairs = [*QUICK, *((head, blocks) for head in HEADS for blocks in SCHEDULES)]
    return [
        pytest.param(*pair, marks=[] if pair in QUICK else [pytest.mark.slow])
        for pair in dict.fromkeys(pairs)
    ]


def written(folder: Path, head: str, blocks: tuple[int, ...], **shape: object) -> Path:
    write_segments(cut(segmenter(head, blocks, **shape)), verification_images(1, SIZE), folder)
    return folder


@pytest.fixture(scope="module")
def rotary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with all that adds rows by their numbers: counts, and places of merged tokens."""
    return written(tmp_path_factory.mktemp("rotary"), "mask", (1, 3), **PARTS)


def graphs(folder: Path) -> list[object]:
    return [
        onnx.load(file, load_external_data=False).graph for file in sorted(folder.glob("*.onnx"))
    ]


def assert_same(model: torch.nn.Module, folder: Path, image: Tensor) -> None:
    merges = len(model.encoder.schedule)
    chain = open_folder(folder, ["CPUExecutionProvider"], threads=1)
    with torch.inference_mode():
        scores, merge_maps = model(image)
        got_scores, got_maps = outputs_of(run_chain(chain, image), merges, PATCHES)
    assert torch.equal(got_maps, merge_maps)
    torch.testing.assert_close(got_scores, scores, atol=5e-5, rtol=0)


@pytest.mark.parametrize(("head", "blocks"), every_pair())
def test_the_files_compute_the_model(head: str, blocks: tuple[int, ...], tmp_path: Path) -> None:
    written(tmp_path, head, blocks)
    for image in verification_images(3, SIZE, seed=1).split(1):
        assert_same(segmenter(head, blocks), tmp_path, image)


@pytest.mark.parametrize(
    "head", ["linear", *(pytest.param(name, marks=pytest.mark.slow) for name in ("mask", "eomt"))]
)
def test_in_float16_the_same_tokens_merge(head: str, tmp_path: Path) -> None:
    """Similarities are float32. Random weights put classes closer than float16 tells apart."""
    model = segmenter(head, (2, 5)).compute_in(torch.float16)
    write_segments(cut(model), verification_images(1, SIZE), tmp_path)
    chain = open_folder(tmp_path, ["CPUExecutionProvider"], threads=1)
    with torch.inference_mode():
        for image in verification_images(4, SIZE, seed=1).split(1):
            scores, merge_maps = model(image)
            given = run_chain(chain, image)
            got_scores, got_maps = outputs_of(given, 2, PATCHES)
            assert given["tokens_1"].dtype == torch.float16 and got_scores.dtype == torch.float32
            assert same_cluster(merge_maps[0], got_maps[0]).all()
            labels = label_map(scores, SIZE) == label_map(got_scores, SIZE)
            assert labels.double().mean() > 0.97


def test_the_parts_of_later_vits_are_there(rotary: Path) -> None:
    for image in verification_images(3, SIZE, seed=1).split(1):
        assert_same(segmenter("mask", (1, 3), **PARTS), rotary, image)


def test_no_size_depends_on_data_and_nothing_is_scattered_by_adding(rotary: Path) -> None:
    for graph in graphs(rotary):
        assert not {node.op_type for node in graph.node} & SIZED_BY_DATA
        for node in graph.node:
            assert node.domain == ""
            assert all(each.name != "reduction" or each.s == b"none" for each in node.attribute)


def test_rows_alone_may_be_any_number(rotary: Path) -> None:
    for graph in graphs(rotary)[1:]:
        sizes = {
            each.name: [size.dim_value for size in each.type.tensor_type.shape.dim]
            for each in graph.input
        }
        tokens, merge_map = sizes
        assert sizes[tokens] == [0, 64]  # 0: any
        assert sizes[merge_map] == [1, PATCHES]


def test_weights_lie_there_once_and_not_in_the_graphs(rotary: Path) -> None:
    own = sum(p.numel() * 4 for p in segmenter("mask", (1, 3), **PARTS).parameters())
    weights = (rotary / "weights").stat().st_size
    borders = 4096 * sum(len(graph.initializer) for graph in graphs(rotary))
    assert own * 0.9 < weights < own * 1.1 + borders
    assert sum(file.stat().st_size for file in rotary.glob("*.onnx")) < 0.5 * own
    for graph in graphs(rotary):
        assert all(len(tensor.raw_data) <= 1024 for tensor in graph.initializer)


def test_the_files_name_nothing_of_the_machine_that_wrote_them(rotary: Path) -> None:
    for file in rotary.glob("*.onnx"):
        for word in (b".py", b"site-packages", str(Path.cwd()).encode(), b"stack_trace"):
            assert word not in file.read_bytes(), f"{file.name} holds {word!r}"
