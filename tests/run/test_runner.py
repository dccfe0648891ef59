import copy
import gc
import os
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from mpm_deploy.backends import OpenArtifact
from mpm_deploy.errors import ArtifactError, ImageError, InputError, ModelError, MpmError
from mpm_deploy.images.decode import decode, fit
from mpm_deploy.ops.label_map.reference import label_map
from mpm_deploy.run import runner as runner_module
from mpm_deploy.run.results import Result, Skipped
from mpm_deploy.run.runner import Runner
from mpm_deploy.run.sources import Source
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


def test_of_scores_that_are_sums_of_probabilities_the_shares_count(
    program: ToyProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores, maps = MANIFEST.outputs
    told = replace(MANIFEST, outputs=(replace(scores, kind="probabilities"), maps))
    monkeypatch.setattr(runner_module, "open_artifact", lambda *_: (told, program))
    colored_and_black = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    colored_and_black[:, :PATCH] = (30, 60, 0)
    with Runner("toy.pt") as runner:
        found = runner(colored_and_black, outputs=("probabilities",)).probabilities
    assert found[:, 0, 0].tolist() == pytest.approx([1 / 3, 2 / 3, 0])
    assert (found[:, :, 1:] == 0).all()  # of nothing there are no shares


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
                assert outcome == Skipped(
                    str(file), "not a JPEG or PNG file", ImageError("compared by no one")
                )
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


def failing_on(program: ToyProgram, wrong: int) -> None:
    """Have the model fail on each batch that holds an image whose first byte is ``wrong``."""
    scores = program._scores

    def failing(images: Tensor) -> tuple[Tensor, Tensor]:
        if (images[:, 0, 0, 0] == wrong).any():
            raise RuntimeError("no such class\nat a line of torch's")
        return scores(images)

    program._scores = failing  # type: ignore[method-assign]


def gray_frames(count: int) -> list[np.ndarray]:
    return [np.full((HEIGHT, WIDTH, 3), 10 * index, np.uint8) for index in range(count)]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 8])
def test_an_image_that_the_model_fails_on_is_skipped_alone(
    runner: Runner, program: ToyProgram, batch_size: int
) -> None:
    failing_on(program, wrong=40)
    outcomes = list(runner.run(gray_frames(8), batch_size))
    assert [outcome.ok for outcome in outcomes] == [True] * 4 + [False] + [True] * 3
    skipped = outcomes[4]
    assert isinstance(skipped, Skipped)
    assert (skipped.path, skipped.reason) == (f"ndarray ({HEIGHT}, {WIDTH}, 3)", "no such class")
    results = runner.run(gray_frames(8), batch_size, on_error="raise")
    assert all(next(results).ok for _ in range(4))
    with pytest.raises(RuntimeError, match="no such class"):
        next(results)
    with pytest.raises(RuntimeError, match="no such class"):
        runner(gray_frames(5)[4])


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_scores_that_are_not_finite_make_no_labels(
    runner: Runner, program: ToyProgram, wrong: float, batch_size: int
) -> None:
    scores = program._scores

    def overflowing(images: Tensor) -> tuple[Tensor, Tensor]:
        made, maps = scores(images)
        made[images[:, 0, 0, 0] == 40, 2, 1, 1] = wrong
        made[images[:, 0, 0, 0] == 10] = 1e38  # large and finite: the sum of them is not
        return made, maps

    program._scores = overflowing  # type: ignore[method-assign]
    outcomes = list(runner.run(gray_frames(6), batch_size))
    assert [outcome.ok for outcome in outcomes] == [True] * 4 + [False, True]
    assert isinstance(outcomes[4], Skipped)
    assert outcomes[4].reason == "the model gives scores that are not finite"
    with pytest.raises(ModelError, match="not finite"):
        runner(gray_frames(5)[4])


