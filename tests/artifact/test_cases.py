"""The grammar of artifacts, case by case: ``cases.json`` says it, C++'s tests read it too."""

import json
from pathlib import Path

import pytest

from mpm_deploy.artifact import read_manifest
from mpm_deploy.artifact.archive import MANIFEST, _Archive
from mpm_deploy.errors import ArtifactError
from tests.support import toy
from tests.support.zips import write_zip

CASES = json.loads(Path(__file__).with_name("cases.json").read_text(encoding="utf-8"))
VERSION = {"name": "root/version", "text": "3\n"}


def named(cases):
    return pytest.mark.parametrize("case", [pytest.param(case, id=case["what"]) for case in cases])


def holds(case, problem):
    """Whether a reader said what the case expects; None where it is to be taken."""
    if case["refused"] is None:
        return problem is None
    return problem is not None and case["refused"] in problem


def problem_of(read, path):
    try:
        read(path)
    except ArtifactError as error:
        assert len(error.problem) < len(str(path)) + 400
        return error.problem
    return None


def read_all(path):
    with _Archive(path) as archive:
        archive.payload_sha256()


@named(CASES["archives"])
def test_an_archive_is_taken_or_refused(case, tmp_path):
    path = tmp_path / "a.pt"
    write_zip(path, [VERSION, *case["records"]])
    problem = problem_of(read_all, path)
    assert holds(case, problem), problem


@named(CASES["manifests"])
def test_a_manifest_is_taken_or_refused(case, tmp_path):
    path = tmp_path / "a.pt"
    write_zip(path, [VERSION])
    with _Archive(path) as archive:
        data = toy.MANIFEST.to_dict() | {"payload_sha256": archive.payload_sha256()}
    write_zip(path, [VERSION, {"name": f"root/{MANIFEST}", **record(case, data)}])
    problem = problem_of(read_manifest, path)
    assert holds(case, problem), problem


def record(case, data):
    """Return the manifest's record: all of it as the case says, or what it changes in another."""
    if "text" in case or "hex" in case:
        return {"text": case.get("text", "") * case.get("times", 1), "hex": case.get("hex")}
    for pointer, value in case.get("set", {}).items():
        *tables, key = pointer.split("/")[1:]
        table = data
        for name in tables:
            table = table[int(name) if isinstance(table, list) else name]
        table[key] = value
    own = json.dumps(data["recipe"])
    return {"text": json.dumps(data).replace(own, case.get("recipe", own), 1)}
