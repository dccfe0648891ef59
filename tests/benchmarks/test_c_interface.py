"""The benchmark of the C interface: both of its programs, built and run."""

import shutil
from pathlib import Path

import pytest

from benchmarks import c_interface
from benchmarks.record import CPP_RUNNER


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not CPP_RUNNER.exists() or shutil.which("cmake") is None:
        pytest.skip("build/cpp_runner is not built")
    return c_interface.build(tmp_path_factory.mktemp("programs"))


@pytest.mark.parametrize("name", c_interface.LANGUAGES.values())
def test_a_pass_takes_time_as_often_as_it_is_asked_for(
    programs: Path, name: str, artifact: Path, image_folder: Path
) -> None:
    images = sorted(image_folder.iterdir())
    with c_interface.worker(programs / name, artifact, images) as process:
        seconds = [c_interface.one_pass(process) for _ in range(2)]
        process.communicate()
    assert process.returncode == 0
    assert all(0 < each < 60 for each in seconds)


@pytest.mark.parametrize("name", c_interface.LANGUAGES.values())
def test_what_cannot_be_run_ends_it(
    programs: Path, name: str, artifact: Path, tmp_path: Path
) -> None:
    with c_interface.worker(programs / name, artifact, [tmp_path / "none.jpg"]) as process:
        process.communicate("\n")
    assert process.returncode == 1
