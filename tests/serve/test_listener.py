"""The socket that HTTP comes through."""

import socket

import pytest

from mpm_deploy.errors import InputError
from mpm_deploy.serve.listener import address_of, listen


def test_its_connections_send_at_once() -> None:
    with (
        listen("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_port_that_is_taken() -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(InputError, match=f"127.0.0.1:{port}: cannot listen there") as caught:
            listen("127.0.0.1", port)
        assert caught.value.hint == "name a free port: --port 0 takes any"
        with pytest.raises(InputError) as caught:
            listen("127.0.0.1", port, "--grpc-port")
    assert caught.value.hint == "name a free port: --grpc-port 0 takes any"


def test_a_host_may_have_colons() -> None:
    assert (address_of("localhost", 1), address_of("::1", 2)) == ("localhost:1", "[::1]:2")
