"""TensorRT for RTX itself makes engines of a file's segments, where it is installed; no GPU."""

import zipfile
from pathlib import Path

import pytest

from mpm_deploy.artifact import read_manifest
from mpm_deploy.backends.segments.files import SEGMENTS, segment_files, unpack
from mpm_deploy.backends.tensorrt.engine_info import engines_of
from mpm_deploy.backends.tensorrt.engines import listener_of, parsed
from mpm_deploy.backends.tensorrt.flavors import FLAVORS
from mpm_deploy.builder.engine import add_engine
from mpm_deploy.errors import BuildError

pytest.importorskip("tensorrt_rtx_bindings")


def test_it_adds_an_engine_for_a_gpu_that_is_not_here(file: Path, tmp_path: Path) -> None:
    output = tmp_path / "more.tensorrt.zip"
    made = add_engine(file, output, capability="12.0")
    assert made in engines_of(read_manifest(output), output)
    with zipfile.ZipFile(output) as archive:
        for index, size in enumerate(made.bytes):
            engine = archive.read(f"segmenter/{made.folder}/{index}.engine")
            assert len(engine) == size
            assert engine[:4] != b"\x08\x0a\x12\x07"  # no ONNX, which the stand-in writes


def test_it_names_the_gpus_that_recipes_build_for_and_no_h100(file: Path, tmp_path: Path) -> None:
    named = FLAVORS["tensorrt_rtx"].load().capabilities()
    assert {(8, 0), (8, 6), (8, 9), (12, 0)} <= named.keys()
    with pytest.raises(BuildError, match=r"capability 9\.0: expected one that TensorRT for RTX"):
        add_engine(file, tmp_path / "more.tensorrt.zip", capability="9.0")


def test_a_network_has_layers_of_its_own_alone(file: Path, tmp_path: Path) -> None:
    library = FLAVORS["tensorrt_rtx"].load()
    unpack(file, "", {SEGMENTS}, tmp_path)
    for segment in segment_files(tmp_path / SEGMENTS):
        _, network = parsed(library, segment, listener_of(library))
        kinds = {network.get_layer(index).type.name for index in range(network.num_layers)}
        assert not [kind for kind in kinds if kind.startswith(("PLUGIN", "NON_ZERO", "LOOP"))]
        outputs = [network.get_output(index) for index in range(network.num_outputs)]
        types = {each.name: each.dtype.name for each in outputs}
        for name, kind in types.items():
            prefix = name.rpartition("_")[0]
            expected = {"tokens": "HALF", "kept": "INT32", "merge_map": "INT32", "": "FLOAT"}
            assert kind == expected[prefix], name


def test_what_it_cannot_parse_is_told_by_the_operator(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    library = FLAVORS["tensorrt_rtx"].load()
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Abacus", ["x"], ["y"], name="bead", domain="own")],
        "unknown",
        [value("x", onnx.TensorProto.FLOAT, [1])],
        [value("y", onnx.TensorProto.FLOAT, [1])],
    )
    opsets = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid("own", 1)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets), tmp_path / "0.onnx")
    with pytest.raises(RuntimeError, match=r"segment 0\.onnx: bead \(Abacus\): "):
        parsed(library, tmp_path / "0.onnx", listener_of(library))
