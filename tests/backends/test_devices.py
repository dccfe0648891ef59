"""Which GPU is meant, by stand-ins for one: none of this has run on two."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
import torch

from mpm_deploy.backends import open_artifact
from mpm_deploy.backends.aotinductor import entry as entry_module
from mpm_deploy.backends.aotinductor.entry import EntryKind, open_entries
from mpm_deploy.backends.torchscript import TorchScript


def test_a_gpu_without_a_number_is_the_one_that_is_current_as_a_file_is_opened(
    artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(TorchScript, "check_host", lambda *_: None)
    monkeypatch.setattr(TorchScript, "load", lambda *given: seen.append(str(given[-1])))
    for asked in ("cuda", "cuda:0", "cpu", None):
        open_artifact(artifact, asked)
    assert seen == ["cuda:1", "cuda:0", "cpu", "cpu"]


@pytest.mark.parametrize("names_operators", [False, True])
def test_machine_code_for_a_gpu_is_opened_while_that_one_is_current(
    names_operators: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its container makes it the current one, and does not say which was before."""
    current: list[str] = ["cuda:0"]
    opened: list[tuple[object, ...]] = []

    @contextmanager
    def made_current(device: torch.device) -> Iterator[None]:
        current.append(str(device))
        yield
        current.pop()

    monkeypatch.setattr(torch.cuda, "device", made_current)
    monkeypatch.setattr(entry_module, "_unpack", lambda *_: {})
    monkeypatch.setattr(entry_module, "_names_operators", lambda *_: names_operators)
    monkeypatch.setattr(entry_module, "_library_of", lambda _, entry: entry)
    monkeypatch.setattr(entry_module, "copy_checked", lambda *_: nullcontext("copy"))
    monkeypatch.setattr(
        entry_module,
        "UnlockedEntry",
        lambda entry, device, outputs, runners: opened.append((entry, device.index, current[-1])),
    )
    monkeypatch.setattr(
        torch._C._aoti,
        "AOTIModelPackageLoader",
        lambda path, entry, single, runners, index: opened.append((entry, index, current[-1])),
    )
    kinds = {"scores": EntryKind(2, 1), "labels": EntryKind(1, 1)}
    open_entries(Path("it.pt2"), "", kinds, torch.device("cuda:1"))
    assert opened == [("scores", 1, "cuda:1"), ("labels", 1, "cuda:1")]
    assert current == ["cuda:0"]
