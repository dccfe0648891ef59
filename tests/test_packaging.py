"""What an install brings: the package, its recipes and, where a compiler is, the native library."""

import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

import mpm_deploy
from mpm_deploy.ops.label_map import native
from mpm_deploy.recipe import builtin_recipes

ROOT = Path(__file__).parent.parent
LIBRARY = "mpm_deploy/ops/libmpm_kernels.so"
RECIPES = {path.stem for path in (ROOT / "recipes").glob("*.toml")}

REQUIRED = "MPM_REQUIRE_CPP" in os.environ  # make test has installed all that a build needs

builds = pytest.mark.skipif(
    not (REQUIRED or (shutil.which("cmake") and importlib.util.find_spec("scikit_build_core"))),
    reason="building without isolation needs cmake and scikit-build-core",
)


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_tests_see_this_checkout() -> None:
    """An editable install comes before the working folder: another checkout's would be tested."""
    assert Path(mpm_deploy.__file__).parent == ROOT / "mpm_deploy"


def test_the_version_is_the_packages() -> None:
    assert importlib.metadata.version("mpm-deploy") == mpm_deploy.__version__


def test_every_recipe_of_the_checkout_is_built_in() -> None:
    assert {recipe.name for recipe in builtin_recipes()} == RECIPES


def test_the_paths_of_the_build_exist() -> None:
    settings = pyproject()["tool"]["scikit-build"]
    assert (ROOT / settings["cmake"]["source-dir"] / "CMakeLists.txt").is_file()
    for folder in [*settings["wheel"]["packages"], *settings["wheel"]["force-include"]]:
        assert (ROOT / folder).is_dir(), folder
    for path in settings["sdist"]["include"]:
        assert (ROOT / path.strip("/")).exists(), path


@pytest.mark.skipif(not REQUIRED, reason="an install without a compiler has none")
def test_make_has_installed_the_native_library() -> None:
    assert native.available()


def run(command: list[str], folder: Path = ROOT, **environment: str) -> str:
    answer = subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout.strip()


def build_wheel(source: Path, folder: Path, **environment: str) -> Path:
    """A wheel of a folder or an archive, made without the network."""
    pip = [sys.executable, "-m", "pip", "wheel", "--no-index", "--no-deps", "--no-build-isolation"]
    run([*pip, "--wheel-dir", str(folder), str(source)], **environment)
    (wheel,) = folder.glob("*.whl")
    return wheel


def build_source_distribution(folder: Path) -> Path:
    code = f"from scikit_build_core import build; build.build_sdist({str(folder)!r})"
    run([sys.executable, "-c", code])
    (archive,) = folder.glob("*.tar.gz")
    return archive


@pytest.fixture(scope="module")
def source_distribution(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_source_distribution(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def wheel(source_distribution: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made of the source distribution alone, which must hold all that it takes."""
    return build_wheel(source_distribution, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def plain_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made of the checkout, on a machine without a compiler."""
    folder = tmp_path_factory.mktemp("plain_wheel")
    return build_wheel(ROOT, folder, CC="/nonexistent", CXX="/nonexistent")


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def assert_holds_the_package(wheel: Path) -> None:
    """Every module, kernel and recipe, and beside the package only what describes it."""
    names = names_in(wheel)
    for suffix in ("py", "cpp", "h"):
        sources = (ROOT / "mpm_deploy").rglob(f"*.{suffix}")
        assert {str(path.relative_to(ROOT)) for path in sources} <= names
    assert {f"mpm_deploy/recipes/{recipe}.toml" for recipe in RECIPES} <= names
    described = f"mpm_deploy-{mpm_deploy.__version__}.dist-info"
    assert {name.split("/")[0] for name in names} == {"mpm_deploy", described}
    cpp = [name for name in names if name.endswith((".cpp", ".h"))]
    assert all(name.startswith("mpm_deploy/backends/aotinductor/kernels/") for name in cpp)
    assert not [name for name in names if name.endswith(".pyc")]


INSTALLED = """
import json
import torch
import mpm_deploy
from mpm_deploy.ops.label_map import label_map, native
from mpm_deploy.recipe import builtin_recipes

scores = torch.randn(2, 5, 6, 7, generator=torch.Generator().manual_seed(0))
labels = label_map(scores, (24, 20))
print(json.dumps({
    "file": mpm_deploy.__file__,
    "recipes": [recipe.name for recipe in builtin_recipes()],
    "native": native.available(),
    "agrees": not native.available() or torch.equal(native.label_map(scores, (24, 20)), labels),
}))
"""


def examine_installed(wheel: Path, folder: Path) -> dict[str, Any]:
    """What a wheel's package says of itself, unpacked into a folder and imported from there.

    ``-S`` keeps this environment's editable install out; torch comes from the folder it lies in.
    """
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    path = os.pathsep.join([str(folder), str(Path(torch.__file__).parent.parent)])
    answer = run([sys.executable, "-S", "-c", INSTALLED], folder, PYTHONPATH=path)
    found: dict[str, Any] = json.loads(answer)
    assert Path(found["file"]).is_relative_to(folder)
    return found


@builds
def test_a_source_distribution_holds_what_a_build_needs(source_distribution: Path) -> None:
    with tarfile.open(source_distribution) as archive:
        paths = {Path(*Path(name).parts[1:]) for name in archive.getnames()}
    assert {path.parts[0] for path in paths} == {
        "CHANGELOG.md", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml",
        "cpp_runner", "docs", "mpm_deploy", "recipes",
    }  # fmt: skip
    assert Path("cpp_runner/kernels/CMakeLists.txt") in paths
    assert {path.parts[1] for path in paths if path.parts[0] == "cpp_runner"} == {"kernels"}


@builds
def test_a_wheel_holds_the_native_library(wheel: Path, tmp_path: Path) -> None:
    assert wheel.name.startswith(f"mpm_deploy-{mpm_deploy.__version__}-py3-none-")
    assert not wheel.name.endswith("-any.whl")
    assert_holds_the_package(wheel)
    assert LIBRARY in names_in(wheel)
    found = examine_installed(wheel, tmp_path)
    assert found["native"] and found["agrees"]
    assert set(found["recipes"]) == RECIPES


@builds
def test_without_a_compiler_the_wheel_is_plain(plain_wheel: Path, tmp_path: Path) -> None:
    assert plain_wheel.name.endswith("-py3-none-any.whl")
    assert_holds_the_package(plain_wheel)
    assert LIBRARY not in names_in(plain_wheel)
    found = examine_installed(plain_wheel, tmp_path)
    assert not found["native"]
    assert set(found["recipes"]) == RECIPES
