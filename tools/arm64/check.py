"""Runs artifacts on Arm64 under emulation, with both programs, and compares label maps.

    four scenes and an odd photo ─▶ here:      Python, C++ ─┐
                                 ─▶ emulated:  Python, C++ ─┴▶ the same labels?

Proves labels and tells memory; of how fast a Raspberry Pi is, it tells nothing. ``make arm64``
calls it, as root, for the other system's folder becomes the root folder of what runs there.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parent.parent.parent
SCENES = ROOT / "examples" / "scenes" / "images"
HERE_AND_THERE = 0.9999  # of the pixels have equal labels, at least
MOST_MIB = 1024  # of memory, of one program
SEEN_AS = Path("/mnt")  # the work folder, in the other system
INSTALLED = Path("/opt/mpm")  # the Python package, there

# The mounts are this one command's own, and go with it. One arena, because the emulator's malloc
# makes others of its own, which count: 1.4 of 1.8 GiB that C++ seemed to hold for ViT-S.
ENTER = """export MALLOC_ARENA_MAX=1
mount --bind "$1" "$2/mnt" && mount --bind /proc "$2/proc" && mount --rbind /sys "$2/sys"
root=$2 && shift 2 && cd / && exec chroot "$root" "$@"
"""


@dataclass(frozen=True)
class Machine:
    """How a command runs on it, where its two programs are, and where it sees the work folder."""

    name: str
    enter: tuple[str, ...]
    python: Path
    cpp: Path
    work: Path

    def run(self, *command: object) -> "Finished":
        """Run a command to its end; one that fails ends the check."""
        words = [*self.enter, *map(str, command)]
        print("+", *words[len(self.enter) :], flush=True)
        process = subprocess.Popen(words)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"error: {self.name}: {words}: exit status {process.returncode}")
        return Finished(usage.ru_maxrss / 1024)

    def run_python(self, artifact: str, images: str, output: str) -> "Finished":
        """Have the Python program write label maps."""
        paths = self.work / artifact, self.work / images
        return self.run(self.python, "run", *paths, "--output", self.work / output)

    def run_cpp(self, artifact: str, images: str, output: str) -> "Finished":
        """Have the C++ program write label maps."""
        paths = self.work / artifact, self.work / images
        return self.run(self.cpp, "run", *paths, "--output", self.work / output)


@dataclass(frozen=True)
class Finished:
    """What a command took at most; under emulation the emulator's own memory is in it."""

    peak_mib: float


@dataclass(frozen=True)
class Labelled:
    """Label maps that a program wrote on a machine, and where."""

    program: str
    machine: Machine
    folder: str
    finished: Finished

    def __str__(self) -> str:
        return f"{self.machine.name} {self.program}"


@dataclass(frozen=True)
class Verdict:
    """Something that was asked for, and whether it is so."""

    subject: str
    measured: str
    wanted: str
    met: bool


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--system", type=Path, required=True, help="a Debian for Arm64")
    parser.add_argument("--work", type=Path, required=True, help="the build for it, with a wheel")
    arguments = parser.parse_args()
    work, system = arguments.work.resolve(), arguments.system.resolve()
    python = Path(sys.executable).with_name("mpm-deploy")
    here = Machine("here", (), python, ROOT / "build" / "cpp_runner", work)
    enter = ("unshare", "--mount", "sh", "-e", "-c", ENTER, "sh", str(work), str(system))
    python, cpp = INSTALLED / "bin" / "mpm-deploy", SEEN_AS / "cpp_runner"
    there = Machine("Arm64", enter, python, cpp, SEEN_AS)

    write_images(work / "images")
    build_artifacts(here)
    install(there, work)
    there.run(there.python, "doctor")
    run_tests(there)
    for program in (there.python, there.cpp):
        there.run(program, "bench", SEEN_AS / "small.pt", SEEN_AS / "images", "--batch=1,2")
    labelled = label(here, there)
    verdicts = [*compare(work, labelled), *weigh(there, labelled)]
    show(verdicts)
    return 0 if all(verdict.met for verdict in verdicts) else 1


