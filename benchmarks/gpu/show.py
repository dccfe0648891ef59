"""Prints the record on a console."""

from rich.console import Console

from benchmarks.gpu.results import GpuRecord
from benchmarks.gpu.tables import (
    floors_table,
    kinds_table,
    notes,
    paper_table,
    speed_table,
    stages_table,
    told_profiles,
)
from benchmarks.peers.tables import verdicts_table


def show(record: GpuRecord, console: Console) -> None:
    """Print the tables and notes of a record."""
    console.print(paper_table(record.parts))
    console.print(speed_table(record.parts))
    console.print(stages_table(record.parts))
    console.print(floors_table(record))
    for part, profile in told_profiles(record.parts):
        console.print(kinds_table(part, profile, record.ceilings))
    for note in notes(record):
        console.print(note, highlight=False, markup=False)
    console.print(verdicts_table(record.verdicts))
