"""A Runner in a process that was forked: threads stay where they were started."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mpm_deploy.errors import InputError
from mpm_deploy.run.runner import Runner
from tests.support.forked import in_child

FRAME = np.zeros((50, 70, 3), np.uint8)


def test_an_unused_runner_works_in_the_child(artifact: Path) -> None:
    with Runner(artifact, threads=2) as runner:

        def work() -> str:
            shapes = [runner(FRAME).labels.shape]
            shapes += [result.labels.shape for result in runner.run([FRAME] * 3, 2) if result.ok]
            runner.close()
            return str(shapes)

        assert in_child(work) == str([(50, 70)] * 4)
        assert in_child(work) == str([(50, 70)] * 4)
        assert runner(FRAME).labels.shape == (50, 70)


def test_the_child_opens_one_of_its_own(artifact: Path) -> None:
    with Runner(artifact, threads=2) as runner:
        expected = runner(FRAME).labels
        next(runner.run([FRAME] * 9, 2))

        def work() -> str:
            with Runner(artifact, threads=2) as own:
                return str([(r.labels == expected).all() for r in own.run([FRAME] * 3, 2) if r.ok])

        assert in_child(work) == str([np.True_] * 3)


def test_a_used_runner_says_so_in_the_child(artifact: Path) -> None:
    with Runner(artifact) as runner:
        expected = runner(FRAME).labels
        under_way = runner.run([FRAME] * 9, 2)
        next(under_way)
        problem = f"{artifact}: this Runner was opened in another process"
        for use in (
            lambda: runner(FRAME),
            lambda: runner.run([FRAME]),
            lambda: next(under_way),
            runner.check_sample,
        ):

            def work(use: Callable[[], object] = use) -> str:
                with pytest.raises(InputError, match=problem):
                    use()
                under_way.close()
                runner.close()
                return "said"

            assert in_child(work) == "said"
        assert (runner(FRAME).labels == expected).all()
        assert len(list(under_way)) == 8
