"""Every peer whose packages are here gives the eager model's labels, on a small model."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.peers.engines import PEERS, Peer, Task, Variant
from benchmarks.peers.engines.graphs import Labels, Scores
from benchmarks.peers.engines.routes import Trial, best, try_routes
from benchmarks.peers.worker import serve
from mpm_deploy.errors import MpmError
from mpm_deploy.verify import verification_images
from tests.conftest import CLASSES, INPUT_SIZE, small_recipe

QUICK = ("PyTorch eager", "TorchScript")  # the others' exporters take many seconds
VARIANTS = [
    pytest.param(peer, variant, id=f"{peer.name}-{variant.name}", marks=marks)
    for peer in PEERS.values()
    if peer.name != "AOTInductor"  # compiles every route, for minutes; the benchmark compares it
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


def test_a_worker_answers_every_pass(tmp_path: Path) -> None:
    images, maps = tmp_path / "images", tmp_path / "maps"
    for folder in (images, maps):
        folder.mkdir()
    for index, image in enumerate(verification_images(2, INPUT_SIZE)):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(images / f"{index}.png")
    answers = ask(
        tmp_path,
        images,
        *({"pass": "convert"}, {"pass": "open"}, {"pass": "warmup", "batches": 3}),
        *({"pass": "model"}, {"pass": "end_to_end"}),
        *({"pass": "label_maps", "folder": str(maps)}, {"pass": "dance"}),
    )
    convert, opened, warmup, model, end_to_end, label_maps, unknown = answers
    assert convert == {"note": ""}
    assert opened == {"images": 2, "threads": 1}
    assert [answer["images"] for answer in (warmup, model, end_to_end, label_maps)] == [3, 2, 2, 2]
    assert all(answer["seconds"] > 0 for answer in (warmup, model, end_to_end))
    assert sorted(path.name for path in maps.iterdir()) == ["0.png", "1.png"]
    assert "expected one of convert, open" in str(unknown["error"])


def test_images_of_another_size_are_refused(image_folder: Path, tmp_path: Path) -> None:
    (answer,) = ask(tmp_path, image_folder, {"pass": "end_to_end"})
    assert "expected 64 × 96 pixels" in str(answer["error"])


def ask(folder: Path, images: Path, *requests: dict[str, object]) -> list[dict[str, object]]:
    """What the worker of PyTorch eager answers."""
    answers = io.StringIO()
    task = task_in(folder, Variant())
    serve(PEERS["PyTorch eager"], task, images, map(json.dumps, requests), answers)
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
        trials = try_routes({"good": lambda: model, "bad": fail}, image, expected)
    assert trials[0].agreement == 1.0
    assert trials[0].ms is not None
    assert trials[1] == Trial("bad", failure="TypeError: no such operator")
