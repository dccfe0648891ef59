"""An artifact for TensorRT: what is in it, who may open it, and what it gives by a stand-in."""

import json
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from operator import itemgetter
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from mpm_deploy import Runner
from mpm_deploy.artifact import read_manifest
from mpm_deploy.backends import get_backend, open_artifact
from mpm_deploy.backends.segments.files import unpack
from mpm_deploy.backends.tensorrt.engine_info import EngineInfo, Here, choose, engines_of
from mpm_deploy.backends.tensorrt.engines import add_engines
from mpm_deploy.backends.tensorrt.flavors import FLAVORS, Library
from mpm_deploy.backends.tensorrt.program import EngineChain, TensorRtProgram, open_engines
from mpm_deploy.builder.model import make_model
from mpm_deploy.builder.recipes import as_recipe
from mpm_deploy.builder.verify import same_cluster
from mpm_deploy.errors import (
    ArtifactError,
    BuildError,
    HostError,
    InputError,
    MissingPackageError,
    RecipeError,
)
from mpm_deploy.measure.profile.profile import profile
from mpm_deploy.ops.label_map.reference import label_map
from mpm_deploy.recipe import Recipe, load_recipe
from mpm_deploy.support.schema import read_structure
from tests.conftest import INPUT_SIZE
from tests.parity.conftest import with_manifest

for package in ("onnx", "onnxscript", "onnxruntime"):
    pytest.importorskip(package)

from tests.backends.tensorrt import stand_in  # noqa: E402

CPU = torch.device("cpu")
RTX = EngineInfo("tensorrt_rtx", "1.7.1.116", (8, 6), "x86_64", (5, 6))
# What machines, engines and manifests do not go together; the C++ tests read them too.
CASES = json.loads(Path(__file__).with_name("cases.json").read_text())
WHAT = itemgetter("what")


def engines_in(case: Any) -> list[EngineInfo]:
    return [read_structure(EngineInfo, each) for each in case["engines"]]


def here_in(case: Any) -> Here:
    here = case["here"]
    return Here(tuple(here["capability"]), here["machine"], here["versions"])


def opened(path: Path, library: ModuleType, **changes: Any) -> EngineChain:
    """The stand-in's engines of an artifact, opened as on a GPU."""
    manifest = replace(read_manifest(path), **changes)
    engine = engines_of(manifest, path)[-1]
    return open_engines(path, manifest, CPU, engine, Library(FLAVORS[engine.flavor], library))


