"""How the harness says no: one line with what was wrong, which value, and what to do.

Exit codes are part of the interface: 0 passed, 1 a scenario or check failed, 2 usage,
3 the environment would not start, 99 a threshold (odds, risk, load) was crossed.
"""

from __future__ import annotations

EXIT_PASSED = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_ENVIRONMENT = 3
EXIT_THRESHOLD = 99
EXIT_INTERRUPTED = 130  # as shells say it: 128 + SIGINT


class HarnessError(Exception):
    """Anything the harness tells a person in one line."""

    exit_code = EXIT_FAILED


class UsageError(HarnessError):
    """The person's input was wrong: a file, key, name or option."""

    exit_code = EXIT_USAGE


class StartError(HarnessError):
    """Ledger, database or backend would not start; `log_lines` are the last it said."""

    exit_code = EXIT_ENVIRONMENT

    def __init__(self, line: str, log_lines: list[str] | None = None) -> None:
        super().__init__(line)
        self.log_lines = log_lines or []
