"""The ledger's front door: JSON-RPC over HTTP and websocket on loopback.

uvicorn does the protocols; this is the bare ASGI application behind it, in a thread of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn

from harness.errors import StartError, UsageError
from harness.ledger.embedded.chain import Chain
from harness.ledger.embedded.dispatch import dispatch
from harness.ledger.embedded.subscriptions import Subscriber

BODY_BYTES_MAX = 1 << 20
CONNECTIONS_MAX = 2000
QUEUE_MAX = 10_000
_PAIR_TRIES_MAX = 50
#: Longer than clients keep a connection that they do not use (httpx: 5 s): who closes first must be
#: the client, or a request meets a connection that is just going.
_IDLE_SECONDS_MAX = 75
_START_SECONDS_MAX = 10.0
_STOP_SECONDS_MAX = 5.0
_TICK_SECONDS = 0.1  # uvicorn's own, by which it counts its seconds

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises UsageError if the port is taken."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen()  # a port that is bound only, another process could bind too
    except OSError as error:
        sock.close()
        raise UsageError(
            f"port {port} on {host} cannot be used ({error.strerror}); choose another, or 0 for "
            "any free one"
        ) from None
    return sock


def listen_pair(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Sockets on a port and the one after it, where clients that know only the HTTP URL look for
    the websocket. Port 0 takes any free pair. Raises UsageError if one of them is taken."""
    for _ in range(_PAIR_TRIES_MAX):
        first = listen(host, port)
        try:
            return first, listen(host, first.getsockname()[1] + 1)
        except (UsageError, OverflowError):  # overflow: after the last port there is none
            first.close()
            if port:
                raise UsageError(
                    f"port {port + 1} on {host}, the websocket's beside {port}, cannot be "
                    "used; choose another pair, or 0 for any free one"
                ) from None
    raise StartError(f"no two free ports in a row on {host} in {_PAIR_TRIES_MAX} tries")


class _PromptServer(uvicorn.Server):
    """uvicorn looks ten times a second whether it should stop, and then waits a tenth for open
    connections. A testbed has two servers and most scenarios take half a second: this one stops
    when told, and waits only if somebody is connected."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leave = asyncio.Event()

    def leave(self) -> None:
        """Stop; from any thread."""
        self.should_exit = True
        if self._loop is not None:
            _from_any_thread(self._loop, self._leave.set)

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        tick = 0
        while not await self.on_tick(tick):
            tick += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_SECONDS):
                    await self._leave.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self.server_state.connections or self.server_state.tasks:
            await super().shutdown(sockets)
            return
        for server in self.servers:
            server.close()
        for sock in sockets or []:
            sock.close()


class ServerThread:
    """A uvicorn server in a thread, on sockets that are already bound."""

    def __init__(self, app: Any, sock: socket.socket, name: str, *more: socket.socket) -> None:
        self.host, self.port = sock.getsockname()
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            proxy_headers=False,
            lifespan="off",
            limit_concurrency=CONNECTIONS_MAX,
            ws_max_size=BODY_BYTES_MAX,
            timeout_keep_alive=_IDLE_SECONDS_MAX,
            timeout_graceful_shutdown=1,
        )
        self._server = _PromptServer(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [sock, *more]}, name=name, daemon=True
        )

    def start(self) -> None:
        self._thread.start()
        deadline = time.monotonic() + _START_SECONDS_MAX
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise StartError(
                    f"the server {self._thread.name} did not start on port {self.port}"
                )
            time.sleep(0.002)

    def stop(self) -> None:
        self._server.leave()
        self._thread.join(_STOP_SECONDS_MAX)


class RpcApplication:
    """ASGI: POST for calls, GET /health, websocket for subscriptions."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(receive, send)

    async def _http(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["method"] == "GET" and scope["path"] == "/health":
            await _respond(send, 200, b"ok", b"text/plain")
            return
        if scope["method"] == "OPTIONS":
            await _respond(send, 204, b"")
            return
        if scope["method"] != "POST":
            await _respond(
                send, 405, b"Used HTTP Method is not allowed. POST or OPTIONS is required"
            )
            return
        body = b""
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > BODY_BYTES_MAX:
                await _respond(send, 413, b"request body is larger than 1 MiB", b"text/plain")
                return
        await _respond(send, 200, dispatch(self._chain, body).encode())

    async def _websocket(self, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[str] = asyncio.Queue(QUEUE_MAX)
        overrun = asyncio.Event()

        def put(text: str) -> None:
            try:
                queue.put_nowait(text)
            except asyncio.QueueFull:
                overrun.set()

        await receive()
        await send({"type": "websocket.accept"})
        with self._chain.lock:
            subscriber = Subscriber(
                self._chain, lambda text: _from_any_thread(loop, lambda: put(text))
            )
        sender = asyncio.create_task(_forward(queue, send))
        try:
            while not overrun.is_set():
                message = await receive()
                if message["type"] == "websocket.disconnect":
                    break
                subscriber.receive(message.get("text") or (message.get("bytes") or b"").decode())
        finally:
            with self._chain.lock:
                subscriber.close()
            sender.cancel()


def _from_any_thread(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # closed meanwhile
        loop.call_soon_threadsafe(callback)


async def _forward(queue: asyncio.Queue[str], send: Send) -> None:
    while True:
        await send({"type": "websocket.send", "text": await queue.get()})


async def _respond(
    send: Send, status: int, body: bytes, content_type: bytes = b"application/json"
) -> None:
    headers = [
        (b"content-type", content_type),
        (b"content-length", str(len(body)).encode()),
        (b"access-control-allow-origin", b"*"),
        (b"access-control-allow-headers", b"*"),
        (b"access-control-allow-methods", b"POST, GET, OPTIONS"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
