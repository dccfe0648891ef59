"""Measures CTS on the held-out scenes beside other ways of merging, and how well its policy calls.

    python examples/scenes/evaluate_cts.py --output benchmarks/results/cts_accuracy.json

The others merge the demo as it is, without training. CTS is of weights that were trained with it,
and so are a full-token and a merged model beside it: what training alone has brought is seen there.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import report
import torch
from evaluate import HELD_OUT, Accuracy, Schedule, evaluate, load
from generator import CLASSES
from train_cts import Calls, call

from mpm_deploy.images.decode import decode
from mpm_deploy.models.flops import count_flops
from mpm_deploy.models.reductions import Algm, Method, Mpm, Tome
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.models.weights.files import DEMO_CTS, DEMO_WEIGHTS, read_weights

# Of the demo, untrained for any of these.
OF_DEMO: dict[str, tuple[Schedule, Method]] = {
    "full-token": ((), Mpm()),
    "mpm [2, 5]": ((2, 5), Mpm()),
    "mpm [1, 2, 5]": ((1, 2, 5), Mpm()),
    "tome [2, 5] 0.3": ((2, 5), Tome(ratio=0.3)),
    "tome [1, 2, 5] 0.3": ((1, 2, 5), Tome(ratio=0.3)),
    "algm [2, 5] 0.88": ((2, 5), Algm(threshold=0.88)),
}
# Of the weights that were trained to share.
OF_TUNED: dict[str, tuple[Schedule, Method]] = {
    "full-token, tuned": ((), Mpm()),
    "mpm [2, 5], tuned": ((2, 5), Mpm()),
}
SHARING: tuple[Schedule, ...] = ((0,), (0, 5), (0, 2, 5))


def models(weights: Path | str) -> dict[str, Segmenter]:
    """Returns every model by its name: the demo's, and those of the weights that share."""
    method = read_weights(weights)[1].trained_merge.member
    sharing = {f"cts {[*schedule]}": (schedule, method) for schedule in SHARING}
    return {
        name: load(source, schedule, method)
        for source, ways in ((DEMO_WEIGHTS, OF_DEMO), (weights, OF_TUNED | sharing))
        for name, (schedule, method) in ways.items()
    }


def gflops(model: Segmenter, reached: Accuracy) -> float:
    """Returns the 10⁹ FLOPs of one image that keeps as many tokens as the mean."""
    down, across = model.grid
    tokens = [down * across, *map(round, reached.tokens_kept)]
    return round(count_flops(model).total(tokens) / 1e9, 1)


def calls_of(model: Segmenter) -> Calls:
    """Counts how a model's policy calls the held-out scenes."""
    images = torch.stack([decode(sample.image) for sample in HELD_OUT])
    labels = torch.stack([torch.from_numpy(HELD_OUT.labels(sample)) for sample in HELD_OUT])
    return call(model, images, labels)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line, evaluates and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, default=DEMO_CTS)
    parser.add_argument("--output", type=Path, help="JSON file to write")
    options = parser.parse_args(arguments)
    made = models(options.weights)
    reached = {name: evaluate(model) for name, model in made.items()}
    calls = calls_of(made["cts [0]"])
    print(report.table(CLASSES, {name: each.class_iou for name, each in reached.items()}))
    for name, each in reached.items():
        kept = [round(tokens, 1) for tokens in each.tokens_kept]
        print(f"{name}: {gflops(made[name], each)} GFLOPs, tokens kept {kept}")
    print(calls)
    if options.output:
        rows = {
            name: {"gflops": gflops(made[name], each), **each.to_dict()}
            for name, each in reached.items()
        }
        result = {
            "what": "accuracy of ways of merging on the held-out street scenes, CTS's trained",
            "weights": {
                name: read_weights(weights)[1].sha256
                for name, weights in {"demo": DEMO_WEIGHTS, "cts": options.weights}.items()
            },
            "images": len(HELD_OUT),
            "models": rows,
            "policy": {name: round(share, 4) for name, share in asdict(calls).items()},
        }
        report.write(options.output, result)


if __name__ == "__main__":
    main()
