"""Plans what a rented GPU does in its minutes, the most valuable steps first.

place       the C++ program, scenes, right-or-wrong tests, and weights trained beside them
Table 5     ViT-L and ViT-B in bfloat16, merged and full-token: built side by side, timed alone
Table 1     ViT-S and ViT-T in bfloat16, then all sizes in float32
tests       of other models: EoMT, rotary positions, EVA-01, and other ways of merging
Tables 2, 3, 6, then ToMe and ALGM in the rows of Tables 5 and 1

What is on file is left out, so that the next minutes go on where these ended.
"""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from benchmarks.gpu.measure import VARIANTS
from benchmarks.gpu.rows import METHODS, Subject, choose
from benchmarks.gpu.stages import measured_before

_TRAINING_SHARE = 0.15  # of all minutes, for the weights of one group of models
_MOST_TRAINING = 90.0  # seconds
_SCENES, _TRAINING_SCENES, _FEW_SCENES = 256, 1500, 40
_FEW_THREADS = {"TORCHINDUCTOR_COMPILE_THREADS": "4", "OMP_NUM_THREADS": "4"}
_PYTHON = (sys.executable, "-m")
_CPP_RUNNER = f"""
cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF \
    -DMPM_WARNINGS_AS_ERRORS=OFF -DMPM_PYTHON={sys.executable} &&
cmake --build build --target cpp_runner mpm_kernels &&
cp $(find build -name 'libmpm_kernels.so') mpm_deploy/ops/
"""
# Each small build in a process of its own: where one crashes, its stack is known in a minute.
_TESTS = (
    ("kernels", "tests/ops/test_cuda.py", ""),
    ("merged bfloat16", "tests/backends/test_cuda.py", "h100_bf16-merged"),
    ("full-token bfloat16", "tests/backends/test_cuda.py", "h100_bf16-full_token"),
    ("merged float32", "tests/backends/test_cuda.py", "h100_fp32-merged"),
)
# What the models of Tables 5 and 1 have not, once these are timed.
_BEFORE_OTHER_MODELS = 2  # groups
OTHER_MODELS = ("eomt", "rotary", "adapter", "cts", "tome", "algm")
_TEST_OPTIONS = ("-m", "cuda", "-p", "no:cacheprovider", "-o", "filterwarnings=default", "-v")

Pair = tuple[Subject, str]


@dataclass(frozen=True)
class Step:
    """A command, and the conditions under which it may run.

    Attributes:
        name: The step's name.
        command: Its arguments, program first.
        seconds: Seconds that it may take.
        expected: Seconds that it takes about; it is not begun with fewer left.
        needs: Steps that must have succeeded.
        after: Steps that must have ended, well or not.
        alone: Whether nothing else may run meanwhile, as it times something.
        environment: Variables besides those there are.
    """

    name: str
    command: tuple[str, ...]
    seconds: float
    expected: float
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    alone: bool = False
    environment: dict[str, str] = field(default_factory=dict)


def schedule(seconds: float, stand_ins: bool = False) -> list[Step]:
    """List every step for what is not on file, in order.

    Args:
        seconds: Seconds that there are in all.
        stand_ins: A rehearsal: one row of each group, as a small model on a CPU, and once the way
            of a GPU on one that computes nothing.
    """
    # A stand-in's weights are random: on a CPU nothing is learnt in seconds.
    training = 0.0 if stand_ins else min(_MOST_TRAINING, _TRAINING_SHARE * seconds)
    groups = [group[:1] if stand_ins else _not_on_file(group) for group in _groups()]
    steps = [*_place(stand_ins), *(_hollow() if stand_ins else ())]
    for number, (group, following) in enumerate(zip(groups, [*groups[1:], []], strict=True)):
        steps += _other_models(stand_ins) if number == _BEFORE_OTHER_MODELS else []
        steps += _trainings(group, training)
        steps += _builds(group, stand_ins)
        # The next ones train while these are built: nothing else wants the GPU then.
        steps += _trainings(following, training)
        steps += _timings(group, stand_ins)
    # Rows share weights, and methods the full-token model: each is made where it is first named.
    named: dict[str, Step] = {}
    for step in steps:
        named.setdefault(step.name, step)
    return [*named.values()]