def test_the_file_holds_segments_and_an_engine_of_each_for_each_gpu(file: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        sizes = {each.filename: each.file_size for each in archive.infolist()}
    for engine in engines_of(read_manifest(file), file):
        for index, size in enumerate(engine.bytes):
            assert sizes[f"segmenter/{engine.folder}/{index}.engine"] == size
    assert {"segmenter/segments/2.onnx", "segmenter/segments/weights"} <= {*sizes}


def test_the_manifest_says_what_it_needs(file: Path, recipe: Recipe) -> None:
    manifest = read_manifest(file)
    requires = manifest.requires
    assert (requires.backend, requires.device, requires.dtype) == ("tensorrt", "cuda", "float16")
    assert requires.details["rows"] == 24 + manifest.model.special_tokens
    engines = engines_of(manifest, file)
    assert [each.capability for each in engines] == [(8, 0), (8, 6)]
    assert {each.agreement for each in engines} == {None}
    assert engines[1].folder.startswith("engines/tensorrt_rtx-1.7.1.116-8.6-")
    assert as_recipe(file) == recipe


def test_inspect_says_that_no_engine_has_run(file: Path) -> None:
    lines = get_backend("tensorrt").described(read_manifest(file))
    assert lines["engines"].count("built, never run on a GPU") == 2
    assert "TensorRT for RTX 1.7.1.116, capability 8.6, " in lines["engines"]
    assert lines["compared"] == "the segments, on a CPU by ONNX Runtime"
    assert "99.9100% of the sample's labels" in replace(RTX, agreement=0.9991).described()


def test_on_a_cpu_onnxruntime_runs_the_segments(file: Path, recipe: Recipe, images: Any) -> None:
    model, _ = make_model(recipe)
    assert model.encoder.position.device == CPU
    _, program = open_artifact(file, "cpu")
    scores, merge_maps = program.scores(images)
    with torch.inference_mode():
        expected, expected_maps = model(images)
    assert all(map(torch.all, map(same_cluster, merge_maps, expected_maps)))
    labels = label_map(scores, INPUT_SIZE) == label_map(expected, INPUT_SIZE)
    assert labels.double().mean() > 0.97  # random weights put classes close to one another
    with Runner(file, device="cpu", threads=1) as runner:
        assert runner.check_sample() == 1


def test_a_profile_on_a_cpu_is_of_the_segments(file: Path, image_folder: Path) -> None:
    found = profile(file, image_folder, device="cpu", limit=1)
    parts = [stage for stage in found.stages if stage.source == "eager"]
    assert [part.block for part in parts if part.name == "merge"] == [2, 5]


def test_float32_is_not_multiplied_as_tf32_and_rows_may_be_any_number(
    file: Path, library: Any, tmp_path: Path
) -> None:
    unpack(file, "", {"segments"}, tmp_path)
    own = Library(FLAVORS["tensorrt_rtx"], library)
    info = add_engines(own, tmp_path, 25, (8, 6))
    assert info.bytes == tuple(f.stat().st_size for f in sorted(tmp_path.rglob("*.engine")))
    networks, configs = zip(*library.Builder.built, strict=True)
    assert all(network.is_strongly_typed for network in networks)
    assert [config.flags for config in configs] == [set()] * 3
    assert [config.capabilities for config in configs] == [[stand_in.ComputeCapability.SM86]] * 3
    assert [config.rows for config in configs] == [
        {},
        {"tokens_1": ((1, 192), (19, 192), (25, 192))},
        {"tokens_2": ((1, 192), (14, 192), (25, 192))},
    ]


def test_an_engine_is_for_every_gpu_of_its_capability_and_for_no_other(
    file: Path, library: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TensorRT is asked for that where it can be; for RTX, its capability or the GPU is named."""
    unpack(file, "", {"segments"}, tmp_path)

    def asked(flavor: str, capability: tuple[int, int]) -> set[Any]:
        library.Builder.built.clear()
        add_engines(Library(FLAVORS[flavor], library), tmp_path, 25, capability)
        configs = [config for _, config in library.Builder.built]
        return {(each.hardware_compatibility_level, *each.capabilities) for each in configs}

    kinds = stand_in.ComputeCapability
    assert asked("tensorrt", (9, 0)) == {(None,)}  # before 10.9
    levels = SimpleNamespace(SAME_COMPUTE_CAPABILITY="same")
    monkeypatch.setattr(library, "HardwareCompatibilityLevel", levels, raising=False)
    assert asked("tensorrt", (9, 0)) == {("same",)}
    assert asked("tensorrt_rtx", (8, 6)) == {(None, kinds.SM86)}
    assert asked("tensorrt_rtx", (9, 0)) == {(None, kinds.CURRENT)}


def test_without_a_gpu_it_is_refused(file: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(HostError, match="asked to run on 'cuda'"):
        open_artifact(file)


@pytest.mark.parametrize("case", CASES["machines"], ids=WHAT)
def test_a_machine_that_no_engine_is_for_is_told_how_to_make_one(case: Any) -> None:
    kind = HostError if case["here"]["versions"] or not case["engines"] else MissingPackageError
    with pytest.raises(kind) as caught:
        choose(engines_in(case), here_in(case), "a.tensorrt.zip")
    assert caught.value.problem == f"a.tensorrt.zip: {case['problem']}"
    assert caught.value.hint == case["hint"]


@pytest.mark.parametrize("case", CASES["chosen"], ids=WHAT)
def test_the_engine_that_fits_is_chosen(case: Any) -> None:
    engines = engines_in(case)
    assert choose(engines, here_in(case), "a") is engines[case["chosen"]]


def test_a_wheel_that_was_packed_once_more_has_the_same_version(
    library: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "__version__", "10.3.0.post2")
    assert Library(FLAVORS["tensorrt"], library).version == "10.3.0"


def test_nothing_is_opened_where_no_engine_fits(
    file: Path, library: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library, of which there is another version, is not even asked."""
    monkeypatch.setattr(library, "Runtime", None)
    monkeypatch.setattr(library, "__version__", "1.8.0.1")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 6))
    manifest = read_manifest(file)
    engine = engines_of(manifest, file)[-1]
    monkeypatch.setattr("platform.machine", lambda: engine.machine)
    with pytest.raises(HostError, match=r"here is TensorRT for RTX 1\.8\.0\.1"):
        get_backend("tensorrt").load(file, manifest, torch.device("cuda:0"))


