"""Segments in bfloat16 are computed in float32: the same operators, weights and names."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mpm_deploy.errors import MissingPackageError

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from mpm_deploy.backends.onnxruntime.widened import widen  # noqa: E402
from mpm_deploy.backends.segments.files import segment_files  # noqa: E402

BFLOAT16 = onnx.TensorProto.BFLOAT16


@pytest.fixture
def weights() -> torch.Tensor:
    return torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).bfloat16()


@pytest.fixture
def folder(tmp_path: Path, weights: torch.Tensor) -> Path:
    """One segment, ``y = bfloat16(x) @ weights + 0.5`` with its weights beside it."""
    helper = onnx.helper
    bits = weights.view(torch.int16).numpy().tobytes()
    half = helper.make_tensor("", BFLOAT16, [1], [0.5])
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["x"], ["narrow"], to=BFLOAT16),
            helper.make_node("MatMul", ["narrow", "weights"], ["product"]),
            helper.make_node("Constant", [], ["half"], value=half),
            helper.make_node("Add", ["product", "half"], ["y"]),
        ],
        "segment",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [2, 4])],
        [helper.make_tensor_value_info("y", BFLOAT16, [2, 3])],
        [helper.make_tensor("weights", BFLOAT16, [4, 3], bits, raw=True)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    onnx.save(model, tmp_path / "0.onnx", save_as_external_data=True, size_threshold=0)
    return tmp_path


def test_what_was_bfloat16_is_computed_in_float32(folder: Path, weights: torch.Tensor) -> None:
    widen(segment_files(folder))
    session = onnxruntime.InferenceSession(folder / "0.onnx", providers=["CPUExecutionProvider"])
    x = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)
    (y,) = session.run(["y"], {"x": x})
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, x @ weights.float().numpy() + 0.5, rtol=1e-6, atol=1e-6)


def test_it_names_the_package_that_is_missing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingPackageError, match="in bfloat16 on a CPU needs the package onnx"):
        widen(segment_files(folder))
