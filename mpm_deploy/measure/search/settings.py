"""Say how a sweep measures; the command line knows it before anything heavy is imported."""

from dataclasses import dataclass

from mpm_deploy.support.numbers import whole_number, whole_number_or_none

BUILDS = 10  # of what a first look finds worth it, the most


@dataclass(frozen=True)
class Settings:
    """The settings that every artifact of a sweep is measured with.

    Attributes:
        limit: First samples that accuracy is measured on; None is all.
        timed: First of them that speed is measured on.
        batch_size: Images a model call.
        repeats: Turns of each artifact against the full-token one.
        device: As `Runner` takes it.
        threads: As `Runner` takes it.

    Raises:
        InputError: A number out of range, or none.
    """

    limit: int | None = None
    timed: int = 32
    batch_size: int = 1
    repeats: int = 3
    device: str | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        for name in ("timed", "batch_size", "repeats"):
            object.__setattr__(self, name, whole_number(name, getattr(self, name)))
        for name in ("limit", "threads"):
            object.__setattr__(self, name, whole_number_or_none(name, getattr(self, name)))
