"""Judges what was measured on a GPU against the targets."""

from collections.abc import Iterator, Sequence

from benchmarks.bench.targets import Verdict, judge
from benchmarks.gpu.results import PartResult, timed
from benchmarks.gpu.rows import SUBJECTS
from mpm_deploy.measure.speed.report import Spread

MANY = 32  # images a batch, as in the paper
OF_THE_MODEL = 0.9  # end to end
FPS = {"seg_b16_mask-512-bfloat16": 2400.0, "seg_l16_mask-512-bfloat16": 1200.0}
OVER_FULL_TOKEN = {"seg_b16_mask-512-bfloat16": 1.3, "seg_l16_mask-512-bfloat16": 1.45}
AGREEMENT = {"bfloat16": 0.98, "float32": 0.999}  # as the recipes ask of a build
OF_THE_FLOPS = {"seg_l16_mask-512-bfloat16": 0.92}
# The share of the forward that merging and reconstruction may take, by tokens.
MOST_OF_THE_FORWARD = {1024: 0.03, 4096: 0.06}


def verdicts(part: PartResult) -> tuple[Verdict, ...]:
    """Judge every target of this part: speed of Mutual Pair Merging, and parity of every method."""
    found = [*_parity(part)]
    if part.method == "mpm" and timed([part]):
        found = [*_speed(part), *_over_full_token(part), *_share_of_merging(part), *found]
    return tuple(found)


def _speed(part: PartResult) -> Iterator[Verdict]:
    fps = part.largest.model_fps
    if part.row in FPS:
        yield _verdict(part, f"model FPS at batch {MANY}", FPS[part.row], [fps])
    of_the_model = [part.largest.end_to_end_fps / fps]
    yield _verdict(part, "end-to-end FPS over model FPS", OF_THE_MODEL, of_the_model)


def _over_full_token(part: PartResult) -> Iterator[Verdict]:
    """Judge the speed over full-token: in bfloat16 by a figure of ours, in float32 by the paper's,
    which it must beat; ViT-T may never be slower.
    """
    subject, ratio, name = SUBJECTS[part.row], part.ratio, "model FPS over full-token"
    wanted = OVER_FULL_TOKEN.get(part.row)
    if subject.dtype == "float32" and subject.paper:
        wanted = subject.paper.ratio("mpm")
    if wanted is not None:
        yield _verdict(part, name, wanted, ratio.model_fps_ratio)
    share = OF_THE_FLOPS.get(part.row)
    if share is not None:
        of_it = f"{name}, of {share} × FLOP ratio {ratio.flop_ratio:.2f}"
        yield _verdict(part, of_it, share * ratio.flop_ratio, ratio.model_fps_ratio)
    if subject.model == "seg_t16_mask":
        for each in part.ratios:
            yield _verdict(part, f"{name} at batch {each.batch_size}", 1.0, each.model_fps_ratio)


def _share_of_merging(part: PartResult) -> Iterator[Verdict]:
    if part.stages is not None and part.patches in MOST_OF_THE_FORWARD:
        name = f"{part.name}: merging and reconstruction of the forward"
        most = MOST_OF_THE_FORWARD[part.patches]
        yield judge(name, most, [part.stages.share], at_most=True)


def _parity(part: PartResult) -> Iterator[Verdict]:
    wanted = AGREEMENT[SUBJECTS[part.row].dtype]
    yield _verdict(part, "labels as the eager model's", wanted, [part.labels_agree])
    if part.parity is not None:
        name = f"C++ label maps as Python's, of {part.parity.images}"
        yield _verdict(part, name, 1.0, [part.parity.equal_images / part.parity.images])


def _verdict(
    part: PartResult, name: str, wanted: float, reached: Spread | Sequence[float]
) -> Verdict:
    return judge(f"{part.name}: {name}", wanted, reached)
