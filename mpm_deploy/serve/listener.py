"""Listen for connections of HTTP."""

import socket

from mpm_deploy.errors import InputError
from mpm_deploy.support.refusal import refusal


def address_of(host: str, port: int) -> str:
    """Return host and port as addresses have them, where a host may have colons itself."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listen(host: str, port: int, option: str = "--port") -> socket.socket:
    """Return a socket that listens.

    Its connections send what they are given at once. Otherwise the end of an answer would wait for
    the client's word that it has the begin, 40 ms; asyncio sees to that for its own sockets alone.

    Args:
        host: The address.
        port: The port; 0 is any that is free.
        option: What names the port, for the cure.

    Raises:
        InputError: It cannot listen there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        what = f"{address_of(host, port)}: cannot listen there"
        cure = f"name a free port: {option} 0 takes any"
        raise refusal(InputError, what, error, cure) from error
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
