import socket

import pytest


def test_a_unit_test_cannot_make_a_socket() -> None:
    # The warning comes first, and warnings are errors here.
    with pytest.raises(UserWarning, match="tried to use socket"):
        socket.create_connection(("127.0.0.1", 9))


def test_a_unit_test_cannot_look_up_a_host() -> None:
    with pytest.raises(UserWarning, match="tried to use socket"):
        socket.getaddrinfo("localhost", 80)
