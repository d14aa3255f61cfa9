"""Bad weather between the backend and the ledger: an RPC proxy that troubles chosen calls.

A postman between two houses. Mostly he delivers. On request he refuses at the door (429), loses a
letter before or after delivering it, answers with an error of his own, or stands still with the
letter in his hand until he is told to go on. He counts what he did.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

import httpx

from harness.faults.loopback import LoopbackServer, QuietHandler

_TIMEOUT_SECONDS = 30.0
_HOLD_SECONDS_MAX = 30.0
_BODY_BYTES_MAX = 1 << 20


class Kind(StrEnum):
    """What happens to a call."""

    #: HTTP 429, not forwarded.
    TOO_MANY = "too many requests"
    #: The connection closes, the call never reached the ledger.
    LOST_BEFORE = "lost before it arrived"
    #: The ledger got it, the answer is lost.
    LOST_AFTER = "answer lost"
    #: A JSON-RPC error, not forwarded.
    ERROR = "error answered"
    #: Stands still before forwarding until released.
    HELD_BEFORE = "held before it arrived"
    #: Stands still after forwarding until released.
    HELD_AFTER = "held after it arrived"


@dataclass
class Trouble:
    """One kind of trouble for some methods, a number of times, for a share of the calls: with
    0.1 every tenth one."""

    kind: Kind
    methods: frozenset[str]
    times: int
    code: int = -32005
    message: str = "Node is behind"
    share: float = 1.0
    _due: float = 0.0
    #: Set when a call stands still here.
    arrived: threading.Event = field(default_factory=threading.Event)
    #: Set to let it go on.
    released: threading.Event = field(default_factory=threading.Event)

    def meets(self, methods: set[str]) -> bool:
        """Whether the next call of these methods is troubled; counts it."""
        if self.times == 0 or (self.methods and not self.methods & methods):
            return False
        self._due += self.share
        if self._due < 1 - 1e-9:
            return False
        self._due -= 1
        self.times -= 1
        return True

    def wait_until_held(self) -> None:
        """Return when a call stands still here. Raises TimeoutError if none comes."""
        if not self.arrived.wait(_HOLD_SECONDS_MAX):
            raise TimeoutError(f"no call of {', '.join(sorted(self.methods))} came to be held")


class RpcProxy(LoopbackServer):
    """Forwards JSON-RPC to one upstream on loopback; use as a context manager."""

    def __init__(self, upstream: str) -> None:
        self.seen: Counter[str] = Counter()
        self.troubled: Counter[Kind] = Counter()
        self._upstream = upstream
        self._http = httpx.Client(timeout=_TIMEOUT_SECONDS, verify=upstream.startswith("https"))
        self._troubles: list[Trouble] = []
        self._lock = threading.Lock()
        super().__init__(_handler(self), "rpc proxy")

    def __exit__(self, *_: object) -> None:
        self.clear()
        super().__exit__()
        self._http.close()

    def trouble(
        self,
        kind: Kind,
        *methods: str,
        times: int = 1,
        code: int = -32005,
        message: str = "Node is behind",
        share: float = 1.0,
    ) -> Trouble:
        """Trouble the next `times` calls of these methods (of any, without names)."""
        one = Trouble(kind, frozenset(methods), times, code, message, share)
        with self._lock:
            self._troubles.append(one)
        return one

    def clear(self) -> None:
        """Fair weather again; whatever stands still goes on."""
        with self._lock:
            for one in self._troubles:
                one.released.set()
            self._troubles.clear()

    def next_trouble(self, methods: list[str]) -> Trouble | None:
        """The trouble that a request meets, which is used up by it."""
        with self._lock:
            self.seen.update(methods)
            for one in self._troubles:
                if one.meets(set(methods)):
                    self.troubled[one.kind] += 1
                    return one
        return None

    def forward(self, body: bytes) -> bytes:
        headers = {"content-type": "application/json"}
        return self._http.post(self._upstream, content=body, headers=headers).content


def _handler(proxy: RpcProxy) -> type[QuietHandler]:
    class Handler(QuietHandler):
        def do_POST(self) -> None:  # noqa: N802  # as http.server calls it
            length = int(self.headers.get("content-length", 0))
            if length > _BODY_BYTES_MAX:
                self.answer(413, b"")
                return
            body = self.rfile.read(length)
            calls = json.loads(body)
            calls = calls if isinstance(calls, list) else [calls]
            trouble = proxy.next_trouble([str(call.get("method")) for call in calls])
            if trouble is None:
                self.answer(200, proxy.forward(body))
                return
            self._troubled(trouble, body, calls[0].get("id"))

        def _troubled(self, trouble: Trouble, body: bytes, number: object) -> None:
            kind = trouble.kind
            if kind is Kind.TOO_MANY:
                self.answer(429, b'{"error":"Too many requests"}')
                return
            if kind is Kind.ERROR:
                error = {"code": trouble.code, "message": trouble.message}
                answer = {"jsonrpc": "2.0", "id": number, "error": error}
                self.answer(200, json.dumps(answer).encode())
                return
            if kind is Kind.HELD_BEFORE:
                trouble.arrived.set()
                trouble.released.wait(_HOLD_SECONDS_MAX)
            if kind is Kind.LOST_BEFORE:
                self.close_connection = True
                return
            answer_bytes = proxy.forward(body)
            if kind is Kind.HELD_AFTER:
                trouble.arrived.set()
                trouble.released.wait(_HOLD_SECONDS_MAX)
            if kind is Kind.LOST_AFTER:
                self.close_connection = True
                return
            self.answer(200, answer_bytes)

    return Handler
