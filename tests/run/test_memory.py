"""What a Runner took of memory, files and threads is given back when it is closed."""

import ctypes
import gc
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from mpm_deploy import Runner
from mpm_deploy.recipe import Recipe


class Mallinfo2(ctypes.Structure):
    """What malloc says of itself (mallinfo(3))."""

    _fields_: ClassVar = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


_mallinfo2 = ctypes.CDLL(None).mallinfo2
_mallinfo2.restype = Mallinfo2


@dataclass(frozen=True)
class Taken:
    """What this process has; temporary files are those in a folder of its own.

    Memory is what is in use: arenas of malloc keep what was freed, as many as there once were
    threads at work.
    """

    mappings: int
    bytes: int
    descriptors: int
    threads: int
    temporary: int

    @classmethod
    def now(cls, temporary: Path) -> "Taken":
        gc.collect()
        memory = _mallinfo2()
        process = Path("/proc/self")
        return cls(
            mappings=len((process / "maps").read_text().splitlines()),
            bytes=memory.uordblks + memory.hblkhd,
            descriptors=len(list((process / "fd").iterdir())),
            threads=len(list((process / "task").iterdir())),
            temporary=len(list(temporary.iterdir())),
        )


@pytest.mark.parametrize("turns", [8, pytest.param(50, marks=pytest.mark.slow)])
def test_opening_again_and_again_takes_no_more(
    recipe_and_artifact: tuple[Recipe, Path],
    image_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    turns: int,
) -> None:
    _, artifact = recipe_and_artifact
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    taken = []
    for _ in range(turns):
        with Runner(artifact, threads=2) as runner, Runner(artifact, threads=2) as other:
            runner(image_folder / "image_0.jpg")
            list(other.run(image_folder, batch_size=2))
        taken.append(Taken.now(tmp_path))  # closed, and not yet dropped
    # The first ones take what stays, as code that is read.
    settled, last = taken[3], taken[-1]
    assert last.mappings - settled.mappings < 12  # a library of an entry has 6
    assert last.bytes - settled.bytes < 1 << 20  # weights have more
    assert last.descriptors <= settled.descriptors
    assert last.threads <= settled.threads
    assert last.temporary == 0
