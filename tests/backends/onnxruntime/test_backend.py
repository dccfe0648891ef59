"""An artifact for ONNX Runtime: what it gives, what it refuses, on how many threads it runs."""

import gc
import shutil
import sys
import weakref
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mpm_deploy import Runner
from mpm_deploy.artifact import read_manifest
from mpm_deploy.backends import get_backend, open_artifact
from mpm_deploy.backends.onnxruntime.program import OnnxRuntimeProgram
from mpm_deploy.builder.model import make_model
from mpm_deploy.builder.recipes import as_recipe
from mpm_deploy.builder.verify import verification_images
from mpm_deploy.errors import (
    ArtifactError,
    BuildError,
    HostError,
    InputError,
    MissingPackageError,
    RecipeError,
)
from mpm_deploy.recipe import Recipe, load_recipe
from tests.conftest import INPUT_SIZE, built_once, small_recipe
from tests.parity.conftest import with_manifest
from tests.support.forked import in_child

for package in ("onnx", "onnxscript", "onnxruntime"):
    pytest.importorskip(package)

import onnxruntime  # noqa: E402
from onnxruntime.capi import onnxruntime_pybind11_state as own_errors  # noqa: E402

NAME = "cpu_onnxruntime_fp32"
GPU = "CUDAExecutionProvider"


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return small_recipe(NAME)


@pytest.fixture(scope="module")
def file(recipe: Recipe, shared_folder: Path) -> Path:
    return built_once(recipe, shared_folder / f"{NAME}.onnx.zip")


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return verification_images(3, INPUT_SIZE, seed=1)