def write_images(folder: Path) -> None:
    """Four scenes, and one upright photo as cameras write it: turned, progressive, of odd size."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    scenes = sorted(SCENES.glob("*.jpg"))
    for scene in scenes[:4]:
        shutil.copy(scene, folder)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    with Image.open(scenes[4]) as photo:
        photo.crop((0, 0, 509, 333)).save(folder / "turned.jpg", progressive=True, exif=exif)


def build_artifacts(here: Machine) -> None:
    """Those to compare and to measure, and a small one."""
    build = (here.python, "build", "--recipe")
    random = ("rpi5_fp32", "--weights=random")
    small = (*random, "--set=model.image_size=[64, 96]", "--set=model.classes=7")
    here.run(*build, "rpi5_fp32", "--output", here.work / "vit_t.pt")
    here.run(*build, *random, "--model=seg_s16_mask", "--output", here.work / "vit_s.pt")
    here.run(*build, *small, "--output", here.work / "small.pt")


def install(there: Machine, work: Path) -> None:
    """The Python package, as on a Raspberry Pi: beside Debian's own, and nothing else."""
    (wheel,) = work.glob("mpm_deploy-*.whl")
    there.run("python3", "-m", "venv", "--system-site-packages", INSTALLED)
    pip = (INSTALLED / "bin" / "pip", "install", "--quiet", "--no-index", "--no-deps")
    there.run(*pip, "--force-reinstall", SEEN_AS / wheel.name)


def run_tests(there: Machine) -> None:
    """The C++ tests, but those that run models: these take minutes each here."""
    environment = ("env", f"LD_LIBRARY_PATH={SEEN_AS / 'cpp' / 'kernels'}")
    there.run(*environment, SEEN_AS / "cpp" / "kernels" / "tests" / "mpm_kernels_tests")
    tests = SEEN_AS / "cpp" / "tests" / "mpm_tests"
    there.run(*environment, tests, "--test-suite-exclude=program,runner,side_by_side,windows")


def label(here: Machine, there: Machine) -> list[Labelled]:
    """Have both programs write label maps on both machines."""
    labelled = []
    for machine in (here, there):
        for program, run in (("Python", machine.run_python), ("C++", machine.run_cpp)):
            folder = f"labels/{machine.name} {program}"
            shutil.rmtree(here.work / folder, ignore_errors=True)
            labelled.append(Labelled(program, machine, folder, run("vit_t.pt", "images", folder)))
    return labelled


def compare(work: Path, labelled: list[Labelled]) -> Iterator[Verdict]:
    """Programs on one machine agree to the last pixel; machines round differently."""
    for one, other in combinations(labelled, 2):
        wanted = 1.0 if one.machine is other.machine else HERE_AND_THERE
        share = same_labels(work, one, other)
        yield Verdict(
            f"labels, {one} and {other}", f"{share:.4%}", f"{wanted:.2%}", share >= wanted
        )


def same_labels(work: Path, one: Labelled, other: Labelled) -> float:
    """The share of pixels whose labels are equal."""
    equal = pixels = 0
    for image in sorted((work / "images").iterdir()):
        path = Path(image.stem).with_suffix(".png")
        maps = [np.asarray(Image.open(work / each.folder / path)) for each in (one, other)]
        if maps[0].shape != maps[1].shape:
            sys.exit(f"error: {path}: {maps[0].shape} by {one}, {maps[1].shape} by {other}")
        equal += int((maps[0] == maps[1]).sum())
        pixels += maps[0].size
    return equal / pixels


def weigh(there: Machine, labelled: list[Labelled]) -> Iterator[Verdict]:
    """The most memory of each program at 512 × 512 pixels; of ViT-T what labelling took."""
    scene = min(SCENES.glob("*.jpg")).name
    taken = {f"ViT-T, {each}": each.finished for each in labelled if each.machine is there}
    for program, run in (("Python", there.run_python), ("C++", there.run_cpp)):
        taken[f"ViT-S, {there.name} {program}"] = run("vit_s.pt", f"images/{scene}", "labels/vit_s")
    for name, finished in taken.items():
        peak = finished.peak_mib
        yield Verdict(f"memory, {name}", f"{peak:.0f} MiB", f"{MOST_MIB} MiB", peak <= MOST_MIB)


def show(verdicts: list[Verdict]) -> None:
    """A line each."""
    print()
    for verdict in verdicts:
        mark = "ok" if verdict.met else "MISSED"
        print(f"{verdict.subject:48} {verdict.measured:>10}   of {verdict.wanted:>9}   {mark}")


if __name__ == "__main__":
    sys.exit(main())
