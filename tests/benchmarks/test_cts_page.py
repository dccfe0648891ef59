"""The page on CTS, of a record that was made up."""

from benchmarks.pages import cts

RECORD = {
    "images": 72,
    "models": {
        "full-token": {"gflops": 23.4, "tokens_kept": [], "mean_iou": 0.6894},
        "cts [0, 5]": {"gflops": 17.1, "tokens_kept": [715.0, 480.4], "mean_iou": 0.6812},
    },
    "policy": {"right": 0.9123, "shared_right": 0.9876, "one_class": 0.55},
    "versions": {"torch": "2.15.0"},
    "commit": "abc",
}


def test_the_page_says_what_the_record_says() -> None:
    page = cts._page(RECORD)
    lines = [line.split() for line in page.splitlines()]
    assert ["full-token", "23.4", "all", "68.94"] in lines
    assert ["cts", "[0,", "5]", "17.1", "715", "→", "480", "68.12"] in lines
    assert "calls 91.2% of the squares" in page and "98.8% are of one class, of all 55.0%" in page
    assert "(torch 2.15.0, commit abc; written by" in page
