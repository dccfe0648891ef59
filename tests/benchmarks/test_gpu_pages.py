"""README, page and figure of a GPU, from a record that was made up."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.pages import common, gpu
from mpm_deploy.support.schema import to_mapping
from tests.benchmarks.made_up_gpu import PART, RECORD, part
from tests.support.scripts import load_script


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A record's file."""
    record = RECORD
    twin = part("seg_t16_mask-512-bfloat16", model_ratio=1.1)
    for each in (PART, part(method="tome", model_ratio=1.2), twin):
        record = record.with_part(each)
    data = {**to_mapping(record), "versions": {"torch": "9.9"}}
    file = tmp_path / "h100-made-up.json"
    file.write_text(json.dumps(data))
    return file


def test_the_readme_has_our_figures_beside_the_papers(path: Path) -> None:
    text = gpu.readme_part(path)
    (line,) = (line for line in text.splitlines() if "seg_l16_mask" in line)
    assert line.split()[0] == "5"
    cells = ("741 / 375", "1000 / 456", "1.35 / 1.22", "1.50", "1.20 / 0.93", "– / 0.94")
    assert all(cell in line for cell in cells)
    (own,) = (line for line in text.splitlines() if "seg_t16_mask" in line)
    assert own.split()[0] == "–" and "1000 / –" in own
    assert "at batch 32" in text and "torch 9.9" in text
    assert "h100-made-up-dark.svg" in text


def test_the_page_has_floors_kernels_and_targets(path: Path) -> None:
    text = gpu.page(path)
    assert "Where the time goes: seg_l16_mask-512-bfloat16 mpm, batch 32" in text
    for expected in ("× floor", "nvjet_tst", "≥ 1200", "Merging", "0.50 + 0.25"):
        assert expected in text


def test_the_figure_names_its_record_and_draws_every_part(path: Path) -> None:
    drawn = gpu.drawn(path)
    assert [file.name for file in drawn] == ["h100-made-up-light.svg", "h100-made-up-dark.svg"]
    svg = drawn[common.FIGURES / "h100-made-up-light.svg"]
    assert "SHA-256" in svg.splitlines()[0]
    assert svg.count("batch 32: ×") == 3
    assert "ToMe" in svg and "ALGM" not in svg


def test_without_a_record_the_readme_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "records", lambda _: [])
    assert gpu.readme() == ""
    assert gpu.pages() == {}


def test_with_a_record_every_page_is_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    render = load_script("benchmarks/render_readme.py")
    monkeypatch.setattr(gpu, "records", lambda _: [path])
    written = render.pages()
    assert "1000 / 456" in written[render.README]
    assert gpu.PAGE in written and common.FIGURES / "h100-made-up-dark.svg" in written


def test_a_record_without_figures_has_no_figure(path: Path) -> None:
    empty = replace(PART, cpp=None, python=None, profiles=(), stages=None)
    path.write_text(json.dumps(to_mapping(replace(RECORD, parts=(empty,)))))
    assert gpu.drawn(path) == {}


def test_a_model_that_gains_what_its_flops_allow_lies_on_the_line() -> None:
    record = RECORD.with_part(replace(PART))
    assert "× 1.35 where FLOPs allow × 1.50" in gpu.chart(record)


def test_the_readme_says_that_no_figure_is_from_a_gpu_as_long_as_that_is_so() -> None:
    render = load_script("benchmarks/render_readme.py")
    said = "no figure here is from a GPU" in render.README.read_text()
    assert said == (not common.records("h100-*"))
