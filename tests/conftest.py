"""What all tests need of their process."""

from __future__ import annotations

import os
import signal

from backend.settings import Settings
from harness.proxies import spare_loopback


def pytest_configure() -> None:
    """Let Ctrl-C reach the programs that the tests start, and no other backend's variables.

    A shell that starts a job in the background has it ignore SIGINT, and children inherit that:
    tests of Ctrl-C would then wait for ever for an end that nobody told them of. And whoever has
    sourced the `.env` of a backend would have these tests try that one's configuration.
    """
    for name in Settings.model_fields:
        os.environ.pop(name.upper(), None)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    spare_loopback()