def test_an_image_too_large_for_the_memory_is_skipped_alone(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit_to_input, make = runner._fit, runner_module.make_outputs

    def fit_or_fail(image: Tensor) -> Any:
        if image[0, 0, 0] == 20:
            raise MemoryError
        return fit_to_input(image)

    def make_or_fail(program: Any, scores: Tensor, *rest: Any) -> Any:
        if scores[0, 0, 0, 0] == 50:
            raise MemoryError
        return make(program, scores, *rest)

    monkeypatch.setattr(runner, "_fit", fit_or_fail)
    monkeypatch.setattr(runner_module, "make_outputs", make_or_fail)
    outcomes = list(runner.run(gray_frames(7), 3))
    assert [outcome.ok for outcome in outcomes] == [True, True, False, True, True, False, True]
    reasons = {outcome.reason for outcome in outcomes if isinstance(outcome, Skipped)}
    assert reasons == {"this machine is short of memory: Cannot allocate memory"}


@pytest.mark.parametrize("batch_size", [1, 2, 9])
def test_a_wrong_array_is_skipped_in_its_place(runner: Runner, batch_size: int) -> None:
    frames = gray_frames(5)
    images = [frames[0], frames[1][:0], frames[2].astype(float), frames[3][..., :2], frames[4]]
    outcomes = list(runner.run(images, batch_size))
    assert [outcome.ok for outcome in outcomes] == [True, False, False, False, True]
    results = runner.run(images, batch_size, on_error="raise")
    assert next(results).ok
    with pytest.raises(InputError, match="expected a uint8 array"):
        next(results)


@pytest.mark.parametrize("batch_size", [1, 2, 9])
def test_what_came_before_an_error_of_the_images_is_given(runner: Runner, batch_size: int) -> None:
    def camera() -> Iterator[np.ndarray]:
        yield from gray_frames(5)
        raise OSError("unplugged")

    results = runner.run(camera(), batch_size)
    assert all(next(results).ok for _ in range(5))
    with pytest.raises(OSError, match="unplugged"):
        next(results)


@pytest.mark.parametrize("form", ["array", "tensor", "picture", "bytearray"])
def test_one_buffer_may_be_given_again_and_again(
    runner: Runner, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """No worker looks at an image before the last one is written over it."""
    frames = gray_frames(6)
    all_given = threading.Event()
    fit_to_input = runner._fit

    def fit_later(image: Tensor) -> Any:
        assert all_given.wait(10)
        return fit_to_input(image)

    monkeypatch.setattr(runner, "_fit", fit_later)

    def reused() -> Iterator[Any]:
        array = np.empty((HEIGHT, WIDTH, 3), np.uint8)
        picture = Image.new("RGB", (WIDTH, HEIGHT))
        file = bytearray()
        for frame in frames:
            array[:] = frame
            picture.paste(Image.fromarray(frame))
            file[:] = encoded(frame)
            tensor = torch.from_numpy(array).permute(2, 0, 1)
            yield {"array": array, "tensor": tensor, "picture": picture, "bytearray": file}[form]
        all_given.set()

    scores = [r.scores[0, 0, 0] for r in runner.run(reused(), 4, outputs=("scores",)) if r.ok]
    assert scores == [0, 10, 20, 30, 40, 50]


def encoded(frame: np.ndarray) -> bytes:
    file = BytesIO()
    Image.fromarray(frame).save(file, format="PNG")
    return file.getvalue()


def test_a_loaded_image_does_not_change_with_what_it_was_made_of(runner: Runner) -> None:
    frame = torch.zeros(3, HEIGHT, WIDTH, dtype=torch.uint8)  # of the input's size: not resized
    loaded = runner.load(frame)
    frame += 200
    (result,) = runner.infer([loaded], outputs=("scores",))
    assert (result.scores == 0).all()
    assert runner.infer([]) == []


def test_channels_of_arrays_may_be_bgr(program: ToyProgram) -> None:
    blue = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    blue[..., 0] = 255
    with Runner("toy.pt", channels="bgr") as runner:
        assert (runner(blue).labels == 2).all()
        assert (runner(encoded(blue)).labels == 0).all()  # a file says itself what it is
        assert all((r.labels == 2).all() for r in runner.run([blue, blue], 2) if r.ok)
    with pytest.raises(InputError, match="channels: expected 'rgb' or 'bgr', got 'BGR'"):
        Runner("toy.pt", channels="BGR")  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["array", "tensor", "picture", "bytes", "file", "number"])
def test_one_image_is_not_taken_for_many(runner: Runner, form: str) -> None:
    (frame,) = gray_frames(1)
    forms = {
        "array": frame,
        "tensor": torch.from_numpy(frame),
        "picture": Image.fromarray(frame),
        "bytes": encoded(frame),
        "file": BytesIO(encoded(frame)),
        "number": 3,
    }
    with pytest.raises(InputError, match="images: expected a folder or many images, got"):
        runner.run(forms[form])  # type: ignore[arg-type]
    assert len(list(runner.run(np.stack([frame, frame])))) == 2


def test_a_runner_of_no_file_cannot_be_pickled(program: ToyProgram) -> None:
    with Runner(OpenArtifact(MANIFEST, program)) as runner:
        for copied in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(InputError, match="a Runner of a model without a file cannot be"):
                copied(runner)


@pytest.mark.parametrize("asked", [{"device": "cpu"}, {"trust": Path("keys")}])
def test_what_is_decided_as_a_model_is_opened_is_not_asked_for_later(
    program: ToyProgram, asked: dict[str, Any]
) -> None:
    (name,) = asked
    with pytest.raises(InputError, match=f"{name}: expected none with a model that is open") as it:
        Runner(OpenArtifact(MANIFEST, program), **asked)
    assert it.value.hint == "say it where the model is opened"


def test_a_model_that_was_lent_stays_open(program: ToyProgram) -> None:
    lent = OpenArtifact(MANIFEST, program)
    for _ in range(2):
        with Runner(lent, threads=2) as runner:
            results = list(runner.run(gray_frames(8), batch_size=8))  # two calls, side by side
            assert [result.batch for result in results if result.ok] == [8] * 8
    program.close()


def test_a_model_without_a_file_has_no_sample(program: ToyProgram) -> None:
    with (
        Runner(OpenArtifact(MANIFEST, program)) as runner,
        pytest.raises(InputError, match="a Runner of a model without a file has no sample to try"),
    ):
        runner.check_sample()


class Held(Source):
    """A source that says whether it was closed."""

    is_closed = False

    def __iter__(self) -> Iterator[Path]:
        yield from ()

    def close(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize("on_error", ["skip", "raise"])
@pytest.mark.parametrize("by_place", [False, True])
@pytest.mark.parametrize("is_dropped", [False, True])
def test_a_run_that_nobody_reads_lets_go_of_its_source(
    runner: Runner,
    on_error: Literal["skip", "raise"],
    by_place: bool,
    is_dropped: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = Held("held")
    monkeypatch.setattr(runner_module, "open_source", lambda _: source)
    before = threading.active_count()
    results = runner.run("held" if by_place else source, on_error=on_error)
    assert threading.active_count() == before
    assert not source.is_closed
    if is_dropped:
        del results
        gc.collect()
    else:
        results.close()
    assert source.is_closed


def test_a_closed_runner_cannot_be_pickled(program: ToyProgram) -> None:
    runner = Runner("toy.pt")
    runner.close()
    with pytest.raises(InputError, match=r"toy\.pt: this Runner is closed"):
        pickle.dumps(runner)


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
        assert runner.threads == runner.usual_batch_size == 3
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
    with Runner("toy.pt") as runner:
        for batch_size in (0, 1.5, True, "2", None):
            with pytest.raises(InputError, match="batch_size: expected"):
                runner.run([], batch_size=batch_size)  # type: ignore[arg-type]


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


class OnlyLikeAnImage:
    @property
    def shape(self) -> None:
        raise RuntimeError("none of its own")


def test_what_is_only_like_an_image_is_skipped_as_well(runner: Runner) -> None:
    released = memoryview(b"abc")
    released.release()
    frame = gray_frames(1)[0]
    huge = np.broadcast_to(np.uint8(0), (10**6, 10**6, 3))
    images: list[Any] = [frame, released, OnlyLikeAnImage(), np.ndarray, huge, frame]
    outcomes = list(runner.run(images, 2))
    assert [outcome.ok for outcome in outcomes] == [True] + [False] * 4 + [True]
    for image in images[1:-1]:
        with pytest.raises(MpmError):
            runner(image)


def test_what_is_asked_for_may_be_changed_afterwards(runner: Runner) -> None:
    outputs = ["labels"]
    results = runner.run(gray_frames(2), outputs=outputs)  # type: ignore[arg-type]
    outputs[0] = "scores"
    assert [list(result.outputs) for result in results if result.ok] == [["labels"]] * 2
    for wrong in (None, 5, iter(("labels",))):
        with pytest.raises(InputError, match="outputs: expected some of"):
            runner(gray_frames(1)[0], outputs=wrong)  # type: ignore[arg-type]


def test_the_path_of_what_was_skipped(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    (skipped,) = runner.run(list(os.scandir(tmp_path)))
    assert isinstance(skipped, Skipped)
    assert (skipped.path, skipped.reason) == (
        str(tmp_path / "bad.png"),
        "not a JPEG or PNG file",
    )


@pytest.mark.parametrize("name", ["threads", "workers"])
def test_threads_that_no_machine_has(program: ToyProgram, name: str) -> None:
    for count in (100_000, 10**5000):
        with pytest.raises(InputError, match=f"{name}: expected 1024 at most, got"):
            Runner("toy.pt", **{name: count})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="artifact: expected a path, got int"):
        Runner(5)  # type: ignore[arg-type]
