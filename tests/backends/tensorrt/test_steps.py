"""Engines as the steps of a chain: what they read and write, and what errors tell."""

import gc
import weakref
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from threading import Thread
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from mpm_deploy.artifact import read_manifest
from mpm_deploy.backends import open_artifact
from mpm_deploy.backends.segments.files import unpack
from mpm_deploy.backends.tensorrt.engines import add_engines, listener_of
from mpm_deploy.backends.tensorrt.flavors import FLAVORS, Library
from mpm_deploy.backends.tensorrt.program import EngineChain
from mpm_deploy.backends.tensorrt.steps import readable
from mpm_deploy.errors import ArtifactError
from tests.backends.tensorrt.test_backend import CPU, opened


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
