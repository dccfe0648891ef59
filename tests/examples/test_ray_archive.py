"""An archive on a cluster of several nodes, all of them processes of this machine."""

import os
import platform
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mpm_deploy import Runner
from mpm_deploy.errors import InputError
from mpm_deploy.images.decode import find_images
from mpm_deploy.run.label_maps import encode_label_map
from tests.support.scripts import ROOT, load_script

pytest.importorskip("ray", reason="pip install 'mpm-deploy[ray]'")

import pyarrow
import pyarrow.parquet as pq
from fsspec.implementations.memory import MemoryFileSystem
from pyarrow.fs import FSSpecHandler, PyFileSystem
from ray.cluster_utils import Cluster

EXAMPLE = load_script("examples/ray_archive.py")
COLUMNS = ["path", "size", "sha256", "label_map", "class_shares", "tokens_kept", "error"]
COUNT = 300  # images of the archive
BROKEN = "more/001.jpg"  # the one that is no image
STORE = {"object_store_memory": 80 << 20}  # the least there may be
PATIENCE = 120.0  # seconds, on a machine that does much else


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A head that runs no actor, and a node that takes two."""
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **STORE})
    made.add_node(num_cpus=2, **STORE)
    yield made
    made.shutdown()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many images in two folders, one of them broken, and what is none."""
    folder = tmp_path_factory.mktemp("archive")
    (folder / "more").mkdir()
    generator = np.random.default_rng(0)
    for number in range(COUNT):
        pixels = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        picture = Image.fromarray(pixels).resize((96, 64))
        picture.save(folder / ("more" if number % 2 else "") / f"{number:03}.jpg")
    (folder / BROKEN).write_bytes(b"no image")
    (folder / "notes.txt").write_text("no image either")
    return folder


class Job:
    """The script in a process of its own, on the cluster."""

    def __init__(self, cluster: Cluster, *places: Path, seconds: float = 30.0) -> None:
        self.output = places[-1]
        words = [*map(str, places), "--address", cluster.address, "--seconds", str(seconds)]
        self.process = subprocess.Popen(
            [sys.executable, EXAMPLE.__file__, *words],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )

    def wait_for_images(self, count: int) -> None:
        """Until so many label maps are there."""
        until = time.monotonic() + PATIENCE
        while sum(len([*folder.glob("*.png")]) for folder in self._folders()) < count:
            assert time.monotonic() < until
            assert self.process.poll() is None, self.process.communicate()[1]
            time.sleep(0.02)

    def _folders(self) -> list[Path]:
        return [self.output / "label_maps", self.output / "label_maps" / "more"]

    def end(self) -> tuple[int, str]:
        """The exit code and what it said."""
        alarm = threading.Timer(PATIENCE, self.process.kill)
        alarm.start()
        said = self.process.communicate()[1]
        alarm.cancel()
        return self.process.returncode, said


def rows_of(output: Path) -> dict[str, dict[str, Any]]:
    """The rows of an index by their paths, each of which it has once."""
    rows = pq.read_table(output / "index").to_pylist()
    by_path = {row["path"]: row for row in rows}
    assert len(by_path) == len(rows)
    return by_path


def check_whole(output: Path, archive: Path) -> None:
    """Nothing is lost or done twice: a row an image, and the label map that it names."""
    rows = rows_of(output)
    images = sorted(path.relative_to(archive) for path in archive.rglob("*.jpg"))
    assert sorted(rows) == [*map(str, images)]
    named = {row["label_map"] for row in rows.values() if row["label_map"]}
    written = EXAMPLE.Place.of(str(output / "label_maps")).files()  # a killed writer's are hidden
    assert named == {f"label_maps/{name}" for name in written}
    assert [path for path, row in rows.items() if row["error"]] == [BROKEN]


@pytest.mark.slow
def test_a_node_is_killed(cluster: Cluster, artifact: Path, archive: Path, tmp_path: Path) -> None:
    node = cluster.add_node(num_cpus=1, **STORE)
    cluster.wait_for_nodes()
    job = Job(cluster, artifact, archive, tmp_path)
    job.wait_for_images(100)
    cluster.remove_node(node, allow_graceful=False)
    code, said = job.end()
    assert code == 3, said
    assert "others do what it had in hand" in said
    check_whole(tmp_path, archive)


def test_the_driver_is_ended_and_killed_and_goes_on(
    cluster: Cluster, artifact: Path, archive: Path, tmp_path: Path
) -> None:
    job = Job(cluster, artifact, archive, tmp_path)
    job.wait_for_images(80)  # more than two actors have in hand: some rows have arrived
    job.process.send_signal(signal.SIGTERM)
    code, said = job.end()
    assert code == 143, said
    ended = rows_of(tmp_path)  # the rows that waited
    assert 0 < len(ended) < COUNT

    job = Job(cluster, artifact, archive, tmp_path, seconds=0)
    job.wait_for_images(len(ended) + 130)  # the first job's may be there too
    job.process.kill()
    job.end()
    killed = rows_of(tmp_path)
    assert len(ended) < len(killed) < COUNT
    assert ended.items() <= killed.items()

    code, said = Job(cluster, artifact, archive, tmp_path).end()
    assert code == (0 if BROKEN in killed else 3), said  # it is told by the job that meets it
    assert f"{COUNT - len(killed)} of {COUNT} images to do" in said
    check_whole(tmp_path, archive)
    assert killed.items() <= rows_of(tmp_path).items()


def test_an_artifact_that_is_missing_on_a_node_names_it(
    cluster: Cluster, archive: Path, tmp_path: Path
) -> None:
    code, said = Job(cluster, tmp_path / "none.pt2", archive, tmp_path / "output").end()
    assert code == 1
    assert f"error: node {platform.node()}: {tmp_path}/none.pt2: cannot be opened" in said
    assert "Traceback" not in said


