"""Writes results to files, with where they came from."""

import json
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import PIL

ROOT = Path(__file__).resolve().parents[2]


def origin() -> dict[str, object]:
    """Returns the machine, versions, date, and the commit where there is one."""
    return {
        "machine": {"cpu": _processor(), "system": platform.platform(terse=True)},
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "pillow": PIL.__version__,
            **_torch_version(),
        },
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
    }


def write(path: Path, result: Mapping[str, object]) -> None:
    """Writes a result with its origin as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**result, **origin()}, indent=2) + "\n")


def table(classes: tuple[str, ...], columns: Mapping[str, list[float]]) -> str:
    """Writes each class's IoU as text, one column per model, and the means below."""
    wide = max(14, *(len(name) + 2 for name in columns))
    lines = ["class     " + "".join(f"{name:>{wide}}" for name in columns)]
    for index, label in enumerate(classes):
        lines.append(f"{label:10}" + "".join(f"{iou[index]:{wide}.3f}" for iou in columns.values()))
    lines.append("mIoU      " + "".join(f"{np.mean(iou):{wide}.3f}" for iou in columns.values()))
    return "\n".join(lines)


def _processor() -> str:
    names = Path("/proc/cpuinfo")
    if names.exists():
        for line in names.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


def _torch_version() -> dict[str, str]:
    try:
        import torch
    except ImportError:
        return {}
    return {"torch": torch.__version__}


def _commit() -> str | None:
    command = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
