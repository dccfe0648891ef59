import numpy as np

from mpm_deploy.measure.accuracy.tally import CountedSample, ImageCounts, Tally


def test_sums_are_those_of_the_counts() -> None:
    generator = np.random.default_rng(0)
    counts = generator.integers(0, 3, (4, 5, 5)) * 2**40
    boundaries = generator.integers(0, 2, (4, 5, 4)) * 2**40
    tally = Tally(5)
    for number in range(4):
        sample = CountedSample(str(number), "a", "b", 1, 9, 0, (60, 40))
        tally.add(ImageCounts.of(sample, counts[number], boundaries[number]))
    np.testing.assert_array_equal(tally.counts, counts.sum(axis=0))
    np.testing.assert_array_equal(tally.boundaries, boundaries.sum(axis=0))
    assert [*tally.samples] == ["0", "1", "2", "3"]


def test_an_image_without_counts_adds_none() -> None:
    tally = Tally(3)
    sample = CountedSample("one", "a", "b", 1, 9, 9, ())
    none = ImageCounts.of(sample, tally.counts, tally.boundaries)
    assert none.confusion.shape == (0, 3) and none.boundaries.shape == (0, 5)
    tally.add(none)
    assert not tally.counts.any() and not tally.boundaries.any()
    assert tally.samples == {"one": sample}
