"""Every peer whose packages are here gives the eager model's labels, on a small model."""

import io
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.bench.agreement import compare
from benchmarks.peers.engines import PEERS, Peer, Session, Task
from benchmarks.peers.engines.graphs import Labels, Scores
from benchmarks.peers.engines.pytorch import Eager
from benchmarks.peers.engines.routes import Trial, best, try_routes
from benchmarks.peers.variants import Variant
from benchmarks.peers.worker import serve, side_by_side
from mpm_deploy.builder.verify import verification_images
from mpm_deploy.errors import MpmError
from tests.conftest import CLASSES, INPUT_SIZE, small_recipe

QUICK = ("PyTorch eager", "TorchScript")  # the others' exporters take many seconds
VARIANTS = [
    pytest.param(peer, variant, id=f"{peer.name}-{variant.name}", marks=marks)
    for peer in PEERS.values()
    # AOTInductor compiles every route, for minutes; transformers has models of its own alone.
    if peer.name != "AOTInductor" and "transformers" not in peer.packages
    for variant in peer.variants
    for marks in [[pytest.mark.slow] if peer.name not in QUICK else []]
]


def task_in(folder: Path, variant: Variant) -> Task:
    shared = folder / "onnx"
    shared.mkdir()
    return Task(small_recipe(), variant, folder, shared, threads=1)


