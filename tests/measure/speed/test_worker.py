import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mpm_deploy.images.decode import decode, fit
from mpm_deploy.measure.speed import worker as worker_module
from mpm_deploy.measure.speed.worker import serve
from mpm_deploy.run import runner as runner_module
from tests.support.toy import HEIGHT, MANIFEST, PATCHES, WIDTH, ToyProgram, write_pictures

SAMPLE = torch.zeros(3, HEIGHT, WIDTH, dtype=torch.uint8)


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Iterator[ToyProgram]:
    toy = ToyProgram()
    monkeypatch.setattr(runner_module, "open_artifact", lambda *_: (MANIFEST, toy))
    monkeypatch.setattr(runner_module, "read_sample", lambda *_: (SAMPLE, SAMPLE[0]))
    yield toy


def ask(folder: Path, *requests: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    answers = io.StringIO()
    lines = [json.dumps(request) for request in requests]
    serve("toy.pt", folder, lines, answers, **options)
    return [json.loads(line) for line in answers.getvalue().splitlines()]


def kept_tokens(file: Path) -> int:
    return 1 + int(fit(decode(file), (HEIGHT, WIDTH))[0, 0, 0]) % PATCHES


def test_open_counts_images(program: ToyProgram, tmp_path: Path) -> None:
    files = write_pictures(tmp_path, 6)
    files[2].write_bytes(b"text")
    (answer,) = ask(tmp_path, {"pass": "open"})
    assert (answer["images"], answer["usable"], answer["gpu"]) == (6, 5, None)
    assert (answer["program"], answer["torch"]) == ("python", torch.__version__)
    (answer,) = ask(tmp_path, {"pass": "open"}, limit=2)
    assert (answer["images"], answer["usable"]) == (2, 2)


def test_prepared_inputs_are_bounded(
    program: ToyProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "MOST_INPUTS", 4)
    write_pictures(tmp_path, 7)
    (answer,) = ask(tmp_path, {"pass": "open"})
    assert (answer["images"], answer["usable"], answer["windows"]) == (7, 4, 4)
    assert answer["is_full"]
    (answer,) = ask(tmp_path, {"pass": "open"}, limit=3)
    assert not answer["is_full"]


def test_images_are_prepared_on_decoding_threads(
    program: ToyProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On another, OpenMP would make a pool too many, and the timed model would sleep."""
    threads = set()
    load = worker_module.Runner.load

    def watched(runner: worker_module.Runner, image: Path) -> Any:
        threads.add(threading.current_thread().name.rpartition("_")[0])
        return load(runner, image)

    monkeypatch.setattr(worker_module.Runner, "load", watched)
    write_pictures(tmp_path, 3)
    ask(tmp_path, {"pass": "open"})
    assert threads == {"mpm-decode"}


@pytest.mark.parametrize(("batch_size", "images"), [(1, 20), (3, 21), (8, 24), (32, 96)])
def test_warmup_is_three_batches_and_twenty_images(
    program: ToyProgram, tmp_path: Path, batch_size: int, images: int
) -> None:
    write_pictures(tmp_path, 3)
    (answer,) = ask(tmp_path, {"pass": "warmup", "batch_size": batch_size})
    assert answer["images"] == images
    assert sum(program.batches) == images + 1  # and the sample


def test_warmup_of_so_many_batches(program: ToyProgram, tmp_path: Path) -> None:
    write_pictures(tmp_path, 3)
    (answer,) = ask(tmp_path, {"pass": "warmup", "batch_size": 2, "batches": 5})
    assert answer["images"] == 10
    (answer,) = ask(tmp_path, {"pass": "warmup", "batch_size": 2, "batches": 0})
    assert answer["images"] == 0


def test_model_pass_takes_full_batches_of_different_images(
    program: ToyProgram, tmp_path: Path
) -> None:
    write_pictures(tmp_path, 7)
    (answer,) = ask(tmp_path, {"pass": "model", "batch_size": 3})
    assert answer["images"] == 6
    assert answer["seconds"] > 0
    assert program.batches == [1, 3, 3]


def test_end_to_end_pass_reports_every_image_once(program: ToyProgram, tmp_path: Path) -> None:
    files = write_pictures(tmp_path, 7)
    files[3].write_bytes(b"text")
    good = files[:3] + files[4:]
    (answer,) = ask(tmp_path, {"pass": "end_to_end", "batch_size": 4})
    tokens = [kept_tokens(file) for file in good]
    assert answer["images"] == len(answer["latencies_ms"]) == 6
    assert answer["skipped"] == [{"path": str(files[3]), "reason": "not a JPEG or PNG file"}]
    assert answer["tokens_kept"] == {
        "mean": [pytest.approx(np.mean(tokens))],
        "min": [min(tokens)],
        "max": [max(tokens)],
    }
    # the toy's manifest: 1 + 1 t_0 + 1 t_1 + 1 t_1² GFLOPs
    assert answer["gflops"] == pytest.approx(np.mean([1 + PATCHES + t + t * t for t in tokens]))
    assert list(answer["stages_ms"]) == ["decode", "fit", "copy", "scores", "labels"]


def test_peak_memory_is_that_of_the_process(program: ToyProgram, tmp_path: Path) -> None:
    write_pictures(tmp_path, 2)
    (before,) = ask(tmp_path, {"pass": "end_to_end", "batch_size": 1})
    held = np.ones(int(before["peak_memory_mib"]) + 50 << 17)  # 8 bytes each: 50 MiB more
    (after,) = ask(tmp_path, {"pass": "end_to_end", "batch_size": 1})
    assert after["peak_memory_mib"] > before["peak_memory_mib"] + 40
    assert held.size


def test_stages_are_shares_and_latencies_whole_batches(program: ToyProgram, tmp_path: Path) -> None:
    write_pictures(tmp_path, 8)
    (answer,) = ask(tmp_path, {"pass": "end_to_end", "batch_size": 4})
    shared = sum(answer["stages_ms"][name] for name in ("copy", "scores", "labels"))
    own = answer["stages_ms"]["decode"] + answer["stages_ms"]["fit"]
    assert np.mean(answer["latencies_ms"]) == pytest.approx(own + 4 * shared)


def test_faults_are_answered_and_work_goes_on(program: ToyProgram, tmp_path: Path) -> None:
    write_pictures(tmp_path, 2)
    wrong, right = ask(tmp_path, {"pass": "nap"}, {"pass": "open"})
    assert wrong["error"].startswith("pass: expected one of open, warmup, model, end_to_end")
    assert wrong["kind"] == "InputError"
    assert right["usable"] == 2


def test_a_sample_that_disagrees_stops_every_pass(
    program: ToyProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pictures(tmp_path, 2)
    monkeypatch.setattr(runner_module, "read_sample", lambda *_: (SAMPLE, SAMPLE[0] + 1))
    for answer in ask(tmp_path, {"pass": "open"}, {"pass": "model", "batch_size": 1}):
        assert "on its own sample 0.00% of the labels" in answer["error"]
        assert "rebuild it" in answer["hint"]


def test_no_usable_image_is_an_error(program: ToyProgram, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"text")
    (answer,) = ask(tmp_path, {"pass": "open"})
    file = tmp_path / "a.png"
    said = f"none of its 1 images could be used; the first: {file}: not a JPEG or PNG file"
    assert answer == {"error": f"{tmp_path}: {said}", "hint": None, "kind": "InputError"}


def test_a_model_that_fails_on_every_image_is_an_error_with_its_reason(
    program: ToyProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scores(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        scores, merge_maps = ToyProgram._scores(program, images)
        return (scores * float("nan") if images.any() else scores), merge_maps

    monkeypatch.setattr(program, "_scores", scores)  # of all but the sample
    files = write_pictures(tmp_path, 3)
    opened, answer = ask(tmp_path, {"pass": "open"}, {"pass": "end_to_end", "batch_size": 1})
    assert opened["usable"] == 3
    said = f"none of its 3 images could be used; the first: {files[0]}: "
    assert answer["error"].startswith(f"{tmp_path}: {said}")
    assert "not finite" in answer["error"]
    assert answer["kind"] == "InputError"
