import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from mpm_deploy.errors import ArtifactError, ImageError, InputError
from mpm_deploy.images.decode import decode, fit
from mpm_deploy.ops.label_map.reference import label_map
from mpm_deploy.run import runner as runner_module
from mpm_deploy.run.results import Result, Skipped
from mpm_deploy.run.runner import Runner
from tests.support.toy import HEIGHT, MANIFEST, PATCH, PATCHES, WIDTH, ToyProgram, write_pictures


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> ToyProgram:
    toy = ToyProgram()
    monkeypatch.setattr(runner_module, "open_artifact", lambda *_: (MANIFEST, toy))
    return toy


@pytest.fixture
def runner(program: ToyProgram) -> Iterator[Runner]:
    with Runner("toy.pt", workers=2) as opened:
        yield opened


def expected_labels(file: Path) -> np.ndarray:
    pixels = decode(file)
    fitted = fit(pixels, (HEIGHT, WIDTH))[None].float()
    scores = torch.nn.functional.avg_pool2d(fitted, PATCH)
    return label_map(scores, (pixels.shape[1], pixels.shape[2]))[0].numpy()


def results_of(runner: Runner, files: list[Path], batch_size: int) -> list[Result]:
    outcomes = list(runner.run(files, batch_size))
    assert all(isinstance(outcome, Result) for outcome in outcomes)
    return [outcome for outcome in outcomes if isinstance(outcome, Result)]


def test_one_image(runner: Runner, tmp_path: Path) -> None:
    (file,) = write_pictures(tmp_path, 1)
    result = runner(file)
    assert (result.labels == expected_labels(file)).all()
    assert result.source == file and result.batch == 1
    assert result.merge_maps.shape == (1, PATCHES)
    assert result.tokens_kept == (result.merge_maps.max() + 1,)
    assert result.stages_ms.scores > 0
    assert result.stages_ms.total >= result.stages_ms.scores + result.stages_ms.decode


def test_every_form_of_an_image_gives_the_same(runner: Runner, tmp_path: Path) -> None:
    (file,) = write_pictures(tmp_path, 1)
    pixels = np.array(Image.open(file))
    for form in (str(file), Image.fromarray(pixels), pixels, torch.tensor(pixels).permute(2, 0, 1)):
        assert (runner(form).labels == expected_labels(file)).all()


@pytest.mark.parametrize("batch_size", [1, 2, 4, 5, 13, 20])
def test_batches_of_different_images_are_in_order_and_the_last_is_right(
    runner: Runner, program: ToyProgram, tmp_path: Path, batch_size: int
) -> None:
    files = write_pictures(tmp_path, 13)
    results = results_of(runner, files, batch_size)
    assert [result.source for result in results] == files
    for result in results:
        assert (result.labels == expected_labels(Path(str(result.source)))).all()
    full, rest = divmod(13, batch_size)
    batches = [batch_size] * full + ([rest] if rest else [])
    assert [result.batch for result in results] == [n for n in batches for _ in range(n)]
    assert max(program.batches) <= MANIFEST.batch.max


def test_a_folder_can_be_run(runner: Runner, tmp_path: Path) -> None:
    files = write_pictures(tmp_path, 3)
    (tmp_path / "notes.txt").write_text("not looked at")
    assert [r.source for r in runner.run(tmp_path) if isinstance(r, Result)] == files


def test_label_maps_of_input_size(program: ToyProgram, tmp_path: Path) -> None:
    files = write_pictures(tmp_path, 3)
    with Runner("toy.pt", label_size="input") as runner:
        assert {r.labels.shape for r in results_of(runner, files, 2)} == {(HEIGHT, WIDTH)}


def test_scores_and_probabilities_are_given_where_they_are_asked_for(
    runner: Runner, tmp_path: Path
) -> None:
    files = write_pictures(tmp_path, 3)
    for result in runner.run(files, 2, outputs=("labels", "scores", "probabilities")):
        assert result.ok
        fitted = fit(decode(Path(str(result.source))), (HEIGHT, WIDTH))[None].float()
        scores = torch.nn.functional.avg_pool2d(fitted, PATCH)  # (1, 3, 2, 3)
        assert result.scores.dtype == result.probabilities.dtype == np.float32
        assert (result.scores == scores[0].numpy()).all()
        assert (result.probabilities == scores.softmax(dim=1)[0].numpy()).all()
        size = (result.labels.shape[0], result.labels.shape[1])
        assert (
            label_map(torch.tensor(result.scores)[None], size)[0].numpy() == result.labels
        ).all()


