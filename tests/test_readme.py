"""The README's example runs, and its figures are those that a script wrote."""

import importlib.util
import re
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import INPUT_SIZE

ROOT = Path(__file__).parent.parent


def load_script(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_python_example_runs(
    artifact: Path,
    image_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    shutil.copy(artifact, tmp_path / "segmenter.pt")
    shutil.copy(image_folder / "image_0.jpg", tmp_path / "street.jpg")
    shutil.copytree(image_folder, tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == str(INPUT_SIZE)  # the size of image_0.jpg
    assert len(printed) == 2 + len(list(image_folder.iterdir()))


def test_the_figures_are_those_of_the_results() -> None:
    render = load_script(ROOT / "benchmarks" / "render_readme.py")
    text = (ROOT / "README.md").read_text()
    assert render.fill(text) == text
