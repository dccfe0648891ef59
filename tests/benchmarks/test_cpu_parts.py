"""Where time goes, of samples and rows that were made up."""

from benchmarks import cpu_parts
from benchmarks.bench.tables import as_text
from benchmarks.cpu_parts import Sample


def test_a_sample_is_of_the_kind_that_its_function_or_library_says() -> None:
    library = "model.wrapper.so"
    kinds = {
        Sample(1, "jit_avx512_core_brgemm", "perf-12.map"): "linear layers: oneDNN",
        Sample(2, "Attention<float>::run", library): "attention: products",
        Sample(3, "weigh<float>", library): "attention: softmax",
        Sample(4, "most_similar", library): "nearest neighbors",
        Sample(5, "gelu_bfloat16", library): "GELU",
        Sample(6, "cpp_fused_7", library): "norms, gathers, rounding: compiled loops",
        Sample(7, "at::empty", "libtorch_cpu.so"): "torch and oneDNN, around their kernels",
        Sample(8, "memcpy", "libc.so.6"): "memory",
        Sample(9, "schedule", "[kernel.kallsyms]"): "Python, threads, the system",
    }
    assert {sample: cpu_parts.kind_of(sample) for sample in kinds} == kinds


def test_rates_are_of_the_parts_that_compute_them() -> None:
    row = {
        "precision": "float32",
        "milliseconds": 100.0,
        "gflops": {"linear layers": 4.0, "attention and neighbors": 3.0},
        "parts": {
            "linear layers: oneDNN": 40.0,
            "attention: products": 20.0,
            "attention: softmax": 5.0,
            "nearest neighbors": 5.0,
            "memory": 30.0,
        },
        "ceiling": 125.0,
    }
    lines = as_text(cpu_parts.parts_table([row])).splitlines()
    figures = dict(line.rsplit(maxsplit=1) for line in lines if len(line.split()) > 1)
    assert figures["all"] == "100.0"
    assert figures["GFLOP/s, linear layers"] == "100"
    assert figures["GFLOP/s, attention and neighbors"] == "100"
    assert figures["GFLOP/s, products alone"] == "125"