def test_nothing_is_made_that_is_not_asked_for(
    runner: Runner, program: ToyProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file,) = write_pictures(tmp_path, 1)
    assert list(runner(file).outputs) == ["labels"]
    monkeypatch.setattr(program, "labels", None)  # not called
    result = runner(file, outputs=("probabilities",))
    assert list(result.outputs) == ["probabilities"]
    with pytest.raises(InputError, match="labels: expected among the outputs, got probabilities"):
        result.labels  # noqa: B018


@pytest.mark.parametrize("outputs", [("label",), ("labels", "Scores"), "scores"])
def test_an_output_that_there_is_not_is_said_at_once(
    runner: Runner, tmp_path: Path, outputs: Any
) -> None:
    (file,) = write_pictures(tmp_path, 1)
    problem = "outputs: expected some of labels, scores, probabilities in a tuple, got "
    with pytest.raises(InputError, match=problem):
        runner(file, outputs=outputs)
    with pytest.raises(InputError, match=problem):
        runner.run([file], outputs=outputs)


def test_broken_images_are_skipped_in_their_place(runner: Runner, tmp_path: Path) -> None:
    files = write_pictures(tmp_path, 9)
    for index in (0, 4, 5, 8):
        files[index].write_bytes(b"text")
    for batch_size in (1, 2, 3, 9):
        outcomes = list(runner.run(files, batch_size))
        for index, (file, outcome) in enumerate(zip(files, outcomes, strict=True)):
            if index in (0, 4, 5, 8):
                assert outcome == Skipped(str(file), "not a JPEG or PNG file")
            else:
                assert isinstance(outcome, Result)
                assert (outcome.labels == expected_labels(file)).all()


def test_a_broken_file_that_pil_has_opened_is_skipped(runner: Runner, tmp_path: Path) -> None:
    (file,) = write_pictures(tmp_path, 1)
    file.write_bytes(file.read_bytes()[:-40])
    with Image.open(file) as opened:
        (outcome,) = runner.run([opened])
    assert isinstance(outcome, Skipped) and outcome.reason == "broken image data"


def test_a_loop_needs_no_types_to_survive_a_broken_file(runner: Runner, tmp_path: Path) -> None:
    files = write_pictures(tmp_path, 3)
    files[1].write_bytes(b"no picture")
    seen = [result.labels.shape if result.ok else result.reason for result in runner.run(files)]
    assert seen[1] == "not a JPEG or PNG file" and len(seen[0]) == len(seen[2]) == 2


def test_a_run_ends_at_a_broken_file_where_that_is_asked_for(
    runner: Runner, tmp_path: Path
) -> None:
    files = write_pictures(tmp_path, 3)
    files[1].write_bytes(b"no picture")
    results = runner.run(files, on_error="raise")
    assert next(results).ok
    with pytest.raises(ImageError, match=f"{files[1].name}: not a JPEG or PNG file"):
        next(results)
    with pytest.raises(InputError, match="on_error: expected 'skip' or 'raise', got 'ignore'"):
        runner.run(files, on_error="ignore")  # type: ignore[arg-type]


def test_a_call_raises_what_a_run_skips(runner: Runner, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"absent\.png: cannot be read"):
        runner(tmp_path / "absent.png")


def test_images_are_read_lazily(runner: Runner, tmp_path: Path) -> None:
    files = write_pictures(tmp_path, 5)
    taken = 0

    def endless() -> Iterator[Path]:
        nonlocal taken
        while True:
            taken += 1
            yield files[taken % 5]

    outcomes = runner.run(endless(), batch_size=2)
    for _ in range(6):
        next(outcomes)
    outcomes.close()
    assert taken < 30


@pytest.mark.parametrize("batch_size", [1, 3])
def test_an_error_in_the_model_reaches_the_reader(
    runner: Runner, program: ToyProgram, tmp_path: Path, batch_size: int
) -> None:
    files = write_pictures(tmp_path, 12)
    scores = program._scores

    def failing(images: Tensor) -> tuple[Tensor, Tensor]:
        if len(program.batches) == 2:
            raise RuntimeError("out of memory")
        return scores(images)

    program._scores = failing  # type: ignore[method-assign]
    got = []
    with pytest.raises(RuntimeError, match="out of memory"):
        got.extend(outcome for outcome in runner.run(files, batch_size))
    program._scores = scores  # type: ignore[method-assign]
    assert len(results_of(runner, files, batch_size)) == 12  # the Runner is still good


