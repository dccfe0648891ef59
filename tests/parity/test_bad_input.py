"""Bad input: one clear sentence with a cure, the same exit code, in both programs."""

import pytest


def said(answer) -> list[str]:
    """The lines on stderr that are no progress bar."""
    return [line for line in answer.stderr.splitlines() if line.strip()]


def assert_one_error(answer, *named: str) -> None:
    lines = said(answer)
    assert answer.returncode == 1, answer
    assert lines[0].startswith("error: "), lines
    assert all(line.startswith("  hint: ") for line in lines[1:]), lines
    assert "Traceback" not in answer.stderr
    for name in named:
        assert name in lines[0], lines


def test_broken_artifacts_are_refused(broken_artifacts, broken_folder, cpp_runner, mpm_deploy):
    for path in broken_artifacts.values():
        python = mpm_deploy("bench", path, broken_folder)
        cpp = cpp_runner(path, broken_folder)
        for answer in (python, cpp):
            assert_one_error(answer, str(path))
            assert len(said(answer)) == 2, said(answer)


def test_nothing_to_run_is_an_error(built, cpp_runner, mpm_deploy, tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "missing"):
        for answer in (mpm_deploy("bench", built, folder), cpp_runner(built, folder)):
            assert_one_error(answer, str(folder))


def test_a_device_that_is_not_there_is_an_error(built, broken_folder, cpp_runner, mpm_deploy):
    for answer in (
        mpm_deploy("bench", built, broken_folder, "--device", "cuda:77"),
        cpp_runner(built, broken_folder, "--device", "cuda:77"),
    ):
        assert_one_error(answer, str(built))


def test_broken_images_are_skipped_and_named(
    built, broken_folder, cpp_runner, mpm_deploy, tmp_path
):
    ours, theirs = tmp_path / "p", tmp_path / "c"
    python = mpm_deploy("run", built, broken_folder, "-o", ours)
    cpp = cpp_runner("run", built, broken_folder, "-o", theirs)
    skipped = [
        sorted(line for line in said(answer) if line.startswith("skipped "))
        for answer in (python, cpp)
    ]
    assert (python.returncode, cpp.returncode) == (3, 3), (python.stderr, cpp.stderr)
    assert skipped[0] == skipped[1]
    assert len(skipped[0]) == 6
    for output in (ours, theirs):
        assert sorted(path.name for path in output.iterdir()) == [
            f"good_{index}.png" for index in range(3)
        ]


@pytest.mark.parametrize("arguments", [(), ("--batch", "0"), ("--device", "tpu"), ("--no-such",)])
def test_wrong_usage_exits_2(arguments, built, broken_folder, cpp_runner, mpm_deploy):
    target = (built, broken_folder) if arguments else ()
    assert mpm_deploy("bench", *target, *arguments).returncode == 2
    assert cpp_runner(*target, *arguments).returncode == 2
