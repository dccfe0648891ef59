"""Builds EVA-01 with ViT-Adapter and Mask2Former, and runs it: ``python -m benchmarks.eva_run``

The model of Table 7 at its size, with random weights, full-token and merged as the paper merges:

    build    by `mpm-deploy build`, its gate as the recipe has it: CPU minutes, the most memory
    run      image file -> label map in both programs, one image at a time, in turns
    labels   how many pixels have the same label in both

Speeds are real, label maps mean nothing. It takes most of an hour on two cores, and 16 GiB; files
of this state of the sources are not built again.
"""

import argparse
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.bench.agreement import compare
from benchmarks.bench.cache import state_folder
from benchmarks.bench.member import Finding, Member
from benchmarks.bench.tables import columns
from benchmarks.bench.turns import Pass, Taker, ratio, take_turns
from benchmarks.peers.models import copied, spread_over
from benchmarks.record import CPP_RUNNER, IMAGES, PROGRAMS
from mpm_deploy.artifact import read_manifest
from mpm_deploy.images.decode import find_images
from mpm_deploy.measure.speed.engine import Engine
from mpm_deploy.recipe.model_names import parts_of
from mpm_deploy.recipe.paper import ROWS

WAYS: Mapping[str, tuple[str, ...]] = {
    "full-token": ("--full-token",),
    "merged": ("--set=merge.blocks=[2,5]",),
}
WHOLE = Pass("end_to_end")
# Random weights leave 150 classes, and patches that look for a partner, closer to one another than
# bfloat16 tells apart: 0.88 of the full-token model's labels are the eager model's, 0.84 of the
# merged one's, and 0.936 of its clusters. A wrong model would agree in one label of 150.
GATE = ("--set=verify.labels=0.6", "--set=verify.clusters=0.9")

