"""Segments by ONNX Runtime: both programs write the same label maps, and refuse the same.

All of it is skipped where the C++ program was built without ONNX Runtime's headers.
"""

import subprocess
import zipfile
from pathlib import Path

import pytest

from mpm_deploy.artifact import read_manifest
from mpm_deploy.artifact.archive import read_sample, write_artifact
from tests.conftest import built_once, small_recipe
from tests.parity.conftest import Run, program, skip_without_onnxruntime, with_manifest
from tests.parity.test_label_maps import assert_same_label_maps, tokens_kept

pytest.importorskip("onnxscript", reason="pip install 'mpm-deploy[onnx]'")

NAME = "cpu_onnxruntime_fp32"
LIBRARY = "MPM_ONNXRUNTIME_LIBRARY"
CUDA = "CUDAExecutionProvider"
CURE = "install ONNX Runtime, as by pip install onnxruntime, and name its library"

VARIANTS = {
    "float32": (),
    "full_token": ("merge.blocks=[]",),
    "three_merges": ("merge.blocks=[1, 2, 5]",),
    "float16": ("backend.dtype=float16", "verify.labels=0.9", "verify.clusters=0.9"),
    "float16_full_token": ("backend.dtype=float16", "merge.blocks=[]", "verify.labels=0.9"),
}
every_variant = pytest.mark.parametrize(
    "variant",
    [pytest.param(name, marks=pytest.mark.slow if VARIANTS[name] else []) for name in VARIANTS],
)


@pytest.fixture(scope="module")
def file(shared_folder: Path) -> Path:
    """The recipe's own, merged twice, in float32."""
    return built_once(small_recipe(NAME), shared_folder / f"{NAME}.onnx.zip")


@pytest.fixture
def artifact(variant: str, file: Path, shared_folder: Path) -> Path:
    """A small artifact of a variant."""
    if not VARIANTS[variant]:
        return file
    recipe = small_recipe(NAME).override(*VARIANTS[variant])
    return built_once(recipe, shared_folder / f"{variant}_{NAME}.onnx.zip")


@pytest.fixture(autouse=True)
def _able(file: Path, cpp_command: list[str]) -> None:
    skip_without_onnxruntime(file)


@pytest.mark.parametrize("batch", [1, 2])
@every_variant
def test_both_programs_write_the_same_label_maps(
    artifact: Path, batch: int, image_folder: Path, cpp_runner: Run, mpm_deploy: Run, tmp_path: Path
) -> None:
    """Pixel by pixel, and scores to the bit; of one image a call, and of two side by side."""

    def cpp_by_batch(*arguments: object) -> "subprocess.CompletedProcess[str]":
        return cpp_runner(*arguments, "--batch", batch)

    args = (artifact, image_folder, cpp_by_batch, mpm_deploy, tmp_path, batch)
    assert len(assert_same_label_maps(*args)) == 5


@every_variant
def test_both_programs_count_the_same_tokens(
    artifact: Path, image_folder: Path, cpp_runner: Run, mpm_deploy: Run, tmp_path: Path
) -> None:
    kept = tokens_kept(artifact, image_folder, cpp_runner, mpm_deploy, tmp_path)
    assert len(kept["mean"]) == len(read_manifest(artifact).merge.blocks)


def assert_refused(answer: "subprocess.CompletedProcess[str]", problem: str, cure: str) -> None:
    assert answer.returncode == 1, answer
    said, hint = answer.stderr.splitlines()
    assert said.startswith("error: ") and problem in said, said
    assert hint.startswith("  hint: ") and cure in hint, hint


def run_with(
    library: Path, cpp_command: list[str], *arguments: object
) -> "subprocess.CompletedProcess[str]":
    """Run the C++ program with a library of ONNX Runtime that the environment names."""
    return program("env", f"{LIBRARY}={library}", *cpp_command)("run", *arguments)


def test_a_library_that_is_not_there_is_named(
    file: Path, image_folder: Path, cpp_command: list[str], tmp_path: Path
) -> None:
    missing = tmp_path / "libonnxruntime.so"
    answer = run_with(missing, cpp_command, file, image_folder, "-o", tmp_path / "maps")
    assert_refused(answer, f"ONNX Runtime's library cannot be opened: {missing}: ", CURE)


def compiled(code: str, folder: Path) -> Path:
    """A library of a few lines of C."""
    source, library = folder / "made.c", folder / "libmade.so"
    source.write_text(code)
    subprocess.run(["gcc", "-shared", "-fPIC", source, "-o", library], check=True)
    return library


OLDER = """
static const void *get_api(unsigned version) { return version > 2 ? 0 : "an API"; }
static const char *version(void) { return "1.2.0"; }
static const struct { const void *(*get)(unsigned); const char *(*named)(void); } base = {
  get_api, version
};
const void *OrtGetApiBase(void) { return &base; }
"""


@pytest.mark.parametrize(
    ("code", "problem", "cure"),
    [
        ("int nothing;", "expected ONNX Runtime's library, got another", CURE),
        (OLDER, "ONNX Runtime 1.2.0 is older than version 1.", "the headers of an older one"),
    ],
    ids=["another", "older"],
)
def test_another_library_is_refused(
    code: str,
    problem: str,
    cure: str,
    file: Path,
    image_folder: Path,
    cpp_command: list[str],
    tmp_path: Path,
) -> None:
    library = compiled(code, tmp_path)
    answer = run_with(library, cpp_command, file, image_folder, "-o", tmp_path / "maps")
    assert_refused(answer, problem, cure)
    assert str(library) in answer.stderr


def test_a_provider_that_is_not_there_is_refused_alike(
    file: Path, image_folder: Path, cpp_runner: Run, mpm_deploy: Run, tmp_path: Path
) -> None:
    other = tmp_path / "other.onnx.zip"
    needs = {"details": {"providers": [CUDA, "CPUExecutionProvider"]}}
    with_manifest(file, other, lambda data: data["requires"].update(needs))
    output = tmp_path / "maps"
    python, cpp = (
        run("run", other, image_folder, "-o", output) for run in (mpm_deploy, cpp_runner)
    )
    assert_refused(cpp, f"{other}: for {CUDA}, and ONNX Runtime ", "build for the CPU")
    assert cpp.stderr == python.stderr


def damaged(file: Path, target: Path, **changed: bytes | None) -> Path:
    """A copy whose segments are others or gone, and whose hash is right."""
    payload = target.with_suffix(".payload")
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(payload, "w") as written:
        for name in source.namelist():
            short = name.rpartition("/")[2]
            content = changed.get(short.partition(".")[0], source.read(name))
            if "/segments/" in name and content is not None:
                written.writestr(name, content)
    manifest = read_manifest(file)
    write_artifact(payload, target, manifest, *read_sample(file, manifest))
    return target


@pytest.mark.parametrize("content", [b"\x08\x0a", b"no model", None], ids=["cut", "other", "none"])
def test_a_damaged_segment_is_refused_alike(
    content: bytes | None,
    file: Path,
    image_folder: Path,
    cpp_runner: Run,
    mpm_deploy: Run,
    tmp_path: Path,
) -> None:
    other = damaged(file, tmp_path / "other.onnx.zip", **{"1": content})
    output = tmp_path / "maps"
    python, cpp = (
        run("run", other, image_folder, "-o", output) for run in (mpm_deploy, cpp_runner)
    )
    for answer in (python, cpp):
        assert_refused(
            answer, f"{other}: ONNX Runtime ", "rebuild it with what is here, or install"
        )
        assert " cannot load it: " in answer.stderr
