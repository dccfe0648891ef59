"""The shape of the house: which module may import which, what is public, and who may print."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mpm_deploy

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "mpm_deploy"
CPP = ROOT / "cpp_runner"

# A module or folder imports only from floors below its own.
FLOORS = [
    {"errors"},
    {"support"},
    {"families"},
    {"images"},
    {"recipe"},
    {"artifact", "ops"},
    {"models"},
    {"backends", "datasets"},
    {"builder", "run"},
    {"measure", "serve"},
    {"show"},
    {"cli"},
]
BUILD_SIDE = {"builder", "models"}
BUILD_PACKAGES = ["timm", "torchvision", "safetensors", "tomli_w", "yaml"]
# What takes long to import, and what only some commands or formats need.
SLOW_MODULES = [
    *("sympy", "torch._inductor", "torch._dynamo", "torch.fx.experimental.symbolic_shapes"),
    *("PIL.JpegImagePlugin", "PIL.PngImagePlugin", "rich", "av", "transformers", "pyarrow"),
    *BUILD_PACKAGES,
]


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def part_of(path: Path) -> str:
    """The module or folder right below the package that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def parts_imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [node.module or ""]
            if node.module == "mpm_deploy":
                names = [f"mpm_deploy.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            if name.startswith("mpm_deploy."):
                yield name.split(".")[1]


def floor_of(part: str) -> int:
    return next(level for level, floor in enumerate(FLOORS) if part in floor)


def inner_modules() -> list[Path]:
    return [path for path in modules() if path != PACKAGE / "__init__.py"]


@pytest.mark.parametrize("path", inner_modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    own = part_of(path)
    for other in parts_imported(path):
        if other != own and not other.startswith("__"):
            assert floor_of(other) < floor_of(own), f"{own} must not import {other}"


def test_every_part_has_one_floor() -> None:
    parts = [part for floor in FLOORS for part in floor]
    assert len(parts) == len(set(parts))
    assert {part_of(path) for path in inner_modules()} <= set(parts)


# The same rooms in C++, for what it does. Its public headers and kernels lie below all.
CPP_FLOORS = ["support", "images", "artifact", "backends", "run", "c_api", "program"]


def test_cpp_has_the_same_rooms() -> None:
    folders = {path.name for path in CPP.iterdir() if path.is_dir()}
    assert folders == {*CPP_FLOORS, "include", "kernels", "cmake", "tests"}
    assert {*CPP_FLOORS} - {"c_api", "program"} <= {part for floor in FLOORS for part in floor}


@pytest.mark.parametrize("room", CPP_FLOORS)
def test_cpp_includes_go_down(room: str) -> None:
    below = {*CPP_FLOORS[: CPP_FLOORS.index(room)], room, "mpm_runner", "mpm_kernels"}
    for path in [*(CPP / room).rglob("*.cpp"), *(CPP / room).rglob("*.hpp")]:
        others = re.findall(r'#include "(\w+)/', path.read_text())
        assert {*others} <= below, path


def test_running_needs_nothing_of_the_build() -> None:
    """Neither its packages nor its modules: they meet at the artifact."""
    code = (
        "import sys\n"
        "from mpm_deploy import Runner, load_recipe\n"
        f"build_side = {sorted(BUILD_SIDE)}\n"
        "print([part for part in build_side if f'mpm_deploy.{part}' in sys.modules])"
    )
    assert run_python(code, BUILD_PACKAGES) == "[]"


def test_opening_imports_nothing_that_takes_long() -> None:
    """Beside what torch itself imports; both backends are imported, as for a file of each."""
    code = (
        "import sys, torch\n"
        "of_torch = {*sys.modules}\n"
        "from mpm_deploy import Runner\n"
        "from mpm_deploy.backends import get_backend\n"
        "from mpm_deploy.families import BACKENDS\n"
        "opened = [get_backend(name) for name in BACKENDS]\n"
        f"print(sorted(({{*sys.modules}} - of_torch) & {{*{SLOW_MODULES}}}))"
    )
    assert run_python(code) == "[]"


def test_building_does_not_run() -> None:
    for part in BUILD_SIDE:
        for path in (path for path in inner_modules() if part_of(path) == part):
            assert "run" not in parts_imported(path), path


def test_public_names() -> None:
    assert sorted(mpm_deploy.__all__) == [
        "AgreementError",
        "ArtifactError",
        "BuildError",
        "DatasetError",
        "HostError",
        "ImageError",
        "InputError",
        "MissingPackageError",
        "ModelError",
        "MpmError",
        "Recipe",
        "RecipeError",
        "Result",
        "Runner",
        "Skipped",
        "advise",
        "bench",
        "build",
        "evaluate",
        "load_recipe",
        "mutual_pair_merge",
        "open_source",
        "patch",
        "read_manifest",
        "sweep",
        "unpatch",
    ]
    for name in mpm_deploy.__all__:
        assert getattr(mpm_deploy, name).__doc__


def test_no_public_name_is_a_rooms() -> None:
    """Importing a room sets its name on the package, over a function of the same name."""
    assert {part for floor in FLOORS for part in floor}.isdisjoint(mpm_deploy.__all__)
    code = "import mpm_deploy.builder.build, mpm_deploy; print(callable(mpm_deploy.build))"
    assert run_python(code) == "True"


def test_import_needs_no_optional_package() -> None:
    blocked = [*BUILD_PACKAGES, "rich"]
    assert run_python("import mpm_deploy; print('imported')", blocked) == "imported"


def test_import_is_quick() -> None:
    code = "import sys, mpm_deploy; print('torch' in sys.modules)"
    assert run_python(code) == "False"


def test_only_the_command_line_prints_or_exits() -> None:
    for path in modules():
        if path.parent.name == "cli":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func) not in ("print", "sys.exit", "exit", "os._exit"), path


def test_every_version_of_an_operation_is_listed() -> None:
    text = (ast.get_docstring(ast.parse((PACKAGE / "ops/__init__.py").read_text())) or "") + "\n\n"
    for folder in (path.parent for path in (PACKAGE / "ops").glob("*/reference.py")):
        listed = re.findall(
            rf"^    {folder.name}/(.*?)(?=^    \w|^$)", text, re.DOTALL | re.MULTILINE
        )
        versions = {path.stem for path in folder.glob("*.py")} - {"__init__"}
        assert {line.split()[0] for line in listed[0].splitlines() if line.split()} == versions


def test_no_module_sets_what_others_share() -> None:
    """At import nothing is assigned to another module, and no setter of torch's is called."""
    for path in modules():
        for statement in ast.parse(path.read_text()).body:
            text = ast.unparse(statement)
            assert not re.match(r"(torch|os|warnings)\.[\w.]+( =|\[)", text), f"{path}: {text}"
            assert not re.match(r"torch\.[\w.]*set_\w+\(", text), f"{path}: {text}"


def test_nothing_names_a_place_outside() -> None:
    places = [r"/ro" + "ot/", r"/ho" + r"me/\w", r"/Use" + r"rs/\w", r"\.\./\.\./\.\./"]
    pattern = re.compile("|".join(places))
    for path in text_files():
        found = pattern.search(path.read_text(encoding="utf-8"))
        assert found is None, f"{path}: {found.group() if found else ''}"


def text_files() -> Iterator[Path]:
    names = {"Makefile", "CMakeLists.txt", "run"}
    suffixes = {".py", ".toml", ".md", ".txt", ".cpp", ".hpp", ".cmake", ".sh", ".json", ".in"}
    for top in ROOT.iterdir():
        if top.name in (".venv", ".git", "build") or top.name.endswith("_cache"):
            continue
        for path in [top] if top.is_file() else top.rglob("*"):
            if path.is_file() and (path.suffix in suffixes or path.name in names):
                yield path


def run_python(code: str, blocked: list[str] | None = None) -> str:
    """What a fresh interpreter prints, in which the ``blocked`` packages cannot be imported."""
    block = f"import sys; sys.modules.update(dict.fromkeys({blocked or []}))\n"
    command = [sys.executable, "-c", block + code]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()
