"""Both programs write the same report: the same keys, and the same tokens kept and FLOPs."""

import json

import pytest


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
    options = ("--batch", "1,2,32", "--warmup", 1, "--repeats", 1, "--against", built)
    python = mpm_deploy("bench", built, broken_folder, *options, "--json", folder / "p.json")
    cpp = cpp_runner(built, broken_folder, *options, "--json", folder / "c.json")
    assert (python.returncode, cpp.returncode) == (3, 3), python.stderr + cpp.stderr
    return [json.loads((folder / name).read_text()) for name in ("p.json", "c.json")]


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
    assert len(python["skipped"]) == 5
    assert [row["batch_size"] for row in python["left_out"]] == [32]


def test_an_artifact_is_as_fast_as_itself_in_flops(reports):
    for report in reports:
        assert all(row["flop_ratio"] == 1 for row in report["comparison"]["results"])