def without(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Have the import of a package fail, as where it is not installed."""
    monkeypatch.setitem(sys.modules, package, None)


def test_it_gives_what_the_eager_model_gives(recipe: Recipe, file: Path, images: Any) -> None:
    model, _ = make_model(recipe)
    _, program = open_artifact(file)
    with torch.inference_mode():
        expected, expected_maps = model(images)
    scores, merge_maps = program.scores(images)
    assert torch.equal(merge_maps, expected_maps)
    torch.testing.assert_close(scores, expected, atol=5e-5, rtol=0)


def test_the_manifest_says_what_it_needs(file: Path) -> None:
    manifest = read_manifest(file)
    requires = manifest.requires
    assert (requires.backend, requires.device) == ("onnxruntime", "cpu")
    assert requires.details == {"providers": ["CPUExecutionProvider"]}
    assert {*requires.versions} == {"torch", "onnxruntime"}
    assert manifest.batch.max == 1
    assert min(manifest.agreement.labels, *manifest.agreement.clusters) >= 0.999


def test_weights_are_in_the_file_once(file: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        sizes = {each.filename: each.file_size for each in archive.infolist()}
    assert {name for name in sizes if "/segments/" in name} == {
        f"segmenter/segments/{name}" for name in ("0.onnx", "1.onnx", "2.onnx", "weights")
    }
    own = 4 * read_manifest(file).model.parameters
    assert sizes["segmenter/segments/weights"] < 1.1 * own


def test_it_holds_the_recipe_that_it_was_built_of(recipe: Recipe, file: Path) -> None:
    assert as_recipe(file) == as_recipe(str(file)) == recipe


def test_full_token_is_one_segment(recipe: Recipe, shared_folder: Path, images: Any) -> None:
    path = built_once(recipe.full_token(), shared_folder / f"full_{NAME}.onnx.zip")
    _, program = open_artifact(path)
    scores, merge_maps = program.scores(images)
    assert merge_maps.shape == (3, 0, 24) and merge_maps.dtype == torch.int32
    with torch.inference_mode():
        expected, _ = make_model(recipe.full_token())[0](images)
    torch.testing.assert_close(scores, expected, atol=5e-5, rtol=0)


def test_a_lone_image_takes_the_threads_that_its_caller_has(file: Path, images: Any) -> None:
    _, program = open_artifact(file)
    alone = program.scores(images[:1])
    opened = vars(program)
    assert opened["_many"] is None  # torch has one thread here
    torch.set_num_threads(2)
    try:
        by_two = program.scores(images[:1])
    finally:
        torch.set_num_threads(1)
    assert opened["_many"] is not opened["_opened"]
    torch.testing.assert_close(by_two, alone, atol=1e-5, rtol=0)
    program.close()
    with pytest.raises(InputError, match="this program is closed"):
        program.scores(images[:1])


def test_more_threads_than_before_take_the_place_of_fewer(file: Path, images: Any) -> None:
    """A batch of four on eight threads has two an image; a lone image behind it has all."""
    _, program = open_artifact(file)
    seen, kept = [], []
    try:
        for threads in (2, 3, 2):
            torch.set_num_threads(threads)
            program.scores(images[:1])
            shared = vars(program)["_many"]._shared
            seen.append(shared.opened[0]._session.get_session_options().intra_op_num_threads)
            kept.append(weakref.ref(shared))
            del shared
    finally:
        torch.set_num_threads(1)
    gc.collect()
    assert seen == [2, 3, 3]
    assert [each() is None for each in kept] == [True, False, False]


def test_more_threads_are_done_without_where_the_file_has_changed(
    file: Path, images: Any, tmp_path: Path
) -> None:
    path = Path(shutil.copy(file, tmp_path))
    _, program = open_artifact(path)
    alone = program.scores(images[:1])
    path.unlink()
    torch.set_num_threads(2)
    try:
        by_one = program.scores(images[:1])
    finally:
        torch.set_num_threads(1)
    assert torch.equal(by_one[0], alone[0]) and torch.equal(by_one[1], alone[1])


def test_a_forked_child_goes_on(file: Path) -> None:
    frame = np.full((50, 70, 3), 99, np.uint8)
    with Runner(file, threads=1) as runner:
        expected = runner(frame).labels

        def again() -> str:
            with Runner(file, threads=1) as own:
                return str((own(frame).labels == expected).all())

        assert in_child(again) == "True"


def test_temporary_files_are_gone_once_it_is_open(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    copy = Path(shutil.copy(file, tmp_path))
    with Runner(copy, threads=1) as runner:
        assert [*tmp_path.iterdir()] == [copy]
        assert runner.check_sample() == 1


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_building_names_the_package_that_is_missing(
    package: str, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, package)
    with pytest.raises(BuildError, match="'cpu_onnxruntime_fp32': building") as caught:
        get_backend("onnxruntime").check(recipe)
    assert caught.value.problem.endswith(f" needs the package {package}")
    assert caught.value.hint == "pip install 'mpm-deploy[onnx]'"


def test_running_names_the_package_that_is_missing(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, "onnxruntime")
    with pytest.raises(MissingPackageError, match="needs the package onnxruntime") as caught:
        Runner(file)
    assert caught.value.hint == "pip install 'mpm-deploy[onnxruntime]'"


def test_running_needs_onnxruntime_alone(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("onnx", "onnxscript"):
        without(monkeypatch, package)
    with Runner(file, threads=1) as runner:
        assert runner.check_sample() == 1


def test_a_provider_that_is_not_there_is_refused(file: Path, tmp_path: Path) -> None:
    recipe = small_recipe(NAME).override(f'backend.providers=["{GPU}"]')
    with pytest.raises(BuildError, match=rf"is for {GPU}, and ONNX Runtime .* has .*CPU") as caught:
        get_backend("onnxruntime").check(recipe)
        recipe.backend.member.check(recipe)
    assert "onnxruntime-gpu" in str(caught.value.hint)
    other = tmp_path / "other.onnx.zip"
    needs = {"details": {"providers": [GPU, "CPUExecutionProvider"]}}
    with_manifest(file, other, lambda data: data["requires"].update(needs))
    with pytest.raises(HostError, match=rf"other.onnx.zip: for {GPU}, and ONNX Runtime") as refused:
        open_artifact(other)
    assert f"--recipe {other} --set 'backend.providers=" in str(refused.value.hint)


def test_a_provider_that_cannot_start_is_refused_and_none_multiplies_in_tf32(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime itself goes on without one: here as on a machine without a GPU."""
    asked: list[Any] = []
    real = onnxruntime.InferenceSession

    def on_the_cpu(file: Path, options: Any, providers: Any, **others: Any) -> Any:
        asked.append((providers, others))
        return real(file, options, ["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "InferenceSession", on_the_cpu)
    manifest, wanted = read_manifest(file), [GPU, "CPUExecutionProvider"]
    with pytest.raises(HostError, match=rf"ONNX Runtime \S+ cannot start {GPU}\n") as caught:
        OnnxRuntimeProgram(file, manifest, torch.device("cpu"), wanted)
    assert f"--recipe {file} --set 'backend.providers=" in str(caught.value.hint)
    providers = [(GPU, {"use_tf32": "0"}), ("CPUExecutionProvider", {})]
    assert asked == [(providers, {"enable_fallback": 0})] * 3


@pytest.mark.parametrize(
    ("details", "kind", "problem"),
    [
        ({"providers": "CPU"}, ArtifactError, r"providers: expected names, got 'CPU'"),
        ({"providers": [1]}, ArtifactError, r"providers: expected names, got \[1\]"),
        ({"providers": [], "space": 1}, HostError, "needs space, which backend 'onnxruntime' does"),
    ],
)
def test_what_a_manifest_asks_for_is_read_strictly(
    file: Path, tmp_path: Path, details: Any, kind: type[ArtifactError], problem: str
) -> None:
    other = tmp_path / "other.onnx.zip"
    with_manifest(file, other, lambda data: data["requires"].update(details=details))
    with pytest.raises(kind, match=problem):
        open_artifact(other)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("backend.providers=[]", "backend.providers: expected names of execution providers"),
        ('backend.providers=["cuda"]', "backend.providers: expected names of execution providers"),
        ("backend.device=cuda", "backend.device: expected 'cpu' with backend 'onnxruntime'"),
        ("backend.dtype=int8", "backend.dtype: expected 'float32' or 'float16' with backend"),
        ("backend.dtype=bfloat16", "backend.dtype: expected 'float32' or 'float16' with backend"),
    ],
)
def test_other_options_are_refused(change: str, problem: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(NAME).override(change)
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("tome", ["merge.ratio=0.2"]),
        ("algm", ["merge.threshold=0.9"]),
        ("cts", ["merge.blocks=[0]"]),
    ],
)
def test_methods_that_cannot_be_cut_are_refused(method: str, options: list[str]) -> None:
    recipe = load_recipe(NAME).override(f"merge.method={method}", *options)
    problem = f"merges by '{method}': backend 'onnxruntime' cuts a model at its merges"
    with pytest.raises(BuildError, match=problem) as caught:
        recipe.backend.member.check(recipe)
    assert "method 'mpm'" in str(caught.value.hint)
    recipe.full_token().backend.member.check(recipe.full_token())  # which has nothing to cut


