"""An artifact for TensorRT: what is in it, who may open it, and what it gives by a stand-in."""

import gc
import json
import sys
import weakref
import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from threading import Thread
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from mpm_deploy import Runner
from mpm_deploy.artifact import read_manifest
from mpm_deploy.backends import get_backend, open_artifact
from mpm_deploy.backends.segments.files import unpack
from mpm_deploy.backends.tensorrt.engine_info import EngineInfo, Here, choose, engines_of
from mpm_deploy.backends.tensorrt.engines import add_engines, listener_of
from mpm_deploy.backends.tensorrt.flavors import FLAVORS, Library
from mpm_deploy.backends.tensorrt.program import EngineChain, TensorRtProgram, open_engines
from mpm_deploy.backends.tensorrt.steps import readable
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


def test_engines_give_what_the_segments_give(file: Path, library: ModuleType, images: Any) -> None:
    _, program = open_artifact(file, "cpu")
    chain = opened(file, library)
    for image in images.split(1):
        scores, merge_maps = chain.run(image, 2, 24)
        expected, expected_maps = program.scores(image)
        assert torch.equal(merge_maps, expected_maps)
        torch.testing.assert_close(scores, expected, atol=1e-5, rtol=0)


def test_an_engine_reads_as_many_rows_as_are_left_where_they_lie(
    file: Path, library: Any, images: Any
) -> None:
    chain = opened(file, library)
    _, merge_maps = chain.run(images[:1], 2, 24)
    calls = library.Context.calls
    special = read_manifest(file).model.special_tokens
    assert len(calls) == 3
    assert calls[0].addresses["images"] == images.data_ptr()
    for merge, (one, following) in enumerate(pairwise(calls), 1):
        tokens = f"tokens_{merge}"
        assert following.addresses[tokens] == one.addresses[tokens]
        kept = int(merge_maps[0, merge - 1].max()) + 1 + special
        assert following.shapes[tokens][0] == kept < 24 + special


def test_an_image_anywhere_in_memory_is_read_from_where_engines_read(
    file: Path, library: Any, images: Any
) -> None:
    """As one of a batch lies, of a size that is a multiple of 14."""
    chain = opened(file, library)
    expected, expected_maps = chain.run(images[:1], 2, 24)
    memory = torch.empty(images[0].numel() + 1, dtype=torch.uint8)
    shifted = memory[1:].view_as(images[:1]).copy_(images[:1])
    scores, merge_maps = chain.run(shifted, 2, 24)
    assert torch.equal(scores, expected) and torch.equal(merge_maps, expected_maps)
    addresses = [a for call in library.Context.calls for a in call.addresses.values()]
    assert shifted.data_ptr() % 64 and not any(address % 64 for address in addresses)


@pytest.mark.parametrize(
    ("given", "got"),
    [
        (torch.zeros(1, 4), "torch.float32 on cpu"),
        (torch.zeros(1, 4, dtype=torch.int32, device="meta"), "torch.int32 on meta"),
        (torch.zeros(4, 4, dtype=torch.int32).T, "strides (1, 4) of (4, 4)"),
    ],
)
def test_what_no_engine_reads_is_refused_by_what_it_is(given: torch.Tensor, got: str) -> None:
    with pytest.raises(RuntimeError) as caught:
        readable("images", given, torch.int32, CPU)
    assert str(caught.value) == f"images: expected a contiguous torch.int32 on cpu, got {got}"


def test_a_listener_stays_for_what_a_library_says_later(library: Any) -> None:
    """Of a library that keeps the first that it was told of, and calls it for another engine."""
    own = Library(FLAVORS["tensorrt_rtx"], library)
    kept = weakref.ref(listener_of(own))
    gc.collect()
    assert kept() is listener_of(own)


def test_a_listener_tells_a_cause_and_what_failed_by_it_once(library: Any) -> None:
    listener = listener_of(Library(FLAVORS["tensorrt_rtx"], library))
    heard, kind = listener.heard, library.ILogger
    for severity, message in (
        (kind.ERROR, "no memory"),
        (kind.WARNING, "slow"),
        (kind.ERROR, "no engine"),
    ):
        listener.log(severity, message)
    assert heard.said() == "no memory; no engine"
    assert heard.said() == "it gives no reason"
    for number in range(10_000):
        listener.log(kind.ERROR, str(number))
    assert heard.said() == "0; 1; 2; 3"
    listener.log(kind.WARNING, "CUDA initialization failure")
    listener.log(kind.WARNING + 1, "a detail")
    assert heard.said() == "CUDA initialization failure"


