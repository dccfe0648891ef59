"""Measures videos against folders of the same pictures: ``python -m benchmarks.video``

The pictures are the frames of an H.264 clip, and JPEGs. From each, both programs write label maps
to disk, in turns, each time in a process of its own:

    speed       images a second, by when label maps were written: a video's over the folder's
    steady      a long video: resident memory after a tenth, a half and nine tenths of its frames

The targets are 0.95 of the folder's FPS, and 1 % more memory from the half on.
"""

import argparse
import itertools
import statistics
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.bench.cache import merged
from benchmarks.bench.member import Finding, Member
from benchmarks.bench.tables import rows_table, verdicts_table
from benchmarks.bench.targets import Verdict, judge
from benchmarks.bench.turns import ratio
from benchmarks.bench.written import Written, write
from benchmarks.record import CPP_RUNNER, IMAGES, PROGRAMS
from mpm_deploy.images.decode import find_images

LEAST_OF_FOLDER = 0.95
MOST_MEMORY = 1.01
FRAMES_A_SECOND = 25
JPEG_QUALITY = 90

Row = dict[str, Any]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this member."""
    parser.add_argument("--artifact", type=Path, help="default: the demo model")
    parser.add_argument("--steady-artifact", type=Path, help="a quicker one for many frames")
    parser.add_argument("--images", type=Path, default=IMAGES)
    parser.add_argument("--frames", type=int, default=100, help="of a turn")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--steady-frames", type=int, default=20_000)


def measure(options: argparse.Namespace) -> Iterator[Finding]:
    """Measure the speed of each program, and then its memory."""
    artifact = options.artifact or merged("cpu_fp32")
    files = find_images(options.images)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        sources = {
            "video": write_clip(pictures(files, options.frames), folder / "clip.mp4"),
            "folder": write_folder(pictures(files, options.frames), folder / "pictures"),
        }
        taken = take_turns(artifact, sources, folder, options.repeats)
        rows, verdicts = [*speed_rows(taken)], speed_verdicts(taken)
        record: Row = {"frames": options.frames, "repeats": options.repeats, "speed": rows}
        record["verdicts"] = [*map(asdict, verdicts)]
        yield Finding(record, [rows_table(rows, "a video and a folder"), verdicts_table(verdicts)])
        clip = write_clip(pictures(files, options.steady_frames), folder / "long.mp4")
        quick = options.steady_artifact or artifact
        record["steady"] = [
            {"program": name, **steady(program, quick, clip, options.steady_frames)}
            for name, program in PROGRAMS.items()
        ]
        verdicts += memory_verdicts(record["steady"])
        record["verdicts"] = [*map(asdict, verdicts)]
        yield Finding(record, [rows_table(record["steady"], "memory"), verdicts_table(verdicts)])


def pictures(files: Sequence[Path], count: int) -> Iterator[Image.Image]:
    """Return so many pictures, as large as the first; some of them come again."""
    each = [picture(file) for file in files]
    return itertools.islice(itertools.cycle(one.resize(each[0].size) for one in each), count)


def picture(file: Path) -> Image.Image:
    """Read a picture."""
    with Image.open(file) as opened:
        return opened.convert("RGB")


def write_clip(shown: Iterator[Image.Image], path: Path) -> Path:
    """Write pictures as a video."""
    import av

    first = next(shown)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", FRAMES_A_SECOND, {"preset": "veryfast"})
        stream.width, stream.height = first.size
        stream.pix_fmt = "yuv420p"
        for number, each in enumerate(itertools.chain([first], shown)):
            frame = av.VideoFrame.from_image(each)
            frame.pts, frame.time_base = number, Fraction(1, FRAMES_A_SECOND)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_folder(shown: Iterator[Image.Image], folder: Path) -> Path:
    """Write pictures as JPEGs."""
    folder.mkdir()
    for number, each in enumerate(shown):
        each.save(folder / f"{number:06}.jpg", quality=JPEG_QUALITY)
    return folder


Taken = dict[str, dict[str, list[Written]]]  # program, source: a value a turn


def take_turns(artifact: Path, sources: dict[str, Path], folder: Path, repeats: int) -> Taken:
    """Have each program write the label maps of each source, in turns."""
    taken: Taken = {name: {source: [] for source in sources} for name in PROGRAMS}
    for turn in range(repeats):
        for (name, program), source in itertools.product(PROGRAMS.items(), sources):
            output = folder / f"{turn}-{name}-{source}"
            command = [*program, "run", str(artifact), str(sources[source]), "-o", str(output)]
            taken[name][source].append(write(command, output))
    return taken


def speed_rows(taken: Taken) -> Iterator[Row]:
    """Return the medians of each program and source."""
    for name, by_source in taken.items():
        for source, turns in by_source.items():
            fps, start = (
                [getattr(turn, key) for turn in turns] for key in ("fps", "start_seconds")
            )
            yield {
                "program": name,
                "source": source,
                "fps": statistics.median(fps),
                "start_seconds": statistics.median(start),
            }


def speed_verdicts(taken: Taken) -> list[Verdict]:
    """Judge each program's video against its folder, turn by turn."""
    return [
        judge(
            f"{name}: a video's FPS over the folder's",
            LEAST_OF_FOLDER,
            ratio(*([turn.fps for turn in by_source[key]] for key in ("video", "folder"))),
        )
        for name, by_source in taken.items()
    ]


def steady(program: Sequence[str], artifact: Path, clip: Path, frames: int) -> Row:
    """Run a long video, and look at the resident memory in MiB along the way."""
    command = [*program, "run", str(artifact), str(clip), "--json", "-"]
    samples = [frames * tenths // 10 for tenths in (1, 5, 9)]
    resident = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        for number, _ in enumerate(process.stdout):
            if number in samples:
                resident.append(resident_mib(process.pid))
    assert process.returncode == 0
    early, half, late = resident
    return {
        "frames": frames,
        "early_mib": round(early, 1),
        "half_mib": round(half, 1),
        "late_mib": round(late, 1),
        "growth": round(late / half - 1, 4),
    }


def resident_mib(process: int) -> float:
    """Return the resident memory of a process that runs, in MiB."""
    status = Path(f"/proc/{process}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in status)
    return int(fields["VmRSS"].split()[0]) / 2**10


def memory_verdicts(rows: Sequence[Row]) -> list[Verdict]:
    """Judge the memory of each program."""
    return [
        judge(
            f"{row['program']}: memory at the end over that at the half",
            MOST_MEMORY,
            [1 + row["growth"]],
            at_most=True,
        )
        for row in rows
    ]


MEMBER = Member(
    "video", "a video against a folder of its pictures, and its memory", measure, add_options,
    needs=("av", CPP_RUNNER),
)  # fmt: skip

if __name__ == "__main__":
    MEMBER.run()
