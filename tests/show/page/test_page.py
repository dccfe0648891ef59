"""The page holds what its files say, and nothing from elsewhere."""

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mpm_deploy.cli import main
from mpm_deploy.errors import InputError, MissingPackageError
from mpm_deploy.show.page import Documents, read_documents, render_page
from tests.show.page.conftest import Files


class Words(HTMLParser):
    """The text of a page, without its style sheet."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL))

    def handle_data(self, data: str) -> None:
        if text := " ".join(data.split()):
            self.found.append(text)


@pytest.fixture(scope="module")
def page(files: Files) -> str:
    return render_page(read_documents(files.all, files.pictures))


@pytest.fixture(scope="module")
def words(page: str) -> list[str]:
    return Words(page).found


def test_speed(words: list[str]) -> None:
    assert any(word.startswith("Merging makes this model 1.8 to 2.4 times") for word in words)
    for rate in ("20.5", "11.5", "30.5", "12.5"):  # end to end
        assert rate in words
    for rate in ("24.6", "13.8", "36.6", "15.0"):  # model
        assert rate in words
    assert "batch 1, FLOPs × 1.90" in words
    assert "end to end: × 2.44 (2.40 to 2.50)" in words
    assert "× 1.78 – 2.44" in words
    assert "scores: 40.00 ms" in words
    assert words.count("45.0 ms") == 4
    assert "mean 14.5, least 12, most 16" in words
    assert "Batch 32 was not measured: there are 5 images." in words
    assert (
        "The machine was contended, and speeds are lower for it: other processes kept 1.0 of its "
        "cores busy." in words
    )


def test_accuracy(words: list[str], files: Files) -> None:
    merged, full = (json.loads(path.read_text()) for path in files.evaluations)
    row = words.index("mIoU")
    values = [100 * e["mean_iou"] for e in (full, merged)]  # full-token comes first
    assert words[row + 1 : row + 3] == [f"{value:.2f}" for value in values]
    assert words[row + 3] == f"{values[1] - values[0]:+.2f}".replace("-", "−")
    for theirs, ours in zip(full["per_class"], merged["per_class"], strict=True):
        assert theirs["name"] in words
        for value in (theirs["iou"], ours["iou"]):
            assert value is None or f"{100 * value:.2f}" in words
    title = f"merged.pt, C++, batch 2: 30.5 FPS, mIoU {values[1]:.2f}"
    assert title in words


def test_doubts_of_an_evaluation_are_said(files: Files, tmp_path: Path) -> None:
    evaluation = json.loads(files.evaluations[0].read_text())
    path = tmp_path / "evaluation.json"
    for doubts in (["the label maps hold no class but 0 (sky)"], []):
        path.write_text(json.dumps(evaluation | {"doubts": doubts}))
        found = Words(render_page(read_documents([path]))).found
        assert any("no class but 0 (sky)." in word for word in found) == bool(doubts)
    del evaluation["doubts"], evaluation["ignored_pixels"]  # a file of before
    path.write_text(json.dumps(evaluation))
    assert render_page(read_documents([path]))


def test_sweep(page: str, words: list[str]) -> None:
    assert "Ways of merging" in words
    for cell in ("mpm [2, 5]", "78.50", "1.40 (1.40 – 1.40)", "tome [2] ratio=0.2"):
        assert cell in words
    assert "mpm [2, 5]: mIoU 78.50, end to end × 1.40 (1.40 – 1.40)" in words
    assert "No other method is faster than mpm at an mIoU that mpm reaches." in words
    assert {"MPM", "ToMe", "full-token"} <= {*words}


def test_profile(words: list[str]) -> None:
    assert "Inside the model of merged.pt" in words
    assert {"5.75 ms", "8.50 ms"} <= {*words}  # the parts' sums, merged and full-token
    block = "block 0, merged: 4.75 ms (merge 0.50, attention 2.25, MLP 2.00)"
    assert block in words and "block 0, full-token: 7.50 ms" in words
    assert "64 tokens: × 1.25 (1.20 to 1.30)" in words
    assert "A remark." in words


def test_pictures(page: str, words: list[str], files: Files) -> None:
    index = json.loads((files.pictures / "pictures.json").read_text())
    assert page.count('src="data:image/webp;base64,') == 3 * len(index["images"])
    for image in index["images"]:
        assert Path(image["image"]).name in words
        for picture in image["pictures"]:
            assert picture["caption"] in words
    first = index["distances"][0]
    assert f"{first[1]:,} pairs, {first[1] / sum(first):.1%}, 1 patches apart" in words


@pytest.mark.parametrize(("patches", "told"), [(2048, 2048), (None, 24)])
def test_tokens_kept_are_told_of_the_images_patches(
    patches: int | None, told: int, files: Files, tmp_path: Path
) -> None:
    index = json.loads((files.pictures / "pictures.json").read_text())
    for image in index["images"]:
        image["patches"] = patches
        image["pictures"] = []
    index["images"][0]["tokens_kept"] = [1172]
    (tmp_path / "pictures.json").write_text(json.dumps(index))
    found = Words(render_page(read_documents([], tmp_path))).found
    assert any(word.startswith(f"1172 of {told} tokens kept") for word in found)


def test_random_weights_are_said_aloud(words: list[str]) -> None:
    assert "The weights are random: speeds are real, label maps mean nothing." in words


def test_nothing_is_loaded_and_nothing_runs(page: str) -> None:
    assert "<script" not in page
    assert not re.findall(r"(?:https?:)?//[a-z]", re.sub(r"base64,[^\"]*", "", page))


def test_what_stands_in_the_files_is_text(page: str) -> None:
    assert "A &lt;CPU&gt;" in page
    assert "<CPU>" not in page


def test_keys_that_are_not_known_are_passed_over(files: Files, tmp_path: Path) -> None:
    report = json.loads(files.report.read_text())
    report["host"]["mood"] = report["mood"] = "fine"
    (tmp_path / "newer.json").write_text(json.dumps(report))
    newer = read_documents([tmp_path / "newer.json"])
    assert newer.reports == read_documents([files.report]).reports


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "expected JSON"),
        ("PK\x03\x04\udc96", "expected JSON: not a text file"),
        ("[]", "expected a schema of mpm-report/2"),
        ('{"schema": "mpm-report/3"}', "got 'mpm-report/3'"),
        ('{"schema": ["mpm-report/2"]}', "expected a schema"),
        ('{"schema": "mpm-report/2"}', "artifact: missing"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_file_that_will_not_do_is_named(tmp_path: Path, text: str | None, expected: str) -> None:
    path = tmp_path / "file.json"
    if text is not None:
        path.write_text(text, errors="surrogateescape")
    with pytest.raises(InputError, match=re.escape(expected)) as caught:
        read_documents([path])
    assert caught.value.problem.startswith(f"{path}: ")


def test_a_page_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="at least one file"):
        render_page(Documents())


def test_a_picture_that_is_gone_is_named(files: Files, tmp_path: Path) -> None:
    (tmp_path / "pictures.json").write_text((files.pictures / "pictures.json").read_text())
    with pytest.raises(InputError, match=r"labels\.png: expected a picture"):
        render_page(read_documents([], tmp_path))


def test_pictures_without_an_index(image_folder: Path) -> None:
    page = render_page(read_documents([], image_folder))
    assert "image_3" in Words(page).found
    assert page.count("<img ") == len(list(image_folder.iterdir()))


def test_without_jinja(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingPackageError, match="Jinja2") as caught:
        render_page(read_documents([files.report]))
    assert caught.value.hint == "pip install 'mpm-deploy[report]'"


def test_the_command(
    files: Files, page: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "report.html"
    command = ["report", *map(str, files.all), "--pictures", str(files.pictures)]
    assert main([*command, "-o", str(target)]) == 0
    assert target.read_text(encoding="utf-8") == page
    assert str(target) in capsys.readouterr().err