def test_a_program_runs_the_engine_that_fits(
    file: Path, library: Any, images: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = read_manifest(file)
    program = TensorRtProgram(file, manifest, CPU, engines_of(manifest, file)[0])
    scores, merge_maps = program.scores(images)
    assert scores.shape[0] == merge_maps.shape[0] == 3
    assert len(library.Context.calls) == 9  # one image a call
    monkeypatch.setattr(library.Context, "fails", True)
    with pytest.raises(ArtifactError, match="it failed while it ran: images of shape") as caught:
        program.scores(images[:1])
    assert f"mpm-deploy engine {file}" in str(caught.value.hint)
    program.close()
    with pytest.raises(InputError, match="this program is closed"):
        program.scores(images[:1])


def cut_short(data: bytes) -> bytes:
    return data[:100]


def of_the_same_size(data: bytes) -> bytes:
    return bytes(len(data))


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (cut_short, r"-8\.6-\w+/1\.engine: expected \d+ bytes, found 100"),
        (lambda data: None, r"-8\.6-\w+/1\.engine: expected \d+ bytes, found 0"),
        (of_the_same_size, r"TensorRT for RTX 1\.7\.1\.116 cannot load it: the plan's header is"),
    ],
)
def test_a_damaged_engine_is_an_artifact_error(
    file: Path,
    library: ModuleType,
    tmp_path: Path,
    damage: Callable[[bytes], bytes | None],
    problem: str,
) -> None:
    other = tmp_path / "other.tensorrt.zip"
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            data: bytes | None = old.read(name)
            if "-8.6-" in name and name.endswith("1.engine"):
                data = damage(old.read(name))
            if data is not None:
                new.writestr(name, data)
    manifest = read_manifest(file)
    engine, own = engines_of(manifest, file)[-1], Library(FLAVORS["tensorrt_rtx"], library)
    with pytest.raises(ArtifactError, match="changed since it was built"):
        open_engines(other, manifest, CPU, engine, own)
    unhashed = replace(manifest, payload_sha256="")
    with pytest.raises(ArtifactError, match=problem) as caught:
        open_engines(other, unhashed, CPU, engine, own)
    assert str(caught.value.hint).endswith(f"make its engine anew: mpm-deploy engine {other}")


@pytest.mark.parametrize("case", CASES["manifests"], ids=WHAT)
def test_what_a_manifest_lists_is_read_strictly(file: Path, tmp_path: Path, case: Any) -> None:
    change = dict(case["set"])

    def changed(data: Any) -> None:
        details = data["requires"]["details"]
        details["engines"][0].update(change.pop("engine", {}))
        details.update(change)

    other = tmp_path / "other.tensorrt.zip"
    with_manifest(file, other, changed)
    with pytest.raises(ArtifactError) as caught:
        engines_of(read_manifest(other), other)
    assert f"{other}: manifest: {case['refused']}" in caught.value.problem


@pytest.mark.parametrize("name", ["tensorrt_rtx", "onnx"])
def test_building_names_the_package_that_is_missing(
    name: str, recipe: Recipe, library: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "tensorrt_rtx_bindings", None)
    with pytest.raises(BuildError, match="recipe 'rtx_fp16': ") as caught:
        recipe.backend.member.check(recipe)
    expected = "pip install tensorrt-rtx" if name == "tensorrt_rtx" else "mpm-deploy[onnx]"
    assert expected in str(caught.value.hint)


def test_a_library_that_cannot_be_loaded_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "libtensorrt_rtx.so.1: cannot open shared object file"
    (tmp_path / "tensorrt_rtx_bindings.py").write_text(f"raise ImportError({said!r})")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    monkeypatch.delitem(sys.modules, "tensorrt_rtx_bindings", raising=False)
    with pytest.raises(MissingPackageError, match=f"TensorRT for RTX is not installed: {said}"):
        FLAVORS["tensorrt_rtx"].load()


def test_running_on_a_cpu_needs_onnxruntime(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingPackageError, match="needs the package onnxruntime"):
        open_artifact(file, "cpu")


def test_a_gpu_that_cannot_be_named_is_refused(recipe: Recipe, library: ModuleType) -> None:
    wrong = recipe.override('backend.capabilities=["8.6", "9.0"]')
    problem = r"capability 9\.0: expected one that TensorRT for RTX 1\.7\.1\.116 can name: 8\.0, 8"
    with pytest.raises(BuildError, match=problem) as caught:
        wrong.backend.member.check(wrong)
    assert "mpm-deploy engine FILE" in str(caught.value.hint)


def test_methods_that_cannot_be_cut_are_refused(library: ModuleType) -> None:
    recipe = load_recipe("rtx_fp16").override(
        "merge.method=tome", "merge.ratio=0.2", f"backend.capabilities={'[]'}"
    )
    with pytest.raises(BuildError, match="backend 'tensorrt' cuts a model at its merges") as caught:
        recipe.backend.member.check(recipe)
    assert "method 'mpm'" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (["backend.flavor=rtx"], "backend.flavor: expected one of tensorrt, tensorrt_rtx"),
        (['backend.capabilities=["86"]'], "backend.capabilities: expected capabilities of GPUs"),
        (['backend.capabilities=["8.6", "8.6"]'], "backend.capabilities: expected capabilities"),
        (["backend.flavor=tensorrt"], "backend.capabilities: expected none with flavor 'tensorrt'"),
        (["backend.device=cpu"], "backend.device: expected 'cuda' with backend 'tensorrt'"),
        (["backend.dtype=int8"], "backend.dtype: expected 'float32' or 'float16' or 'bfloat16'"),
    ],
)
def test_other_options_are_refused(changes: list[str], problem: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("rtx_fp16").override(*changes)
    assert problem in caught.value.problem
