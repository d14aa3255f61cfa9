"""The gate: what every request passes before a route sees it, and every answer on its way out.

A porter's desk in one plain ASGI middleware (Starlette's `BaseHTTPMiddleware` costs a task and two
queues a request): gives the request an id, turns it away while too many are under way, finds out
who calls, counts it against the limits, weighs its body, measures it, writes one line about it.
Refusals leave in one form, what nobody foresaw as INTERNAL_ERROR with its trace in the log.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from backend.access.tokens import AccessTokens
from backend.api.limits import Proxies, RateLimits
from backend.api.logs import Logger
from backend.api.metrics import Metrics
from backend.domain import errors as no
from backend.settings import Settings

_HEAD_BYTES_MAX = 65_536
_GIVEN_ID = re.compile(r"[A-Za-z0-9-]{1,16}")  # too short to hold an address


class Protocol(HttpToolsProtocol):
    """uvicorn's, but for heads of any length, which that would keep in memory."""

    _head = 0

    def data_received(self, data: bytes) -> None:
        self._head += len(data)
        super().data_received(data)
        if self._head > _HEAD_BYTES_MAX:
            self.send_400_response("The request's head is too long")

    def on_headers_complete(self) -> None:
        self._head = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._head = 0
        super().on_body(body)


@dataclass
class Gate:
    """ASGI middleware around the application."""

    app: ASGIApp
    settings: Settings
    tokens: AccessTokens
    limits: RateLimits
    metrics: Metrics
    logger: Logger

    def __post_init__(self) -> None:
        self._prefix = self.settings.api_prefix + "/"
        self._proxies = Proxies(self.settings.trusted_proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if _GIVEN_ID.fullmatch(given) else os.urandom(8).hex()
        started, status = time.perf_counter(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                request_header = (b"x-request-id", request_id.encode())
                message["headers"] = [*message["headers"], request_header]
            await send(message)

        counted = scope["path"].startswith(self._prefix)  # not probes
        self.metrics.under_way += counted
        try:
            if counted and self.metrics.under_way > self.settings.in_flight_max:
                self.metrics.overloaded()
                raise no.Overloaded
            await self._admit(scope, headers)
            await self.app(scope, self._weighed(receive), answer)
        except no.Refusal as refusal:
            await refuse(refusal, scope, answer)
        except Exception:
            self.logger.exception("request failed", request_id=request_id, route=route_of(scope))
            if status == 0:
                await refuse(no.InternalError(), scope, answer)
        finally:
            self.metrics.under_way -= counted
        seconds = time.perf_counter() - started
        route, code = route_of(scope), scope.get("code", "")
        wallet = scope["caller"].wallet if "caller" in scope else None
        self.metrics.request(scope["method"], route, status, code, seconds, wallet)
        self.logger.info(
            "request", request_id=request_id, method=scope["method"], route=route, status=status,
            milliseconds=round(seconds * 1000, 1), **({"code": code} if code else {}),
        )  # fmt: skip

    async def _admit(self, scope: Scope, headers: Headers) -> None:
        """Limits first: whoever guesses tokens is counted too."""
        path: str = scope["path"]
        if path.startswith(self._prefix):
            peer = scope["client"][0] if scope.get("client") else ""
            # A proxy may add a line of its own to those that the client has made up.
            forwarded = ",".join(headers.getlist("x-forwarded-for"))
            callers = [self._proxies.caller(peer, forwarded)]
            opening = scope["method"] == "POST" and path.startswith(self._prefix + "reveal/")
            names = ("general", "reveal") if opening else ("general",)
            caller, problem = self.tokens.caller(headers.get("authorization"))
            if caller is not None:
                scope["caller"] = caller
                callers.append(str(caller.wallet))
            try:
                await self.limits.check(names, callers)
            except no.RateLimited as limited:
                self.metrics.rate_limited(limited.limit, callers[-1])
                raise
            if problem is not None:
                raise problem
        length = headers.get("content-length", "0")
        if length.isascii() and length.isdigit() and int(length) > self.settings.body_bytes_max:
            raise no.BodyTooLarge

    def _weighed(self, receive: Receive) -> Receive:
        """`receive` that stops a body that is too slow, or turns out to be too large."""
        seen, ends = 0, asyncio.get_running_loop().time() + self.settings.body_seconds_max

        async def weighed() -> Message:
            nonlocal seen
            try:
                async with asyncio.timeout_at(ends):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(no.BodyTooSlow.status) from None
            seen += len(message.get("body", b""))
            if seen > self.settings.body_bytes_max:
                raise HTTPException(no.BodyTooLarge.status)
            return message

        return weighed


def route_of(scope: Scope) -> str:
    """The route's template, which names no mint and no wallet."""
    return getattr(scope.get("route"), "path", "unknown")


async def refuse(refusal: no.Refusal, scope: Scope, send: Send) -> None:
    """Answer a refusal: `{"success": false, "error": {"code": ..., "message": ...}}`."""
    scope["code"] = refusal.code
    body = json.dumps(refusal.body()).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    headers += [(name.encode(), value.encode()) for name, value in refusal.headers.items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
