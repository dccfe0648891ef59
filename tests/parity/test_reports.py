"""Both programs write the same report: the same keys, and the same tokens kept and FLOPs.

One bench compares two artifacts, and drives either program: of one artifact the C++ program writes
the report itself.
"""

import json

import pytest

from mpm_deploy.errors import InputError
from mpm_deploy.measure.speed.engine import Engine
from mpm_deploy.measure.speed.report import Report
from mpm_deploy.support.schema import read_structure
from tests.parity.conftest import CPP_RUNNER


def keys(value: object) -> object:
    """The shape of a JSON value: its keys, without what they hold."""
    if isinstance(value, dict):
        return {key: keys(item) for key, item in value.items()}
    if isinstance(value, list):
        return [keys(value[0])] if value else []
    return None


@pytest.fixture(scope="module")
def reports(built, broken_folder, cpp_runner, mpm_deploy, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    options = (built, broken_folder, "--batch", "1,2,32", "--warmup", 1, "--json")
    python = mpm_deploy("bench", *options, folder / "p.json")
    cpp = cpp_runner("bench", *options, folder / "c.json")
    assert (python.returncode, cpp.returncode) == (3, 3), python.stderr + cpp.stderr
    return [json.loads((folder / name).read_text()) for name in ("p.json", "c.json")]


def test_reports_are_read_back(reports):
    for report in reports:
        assert read_structure(Report, report).to_dict() == report


def test_reports_have_the_same_keys(reports):
    python, cpp = reports
    assert keys(python) == keys(cpp)


def test_reports_count_the_same(reports):
    python, cpp = reports
    for ours, theirs in zip(python["results"], cpp["results"], strict=True):
        for name in ("batch_size", "images", "warmup_images"):
            assert ours[name] == theirs[name], name
        for name in ("min", "max"):
            assert ours["tokens_kept"][name] == theirs["tokens_kept"][name]
        # Sums of doubles in another order: the last bit may differ.
        assert ours["tokens_kept"]["mean"] == pytest.approx(theirs["tokens_kept"]["mean"], rel=1e-9)
        assert ours["gflops"] == pytest.approx(theirs["gflops"], rel=1e-9)
        assert ours["gflops_full_token"] == pytest.approx(theirs["gflops_full_token"], rel=1e-9)


def test_reports_name_the_same_artifact_and_programs(reports):
    python, cpp = reports
    assert python["artifact"] == cpp["artifact"]
    assert (python["host"]["program"], cpp["host"]["program"]) == ("python", "cpp")


def test_what_could_not_be_read_is_named_with_the_same_reason(reports):
    python, cpp = reports
    assert python["skipped"] == cpp["skipped"]
    assert len(python["skipped"]) == 6
    assert python["left_out"] == cpp["left_out"]
    assert [row["batch_size"] for row in python["left_out"]] == [32]


@pytest.mark.parametrize("name", ["python", "cpp"])
def test_two_artifacts_are_compared_in_either_program(
    name, built, broken_folder, mpm_deploy, cpp_runner, reports, tmp_path
):
    program = ("--program", CPP_RUNNER) if name == "cpp" else ()
    options = ("--against", built, "--batch", "1", "--warmup", 1, "--repeats", 1, *program)
    target = tmp_path / "report.json"
    answer = mpm_deploy("bench", built, broken_folder, *options, "--json", target)
    assert answer.returncode == 3, answer.stderr
    report = json.loads(target.read_text())
    assert read_structure(Report, report).to_dict() == report
    own = reports[name == "cpp"]
    for fact in ("program", "torch", "python", "mpm_deploy", "threads", "cpu", "cores"):
        assert report["host"][fact] == own["host"][fact], fact
    assert keys({**report, "comparison": None}) == keys({**own, "left_out": []})
    assert report["results"][0]["tokens_kept"] == own["results"][0]["tokens_kept"]
    assert [row["flop_ratio"] for row in report["comparison"]["results"]] == [1]


def test_where_no_image_can_be_used_both_programs_say_why(
    built, tmp_path, mpm_deploy, cpp_runner, cpp_command
):
    (tmp_path / "a.png").write_bytes(b"text")
    python, cpp = mpm_deploy("bench", built, tmp_path), cpp_runner("bench", built, tmp_path)
    file = tmp_path / "a.png"
    said = f"none of its 1 images could be used; the first: {file}: not a JPEG or PNG file"
    assert python.stderr == cpp.stderr == f"error: {tmp_path}: {said}\n"
    with Engine(built, tmp_path, program=cpp_command) as engine, pytest.raises(InputError) as told:
        engine.ask("open")
    assert told.value.problem == f"{tmp_path}: {said}"