Row = dict[str, Any]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this member."""
    parser.add_argument("--recipe", default="cpu_bf16")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE")
    parser.add_argument("--images", type=int, default=1, help="of a turn")
    parser.add_argument("--rounds", type=int, default=3)


def measure(options: argparse.Namespace) -> Iterator[Finding]:
    """Build both files, then let them take turns in one program and in the other."""
    files = {way: state_folder() / f"eva-{options.recipe}-{way}.pt2" for way in WAYS}
    built = [{"model": way, **build(options, way, file)} for way, file in files.items()]
    record: Row = {
        "recipe": options.recipe,
        "settings": options.set,
        "rounds": options.rounds,
        "built": built,
        "ran": [],
        "ratios": [],
    }
    yield Finding(record, [built_table(record)])
    with tempfile.TemporaryDirectory() as folder:
        images = copied(spread_over(find_images(IMAGES), options.images), Path(folder) / "images")
        for program in PROGRAMS:
            ran, merging = in_turns(program, files, images, options.rounds)
            record["ran"] += ran
            record["ratios"].append(merging)
            yield Finding(record, [ran_table(record)])
        record["labels_equal"] = {
            way: equal_labels(file, images, Path(folder) / way) for way, file in files.items()
        }
    yield Finding(record, [f"equal labels of both programs: {record['labels_equal']}"])


def build(options: argparse.Namespace, way: str, file: Path) -> Row:
    """Build one file by the command line, or return what it took before."""
    facts = file.with_suffix(".json")
    if not facts.exists():
        facts.write_text(json.dumps(build_anew(options, way, file)))
    row: Row = json.loads(facts.read_text())
    return row


def build_anew(options: argparse.Namespace, way: str, file: Path) -> Row:
    """Build one file in a process whose time and memory are watched."""
    (row,) = (row for row in ROWS if row.table == 7)
    parts = parts_of(row.model)
    file.parent.mkdir(parents=True, exist_ok=True)
    command = [
        *PROGRAMS["Python"],
        *("build", "--recipe", options.recipe, "--weights", "random", "--task", row.dataset),
        *(f"--set=model.backbone={parts.backbone}", f"--set=model.head={parts.head}"),
        *GATE,
        *WAYS[way],
        *(f"--set={value}" for value in options.set),
        *("--output", str(file)),
    ]
    process = subprocess.Popen(command)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: ended with {process.returncode}")
    manifest = read_manifest(file)
    return {
        "parameters": manifest.model.parameters,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_memory_mib": used.ru_maxrss / 1024,
        "file_mib": file.stat().st_size / 2**20,
        "gate_images": manifest.agreement.images,
        "gate_labels": manifest.agreement.labels,
        "gate_clusters": [*manifest.agreement.clusters],
    }


def in_turns(
    program: str, files: Mapping[str, Path], images: Path, rounds: int
) -> tuple[list[Row], Row]:
    """Let the two files take turns in a program; return a row of each, and their ratio."""
    takers = {way: Taker(f"{program} {way}", (WHOLE,)) for way in files}
    command = PROGRAMS[program]
    with (
        Engine(files["full-token"], images, program=command) as one,
        Engine(files["merged"], images, program=command) as other,
    ):
        take_turns([*zip(takers.values(), (one, other), strict=True)], rounds, warmup=1, say=print)
    full, merged = takers["full-token"], takers["merged"]
    speed = ratio(merged.fps(WHOLE), full.fps(WHOLE))
    flops = full.answers[WHOLE][-1]["gflops"] / merged.answers[WHOLE][-1]["gflops"]
    return [run_row(program, way, taker) for way, taker in takers.items()], {
        "program": program,
        "speed_ratio": speed.median,
        "speed_ratio_min": speed.min,
        "speed_ratio_max": speed.max,
        "flop_ratio": flops,
    }


def run_row(program: str, way: str, taker: Taker) -> Row:
    """Return what one file took in one program; the median of its turns."""
    fps, answer = sorted(taker.fps(WHOLE)), taker.answers[WHOLE][-1]
    return {
        "program": program,
        "model": way,
        "seconds_an_image": 1 / fps[len(fps) // 2],
        "peak_memory_mib": answer["peak_memory_mib"],
        "gflops": answer["gflops"],
        "tokens_kept": answer["tokens_kept"]["mean"],
    }


def equal_labels(file: Path, images: Path, folder: Path) -> float:
    """Return the share of pixels that have the same label in both programs."""
    maps = {name: folder / name.replace("+", "p") for name in PROGRAMS}
    for name, program in PROGRAMS.items():
        command = [*program, "run", str(file), str(images), "--output", str(maps[name])]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return compare(maps["C++"], maps["Python"]).equal_pixels


def built_table(record: Row) -> Table:
    """Make a table of what building took, and of the gate."""
    figures = ("CPU minutes", "GiB at most", "file, GiB", "labels equal, %", "clusters equal, %")
    table = columns(("built",), figures)
    for row in record["built"]:
        table.add_row(
            row["model"],
            f"{row['cpu_seconds'] / 60:.1f}",
            f"{row['peak_memory_mib'] / 1024:.1f}",
            f"{row['file_mib'] / 1024:.2f}",
            f"{row['gate_labels'] * 100:.2f}",
            ", ".join(f"{share * 100:.2f}" for share in row["gate_clusters"]) or "–",
        )
    return table


def ran_table(record: Row) -> Table:
    """Make a table of what both programs took, and of merged against full-token."""
    figures = ("s an image", "GiB at most", "tokens", "GFLOPs", "FLOP ratio", "speed ratio")
    table = columns(("program", "model"), figures)
    ratios = {each["program"]: each for each in record["ratios"]}
    for row in record["ran"]:
        merged, of_program = len(row["tokens_kept"]) > 0, ratios[row["program"]]
        table.add_row(
            row["program"],
            row["model"],
            f"{row['seconds_an_image']:.1f}",
            f"{row['peak_memory_mib'] / 1024:.1f}",
            " → ".join(f"{tokens:.0f}" for tokens in row["tokens_kept"]) or "all",
            f"{row['gflops']:,.0f}",
            f"{of_program['flop_ratio']:.2f}" if merged else "",
            _speed(of_program) if merged else "",
        )
    return table


def _speed(ratio: Row) -> str:
    low, high = ratio["speed_ratio_min"], ratio["speed_ratio_max"]
    return f"{ratio['speed_ratio']:.2f} ({low:.2f} – {high:.2f})"


MEMBER = Member(
    "eva_run",
    "EVA-01 whole: its build, both programs, merged against full-token",
    measure,
    add_options,
    needs=(CPP_RUNNER,),
)

if __name__ == "__main__":
    MEMBER.run()
