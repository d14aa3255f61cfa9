"""Logs that tell what happened and to nobody whom it happened to.

Like a censor between the desk and the post box: whatever a line is made
of, it is text by the time it leaves, and every word of that text that could be a key, a
signature, an address, a token or a transaction is blacked out. Nothing is trusted to be harmless
because of the name of its field.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, MutableMapping
from typing import Any, TextIO

import structlog

from backend.adapters.clock import Clock
from backend.settings import Settings

_PATTERNS = (
    re.compile(r"eyJ[\w-]+\.[\w-]+\.?[\w-]*"),  # a JSON web token
    re.compile(r"\b[1-9A-HJ-NP-Za-km-z]{32,}\b"),  # base58 of 32 or 64 bytes
    re.compile(r"[A-Za-z0-9+/_-]{43,}={0,2}(?![\w.])"),  # base64 of 32 bytes or more
    re.compile(r"\b[0-9a-fA-F]{64,}\b"),
    re.compile(r"[\[({](?:\s*\d{1,3}\s*,){15,}[^\])}]*[\])}]?"),  # bytes as numbers
    re.compile(r"(?:\\+x[0-9a-fA-F]{2}|\\+[0-7]{3}){4,}.*?(?=$|\s)"),  # bytes as repr
    re.compile(r"(?<=://)[^/@\s]+@"),  # user and password of a URL
    re.compile(r"(?<=[?&])(?:api[-_]?key|token|key)=[^&\s\"']+", re.IGNORECASE),
)
_BLANK = "<redacted>"
_LEVELS = {"debug": 10, "info": 20, "warn": 30, "error": 40}


class Redactor:
    """Blanks what looks secret, and the texts that are known to be."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = tuple(known)

    def text(self, text: str) -> str:
        for secret in self._known:
            text = text.replace(secret, _BLANK)
        for pattern in _PATTERNS:
            text = pattern.sub(_BLANK, text)
        return text

    def value(self, value: object) -> object:
        """Numbers and None stay; everything else becomes redacted text, however deep it lies."""
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, dict):
            return {self.text(str(key)): self.value(one) for key, one in value.items()}
        if isinstance(value, (list, tuple)) and not all(isinstance(one, int) for one in value):
            return [self.value(one) for one in value]
        if isinstance(value, (bytes, bytearray, memoryview, list, tuple)):
            return f"<{len(value)} values>"
        return self.text(str(value))


class RedactedStream:
    """A text stream that blanks whatever is written: the last door of the process."""

    def __init__(self, out: TextIO | None, redactor: Redactor) -> None:
        self._out = out
        self._redactor = redactor

    def write(self, text: str) -> int:
        if self._out is not None:  # a process without a terminal has none
            self._out.write(self._redactor.text(text))
        return len(text)

    def flush(self) -> None:
        if self._out is not None:
            self._out.flush()

    def isatty(self) -> bool:
        return False


Logger = structlog.typing.FilteringBoundLogger


def make_logger(out: TextIO, clock: Clock, settings: Settings | None = None) -> Logger:
    """A logger that writes redacted lines to `out`, as LOG_FORMAT and LOG_LEVEL say: JSON from
    info on if there are no settings."""
    redactor = Redactor(settings.secret_texts() if settings else ())
    as_text = settings is not None and settings.log_format != "json"
    renderer = structlog.processors.LogfmtRenderer(key_order=["at", "level", "event"])

    def stamp(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["at"] = clock.now().isoformat(timespec="milliseconds")
        return event

    def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {key: redactor.value(value) for key, value in event.items()}

    return structlog.wrap_logger(
        structlog.PrintLogger(out),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            stamp,
            redact,
            renderer if as_text else structlog.processors.JSONRenderer(sort_keys=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            _LEVELS[settings.log_level if settings else "info"]
        ),
    )


class LibraryLogs(logging.Handler):
    """Hands what libraries log (uvicorn, SQLAlchemy, httpx) to our logger, so that it is redacted
    like the rest. Warnings and worse only: below that they tell URLs and statements."""

    def __init__(self, logger: Logger) -> None:
        super().__init__(logging.WARNING)
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        self._logger.log(
            record.levelno, "library", source=record.name, detail=record.getMessage(),
            exc_info=record.exc_info,
        )  # fmt: skip


def capture_libraries(logger: Logger) -> None:
    """From now on everything that libraries log in this process goes through `logger`."""
    logging.basicConfig(handlers=[LibraryLogs(logger)], level=logging.WARNING, force=True)
    logging.captureWarnings(True)
