"""Segments an archive on a Ray cluster: ``ray_archive.py ARTIFACT SOURCE OUTPUT``.

SOURCE and OUTPUT are folders that every node sees, or URIs of a file system that pyarrow knows, as
``s3://bucket/photos``; SOURCE is read with all folders in it.

    OUTPUT/label_maps/a/b.jpg.png    the label map of SOURCE/a/b.jpg
    OUTPUT/index/*.parquet           a row an image: path, size, sha256, label_map, class_shares,
                                     tokens_kept; or instead of the last three an error

This process alone writes the index, part by part, and a row only when its label map is there. What
the index holds is not done again: whatever ended it, the same command goes on from there.
"""

import argparse
import hashlib
import io
import os
import secrets
import sys
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
    import ray
    from pyarrow.fs import FileSelector, FileSystem, FileType, LocalFileSystem
    from ray.exceptions import RayActorError, RayTaskError
except ImportError:
    sys.exit("error: ray_archive.py needs Ray\n  hint: pip install 'mpm-deploy[ray]'")

from mpm_deploy.cli.console import DONE, INTERRUPTED, SKIPPED, fail, talk
from mpm_deploy.cli.options import positive
from mpm_deploy.cli.signals import Interruption
from mpm_deploy.errors import HostError, InputError, MpmError
from mpm_deploy.images.decode import image_suffixes
from mpm_deploy.serve.ray import BatchRunner
from mpm_deploy.support.files import written_atomically
from mpm_deploy.support.refusal import refusal

IMAGES_A_TASK = 32  # an actor that dies has at most so many in hand
FILES_AT_ONCE = 8  # that an actor reads and writes
ROWS_A_PART = 1000
MOST_DEATHS = 3
# Without an address Ray also takes a cluster that was here once, and waits for it for ever.
ALONE = os.environ.get("RAY_ADDRESS", "local")


@dataclass(frozen=True)
class Place:
    """A folder of a file system."""

    filesystem: FileSystem
    folder: str

    @classmethod
    def of(cls, name: str) -> "Place":
        """Find the place that a path or a URI names.

        Raises:
            InputError: It names none.
        """
        if "://" not in name:
            return cls(LocalFileSystem(), str(Path(name).absolute()))
        try:
            filesystem, folder = FileSystem.from_uri(name)
        except (OSError, ValueError) as error:
            raise InputError(f"{name}: expected a folder or a URI of one, got: {error}") from error
        return cls(filesystem, folder.rstrip("/"))

    def files(self) -> list[str]:
        """Return the paths of all files below the folder, from there and sorted; hidden ones are
        left out.

        Raises:
            InputError: One of its folders is not there or cannot be read.
        """
        try:
            found = self.filesystem.get_file_info(FileSelector(self.folder, recursive=True))
        except OSError as error:
            what = f"{self.folder}: cannot be read"
            raise refusal(InputError, what, error, "name a folder of images") from error
        paths = [PurePosixPath(file.path) for file in found if file.type != FileType.Directory]
        names = [path.relative_to(self.folder) for path in paths]
        return sorted(str(name) for name in names if not any(p.startswith(".") for p in name.parts))

    def read(self, name: str) -> bytes:
        with self.filesystem.open_input_stream(f"{self.folder}/{name}", compression=None) as file:
            return bytes(file.read())

    def write(self, name: str, content: bytes) -> None:
        """Write a file, which appears whole or not at all, as object stores do it by themselves.

        Raises:
            InputError: It cannot be written.
        """
        path = f"{self.folder}/{name}"
        try:
            if isinstance(self.filesystem, LocalFileSystem):
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                with written_atomically(Path(path)) as temporary:
                    temporary.write_bytes(content)
            else:
                with self.filesystem.open_output_stream(path, compression=None) as file:
                    file.write(content)
        except OSError as error:
            raise refusal(InputError, f"{path}: cannot write there", error) from error


