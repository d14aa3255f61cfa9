"""How fast the ledger answers reads over HTTP: one client, one connection, one call at a time.

The client is a process of its own, so that it does not share the server's interpreter; the same
calls without a socket are timed beside it, and the ratio says what HTTP costs.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from statistics import quantiles

from harness.errors import HarnessError
from harness.ledger.embedded import EmbeddedLedger
from harness.ledger.embedded.dispatch import dispatch

_WARM_UP_CALLS = 200
_CLIENT_SECONDS_MAX = 300

#: Reads the request from its input, sends it over and over, prints each call's seconds.
_CLIENT = """
import json, socket, sys, time
host, port, calls, body = json.load(sys.stdin)
body = body.encode()
head = f"POST / HTTP/1.1\\r\\nHost: {host}\\r\\nContent-Type: application/json\\r\\n"
request = head.encode() + b"Content-Length: %d\\r\\n\\r\\n" % len(body) + body
connection = socket.create_connection((host, port))
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
seconds = []
for _ in range(calls):
    started = time.perf_counter()
    connection.sendall(request)
    answer = b""
    while not answer.endswith(b"}"):
        answer += connection.recv(65536)
    seconds.append(time.perf_counter() - started)
assert b'"result"' in answer, answer
print(json.dumps(seconds))
"""


@dataclass(frozen=True)
class ReadFigures:
    """Reads over HTTP by one client. `server_calls_a_second` is per second of this process's
    processor time: what one core would do with more clients."""

    calls: int
    calls_a_second: float
    p50_ms: float
    p99_ms: float
    server_calls_a_second: float
    in_process_calls_a_second: float
    ratio: float


def measure_reads(ledger: EmbeddedLedger, calls: int) -> ReadFigures:
    """Read the faucet's account `calls` times over HTTP, then without a socket.

    Raises HarnessError if the client fails.
    """
    asked = [str(ledger.chain.faucet.pubkey()), {"encoding": "base64"}]
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "getAccountInfo", "params": asked})
    host, _, port = ledger.rpc_url.rpartition("/")[2].rpartition(":")
    given = json.dumps([host, int(port), calls + _WARM_UP_CALLS, body])
    cpu = time.process_time()
    done = subprocess.run(
        [sys.executable, "-c", _CLIENT],
        input=given, capture_output=True, text=True, check=False, timeout=_CLIENT_SECONDS_MAX,
    )  # fmt: skip
    cpu = time.process_time() - cpu
    if done.returncode != 0:
        raise HarnessError(f"the client of the reads failed: {done.stderr.strip()[-200:]}")
    seconds = json.loads(done.stdout)
    kept = seconds[_WARM_UP_CALLS:]
    cuts = quantiles(kept, n=100)
    started = time.perf_counter()
    for _ in range(calls):
        dispatch(ledger.chain, body)
    inside = calls / (time.perf_counter() - started)
    over_http = calls / sum(kept)
    return ReadFigures(
        calls=calls,
        calls_a_second=over_http,
        p50_ms=cuts[49] * 1000,
        p99_ms=cuts[98] * 1000,
        server_calls_a_second=len(seconds) / cpu,
        in_process_calls_a_second=inside,
        ratio=over_http / inside,
    )
