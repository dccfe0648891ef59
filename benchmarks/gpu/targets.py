"""Computes the targets from what was measured."""

from collections.abc import Iterator

from benchmarks.gpu.results import PartResult, timed
from benchmarks.gpu.subjects import SUBJECTS
from benchmarks.peers.results import Verdict
from mpm_deploy.measure.speed.report import Measurement, Ratio, Report, Spread

MANY = 32  # images a batch, as in the paper
OF_THE_MODEL = 0.9  # end to end
FPS = {"seg_b16_mask-512-bfloat16": 2400.0, "seg_l16_mask-512-bfloat16": 1200.0}
OVER_FULL_TOKEN = {"seg_b16_mask-512-bfloat16": 1.3, "seg_l16_mask-512-bfloat16": 1.45}
AGREEMENT = {"bfloat16": 0.98, "float32": 0.999}  # as the recipes ask of a build
OF_THE_FLOPS = {"seg_l16_mask-512-bfloat16": 0.92}
MOST_OF_THE_FORWARD = {
    1024: 0.03,
    4096: 0.06,
}  # that merging and reconstruction may take, by tokens


def verdicts(part: PartResult) -> tuple[Verdict, ...]:
    """Judge every target of this part: speed of Mutual Pair Merging, and parity of every method."""
    parity = (_agreement(part), *_parity(part))
    if part.method != "mpm" or not timed([part]):
        return parity
    found = [*_fps(part), *_over_full_token(part), *_of_the_model(part)]
    if SUBJECTS[part.row].model == "seg_t16_mask":
        found += _never_slower(part)
    return (*found, *_share_of_merging(part), *parity)


def _fps(part: PartResult) -> Iterator[Verdict]:
    if part.row in FPS:
        reached = largest(part.speed).model_fps
        yield _verdict(part, f"model FPS at batch {MANY}", FPS[part.row], reached)


def _over_full_token(part: PartResult) -> Iterator[Verdict]:
    """Judge the speed over full-token: in bfloat16 by a figure of ours, in float32 by the paper's,
    which it must beat.
    """
    subject, ratio = SUBJECTS[part.row], ratio_of(part.speed)
    wanted = OVER_FULL_TOKEN.get(part.row)
    if subject.dtype == "float32" and subject.paper:
        wanted = subject.paper.ratio("mpm")
    if wanted is not None:
        yield _verdict(part, "model FPS over full-token", wanted, ratio.model_fps_ratio)
    share = OF_THE_FLOPS.get(part.row)
    if share is not None:
        name = f"model FPS over full-token, of {share} × FLOP ratio {ratio.flop_ratio:.2f}"
        yield _verdict(part, name, share * ratio.flop_ratio, ratio.model_fps_ratio)


def _of_the_model(part: PartResult) -> Iterator[Verdict]:
    measured = largest(part.speed)
    reached = measured.end_to_end_fps / measured.model_fps
    yield _verdict(part, "end-to-end FPS over model FPS", OF_THE_MODEL, reached)


def _never_slower(part: PartResult) -> Iterator[Verdict]:
    for ratio in _ratios(part.speed):
        name = f"model FPS over full-token at batch {ratio.batch_size}"
        yield _verdict(part, name, 1.0, ratio.model_fps_ratio)


def _share_of_merging(part: PartResult) -> Iterator[Verdict]:
    if part.stages is not None and part.patches in MOST_OF_THE_FORWARD:
        most, share = MOST_OF_THE_FORWARD[part.patches], part.stages.share
        name = f"{part.name}: merging and reconstruction of the forward, at most"
        yield Verdict(name, most, Spread.of([share]), share <= most)


def _agreement(part: PartResult) -> Verdict:
    wanted = AGREEMENT[SUBJECTS[part.row].dtype]
    return _verdict(part, "labels as the eager model's", wanted, part.labels_agree)


def _parity(part: PartResult) -> Iterator[Verdict]:
    parity = part.parity
    if parity is None:
        return
    equal = parity.equal_images / parity.images
    yield _verdict(part, f"C++ label maps as Python's, of {parity.images}", 1.0, equal)


def _verdict(part: PartResult, name: str, wanted: float, reached: Spread | float) -> Verdict:
    spread = reached if isinstance(reached, Spread) else Spread.of([reached])
    return Verdict(f"{part.name}: {name}", wanted, spread, spread.median >= wanted)


def largest(report: Report) -> Measurement:
    """Return the measurement at the largest batch."""
    return max(report.results, key=lambda each: each.batch_size)


def ratio_of(report: Report) -> Ratio:
    """Return the ratio at the largest batch."""
    return max(_ratios(report), key=lambda each: each.batch_size)


def _ratios(report: Report) -> tuple[Ratio, ...]:
    assert report.comparison is not None
    return report.comparison.results
