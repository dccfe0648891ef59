"""The numbers and names of weights: what is refused wherever it was read, and how that is said."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from mpm_deploy.errors import ModelError
from mpm_deploy.models import create
from mpm_deploy.models.weights.checks import as_float32, differing_names, unwrapped
from mpm_deploy.models.weights.files import convert_weights, read_weights, save_weights
from tests.models import official
from tests.models.weights.test_weights import ABOUT

NAN, INFINITE = float("nan"), float("inf")

Change = Callable[[dict[str, Tensor]], None]


def own_weights(folder: Path, change: Change) -> Path:
    path = folder / "some.safetensors"
    save_weights(create("seg_t16_linear", classes=2, image_size=(64, 96)), path, ABOUT)
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)
    return path


def checkpoint(folder: Path, change: Change) -> Path:
    path = official.write_checkpoint(folder, "vit_tiny_patch16_384")
    saved = torch.load(path, weights_only=True)
    change(saved["model"])
    torch.save(saved, path)
    return path


def spoil(tensors: dict[str, Tensor]) -> None:
    tensors["encoder.norm.bias"][2:5] = torch.tensor([NAN, INFINITE, -INFINITE])


@pytest.mark.parametrize("write", [own_weights, checkpoint])
def test_weights_that_are_not_finite_are_refused_where_they_are_read(
    tmp_path: Path, write: Callable[[Path, Change], Path]
) -> None:
    path, target = write(tmp_path, spoil), tmp_path / "target.safetensors"
    for use in (read_weights, lambda source: convert_weights(source, target)):
        with pytest.raises(ModelError) as caught:
            use(path)
        problem = f"{path}: encoder.norm.bias: expected values that are finite in float32, got 1 "
        assert caught.value.problem.startswith(f"{problem}NaN and 2 infinite of 192 (")
        assert "diverged" in (caught.value.hint or "")
    assert not target.exists()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_every_floating_point_type_becomes_float32(dtype: torch.dtype) -> None:
    values = torch.tensor([1.5, -2.0, 0.0]).to(dtype)
    (weight,) = as_float32("it", {"w": values}).values()
    assert weight.dtype == torch.float32 and weight.tolist() == [1.5, -2.0, 0.0]


def test_a_float64_beyond_float32_is_infinite_in_it() -> None:
    with pytest.raises(ModelError, match=r"it: w: .* 0 NaN and 1 infinite of 2 \(float64\)"):
        as_float32("it", {"w": torch.tensor([1.0, 1e300], dtype=torch.float64)})


def test_large_values_are_finite_though_their_sum_is_not() -> None:
    large = torch.full((100,), 3e38)
    assert torch.equal(as_float32("it", {"w": large})["w"], large)


@pytest.mark.parametrize(
    ("tensor", "got"),
    [
        (torch.zeros(2, dtype=torch.int8), "int8 (strided, cpu)"),
        (torch.zeros(2, dtype=torch.bool), "bool (strided, cpu)"),
        (torch.zeros(2, dtype=torch.complex64), "complex64 (strided, cpu)"),
        (torch.zeros(2).to_sparse(), "float32 (sparse_coo, cpu)"),
        (torch.zeros(2, device="meta"), "float32 (strided, meta)"),
    ],
)
def test_weights_of_other_kinds_are_refused(tensor: Tensor, got: str) -> None:
    with pytest.raises(ModelError) as caught:
        as_float32("it", {"w": tensor})
    expected = "it: w: expected dense floating point numbers, got "
    assert caught.value.problem == expected + got


def test_a_name_that_not_all_have_in_front_is_kept() -> None:
    one, other = torch.zeros(1), torch.ones(1)
    tensors = {"model.encoder.special": one, "criterion.weight": other}
    assert unwrapped(tensors, "encoder.special") == tensors
    tensors = {"encoder.special": one, "teacher.encoder.special": other}
    assert unwrapped(tensors, "encoder.special") == tensors


def test_wrappers_of_own_weights_are_understood(tmp_path: Path) -> None:
    def wrap(tensors: dict[str, Tensor]) -> None:
        for name in list(tensors):
            tensors[f"module.{name}"] = tensors.pop(name)

    weights, _ = read_weights(own_weights(tmp_path, wrap))
    assert "encoder.special" in weights and "decoder.head.weight" in weights


def test_names_that_differ_are_listed_up_to_eight() -> None:
    assert differing_names(["a", "b"], ["b", "a"]) == ""
    assert differing_names(["b", "a"], ["c"]) == "missing ['a', 'b'], unexpected ['c']"
    many = differing_names([], [f"w{number}" for number in range(10)])
    assert many.startswith("missing none, unexpected ['w0', ") and many.endswith("] and 2 more")
