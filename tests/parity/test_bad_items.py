"""One bad image among many: both programs skip it alone, say the same, and exit alike."""

from pathlib import Path

import pytest
from PIL import Image

from tests.parity.conftest import Run, smooth
from tests.support.failing_artifact import write_failing_artifact


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("failing") / "failing.pt"
    write_failing_artifact(path)
    return path


def skipped_by(run: Run, artifact: Path, folder: Path, out: Path, batch: int) -> list[str]:
    """The lines of what was skipped; all else was labelled."""
    done = run("run", artifact, folder, "-o", out, "--batch", batch)
    assert done.returncode == 3, done.stderr
    lines = sorted(line for line in done.stderr.splitlines() if line.startswith("skipped "))
    images = {file.stem for file in folder.iterdir()}
    named = {Path(line.split(": ", 1)[0]).stem for line in lines}
    assert {file.stem for file in out.glob("*.png")} == images - named
    return lines


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_the_model_fails_on_one_image(
    mpm_deploy: Run, cpp_runner: Run, failing: Path, tmp_path: Path, batch: int
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for index in range(7):
        Image.fromarray(smooth(40, 60, seed=index)).save(folder / f"{index}.png")
    Image.new("RGB", (60, 40)).save(folder / "2.png")
    Image.new("RGB", (60, 40), "white").save(folder / "6.png")
    ours = skipped_by(mpm_deploy, failing, folder, tmp_path / "python", batch)
    theirs = skipped_by(cpp_runner, failing, folder, tmp_path / "cpp", batch)
    assert [line.split(": ")[0] for line in ours] == [f"skipped {folder}/{i}.png" for i in (2, 6)]
    assert ours == theirs
    assert ours[1].endswith(": the model gives scores that are not finite")


def test_all_images_are_bad(
    mpm_deploy: Run, cpp_runner: Run, failing: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    Image.new("RGB", (60, 40)).save(folder / "black.png")
    (folder / "text.png").write_text("no picture")
    (folder / "loop.png").symlink_to(folder / "loop.png")
    ours = skipped_by(mpm_deploy, failing, folder, tmp_path / "python", 2)
    theirs = skipped_by(cpp_runner, failing, folder, tmp_path / "cpp", 2)
    assert ours == theirs and len(ours) == 3


def test_a_label_map_whose_name_is_too_long(
    mpm_deploy: Run, cpp_runner: Run, failing: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    longest = "x" * 251
    for name in (f"{longest}.png", f"{longest}.jpg", "a.png"):  # of the first two: ....png.png
        Image.fromarray(smooth(40, 60)).save(folder / name)
    ours = skipped_by(mpm_deploy, failing, folder, tmp_path / "python", 2)
    theirs = skipped_by(cpp_runner, failing, folder, tmp_path / "cpp", 2)
    assert len(ours) == 2 and all("File name too long" in line for line in ours + theirs)


def test_a_folder_in_the_place_of_a_label_map(
    mpm_deploy: Run, cpp_runner: Run, failing: Path, tmp_path: Path
) -> None:
    folder, out = tmp_path / "images", tmp_path / "out"
    folder.mkdir()
    for name in ("a", "b", "c"):
        Image.fromarray(smooth(40, 60)).save(folder / f"{name}.png")
    (out / "b.png").mkdir(parents=True)
    for run in (mpm_deploy, cpp_runner):
        done = run("run", failing, folder, "-o", out)
        assert done.returncode == 3
        skipped = f"skipped {folder}/b.png: {out}/b.png: cannot write there: Is a directory"
        assert skipped in done.stderr.splitlines()
        assert all((out / f"{name}.png").is_file() for name in ("a", "c"))
