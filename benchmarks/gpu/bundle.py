"""Makes the folder that a rented GPU is given: ``make gpu-bundle``.

    build/gpu-bundle/
        run.sh           the one command
        COMMIT           what the sources are of
        source.tar.gz    the committed sources, without weights and pictures
        packages/        wheels for CPython 3.12 on x86-64 Linux that such a machine lacks
        system.tar.gz    Debian's libraries and headers that it lacks

Nothing in it needs a network.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.record import RESULTS, ROOT, current_commit

TARGET = ROOT / "build" / "gpu-bundle"
LARGEST = 16 << 20  # bytes; while it travels, a rented machine may be waiting
WHEELS = (
    *("rich", "markdown-it-py", "mdurl", "pygments", "tomli-w", "hypothesis", "sortedcontainers"),
)
# Headers, and the libraries that they are linked with.
DEBIAN = (
    *("libjpeg62-turbo-dev", "libjpeg62-turbo", "libpng-dev", "libpng16-16", "zlib1g-dev"),
    *("zlib1g", "libssl-dev", "libssl3", "nlohmann-json3-dev", "libcli11-dev"),
)
# Models are trained there, on scenes that are made there.
_NOT_READ_THERE = (
    "mpm_deploy/models/weights/*.safetensors",
    "examples/scenes/images",
    "examples/scenes/labels",
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
    write_source(target / "source.tar.gz")
    _write_packages(target / "packages")
    _write_system(target / "system.tar.gz")
    shutil.copy(ROOT / "benchmarks" / "gpu" / "run.sh", target)
    size = size_of(target)
    if size > LARGEST:
        sys.exit(f"{target}: expected at most {LARGEST >> 20} MiB, got {size >> 20}")
    return target


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files under a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def write_source(archive: Path, root: Path = ROOT) -> None:
    """Write what a GPU needs of a clone's committed sources into ``archive``, a ``.tar.gz``."""
    results = root / RESULTS.relative_to(ROOT)
    command = ["git", "archive", f"--output={archive}"]
    # Records taken in, and perhaps not committed yet, come last: they replace what is committed.
    command += [f"--prefix={results.relative_to(root)}/"]
    command += [f"--add-file={record}" for record in sorted(results.glob("h100-*.json"))]
    command += ["--prefix=", "HEAD", "--", "."]
    command += [f":(exclude){path}" for path in _NOT_READ_THERE]
    subprocess.run(command, cwd=root, check=True)


def _write_packages(folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--only-binary=:all:", "--dest", str(folder)]
    command += ["--python-version=3.12", "--implementation=cp"]
    command += [f"--platform={platform}" for platform in _PLATFORMS]
    subprocess.run([*command, *WHEELS], check=True)


def _write_system(archive: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        # apt gives up its rights to download, and then has none in this folder: that is but a note.
        command = ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *DEBIAN]
        subprocess.run(command, cwd=temporary, check=True)
        unpacked = Path(temporary) / "unpacked"
        for package in sorted(Path(temporary).glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", str(package), str(unpacked)], check=True)
        _leave_out_what_is_needless(unpacked)
        subprocess.run(["tar", "-czf", archive, "-C", unpacked, "usr"], check=True)


def _leave_out_what_is_needless(unpacked: Path) -> None:
    for needless in _NEEDLESS:
        for path in unpacked.glob(needless):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    # Some libraries lie in /lib, which is one with /usr/lib on a merged system.
    lib = unpacked / "lib"
    if lib.exists():
        shutil.copytree(lib, unpacked / "usr" / "lib", dirs_exist_ok=True, symlinks=True)
    for path in unpacked.rglob("*.so*"):
        if path.is_symlink() and path.readlink().is_absolute():  # of /lib
            target = path.readlink().name
            path.unlink()
            path.symlink_to(target)


def main() -> None:
    target = make()
    for path in sorted(target.iterdir()):
        print(f"{size_of(path) / (1 << 20):7.1f} MiB  {path.relative_to(ROOT)}")
    print(f"{size_of(target) / (1 << 20):7.1f} MiB  in all, commit {current_commit()}")


if __name__ == "__main__":
    main()
