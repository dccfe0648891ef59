"""The evaluation, against sums that are written out here."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mpm_deploy.artifact import read_manifest
from mpm_deploy.builder.build import build, open_eager
from mpm_deploy.datasets import Dataset, open_dataset
from mpm_deploy.errors import DatasetError, InputError
from mpm_deploy.measure.accuracy import evaluate as evaluate_module
from mpm_deploy.measure.accuracy.boundary import boundary_counts, boundary_f_score
from mpm_deploy.measure.accuracy.evaluate import Evaluation, evaluate
from mpm_deploy.run.results import Result
from mpm_deploy.run.runner import Runner
from tests.conftest import small_recipe
from tests.datasets.made_up import CLASSES, SIZES, Labels, make, write_label_file

PUBLIC = ["ade20k", "cityscapes", "pascal_context", "pascal_context_59"]


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    make("folder", tmp_path / "root")
    return open_dataset("folder", tmp_path / "root")


@pytest.fixture(scope="module", params=PUBLIC)
def public(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Dataset]:
    """A public data set, half of it labelled as an artifact of as many classes labels it."""
    classes = CLASSES[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    artifact = build(small_recipe().override(f"model.classes={classes}"), folder / "segmenter.pt")
    generator = np.random.default_rng(2)
    with Runner(artifact) as runner:

        def truth(image: Path) -> Labels:
            predicted = runner(image).labels.astype(np.int64)
            other = generator.integers(0, classes, predicted.shape)
            chance = generator.random(predicted.shape)
            return np.where(chance < 0.5, predicted, np.where(chance < 0.9, other, 255))

        make(request.param, folder / "root", truth)
    return artifact, open_dataset(request.param, folder / "root")


def results_of(artifact: Path, dataset: Dataset) -> list[Result]:
    with Runner(artifact) as runner:
        return [runner(sample.image) for sample in dataset]


def direct_iou(truths: list[Labels], predictions: list[Labels], label: int) -> float | None:
    """Intersections over unions, both summed over the data set, where the truth counts."""
    pairs = list(zip(truths, predictions, strict=True))
    both = sum(int(((t == label) & (p == label)).sum()) for t, p in pairs)
    either = sum(int((((t == label) | (p == label)) & (t != 255)).sum()) for t, p in pairs)
    return both / either if either else None


@pytest.mark.parametrize("batch_size", [1, 3])
def test_public_layouts_against_a_direct_computation(
    public: tuple[Path, Dataset], batch_size: int
) -> None:
    artifact, dataset = public
    found = evaluate(artifact, dataset, batch_size=batch_size)
    results = results_of(artifact, dataset)
    predictions = [result.labels for result in results]
    truths = [dataset.labels(sample).astype(np.int64) for sample in dataset]

    expected = [direct_iou(truths, predictions, label) for label in range(len(dataset.classes))]
    assert [row.iou for row in found.per_class] == pytest.approx(expected)
    assert [row.name for row in found.per_class] == list(dataset.classes)
    known = [iou for iou in expected if iou is not None]
    assert found.mean_iou == pytest.approx(sum(known) / len(known))
    assert 0 < found.mean_iou < 0.6

    pairs = list(zip(truths, predictions, strict=True))
    right = sum(int((t == p).sum()) for t, p in pairs)
    counting = sum(int((t != 255).sum()) for t in truths)
    assert found.pixel_accuracy == pytest.approx(right / counting)
    assert sum(row.pixels for row in found.per_class) == counting
    counts = [boundary_counts(*pair, len(dataset.classes)) for pair in pairs]
    scores = boundary_f_score(np.sum(counts, axis=0))
    assert [row.boundary_f_score for row in found.per_class] == pytest.approx(
        [None if np.isnan(score) else score for score in scores.tolist()]
    )
    assert found.boundary_f_score == pytest.approx(np.nanmean(scores))
    assert 0 < found.boundary_f_score < 1
    kept = np.mean([result.tokens_kept for result in results], axis=0)
    assert found.tokens_kept == pytest.approx(tuple(kept))
    assert found.images == len(SIZES)


def test_windows_are_laid_by_the_stride_that_is_asked_for(tmp_path: Path, dataset: Dataset) -> None:
    slides = ("model.image_size=[32, 32]", "input.fit=slide", "input.stride=24")
    artifact = build(small_recipe().override(*slides), tmp_path / "slide.pt")
    truths = [dataset.labels(sample).astype(np.int64) for sample in dataset]
    found = []
    for stride in (None, 16):
        with Runner(artifact, stride=stride) as runner:
            predictions = [runner(sample.image).labels for sample in dataset]
        expected = [direct_iou(truths, predictions, label) for label in range(7)]
        evaluation = evaluate(artifact, dataset, batch_size=2, stride=stride)
        assert [row.iou for row in evaluation.per_class] == pytest.approx(expected)
        found.append(evaluation.mean_iou)
    assert found[0] != found[1]


def test_a_perfect_artifact(artifact: Path, tmp_path: Path) -> None:
    with Runner(artifact) as runner:
        make("folder", tmp_path, lambda image: runner(image).labels)
    found = evaluate(artifact, open_dataset("folder", tmp_path))
    assert found.mean_iou == found.mean_class_accuracy == found.pixel_accuracy == 1
    assert found.boundary_f_score == 1


def test_the_report_is_json_as_written_down(artifact: Path, dataset: Dataset) -> None:
    written = json.loads(json.dumps(evaluate(artifact, dataset, limit=2).to_dict()))
    assert written["schema"] == "mpm-evaluation/2"
    assert written["dataset"] == {
        "name": "folder",
        "root": str(dataset.root),
        "images": 5,
        "classes": 7,
    }
    assert written["images"] == 2
    assert written["artifact"]["device"] == "cpu"
    assert written["stride"] is None and written["skipped"] == [] and written["doubts"] == []
    labels = [dataset.labels(sample) for sample in dataset.samples[:2]]
    assert written["ignored_pixels"] == sum(int((each == 255).sum()) for each in labels) > 0
    assert set(written["per_class"][0]) == {
        *("name", "iou", "accuracy", "boundary_f_score", "pixels")
    }


def test_pixels_that_do_not_count_leave_nothing_known(artifact: Path, tmp_path: Path) -> None:
    make("folder", tmp_path, lambda image: np.full((9, 9), 255))
    for path, size in zip(sorted((tmp_path / "labels").iterdir()), SIZES, strict=True):
        write_label_file(path, np.full(size, 255))
    found = evaluate(artifact, open_dataset("folder", tmp_path))
    assert found.mean_iou is found.mean_class_accuracy is found.pixel_accuracy is None
    assert found.boundary_f_score is None
    assert {row.iou for row in found.per_class} == {None}
    (doubt,) = found.doubts
    assert doubt.startswith("no pixel counts in the label maps of photo_0000.jpg")


def counted(state: Path) -> list[str]:
    return [json.loads(line)["sample"]["id"] for line in state.read_text().splitlines()[1:]]


def without_date(evaluation: Evaluation) -> Evaluation:
    return replace(evaluation, created_by=replace(evaluation.created_by, created=""))


@pytest.mark.parametrize("done", [1, 2, 3, 4])
def test_what_is_interrupted_goes_on_to_the_same_end(
    artifact: Path, dataset: Dataset, tmp_path: Path, done: int
) -> None:
    state = tmp_path / "state.json"

    def interrupt(number: int, _: int) -> None:
        if number == done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(artifact, dataset, state=state, progress=interrupt)
    assert counted(state) == [sample.id for sample in dataset.samples[:done]]
    told: list[tuple[int, int]] = []
    resumed = evaluate(artifact, dataset, state=state, progress=lambda *n: told.append(n))
    assert told == [(number, 5) for number in range(done, 6)]
    assert without_date(resumed) == without_date(evaluate(artifact, dataset))


def test_more_or_fewer_images_can_be_asked_for(
    artifact: Path, dataset: Dataset, tmp_path: Path
) -> None:
    state = tmp_path / "state.json"
    for limit in (2, 1, None):
        found = evaluate(artifact, dataset, limit=limit, state=state)
        assert without_date(found) == without_date(evaluate(artifact, dataset, limit=limit))


def test_each_image_is_kept_before_it_is_told(
    artifact: Path, dataset: Dataset, tmp_path: Path
) -> None:
    state = tmp_path / "state.json"
    kept = []

    def look(number: int, _: int) -> None:
        kept.append(len(counted(state)) if state.exists() else 0)

    evaluate(artifact, dataset, state=state, progress=look)
    assert kept == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("kind", ["image", "labels"])
def test_what_has_changed_is_counted_anew(
    artifact: Path, dataset: Dataset, tmp_path: Path, kind: str
) -> None:
    state = tmp_path / "state.json"
    before = evaluate(artifact, dataset, state=state)
    changed: Path = getattr(dataset.samples[2], kind)
    picture = Image.open(changed)
    picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(changed)
    told: list[tuple[int, int]] = []
    after = evaluate(artifact, dataset, state=state, progress=lambda *n: told.append(n))
    assert told == [(4, 5), (5, 5)]
    assert without_date(after) == without_date(evaluate(artifact, dataset))
    assert without_date(after) != without_date(before)


def test_a_data_set_may_have_moved_and_grown(
    artifact: Path, dataset: Dataset, tmp_path: Path
) -> None:
    state = tmp_path / "state.json"
    evaluate(artifact, dataset, state=state)
    root = dataset.root.rename(tmp_path / "elsewhere")
    for folder, suffix in (("images", "jpg"), ("labels", "png")):
        shutil.copy(root / folder / f"photo_0000.{suffix}", root / folder / f"added.{suffix}")
    told: list[tuple[int, int]] = []
    evaluate(artifact, root, state=state, progress=lambda *n: told.append(n))
    assert told == [(5, 6), (6, 6)]


def test_a_model_in_memory_has_no_state(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="state: expected an artifact's file"):
        evaluate(open_eager(small_recipe()), dataset, state=tmp_path / "state.json")


def test_a_state_of_another_artifact_is_refused(
    artifact: Path, full_token_artifact: Path, dataset: Dataset, tmp_path: Path
) -> None:
    state = tmp_path / "state.json"
    evaluate(artifact, dataset, limit=1, state=state)
    before = state.read_bytes()
    with pytest.raises(InputError, match="counts of another artifact"):
        evaluate(full_token_artifact, dataset, state=state)
    assert state.read_bytes() == before


def test_classes_of_other_names_are_told(artifact: Path, dataset: Dataset) -> None:
    names = ["sky", *(f"class {number}" for number in (1, 3, 2, 4, 5, 6))]
    (dataset.root / "classes.txt").write_text("\n".join(names))
    found = evaluate(artifact, dataset.root, limit=1)  # its own names are numbers
    (doubt,) = found.doubts
    assert "3 of 7 classes" in doubt


@pytest.mark.parametrize(("orientation", "doubts"), [(1, 0), (3, 1), (6, 0)])
def test_an_image_that_is_turned(
    artifact: Path, dataset: Dataset, orientation: int, doubts: int
) -> None:
    sample = dataset.samples[0]
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = Image.open(sample.image)
    picture.save(sample.image, exif=exif)
    upright = picture.size if orientation == 6 else picture.size[::-1]
    write_label_file(sample.labels, np.resize(np.arange(7), upright))
    found = evaluate(artifact, dataset, limit=1)
    assert len(found.doubts) == doubts
    assert all(f"EXIF orientation 3 turns {sample.id}" in doubt for doubt in found.doubts)


def test_a_label_map_in_the_artifacts_colors(artifact: Path, dataset: Dataset) -> None:
    palette = np.array(read_manifest(artifact).model.palette, np.uint8)
    sample = dataset.samples[0]
    Image.fromarray(palette[np.zeros(SIZES[0], int)]).save(sample.labels)
    with pytest.raises(DatasetError, match="its pixels are colors") as caught:
        evaluate(artifact, dataset)
    assert caught.value.hint is not None and "the artifact's own" in caught.value.hint


def test_another_number_of_classes(artifact: Path, tmp_path: Path) -> None:
    make("ade20k", tmp_path)
    with pytest.raises(InputError, match="expected the 150 classes of ade20k, got 7") as caught:
        evaluate(artifact, open_dataset("ade20k", tmp_path))
    assert caught.value.hint == "name an artifact whose weights were trained on ade20k"


def test_another_number_of_classes_that_fits_elsewhere(
    public: tuple[Path, Dataset], dataset: Dataset
) -> None:
    artifact, fitting = public
    with pytest.raises(InputError, match="expected the 7 classes of folder") as caught:
        evaluate(artifact, dataset)
    assert caught.value.hint is not None and caught.value.hint.startswith(f"{fitting.name} has ")


def test_a_label_map_of_another_size(artifact: Path, dataset: Dataset, tmp_path: Path) -> None:
    write_label_file(dataset.samples[1].labels, np.zeros((36, 71)))
    state = tmp_path / "state.json"
    with pytest.raises(DatasetError, match="expected the size of its image, 37 × 71, got 36 × 71"):
        evaluate(artifact, dataset, state=state)
    assert counted(state) == [dataset.samples[0].id]


def test_images_that_cannot_be_decoded_are_left_out_and_tried_again(
    artifact: Path, dataset: Dataset, tmp_path: Path
) -> None:
    image = dataset.samples[3].image
    whole, state = image.read_bytes(), tmp_path / "state.json"
    image.write_bytes(b"text")
    found = evaluate(artifact, dataset, state=state)
    assert found.images == 4
    assert [Path(skipped.path) for skipped in found.skipped] == [image]
    image.write_bytes(whole)
    again = evaluate(artifact, dataset, state=state)
    assert without_date(again) == without_date(evaluate(artifact, dataset))


def test_no_image_that_can_be_decoded(artifact: Path, dataset: Dataset, tmp_path: Path) -> None:
    for sample in dataset:
        sample.image.write_bytes(b"text")
    with pytest.raises(InputError, match="none of its 5 images could be used; the first: "):
        evaluate(artifact, dataset, state=tmp_path / "state.json")
    assert not (tmp_path / "state.json").exists()


def test_the_stride_is_passed_on(
    artifact: Path, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int | None] = []

    def opened(path: Path, *, stride: int | None = None, **options: Any) -> Runner:
        given.append(stride)
        return Runner(path, **options)

    monkeypatch.setattr(evaluate_module, "Runner", opened)
    assert evaluate(artifact, dataset, limit=1).stride is None
    assert evaluate(artifact, dataset, limit=1, stride=480).stride == 480
    assert given == [None, 480]
