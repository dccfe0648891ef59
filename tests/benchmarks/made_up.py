"""Results that nothing measured, with figures that a test can work out by hand."""

from dataclasses import replace

from benchmarks.peers.results import EngineResult, ModelResult


def engine(name: str, fps: float, **details: object) -> EngineResult:
    """Two rounds: ``fps``, then twice that, end to end; the model alone twice as fast.

    Side by side it has no figures, unless the details say so.
    """
    result = EngineResult(
        name=name,
        ours=False,
        dtype="float32",
        merged=False,
        model_fps=(2 * fps, 4 * fps),
        end_to_end_fps=(fps, 2 * fps),
        equal_to_full_token=0.5,
    )
    return replace(result, **details)  # type: ignore[arg-type]


def own(fps: float, *, merged: bool, gflops: float) -> EngineResult:
    """An artifact of ours, in Python."""
    return engine("cpu_portable_fp32, Python", fps, ours=True, merged=merged, gflops=gflops)


RESULT = ModelResult(
    subject="seg_t16_mask",
    model="seg_t16_mask",
    weights="random",
    classes=150,
    images=2,
    rounds=2,
    commit="0123456789ab",
    ceiling={"float32": 100.0, "bfloat16": 200.0},
    engines=(
        engine("PyTorch eager", 1.0),
        engine("OpenVINO", 2.0, note="scores by ONNX, labels by torch.export"),
        EngineResult("ONNX Runtime", False, "float32", True, cannot="Fail: no such node"),
        own(4.0, merged=True, gflops=10.0),
        own(2.0, merged=False, gflops=20.0),
    ),
)
