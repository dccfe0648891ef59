"""The page on the demos by class, of records that were made up."""

from typing import Any

from benchmarks.pages import scenes


def record(**more: Any) -> dict[str, Any]:
    return {"images": 72, "versions": {"torch": "2.15.0"}, "commit": "abc"} | more


def of_models(models: dict[str, tuple[float, float]]) -> dict[str, Any]:
    """Of classes sky and car."""
    return {
        name: {"class_iou": {"sky": sky, "car": car}, "mean_iou": (sky + car) / 2}
        for name, (sky, car) in models.items()
    }


def test_the_page_says_what_the_records_say() -> None:
    balanced = {"sky": 0.5, "car": 0.1}
    rules = {"balanced": balanced, "most frequent": {"sky": 0.6, "car": 0.0}}
    page = scenes.page(
        {
            "demo_accuracy": record(models=of_models({"full-token": (0.9, 0.4)})),
            "eomt_accuracy": record(
                models=of_models({"full-token": (0.95, 0.65), "merged 0": (0.94, 0.6)}),
                commit="def",
            ),
            "pixel_baseline": record(class_iou=rules, rule="balanced", mean_iou=0.3),
        }
    )
    lines = [line.split() for line in page.splitlines()]
    assert ["sky", "90.0", "50.0"] in lines and ["mIoU", "65.0", "30.0"] in lines
    assert ["car", "65.0", "60.0"] in lines and ["mIoU", "80.0", "77.0"] in lines
    assert "72 held-out scenes" in page and "(torch 2.15.0, commit abc, def; written by" in page
