"""The targets, computed from what was measured."""

from collections.abc import Iterator

from benchmarks.gpu.results import PartResult
from benchmarks.gpu.subjects import SUBJECTS, Subject
from benchmarks.peers.results import Verdict
from mpm_deploy.measure.report import Measurement, Ratio, Report, Spread

MANY = 32  # images a batch, as in the paper
OF_THE_MODEL = 0.9  # end to end
MOST_OF_THE_FORWARD = {
    1024: 0.03,
    4096: 0.06,
}  # that merging and reconstruction may take, by tokens


def verdicts(part: PartResult) -> tuple[Verdict, ...]:
    """Every target of this part."""
    subject = SUBJECTS[part.model]
    found = [*_fps(part, subject), *_of_the_flops(part, subject), *_of_the_model(part)]
    if part.model == "seg_t16_mask":
        found += _never_slower(part)
    return (*found, *_share_of_merging(part))


def _fps(part: PartResult, subject: Subject) -> Iterator[Verdict]:
    if part.dtype in subject.fps:
        reached = _result(part.cpp, MANY).model_fps
        yield _verdict(part, f"model FPS at batch {MANY}", subject.fps[part.dtype], reached)


def _of_the_flops(part: PartResult, subject: Subject) -> Iterator[Verdict]:
    if part.dtype in subject.of_the_flops:
        ratio = _ratio(part.cpp, MANY)
        wanted = subject.of_the_flops[part.dtype]
        name = f"model FPS over full-token, of {wanted} × FLOP ratio {ratio.flop_ratio:.2f}"
        yield _verdict(part, name, wanted * ratio.flop_ratio, ratio.model_fps_ratio)


def _of_the_model(part: PartResult) -> Iterator[Verdict]:
    measured = _result(part.cpp, MANY)
    reached = measured.end_to_end_fps / measured.model_fps
    yield _verdict(part, "end-to-end FPS over model FPS", OF_THE_MODEL, reached)


def _never_slower(part: PartResult) -> Iterator[Verdict]:
    for ratio in _ratios(part.cpp):
        name = f"model FPS over full-token at batch {ratio.batch_size}"
        yield _verdict(part, name, 1.0, ratio.model_fps_ratio)


def _share_of_merging(part: PartResult) -> Iterator[Verdict]:
    if part.patches in MOST_OF_THE_FORWARD:
        most, share = MOST_OF_THE_FORWARD[part.patches], part.stages.share
        name = f"{part.model} {part.dtype}: merging and reconstruction of the forward, at most"
        yield Verdict(name, most, Spread.of([share]), share <= most)


def _verdict(part: PartResult, name: str, wanted: float, reached: Spread | float) -> Verdict:
    spread = reached if isinstance(reached, Spread) else Spread.of([reached])
    return Verdict(f"{part.model} {part.dtype}: {name}", wanted, spread, spread.median >= wanted)


def _result(report: Report, batch_size: int) -> Measurement:
    return next(each for each in report.results if each.batch_size == batch_size)


def _ratio(report: Report, batch_size: int) -> Ratio:
    return next(each for each in _ratios(report) if each.batch_size == batch_size)


def _ratios(report: Report) -> tuple[Ratio, ...]:
    assert report.comparison is not None
    return report.comparison.results