@pytest.mark.filterwarnings("ignore")  # converters deprecate their own
@pytest.mark.parametrize(("peer", "variant"), VARIANTS)
def test_a_peer_gives_the_labels_of_the_eager_model(
    peer: Peer, variant: Variant, tmp_path: Path
) -> None:
    for package in peer.packages:
        pytest.importorskip(package)
    task = task_in(tmp_path, variant)
    peer.convert(task)
    session = peer.open(task)
    image = verification_images(1, INPUT_SIZE, seed=5)
    with torch.inference_mode():
        expected = Labels(task.model())(image)[0].numpy()
    labels = session.label_map(image)
    assert labels.shape == INPUT_SIZE
    assert labels.dtype == np.uint8
    assert tuple(session.scores(image).shape) == (1, CLASSES, INPUT_SIZE[0] // 16, 6)
    # random weights: the classes lie close, and bfloat16 has 8 bits
    assert (labels == expected).mean() > (0.999 if variant.dtype == "float32" else 0.8)
    expect_equal_side_by_side(peer, task)


def expect_equal_side_by_side(peer: Peer, task: Task) -> None:
    """More images than threads, each another one: the label maps come in order and are the same."""
    images = verification_images(5, INPUT_SIZE, seed=6).split(1)
    session = peer.open(task)
    alone = np.stack([session.label_map(image) for image in images])
    assert len({labels.tobytes() for labels in alone}) == len(images)
    together = np.stack([*side_by_side(peer, task, 2)(images)])
    np.testing.assert_array_equal(together, alone)


class Refusing(Eager):
    """Can only be called by one thread."""

    name = "Refusing"
    variants = (Variant(),)

    def open(self, task: Task) -> Session:
        if task.at_once > 1:
            raise OSError("one caller at a time")
        return super().open(task)


def test_a_session_side_by_side_has_one_thread_a_call(tmp_path: Path) -> None:
    opened: list[Task] = []
    counts: list[int] = []

    class Watching(Eager):
        def open(self, task: Task) -> Session:
            opened.append(task)
            return Session(scores=None, labels=self._count)

        @staticmethod
        def _count(image: torch.Tensor) -> torch.Tensor:
            counts.append(torch.get_num_threads())
            return image[:, 0]

    task = replace(task_in(tmp_path, Variant()), threads=8)
    images = verification_images(4, INPUT_SIZE).split(1)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        assert len([*side_by_side(Watching(), task, 2)(images)]) == len(images)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert [(one.threads, one.at_once) for one in opened] == [(1, 2)]
    assert counts == [1] * len(images)


def test_what_an_engine_raises_is_answered_and_its_other_passes_go_on(images: Path) -> None:
    refused, alone = ask(
        images.parent,
        images,
        {"pass": "end_to_end", "batch_size": 2},
        {"pass": "end_to_end", "batch_size": 1},
        peer=Refusing(),
    )
    assert refused == {"error": "OSError: one caller at a time", "hint": None}
    assert alone["images"] == 2


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of two images of the model's size."""
    folder = tmp_path / "images"
    folder.mkdir()
    for index, image in enumerate(verification_images(2, INPUT_SIZE)):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{index}.png")
    return folder


def test_a_worker_writes_the_same_label_maps_side_by_side(images: Path, tmp_path: Path) -> None:
    folders = {size: tmp_path / f"maps-{size}" for size in (1, 2)}
    for folder in folders.values():
        folder.mkdir()
    requests = (
        {"pass": "label_maps", "images": str(images), "output": str(folder), "batch_size": size}
        for size, folder in folders.items()
    )
    assert ask(tmp_path, images, *requests) == [{"images": 2}] * 2
    assert compare(folders[2], folders[1]).equal_images == 2


def test_a_worker_answers_every_pass(images: Path, tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    maps.mkdir()
    answers = ask(
        tmp_path,
        images,
        *({"pass": "convert"}, {"pass": "open"}, {"pass": "warmup", "batches": 3}),
        *({"pass": "model"}, {"pass": "end_to_end"}),
        *(
            {"pass": "warmup", "batches": 3, "batch_size": 2},
            {"pass": "end_to_end", "batch_size": 2},
        ),
        *({"pass": "label_maps", "images": str(images), "output": str(maps)}, {"pass": "dance"}),
    )
    convert, opened, *timed, label_maps, unknown = answers
    assert convert == {"note": ""}
    assert opened == {"images": 2, "threads": 1}
    assert [answer["images"] for answer in timed] == [3, 2, 2, 6, 2]
    assert all(answer["seconds"] > 0 for answer in timed)
    assert label_maps == {"images": 2}
    assert sorted(path.name for path in maps.iterdir()) == ["0.png", "1.png"]
    assert "expected one of convert, open" in str(unknown["error"])


def test_images_of_another_size_are_refused(image_folder: Path, tmp_path: Path) -> None:
    (answer,) = ask(tmp_path, image_folder, {"pass": "end_to_end"})
    assert "expected 64 × 96 pixels" in str(answer["error"])


def ask(
    folder: Path,
    images: Path,
    *requests: dict[str, object],
    peer: Peer = PEERS["PyTorch eager"],
) -> list[dict[str, object]]:
    """What a peer's worker answers."""
    answers = io.StringIO()
    task = task_in(folder, Variant())
    serve(peer, task, images, map(json.dumps, requests), answers)
    return [json.loads(line) for line in answers.getvalue().splitlines()]


def test_the_fastest_right_route_is_taken() -> None:
    right, fast, wrong = Trial("a", 9.0, 1.0), Trial("b", 5.0, 0.99), Trial("c", 1.0, 0.5)
    assert best([right, fast, wrong, Trial("d", failure="no")]) == fast
    with pytest.raises(MpmError, match=r"d: no; e: neither"):
        best([Trial("d", failure="no"), Trial("e", failure="neither")])


def test_a_route_that_fails_is_a_finding() -> None:
    model = Scores(Task(small_recipe(), Variant(), Path(), Path(), 1).model())
    image = verification_images(1, INPUT_SIZE)

    def fail() -> None:
        raise TypeError("no such operator")

    with torch.inference_mode():
        expected = model(image).argmax(dim=1)
        trials = try_routes({"good": lambda: partial(model, image), "bad": fail}, expected)
    assert trials[0].agreement == 1.0
    assert trials[0].ms is not None
    assert trials[1] == Trial("bad", failure="TypeError: no such operator")