class Reading:
    """A file of the archive that is being read."""

    def __init__(self, source: Place, path: str, workers: ThreadPoolExecutor) -> None:
        self.facts: dict[str, Any] = {"path": path}
        self._content = workers.submit(source.read, path)

    def read(self) -> bytes:
        """Return its bytes, once they are there."""
        content = self._content.result()
        self.facts |= {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        return content


class Archivist:
    """Reads, segments and writes the images of a task, in an actor."""

    def __init__(self, job: "Job") -> None:
        self._job = job
        self._workers = ThreadPoolExecutor(FILES_AT_ONCE)

    def open(self) -> None:
        """Open the artifact; what is wrong with it an actor can tell, its constructor cannot."""
        self._runner = BatchRunner(self._job.artifact, batch_size=self._job.batch_size)
        answers = self._runner.schema
        place = answers.get_field_index("label_map")
        answers = answers.set(place, pa.field("label_map", pa.string()))
        facts = {"path": pa.string(), "size": pa.int64(), "sha256": pa.string()}
        self._schema = pa.schema([*pa.schema(facts), *answers])

    def answer(self, task: "Task") -> pa.Table:
        """Return the index's rows of a task's images, whose label maps are there then."""
        if task.deaths == MOST_DEATHS:
            error = f"{MOST_DEATHS} actors died, or their nodes, while they had it in hand"
            rows = [{"path": path, "error": error} for path in task.images]
        else:
            rows = self._rows(task.images)
        return pa.Table.from_pylist(rows, self._schema)

    def _rows(self, images: tuple[str, ...]) -> list[dict[str, Any]]:
        files = [Reading(self._job.source, path, self._workers) for path in images]
        rows: list[dict[str, Any]] = []
        writing = []
        for file, row in zip(files, self._runner.rows(files), strict=True):
            if row["error"] is None:
                name, content = f"label_maps/{file.facts['path']}.png", row["label_map"]
                writing.append(self._workers.submit(self._job.output.write, name, content))
                row["label_map"] = name
            rows.append(file.facts | row)
        for written in writing:
            written.result()
        return rows


class Index:
    """The index of an archive, of which one process at a time writes parts.

    Args:
        output: Where it lies.
        seconds: How long rows wait at most for others to share a part with.

    Attributes:
        done: The paths of its rows.
        errors: How many of those that were added have errors.

    Raises:
        InputError: A part that is there cannot be read.
    """

    def __init__(self, output: Place, seconds: float) -> None:
        self._output = output
        self._seconds = seconds
        self.done = {path for part in self._parts() for path in self._paths_in(part)}
        self.errors = 0
        self._begin_part()

    def add(self, rows: pa.Table) -> None:
        """Take rows in, and write a part where it is time to."""
        self._waiting.append(rows)
        self.done.update(rows["path"].to_pylist())
        self.errors += rows.num_rows - rows["error"].null_count
        late = time.monotonic() - self._begun >= self._seconds
        if late or sum(table.num_rows for table in self._waiting) >= ROWS_A_PART:
            self.write()

    def write(self) -> None:
        """Write the rows that wait.

        A part has its name before it has rows: where it is written a second time, after Ctrl-C amid
        the first, it takes its own place.
        """
        if self._waiting:
            content = io.BytesIO()
            pq.write_table(pa.concat_tables(self._waiting), content)
            self._output.write(self._part, content.getvalue())
            self._begin_part()

    def _begin_part(self) -> None:
        self._waiting: list[pa.Table] = []
        self._begun = time.monotonic()
        self._part = f"index/{time.strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(4)}.parquet"

    def _parts(self) -> list[str]:
        index = Place(self._output.filesystem, f"{self._output.folder}/index")
        if index.filesystem.get_file_info(index.folder).type == FileType.NotFound:
            return []
        return [f"index/{name}" for name in index.files() if name.endswith(".parquet")]

    def _paths_in(self, part: str) -> list[str]:
        try:
            content = io.BytesIO(self._output.read(part))
            return pq.read_table(content, columns=["path"])["path"].to_pylist()
        except (OSError, ValueError, KeyError) as error:
            raise InputError(
                f"{self._output.folder}/{part}: expected a part of an index, got: {error}",
                "delete it: its images are done again",
            ) from error


@dataclass(frozen=True)
class Job:
    """What is done to each image, and what an actor has for that."""

    artifact: str
    source: Place
    output: Place
    batch_size: int
    cpus: float
    gpus: float

    def room(self) -> int:
        """Return how many actors the nodes that are there have room for.

        Raises:
            HostError: Not for one.
        """
        needs = {"CPU": self.cpus, "GPU": self.gpus}
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        room = sum(
            int(min((node.get(name, 0) / need for name, need in needs.items() if need), default=0))
            for node in nodes
        )
        if not room:
            raise HostError(
                f"cluster: expected a node of {self.cpus:g} CPUs and {self.gpus:g} GPUs, got none",
                "start nodes, or ask for fewer: --cpus, --gpus",
            )
        return room


@dataclass(frozen=True)
class Task:
    """Images that an actor answers together, and how many actors have died with them in hand."""

    images: tuple[str, ...]
    deaths: int = 0

    def after_death(self) -> list["Task"]:
        """Return what is to be done then: the same again, and after that each image by itself."""
        parts = [self.images] if self.deaths == 0 else [(image,) for image in self.images]
        return [Task(part, self.deaths + 1) for part in parts]


class Pool:
    """Actors that answer images, each image once.

    Ray itself restarts none and repeats nothing: it would do so without end where an image is what
    actors die of. Where one dies, others do what it had in hand, and a new one starts where there
    is room for it, be that on a node yet to come.
    """

    def __init__(self, job: Job, images: list[str], actors: int) -> None:
        begins = range(0, len(images), IMAGES_A_TASK)
        self._waiting = deque(Task((*images[i : i + IMAGES_A_TASK],)) for i in begins)
        self._job = job
        self._actor = ray.remote(num_cpus=job.cpus, num_gpus=job.gpus)(Archivist)
        self._idle: list[Any] = []
        self._busy: dict[Any, tuple[Any, Task | None]] = {}  # without a task: it is opening
        self._stillborn = 0  # actors that died at opening, one after the other
        for _ in range(min(actors, len(self._waiting))):
            self._start()

    def answers(self) -> Iterator[pa.Table]:
        """Yield rows of the index, in any order, some at a time.

        Raises:
            MpmError: An actor cannot open the artifact or write; or no node is left.
        """
        while self._waiting or any(task for _, task in self._busy.values()):
            self._hand_out()
            [done], _ = ray.wait([*self._busy])
            actor, task = self._busy.pop(done)
            try:
                rows = ray.get(done)
            except RayActorError:
                self._bury(task)
            except RayTaskError as error:
                raise error.cause from None
            else:
                self._idle.append(actor)
                self._stillborn = 0
                if rows is not None:
                    yield rows

    def _start(self) -> None:
        actor = self._actor.remote(self._job)
        self._busy[actor.open.remote()] = actor, None

    def _hand_out(self) -> None:
        while self._idle and self._waiting:
            actor, task = self._idle.pop(), self._waiting.popleft()
            self._busy[actor.answer.remote(task)] = actor, task

    def _bury(self, task: Task | None) -> None:
        """Replace an actor that died."""
        talk("an actor died, or its node: others do what it had in hand")
        if task is not None:
            self._waiting.extendleft(task.after_death())
        else:
            self._stillborn += 1
        if self._stillborn == MOST_DEATHS:
            raise HostError(
                f"{self._job.artifact}: {MOST_DEATHS} actors died while they opened it",
                "open it on a node by itself: mpm-deploy run",
            )
        self._job.room()
        self._start()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("artifact", help="the same path on every node")
    parser.add_argument("source")
    parser.add_argument("output")
    parser.add_argument("--address", help="of a cluster; else RAY_ADDRESS, or this machine alone")
    parser.add_argument("--actors", type=positive, help="default: what the nodes have room for")
    parser.add_argument("--batch", type=positive, default=1, help="images a model call")
    parser.add_argument("--cpus", type=float, default=1, help="of an actor")
    parser.add_argument("--gpus", type=float, default=0, help="of an actor")
    parser.add_argument("--seconds", type=float, default=30, help="of work that a part holds")
    arguments = parser.parse_args()
    try:
        sys.exit(archive(arguments))
    except MpmError as error:
        sys.exit(fail(error.problem, error.hint))


def archive(arguments: argparse.Namespace) -> int:
    """Do what the index of an archive lacks, say what was done, and return the exit code."""
    source, output = Place.of(arguments.source), Place.of(arguments.output)
    if f"{output.folder}/".startswith(f"{source.folder}/"):
        raise InputError(
            f"{output.folder}: expected an output that does not lie in {source.folder}: its label "
            "maps would be images",
            "name another folder for the output",
        )
    index = Index(output, arguments.seconds)
    images = [path for path in source.files() if path.lower().endswith(image_suffixes())]
    missing = [path for path in images if path not in index.done]
    talk(f"{len(missing)} of {len(images)} images to do")
    artifact = str(Path(arguments.artifact).absolute())
    job = Job(artifact, source, output, arguments.batch, arguments.cpus, arguments.gpus)
    # A full disk fails several actors, and one of them is told.
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")
    ray.init(arguments.address or ALONE, log_to_driver=False, include_dashboard=False)
    code = fill(index, Pool(job, missing, arguments.actors or job.room()))
    talk(f"{len(index.done)} images in {output.folder}/index; {index.errors} new ones have errors")
    return code


def fill(index: Index, pool: Pool) -> int:
    """Write what a pool answers into an index, also what is there when a signal ends it."""
    interruption = Interruption()  # after Ray, which handles SIGTERM too
    try:
        with interruption:
            for rows in pool.answers():
                index.add(rows)
    except KeyboardInterrupt:
        return interruption.exit_code or INTERRUPTED
    finally:
        index.write()
    return SKIPPED if index.errors else DONE


if __name__ == "__main__":
    main()