def test_what_was_said_before_explains_nothing_now(
    file: Path, library: Any, images: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = opened(file, library)
    listener = listener_of(Library(FLAVORS["tensorrt_rtx"], library))
    listener.log(library.ILogger.ERROR, "of yesterday")
    monkeypatch.setattr(library.Context, "fails", True)
    with pytest.raises(RuntimeError, match="it gives no reason"):
        chain.run(images[:1], 2, 24)


@pytest.mark.parametrize("name", ["images", "kept_1"])
def test_an_address_that_is_refused_is_told(
    file: Path, library: Any, images: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    chain = opened(file, library)
    monkeypatch.setattr(library.Context, "unplaced", (name,))
    with pytest.raises(RuntimeError, match=f"^{name}: it gives no reason$"):
        chain.run(images[:1], 2, 24)
    assert library.Context.calls == []  # nothing is read or written at an address of before


def test_a_tensor_of_a_type_that_torch_has_not_is_told_as_the_engine_is_opened(
    file: Path, library: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fp8 = SimpleNamespace(name="FP8")
    monkeypatch.setattr(library.Engine, "get_tensor_dtype", lambda *_: fp8)
    problem = "images: expected a tensor of FLOAT, HALF, .*, got FP8"
    with pytest.raises(ArtifactError, match=problem):
        opened(file, library)


@pytest.mark.parametrize("kind", ["Builder", "Runtime"])
def test_where_cuda_cannot_start_the_reason_is_told(
    file: Path, library: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    def not_made(listener: Any) -> Any:
        listener.log(library.ILogger.WARNING, "CUDA initialization failure with error: 35")
        raise TypeError("pybind11::init(): factory function returned nullptr")

    monkeypatch.setattr(library, kind, not_made)
    own = Library(FLAVORS["tensorrt_rtx"], library)
    told = "CUDA cannot start: CUDA initialization failure with error: 35"
    unpack(file, "", {"segments"}, tmp_path)
    if kind == "Runtime":
        with pytest.raises(ArtifactError, match=told):
            opened(file, library)
    else:
        with pytest.raises(RuntimeError, match=told):
            add_engines(own, tmp_path, 25, (8, 6))


def test_threads_take_turns(file: Path, library: Any, images: Any) -> None:
    chain = opened(file, library)
    with vars(chain)["_lock"]:
        waiting = Thread(target=chain.run, args=(images[:1], 2, 24))
        waiting.start()
        waiting.join(0.05)
        assert waiting.is_alive() and library.Context.calls == []
    waiting.join()
    assert len(library.Context.calls) == 3


@pytest.mark.parametrize("is_broken", [False, True])
def test_what_a_call_that_failed_has_queued_is_waited_for_too(
    monkeypatch: pytest.MonkeyPatch, images: Any, is_broken: bool
) -> None:
    """As a GPU would compute it; one that is broken marks nothing, and hides no cause."""
    done: list[str] = []

    class Event:
        def record(self) -> None:
            if is_broken:
                raise RuntimeError("an illegal memory access")
            done.append("marked")

        def wait(self) -> None:
            done.append("waited")

    class Failing:
        inputs = ("images",)

        def run(self, inputs: Any) -> Any:
            done.append("ran")
            raise RuntimeError("no memory")

    monkeypatch.setattr("mpm_deploy.backends.tensorrt.program.on", lambda _: nullcontext())
    monkeypatch.setattr(torch.cuda, "Event", Event)
    chain = EngineChain([Failing()], torch.device("cuda:0"))  # type: ignore[list-item]
    for _ in range(2):
        with pytest.raises(RuntimeError, match="no memory"):
            chain.run(images[:1], 2, 24)
    marked = [] if is_broken else ["marked"]
    assert done == ["ran", *marked, "waited", "ran", *marked]


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


def test_a_gpu_without_a_number_is_the_one_that_is_current_as_a_file_is_opened(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.device] = []

    def looked_at(device: torch.device) -> Here:
        seen.append(device)
        return Here((1, 0), "abacus", {})

    monkeypatch.setattr("mpm_deploy.backends.tensorrt.backend.look_here", looked_at)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    for asked in ("cuda", "cuda:0"):
        with pytest.raises(HostError, match="its engines are for capability"):
            get_backend("tensorrt").load(file, read_manifest(file), torch.device(asked))
    assert [str(device) for device in seen] == ["cuda:1", "cuda:0"]


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
