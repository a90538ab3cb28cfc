import socket
from threading import Timer

import pytest

from functions.shared.domain.errors import PortTakenError
from infra.local import servers
from infra.local.servers import listening_socket, socket_again, url_of


def test_a_stopped_stack_waits_for_its_port_while_another_program_has_it_for_a_moment() -> None:
    holder = listening_socket()
    url = url_of(holder)
    soon = Timer(0.3, holder.close)
    soon.start()
    with socket_again(url, None) as listener:
        assert url_of(listener) == url
    soon.join()


def test_a_port_that_another_program_keeps_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "PATIENCE_S", 0.2)
    with listening_socket() as holder, pytest.raises(PortTakenError, match=f"needs port {holder.getsockname()[1]}"):
        socket_again(url_of(holder), None)


def test_a_stopped_stack_starts_at_no_other_port_than_its_own() -> None:
    with socket.socket() as any_socket:
        any_socket.bind((servers.HOST, 0))
        port = any_socket.getsockname()[1]
    with pytest.raises(PortTakenError, match=f"used port {port}"):
        socket_again(f"http://{servers.HOST}:{port}", port - 1)
