"""The Runner where windows slide over images."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mpm_deploy.artifact import InputInfo
from mpm_deploy.builder.build import build
from mpm_deploy.errors import InputError
from mpm_deploy.images.decode import decode
from mpm_deploy.measure.speed.worker import serve
from mpm_deploy.ops.label_map import native
from mpm_deploy.ops.label_map.reference import label_map
from mpm_deploy.ops.label_map.windows import window_label_map
from mpm_deploy.run import runner as runner_module
from mpm_deploy.run.image_fit import image_fit_of
from mpm_deploy.run.results import Result, Skipped
from mpm_deploy.run.runner import Runner
from tests.conftest import small_recipe
from tests.support.toy import HEIGHT, MANIFEST, PATCH, PATCHES, WIDTH, ToyProgram

SHORT_SIDE, STRIDE = 40, 20
SLIDING = replace(
    MANIFEST,
    input=InputInfo(HEIGHT, WIDTH, (0.0,) * 3, (1.0,) * 3, "slide", STRIDE, SHORT_SIDE, 4.0),
)
# (height, width): of a window, smaller, not a multiple of the stride, very wide, very high, a dot
SIZES = [(32, 48), (9, 9), (77, 103), (11, 230), (170, 12), (1, 1), (40, 60), (64, 96)]


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> ToyProgram:
    toy = ToyProgram()
    monkeypatch.setattr(runner_module, "open_artifact", lambda *_: (SLIDING, toy))
    return toy


@pytest.fixture
def runner(program: ToyProgram) -> Iterator[Runner]:
    with Runner("toy.pt", workers=2) as opened:
        yield opened


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    generator = np.random.default_rng(1)
    for index, (height, width) in enumerate(SIZES):
        coarse = generator.integers(0, 256, (5, 5, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((width, height)).save(tmp_path / f"{index}.png")
    return sorted(tmp_path.glob("*.png"))


def expected_labels(file: Path, stride: int | None = None, own_size: bool = True) -> np.ndarray:
    pixels = decode(file)
    fitted = image_fit_of(SLIDING.input, stride)(pixels)
    assert fitted.grid is not None
    scores = torch.nn.functional.avg_pool2d(torch.stack(fitted.windows).float(), PATCH)
    size = (pixels.shape[1], pixels.shape[2]) if own_size else fitted.size
    return window_label_map(scores, fitted.grid, size).numpy()


def test_scores_are_the_windows_mean_that_the_labels_come_from(
    runner: Runner, files: list[Path]
) -> None:
    for file, result in zip(files, runner.run(files, 5, outputs=("labels", "scores")), strict=True):
        assert result.ok
        pixels = decode(file)
        assert result.scores.shape == (3, *image_fit_of(SLIDING.input)(pixels).size)
        scores = torch.tensor(result.scores)[None]
        size = (pixels.shape[1], pixels.shape[2])
        assert (label_map(scores, size)[0].numpy() == expected_labels(file)).all()
        assert (result.labels == expected_labels(file)).all()


@pytest.mark.parametrize("batch_size", [1, 2, 5, 64])
def test_label_maps_are_the_same_in_any_batch(
    runner: Runner, program: ToyProgram, files: list[Path], batch_size: int
) -> None:
    results = list(runner.run(files, batch_size))
    assert [result.source for result in results if isinstance(result, Result)] == files
    for file, size, result in zip(files, SIZES, results, strict=True):
        assert isinstance(result, Result) and result.labels.shape == size
        assert (result.labels == expected_labels(file)).all()
    windows = sum(len(result.windows) for result in results if isinstance(result, Result))
    assert sum(program.batches) == windows > 40
    # Windows of different images share the model's calls: only the last may not be full.
    full, rest = divmod(windows, batch_size)
    calls = [batch_size] * full + ([rest] if rest else [])
    most = SLIDING.batch.max
    assert sorted(program.batches) == sorted(
        part for n in calls for part in [most] * (n // most) + ([n % most] if n % most else [])
    )


def test_one_at_a_time_gives_the_same(runner: Runner, files: list[Path]) -> None:
    for file in files:
        assert (runner(file).labels == expected_labels(file)).all()


@pytest.mark.parametrize("size", ["image", "input"])
def test_without_the_native_library_too(
    program: ToyProgram, files: list[Path], size: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native, "available", lambda: False)
    with Runner("toy.pt", label_size=size) as runner:  # type: ignore[arg-type]
        for file in files:
            labels = expected_labels(file, own_size=size == "image")
            assert (runner(file).labels == labels).all()


def test_what_is_skipped_keeps_its_place(runner: Runner, files: list[Path]) -> None:
    for index in (0, 3, 4):
        files[index].write_bytes(b"text")
    for batch_size in (1, 3, 50):
        outcomes = list(runner.run(files, batch_size))
        assert [isinstance(outcome, Skipped) for outcome in outcomes] == [
            index in (0, 3, 4) for index in range(len(files))
        ]


def test_each_window_is_told(runner: Runner, files: list[Path]) -> None:
    result = runner(files[2])  # 77 × 103 becomes 40 × 54
    corners = [(0, 0), (0, 6), (8, 0), (8, 6)]
    assert [(window.top, window.left) for window in result.windows] == corners
    for window in result.windows:
        assert window.merge_maps.shape == (1, PATCHES)
        assert window.tokens_kept == (window.merge_maps.max() + 1,)
    assert result.tokens_kept == (sum(window.tokens_kept[0] for window in result.windows),)
    assert result.merge_maps.shape == (1, 4 * PATCHES)


def test_another_stride_can_be_asked_for(program: ToyProgram, files: list[Path]) -> None:
    with Runner("toy.pt", stride=5) as runner:
        results = [runner(file) for file in files]
    for file, result in zip(files, results, strict=True):
        assert (result.labels == expected_labels(file, stride=5)).all()
    assert len(results[2].windows) == 9
    for stride in (0, HEIGHT + 1):
        with pytest.raises(InputError, match=r"stride: expected 1 (to 32|or more)"):
            Runner("toy.pt", stride=stride)


def test_the_sample_is_given_as_it_is(
    runner: Runner, program: ToyProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = torch.randint(0, 256, (3, HEIGHT, WIDTH), dtype=torch.uint8)
    scores, _ = program.scores(image[None])
    labels = program.labels(scores, (HEIGHT, WIDTH))[0]
    monkeypatch.setattr(runner_module, "read_sample", lambda *_: (image, labels))
    program.batches.clear()
    assert runner.check_sample() == 1
    assert program.batches == [1]


def test_the_worker_counts_images_and_windows(
    program: ToyProgram, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = torch.zeros(3, HEIGHT, WIDTH, dtype=torch.uint8)
    monkeypatch.setattr(runner_module, "read_sample", lambda *_: (sample, sample[0]))
    with Runner("toy.pt") as runner:
        results = [runner(file) for file in files]
    windows = [window for result in results for window in result.windows]
    answers = io.StringIO()
    requests = [{"pass": "model", "batch_size": 1}, {"pass": "end_to_end", "batch_size": 4}]
    serve("toy.pt", files[0].parent, map(json.dumps, requests), answers)
    model, end_to_end = map(json.loads, answers.getvalue().splitlines())
    assert model["images"] == pytest.approx(len(files))
    assert (end_to_end["images"], end_to_end["windows"]) == (len(files), len(windows))
    kept = [window.tokens_kept[0] for window in windows]
    assert end_to_end["tokens_kept"]["mean"] == [pytest.approx(np.mean(kept))]
    gflops = sum(1 + PATCHES + t + t * t for t in kept)
    assert end_to_end["gflops"] == pytest.approx(gflops / len(files))
    narrower = io.StringIO()
    serve("toy.pt", files[0].parent, [json.dumps(requests[1])], narrower, stride=5)
    assert json.loads(narrower.getvalue())["windows"] > len(windows)


def test_real_artifact_gives_one_answer_in_any_batch(tmp_path: Path, image_folder: Path) -> None:
    """And its manifest says what the recipe left out."""
    artifact = build(small_recipe().override("input.fit=slide"), tmp_path / "sliding.pt")
    with Runner(artifact) as runner:
        told = runner.manifest.input
        assert (told.stride, told.short_side, told.max_ratio) == (64, 64, 4.0)
        assert runner.check_sample() == 1
        alone = list(runner.run(image_folder, 1))
        together = list(runner.run(image_folder, 7))
    for one, other in zip(alone, together, strict=True):
        assert isinstance(one, Result) and isinstance(other, Result)
        assert (one.merge_maps == other.merge_maps).all()
        assert (one.labels == other.labels).mean() > 0.999
