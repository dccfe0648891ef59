"""Names data sets, so that no two on a page have one name."""

from collections import Counter
from collections.abc import Sequence

from mpm_deploy.measure.accuracy.evaluate import DatasetInfo, Evaluation


def dataset_names(evaluations: Sequence[Evaluation]) -> dict[DatasetInfo, str]:
    """Return what each data set is called, in the order they are met: by its name, and where
    others have that too, as every folder of one's own has, by its place.
    """
    datasets = list(dict.fromkeys(evaluation.dataset for evaluation in evaluations))
    known = Counter(dataset.name for dataset in datasets)
    return {
        dataset: dataset.name if known[dataset.name] == 1 else f"{dataset.name} {dataset.root}"
        for dataset in datasets
    }
