"""Count what was executed and what went wrong, kind by kind, and keep inputs that show it."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

_KEPT = 3  # inputs of one kind
_SHRINKING = 2.0  # seconds at most, for one input


@dataclass(frozen=True)
class Budget:
    """How long to go on: for some seconds, or for a count of executions.

    Args:
        seconds: None for any.
        count: None for any.
    """

    seconds: float | None
    count: int | None


@dataclass
class Findings:
    """What one fuzzer found in one format.

    Args:
        name: Names both, as in ``"differential:png"``.
        folder: Where inputs are kept.
        executions: Inputs that were read.
        seconds: How long that took.
        kinds: How often each kind of fault was met.
        kept: The first inputs of each kind.
    """

    name: str
    folder: Path
    executions: int = 0
    seconds: float = 0.0
    kinds: Counter[str] = field(default_factory=Counter)
    kept: dict[str, list[Path]] = field(default_factory=dict)

    def add(self, kind: str, data: bytes, shows_it: Callable[[bytes], bool] | None = None) -> None:
        """Count a fault and keep its input, as small as it still shows the fault."""
        self.kinds[kind] += 1
        kept = self.kept.setdefault(kind, [])
        if len(kept) < _KEPT:
            data = shrink(data, shows_it) if shows_it else data
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / hashlib.sha256(data).hexdigest()[:16]
            path.write_bytes(data)
            kept.append(path)


def shrink(data: bytes, shows_it: Callable[[bytes], bool]) -> bytes:
    """Leave out ever smaller parts of an input, while it still shows what it showed."""
    until = time.monotonic() + _SHRINKING
    size = len(data) // 2
    while size:
        at = 0
        while at < len(data) and time.monotonic() < until:
            shorter = data[:at] + data[at + size :]
            if shows_it(shorter):
                data = shorter
            else:
                at += size
        size //= 2
    return data


def table_of(findings: list[Findings]) -> str:
    """Return a table of executions and faults, and below it each kind of fault with an input."""
    lines = [f"{'':24}{'executions':>12}{'seconds':>9}{'faults':>8}{'kinds':>7}"]
    for each in findings:
        lines.append(
            f"{each.name:24}{each.executions:>12,}{each.seconds:>9.1f}"
            f"{each.kinds.total():>8}{len(each.kinds):>7}"
        )
    for each in findings:
        for kind, count in each.kinds.most_common():
            lines += ["", f"{each.name}: {count} times {kind}"]
            lines += [f"  {path}" for path in each.kept[kind]]
    return "\n".join(lines)
