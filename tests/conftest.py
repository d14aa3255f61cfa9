"""What all tests need of their process."""

from __future__ import annotations

import signal

from harness.proxies import spare_loopback


def pytest_configure() -> None:
    """Let Ctrl-C reach the programs that the tests start.

    A shell that starts a job in the background has it ignore SIGINT, and children inherit that:
    tests of Ctrl-C would then wait for ever for an end that nobody told them of.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    spare_loopback()
