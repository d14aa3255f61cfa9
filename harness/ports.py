"""Ports of this machine."""

from __future__ import annotations

import socket


def free_port() -> int:
    """A port that was free on loopback a moment ago; whoever listens first has it."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