def cut_short(records: dict[str, bytes]) -> None:
    records["segmenter/segments/1.onnx"] = records["segmenter/segments/1.onnx"][:100]


def without_one(records: dict[str, bytes]) -> None:
    del records["segmenter/segments/1.onnx"]


def one_less(records: dict[str, bytes]) -> None:
    del records["segmenter/segments/2.onnx"]


def without_weights(records: dict[str, bytes]) -> None:
    del records["segmenter/segments/weights"]


@pytest.mark.parametrize("damage", [cut_short, without_one, one_less, without_weights])
def test_damaged_segments_are_an_artifact_error(
    file: Path, tmp_path: Path, damage: Callable[[dict[str, bytes]], None]
) -> None:
    with zipfile.ZipFile(file) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    damage(records)
    other = tmp_path / "other.onnx.zip"
    with zipfile.ZipFile(other, "w") as archive:
        for name, data in records.items():
            archive.writestr(name, data)
    unhashed = replace(read_manifest(file), payload_sha256="")
    with pytest.raises(ArtifactError, match="changed since it was built"):
        open_artifact(other)
    with pytest.raises(ArtifactError, match=r"other.onnx.zip: ONNX Runtime .* cannot load it: "):
        get_backend("onnxruntime").load(other, unhashed, torch.device("cpu"))


def test_what_fails_as_it_runs_is_told(
    file: Path, images: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, program = open_artifact(file)
    step = vars(program)["_opened"]._shared.opened[0]

    class Failing:
        def __init__(self, said: str) -> None:
            self.said = said

        def run(self, outputs: object, feed: object) -> object:
            raise own_errors.Fail(self.said)

    monkeypatch.setattr(step, "_session", Failing("no such kernel"))
    with pytest.raises(ArtifactError, match="it failed while it ran: no such kernel"):
        program.scores(images[:1])
    monkeypatch.setattr(step, "_session", Failing("no such kernel\nwhere it was raised"))
    with pytest.raises(ArtifactError) as caught:
        program.scores(images[:1])
    assert caught.value.problem.endswith("it failed while it ran: no such kernel")
    short = "Failed to allocate memory for requested buffer of size 99"
    monkeypatch.setattr(step, "_session", Failing(short))
    with pytest.raises(HostError, match="this machine is short of memory"):
        program.scores(images[:1])
