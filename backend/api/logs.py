"""Logs that tell what happened and to nobody whom it happened to.

One JSON object a line with time, level, event, request id and the route's template, never its
values. As a second line of defence every value is searched for words that look like a key, a
signature or an address, and those are blanked out.
"""

from __future__ import annotations

import re
import time
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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


class RequestLog:
    """ASGI middleware: one line a request, with its route's template and its status.

    Plain ASGI rather than Starlette's `BaseHTTPMiddleware`, which costs a task and two queues for
    every request.
    """

    def __init__(self, app: ASGIApp, logger: structlog.typing.FilteringBoundLogger) -> None:
        self._app = app
        self._logger = logger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        except Exception:
            self._logger.exception("request failed", method=scope["method"], route=_route(scope))
            raise
        milliseconds = round((time.perf_counter() - started) * 1000, 1)
        self._logger.info(
            "request",
            method=scope["method"],
            route=_route(scope),
            status=status,
            milliseconds=milliseconds,
        )


def _route(scope: Scope) -> str:
    """The route's template, which names no mint and no wallet."""
    return getattr(scope.get("route"), "path", "unknown")