def test_the_guide_runs_and_label_maps_are_those_of_the_runner(
    cluster: Cluster, artifact: Path, image_folder: Path, tmp_path: Path
) -> None:
    guide = (ROOT / "docs" / "guides" / "archives.md").read_text(encoding="utf-8")
    dataset, index = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    (command,) = re.findall(r"^python examples/ray_archive.py .*$", guide, re.MULTILINE)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "segmenter.pt2").symlink_to(artifact)
    (tmp_path / "photos").symlink_to(image_folder)
    assert str(COLUMNS) in guide
    in_folder(tmp_path, cluster, [sys.executable, *command.split()[1:]])
    assert in_folder(tmp_path, cluster, [sys.executable, "-c", index]) == f"{COLUMNS}\n"
    printed = in_folder(tmp_path, cluster, [sys.executable, "-c", dataset])
    assert len(printed.splitlines()) == len(find_images(image_folder))
    check_labels(tmp_path / "archive", artifact, image_folder)


def check_labels(output: Path, artifact: Path, images: Path) -> None:
    """Label maps are the files that `mpm-deploy run` writes, and rows say what the Runner does."""
    rows = rows_of(output)
    with Runner(artifact) as runner:
        for image in find_images(images):
            row, result = rows[image.name], runner(image)
            expected = encode_label_map(result.labels, runner.manifest.model.palette)
            assert (output / row["label_map"]).read_bytes() == expected
            assert row["size"] == image.stat().st_size
            assert row["tokens_kept"] == [*result.tokens_kept]


def in_folder(folder: Path, cluster: Cluster, command: list[str]) -> str:
    """What a command prints, on the cluster."""
    environment = os.environ | {"RAY_ADDRESS": cluster.address, "PYTHONPATH": str(ROOT)}
    answer = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_a_death_leaves_the_same_to_do_and_then_image_by_image() -> None:
    task = EXAMPLE.Task(("a.jpg", "b.jpg"))
    [again] = task.after_death()
    assert again == EXAMPLE.Task(("a.jpg", "b.jpg"), 1)
    alone = again.after_death()
    assert alone == [EXAMPLE.Task(("a.jpg",), 2), EXAMPLE.Task(("b.jpg",), 2)]
    assert alone[0].after_death() == [EXAMPLE.Task(("a.jpg",), EXAMPLE.MOST_DEATHS)]


def test_places_are_paths_or_uris_and_list_what_is_not_hidden(tmp_path: Path) -> None:
    for name in ("b.jpg", "a/c.jpg", ".hidden/d.jpg", "a/.e.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    for place in (str(tmp_path), f"file://{tmp_path}/"):
        assert EXAMPLE.Place.of(place).files() == ["a/c.jpg", "b.jpg"]
    with pytest.raises(InputError, match="expected a folder or a URI"):
        EXAMPLE.Place.of("nothing://photos")


def test_a_place_of_any_file_system_is_written_read_and_listed() -> None:
    """As an object store is, whose folders are there with what lies in them."""
    memory = PyFileSystem(FSSpecHandler(MemoryFileSystem()))
    place = EXAMPLE.Place(memory, "/bucket/archive")
    place.write("label_maps/a/b.jpg.png", b"content")
    assert place.files() == ["label_maps/a/b.jpg.png"]
    assert place.read("label_maps/a/b.jpg.png") == b"content"
    index = EXAMPLE.Index(place, seconds=0)
    index.add(pyarrow.table({"path": ["a.jpg"], "error": pyarrow.nulls(1, pyarrow.string())}))
    assert EXAMPLE.Index(place, seconds=0).done == {"a.jpg"}


def test_a_source_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="photos: cannot be read"):
        EXAMPLE.Place.of(str(tmp_path / "photos")).files()


def test_an_output_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "label_maps").touch()
    with pytest.raises(InputError, match="cannot write there"):
        EXAMPLE.Place.of(str(tmp_path)).write("label_maps/a.jpg.png", b"")


def test_a_part_of_the_index_that_is_broken_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "part.parquet").write_bytes(b"cut off")
    with pytest.raises(InputError, match=r"part.parquet: expected a part of an index") as raised:
        EXAMPLE.Index(EXAMPLE.Place.of(str(tmp_path)), seconds=1)
    assert raised.value.hint == "delete it: its images are done again"


def test_rows_that_are_written_twice_are_there_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when Ctrl-C comes between the writing of a part and the beginning of the next."""
    place = EXAMPLE.Place.of(str(tmp_path))
    index = EXAMPLE.Index(place, seconds=1000)
    index.add(pyarrow.table({"path": ["a.jpg"], "error": pyarrow.nulls(1, pyarrow.string())}))
    with monkeypatch.context() as patch:
        patch.setattr(index, "_begin_part", lambda: None)
        index.write()
    index.write()
    assert [*rows_of(tmp_path)] == ["a.jpg"]
    assert EXAMPLE.Index(place, seconds=1).done == {"a.jpg"}


def test_label_maps_do_not_become_images(
    archive: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["ray_archive.py", "none.pt2", str(archive), str(archive / "output")]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit, match="1"):
        EXAMPLE.main()
    assert "expected an output that does not lie in" in capsys.readouterr().err


def test_without_ray_one_sentence_names_the_cure(tmp_path: Path) -> None:
    block = "import sys, runpy; sys.modules['ray'] = None; sys.argv = ['ray_archive.py']\n"
    code = f"{block}runpy.run_path({EXAMPLE.__file__!r})"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stderr.splitlines()[0] == "error: ray_archive.py needs Ray"
    assert "pip install 'mpm-deploy[ray]'" in answer.stderr
