"""Say how a server serves; the command line knows it before anything heavy is imported."""

from typing import NamedTuple


class Settings(NamedTuple):
    """How a server serves.

    Attributes:
        host: The address to listen at; ``"0.0.0.0"`` are all of this machine.
        port: The port of REST; 0 is any that is free.
        grpc_port: The port of gRPC, likewise.
        places: Images in the server at once; who comes past that is told so.
        max_bytes: The size of the largest request.
        batch: Images a call of a model; None is as many as suit the device.
        patience: Seconds that a request over HTTP may take to arrive.
        grace: Seconds that requests in hand have to be done when the server stops.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    grpc_port: int = 8081
    places: int = 64
    max_bytes: int = 64 << 20
    batch: int | None = None
    patience: float = 30.0
    grace: float = 30.0
