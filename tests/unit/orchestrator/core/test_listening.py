"""A socket that cannot be opened is told with the option that is wrong."""

import socket

import pytest

from orchestrator.core.errors import UserError
from orchestrator.core.listening import open_socket


@pytest.mark.parametrize("host", ["nosuch.host.invalid", "192.0.2.1"])
def test_a_host_that_is_not_this_machine_is_told_as_such(host):
    with pytest.raises(UserError, match=rf"cannot listen at {host}, port 8270: .*; choose another --host$"):
        open_socket(host, 8270)


def test_a_port_that_is_taken_is_told_as_such():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"port {port}: .*; choose another --port$"):
            open_socket("127.0.0.1", port)