def _groups() -> list[list[Pair]]:
    """List the rows and methods that are trained and built side by side, and then timed
    one by one.
    """
    flash, plain = ("bfloat16",), ("float32",)
    large = list(reversed(choose(tables=[5])))  # L first
    small = choose(models=["seg_s16_mask", "seg_t16_mask"], precisions=flash)
    table1 = [row for row in choose(tables=[1], precisions=plain) if "b8" not in row.model]
    others = [row for row in choose(precisions=plain) if row not in table1]
    patches_of_8 = [row for row in choose(precisions=flash) if "b8" in row.model]
    return [
        [(row, "mpm") for row in large],
        [(row, "mpm") for row in (*small, *table1)],
        [(row, "tome") for row in (*large, *table1)],
        [(row, "mpm") for row in (*others, *patches_of_8)],
        [(row, "algm") for row in (*large, *table1)],
    ]


def _not_on_file(group: list[Pair]) -> list[Pair]:
    record = measured_before()
    return [(row, m) for row, m in group if record is None or not record.has(row.name, m)]


def _place(stand_ins: bool) -> Iterator[Step]:
    yield Step("cpp_runner", ("bash", "-c", _CPP_RUNNER), 240, 40)
    prepare = (*_PYTHON, "benchmarks.gpu.prepare")
    for name, kind, count, most, expected in (
        ("scenes", "scenes", _SCENES, 60, 8),
        ("training scenes", "training", _TRAINING_SCENES, 120, 25),
    ):
        count = _FEW_SCENES if stand_ins else count
        yield Step(name, (*prepare, kind, str(count)), most, expected)
    yield Step("smallest model", (*_PYTHON, "benchmarks.gpu.smallest"), 120, 30)
    for name, file, chosen in _TESTS:
        yield _test(name, file, chosen, stand_ins)


def _other_models(stand_ins: bool) -> Iterator[Step]:
    for name in OTHER_MODELS[:1] if stand_ins else OTHER_MODELS:
        chosen = f"another_model and {name}"
        yield _test(f"model {name}", "tests/backends/test_cuda.py", chosen, stand_ins)


def _test(name: str, file: str, chosen: str, stand_ins: bool) -> Step:
    required = {} if stand_ins else {"MPM_REQUIRE_CUDA": "1"}
    command = (*_PYTHON, "pytest", file, *_TEST_OPTIONS, "-k", chosen)
    return Step(f"test {name}", command, 200, 60, environment=required | _FEW_THREADS)


def _hollow() -> Iterator[Step]:
    hollow = (*_PYTHON, "benchmarks.gpu.hollow")
    for method in ("full_token", *METHODS):
        folder = f"build/benchmarks/hollow/{method}"
        rehearse = (*_PYTHON, "benchmarks.gpu.hollow.rehearse", folder, method)
        name = f"a GPU that computes nothing {method}"
        yield Step(
            name, (*hollow, folder, "--", *rehearse), 300, 100, needs=("cpp_runner", "scenes")
        )


def _trainings(pairs: Iterable[Pair], seconds: float) -> Iterator[Step]:
    for row, _ in pairs:
        command = (*_PYTHON, "benchmarks.gpu.prepare", "train", row.model, f"{seconds:.0f}")
        needs = ("training scenes",)
        yield Step(f"train {row.model}", command, seconds + 60, seconds + 25, needs)


def _builds(pairs: Iterable[Pair], stand_ins: bool) -> Iterator[Step]:
    for row, method in pairs:
        for variant in VARIANTS:
            yield Step(
                _build_name(row, method, variant),
                _h100(row, method, stand_ins, "--build-only", variant),
                seconds=240,
                expected=110,
                after=(f"train {row.model}",),
                environment=_FEW_THREADS,
            )


def _timings(pairs: Iterable[Pair], stand_ins: bool) -> Iterator[Step]:
    for row, method in pairs:
        yield Step(
            f"time {row.name} {method}",
            _h100(row, method, stand_ins),
            seconds=300 if row.dtype == "float32" else 150,
            expected=30,
            needs=("scenes", *(_build_name(row, method, variant) for variant in VARIANTS)),
            after=("cpp_runner",),
            alone=True,
        )


def _build_name(row: Subject, method: str, variant: str) -> str:
    """Name the step that builds an artifact; full-token is one file, whatever merges beside it."""
    return f"build {row.name} {variant if variant == 'full_token' else method}"


def _h100(row: Subject, method: str, stand_ins: bool, *options: str) -> tuple[str, ...]:
    more = ("--stand-ins",) if stand_ins else ()
    command = (*_PYTHON, "benchmarks.h100", "--rows", row.name, "--methods", method)
    return (*command, *options, *more)
