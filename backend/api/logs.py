"""Logs that tell what happened and to nobody whom it happened to.

One JSON object a line with time, level, event, request id and the route's template, never its
values. As a second line of defence every value is searched for words that look like a key, a
signature or an address, and those are blanked out.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from backend.adapters.clock import Clock

_BASE58_WORD = re.compile(r"[1-9A-HJ-NP-Za-km-z]{32,}")
_KEY_ARRAY = re.compile(r"\[(?:\s*\d{1,3}\s*,){15,}[^\]]*\]")


def redact(text: str) -> str:
    """`text` without anything that looks like a key, a signature or an address."""
    return _BASE58_WORD.sub("<redacted>", _KEY_ARRAY.sub("<redacted>", text))


def make_logger(out: TextIO, clock: Clock) -> structlog.typing.FilteringBoundLogger:
    """A logger that writes redacted JSON lines to `out`."""

    def stamp(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["at"] = clock.now().isoformat(timespec="milliseconds")
        return event

    def blank(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {
            key: redact(value) if isinstance(value, str) else value for key, value in event.items()
        }

    return structlog.wrap_logger(
        structlog.PrintLogger(out),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            stamp,
            blank,
            structlog.processors.JSONRenderer(sort_keys=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(20),
    )
