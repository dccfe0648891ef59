"""A file for TensorRT on a CPU: both programs run its segments alike, and offer that alike."""

from pathlib import Path

import pytest
import torch

from tests.backends.tensorrt.conftest import built_with_stand_in
from tests.parity.conftest import Run, skip_without_onnxruntime, with_manifest
from tests.parity.test_label_maps import assert_same_label_maps

pytest.importorskip("onnxscript", reason="pip install 'mpm-deploy[onnx]'")

ON_CPU = ("--device", "cpu")


@pytest.fixture(scope="module")
def file(shared_folder: Path) -> Path:
    """Segments in float16, and engines that no library would open."""
    return built_with_stand_in(shared_folder)


def test_both_programs_write_the_same_label_maps_on_a_cpu(
    file: Path,
    image_folder: Path,
    cpp_runner: Run,
    mpm_deploy: Run,
    tmp_path: Path,
) -> None:
    skip_without_onnxruntime(file)
    args = (file, image_folder, cpp_runner, mpm_deploy, tmp_path, 2, ON_CPU)
    assert len(assert_same_label_maps(*args)) == 5


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_both_programs_offer_the_cpu(
    file: Path,
    image_folder: Path,
    cpp_runner: Run,
    mpm_deploy: Run,
    tmp_path: Path,
) -> None:
    for run in (mpm_deploy, cpp_runner):
        answer = run("run", file, image_folder, "-o", tmp_path / "maps")
        assert answer.returncode == 1
        problem, hint = answer.stderr.splitlines()
        assert problem.startswith(f"error: {file}: asked to run on 'cuda")
        assert hint.endswith(", or run it on device 'cpu'")


def test_segments_in_bfloat16_are_left_to_the_program_that_widens_them(
    file: Path,
    image_folder: Path,
    cpp_runner: Run,
    tmp_path: Path,
) -> None:
    other = tmp_path / "other.tensorrt.zip"
    with_manifest(file, other, lambda data: data["requires"].update(dtype="bfloat16"))
    answer = cpp_runner("run", other, image_folder, "-o", tmp_path / "maps", *ON_CPU)
    assert answer.returncode == 1
    problem, hint = answer.stderr.splitlines()
    assert problem.startswith(f"error: {other}: its segments are in bfloat16")
    assert "`mpm-deploy run`" in hint
