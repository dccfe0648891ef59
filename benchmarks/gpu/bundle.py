"""Makes the folder that a rented GPU is given: ``make gpu-bundle``.

    build/gpu-bundle/
        run.sh       the one command
        COMMIT       what source/ is of
        source/      the committed sources
        packages/    wheels for CPython 3.12 on x86-64 Linux that such a machine lacks
        system/      Debian's libraries and headers that it lacks, unpacked

Nothing in it needs a network. It has no links, so that any way of copying a folder will do.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.record import RESULTS, ROOT, current_commit

TARGET = ROOT / "build" / "gpu-bundle"
LARGEST = 60 << 20  # bytes
WHEELS = (
    *("rich", "markdown-it-py", "mdurl", "pygments", "tomli-w", "hypothesis", "sortedcontainers"),
)
# Headers, and the libraries that they are linked with.
DEBIAN = (
    *("libjpeg62-turbo-dev", "libjpeg62-turbo", "libpng-dev", "libpng16-16", "zlib1g-dev"),
    *("zlib1g", "libssl-dev", "libssl3", "nlohmann-json3-dev", "libcli11-dev"),
)
_PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
_LIBRARIES = "usr/lib/x86_64-linux-gnu"
_NEEDLESS = (
    *("usr/share/doc", "usr/share/man", "usr/bin", f"{_LIBRARIES}/*.a", f"{_LIBRARIES}/libssl.*"),
    *(f"{_LIBRARIES}/{folder}" for folder in ("engines-3", "ossl-modules", "pkgconfig")),
)


def make(target: Path = TARGET) -> Path:
    """Make the folder anew, and return it.

    Raises:
        SystemExit: It is too large to be carried.
    """
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    (target / "COMMIT").write_text(current_commit().removesuffix("-dirty"))
    _write_source(target / "source")
    _write_packages(target / "packages")
    _write_system(target / "system")
    shutil.copy(ROOT / "benchmarks" / "gpu" / "run.sh", target)
    size = size_of(target)
    if size > LARGEST:
        sys.exit(f"{target}: expected at most {LARGEST >> 20} MiB, got {size >> 20}")
    return target


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files under a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _write_source(folder: Path) -> None:
    folder.mkdir()
    with tempfile.TemporaryFile() as archive:
        subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, stdout=archive)
        archive.seek(0)
        subprocess.run(["tar", "-x"], cwd=folder, check=True, stdin=archive)
    for record in RESULTS.glob("h100-*.json"):  # taken in, and perhaps not committed yet
        shutil.copy(record, folder / "benchmarks" / "results")


def _write_packages(folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--only-binary=:all:", "--dest", str(folder)]
    command += ["--python-version=3.12", "--implementation=cp"]
    command += [f"--platform={platform}" for platform in _PLATFORMS]
    subprocess.run([*command, *WHEELS], check=True)


def _write_system(folder: Path) -> None:
    """Unpack Debian's packages, with each link replaced by the file it points to."""
    with tempfile.TemporaryDirectory() as temporary:
        # apt gives up its rights to download, and then has none in this folder: that is but a note.
        command = ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *DEBIAN]
        subprocess.run(command, cwd=temporary, check=True)
        unpacked = Path(temporary) / "unpacked"
        for package in sorted(Path(temporary).glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", str(package), str(unpacked)], check=True)
        _leave_out_what_is_needless(unpacked)
        shutil.copytree(unpacked, folder)
        for library in (folder / _LIBRARIES).glob("*.so.*.*"):
            library.unlink()  # what it is found by are files of their own now


def _leave_out_what_is_needless(unpacked: Path) -> None:
    for needless in _NEEDLESS:
        for path in unpacked.glob(needless):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    # Some libraries lie in /lib, which is one with /usr/lib on a merged system.
    lib = unpacked / "lib"
    if lib.exists():
        shutil.copytree(lib, unpacked / "usr" / "lib", dirs_exist_ok=True, symlinks=True)
        shutil.rmtree(lib)
    for path in list(unpacked.rglob("*")):
        if path.is_symlink() and not path.exists():
            path.unlink()


def main() -> None:
    target = make()
    for path in sorted(target.iterdir()):
        print(f"{size_of(path) / (1 << 20):7.1f} MiB  {path.relative_to(ROOT)}")
    print(f"{size_of(target) / (1 << 20):7.1f} MiB  in all, commit {current_commit()}")


if __name__ == "__main__":
    main()