def test_a_wrong_array_among_images_is_an_error(runner: Runner) -> None:
    images = [np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9), np.uint8)]
    with pytest.raises(InputError, match="expected a uint8 array"):
        list(runner.run(images, 2))


def test_leaving_a_run_early_leaves_no_thread(program: ToyProgram, tmp_path: Path) -> None:
    files = write_pictures(tmp_path, 20)
    before = threading.active_count()
    with Runner("toy.pt", workers=2) as runner:
        for _ in runner.run(files, 2):
            break
    assert threading.active_count() == before


def test_threads_share_a_runner(runner: Runner, tmp_path: Path) -> None:
    files = write_pictures(tmp_path, 10)
    expected = [expected_labels(file) for file in files]

    def use(number: int) -> bool:
        if number % 2:
            labels = [runner(file).labels for file in files]
        else:
            labels = [result.labels for result in results_of(runner, files, 3)]
        return all((a == b).all() for a, b in zip(labels, expected, strict=True))

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(use, range(12)))


def test_a_closed_runner_says_so(program: ToyProgram, tmp_path: Path) -> None:
    files = write_pictures(tmp_path, 3)
    runner = Runner("toy.pt")
    under_way = runner.run(files)
    next(under_way)
    runner.close()
    runner.close()
    for use in (lambda: runner(files[0]), lambda: runner.run(files), lambda: list(under_way)):
        with pytest.raises(InputError, match=r"toy\.pt: this Runner is closed"):
            use()


def test_threads_of_the_model_can_be_chosen(program: ToyProgram) -> None:
    before = torch.get_num_threads()
    with Runner("toy.pt", threads=3) as runner:
        assert runner.threads == 3
    torch.set_num_threads(before)


def test_threads_are_no_more_than_a_quota_leaves(
    program: ToyProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    for cores, expected in ((1, 1), (2, 2), (8, 3)):
        monkeypatch.setattr(runner_module, "available_cores", lambda cores=cores: cores)
        with Runner("toy.pt") as runner:
            assert (runner.threads, runner.workers) == (expected, cores)
    torch.set_num_threads(before)


def test_arguments_out_of_range(program: ToyProgram) -> None:
    for options in ({"threads": 0}, {"workers": 0}, {"label_size": "own"}):
        with pytest.raises(InputError):
            Runner("toy.pt", **options)  # type: ignore[arg-type]
    with Runner("toy.pt") as runner, pytest.raises(InputError, match="batch_size"):
        runner.run([], batch_size=0)


def test_no_images_give_no_results(runner: Runner) -> None:
    assert list(runner.run([])) == []


def test_full_token_model_has_no_tokens_kept(runner: Runner, program: ToyProgram) -> None:
    scores = program._scores
    program._scores = lambda images: (scores(images)[0], torch.zeros(1, 0, PATCHES).int())  # type: ignore[method-assign]
    result = runner(np.zeros((9, 9, 3), np.uint8))
    assert result.tokens_kept == () and result.merge_maps.shape == (0, PATCHES)


def test_sample_is_checked(runner: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    image = torch.randint(0, 256, (3, HEIGHT, WIDTH), dtype=torch.uint8)
    labels = torch.from_numpy(runner(image).labels).clone()
    monkeypatch.setattr(runner_module, "read_sample", lambda *_: (image, labels))
    assert runner.check_sample() == 1
    labels[0] += 1
    with pytest.raises(ArtifactError, match=r"on its own sample 96\.88% of"):
        runner.check_sample()


def test_real_artifact_gives_one_answer_in_any_batch(artifact: Path, image_folder: Path) -> None:
    with Runner(artifact) as runner:
        assert runner.check_sample() == 1
        alone = list(runner.run(image_folder, 1))
        together = list(runner.run(image_folder, 5))
    for one, other in zip(alone, together, strict=True):
        assert isinstance(one, Result) and isinstance(other, Result)
        assert one.tokens_kept == other.tokens_kept
        assert (one.merge_maps == other.merge_maps).all()
        assert (one.labels == other.labels).mean() > 0.999
