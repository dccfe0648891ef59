"""Makes what the command line shows, as rich's tables and sentences. Nothing here prints.

Types of what measures are imported for checking only: `mpm-deploy recipes` need not wait for torch.
"""

from mpm_deploy.show.tables.accuracy import evaluation_summary, evaluation_table, loss_summary
from mpm_deploy.show.tables.catalog import (
    findings_table,
    manifest_table,
    models_table,
    paper_table,
    place,
    recipes_table,
    schedule,
    way_of_merging,
)
from mpm_deploy.show.tables.profile import (
    break_even_sentence,
    break_even_table,
    parts_table,
    stages_table,
)
from mpm_deploy.show.tables.speed import (
    RANDOM_WEIGHTS,
    comparison_table,
    contention_sentence,
    report_title,
    results_table,
)
from mpm_deploy.show.tables.sweep import (
    advice_sentence,
    row_summary,
    rows_table,
    skipped_table,
    sweep_remarks,
    sweep_table,
)

__all__ = [
    "recipes_table",
    "models_table",
    "paper_table",
    "manifest_table",
    "findings_table",
    "place",
    "schedule",
    "way_of_merging",
    "RANDOM_WEIGHTS",
    "report_title",
    "results_table",
    "comparison_table",
    "contention_sentence",
    "evaluation_table",
    "evaluation_summary",
    "loss_summary",
    "sweep_table",
    "rows_table",
    "skipped_table",
    "row_summary",
    "sweep_remarks",
    "advice_sentence",
    "stages_table",
    "parts_table",
    "break_even_table",
    "break_even_sentence",
]
