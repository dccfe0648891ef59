"""Say how sources may be read; the command line knows it before anything heavy is imported."""

from dataclasses import dataclass

from mpm_deploy.support.family import require


@dataclass(frozen=True)
class SourceOptions:
    """How to read sources; each kind takes what it has a use for.

    Attributes:
        recursive: Whether images in the folders inside a folder are taken too.
        reconnect: How often in a row a live source that broke is opened again; 0 is never.
        reconnect_wait: The longest wait before it is, in seconds: waits double from 1 second on.
        timeout: Seconds without a frame after which a live source counts as broken.

    Raises:
        InputError: A number below what it can be.
    """

    recursive: bool = False
    reconnect: int = 10
    reconnect_wait: float = 30.0
    timeout: float = 10.0

    def __post_init__(self) -> None:
        require(self.reconnect >= 0, "reconnect", "0 or more", self.reconnect)
        require(self.reconnect_wait > 0, "reconnect_wait", "above 0", self.reconnect_wait)
        require(self.timeout > 0, "timeout", "above 0", self.timeout)
