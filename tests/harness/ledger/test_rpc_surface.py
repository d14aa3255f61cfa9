"""The RPC as a stranger's client meets it: over a socket, well-formed or not."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import time
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import websockets
from solana.rpc.api import Client
from solders.keypair import Keypair
from solders.system_program import ID as SYSTEM

from harness.errors import UsageError
from harness.ledger.embedded import START, EmbeddedLedger
from harness.ledger.embedded.chain import Chain
from harness.ledger.embedded.dispatch import METHODS
from harness.ledger.embedded.running_clock import RunningClock
from harness.ledger.embedded.server import listen_pair

SOMEBODY = Keypair.from_seed(b"s" * 32).pubkey()


HTTP = httpx.Client(verify=False)


def post(ledger: EmbeddedLedger, body: Any) -> Any:
    content = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return HTTP.post(ledger.rpc_url, content=content).json()


def call(method: str, *params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": list(params)}


def test_http_and_in_process_answer_alike(ledger: EmbeddedLedger) -> None:
    ledger.fund(SOMEBODY, 10**9)
    outside, inside = Client(ledger.rpc_url), ledger.client()
    assert outside.get_balance(SOMEBODY) == inside.get_balance(SOMEBODY)
    assert outside.get_account_info(SOMEBODY) == inside.get_account_info(SOMEBODY)
    signature = inside.get_signatures_for_address(SOMEBODY).value[0].signature
    for encoding in ("json", "base64"):
        one, other = (
            client.get_transaction(signature, encoding, max_supported_transaction_version=0)
            for client in (outside, inside)
        )
        assert one == other
        assert one.value is not None


def test_async_client_in_process(ledger: EmbeddedLedger) -> None:
    ledger.fund(SOMEBODY, 10**9)

    async def balance() -> int:
        async with ledger.async_client() as client:
            return (await client.get_balance(SOMEBODY)).value

    assert asyncio.run(balance()) == 10**9


def test_a_batch_is_answered_in_order(ledger: EmbeddedLedger) -> None:
    answers = post(ledger, [call("getHealth"), call("getNothing"), call("getSlot")])
    assert [answer.get("result") for answer in answers] == ["ok", None, 1]
    assert answers[1]["error"] == {"code": -32601, "message": "Method not found: getNothing"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("{", -32700),
        ("[]", -32600),
        ("[" + ",".join(["1"] * 101) + "]", -32600),
        ("5", -32600),
        ('{"jsonrpc":"2.0","id":1}', -32600),
        (call("getBalance"), -32602),
        (call("getBalance", 5), -32602),
        (call("getBalance", "not an address"), -32602),
        (call("getMultipleAccounts", [str(SOMEBODY)] * 101), -32602),
        (call("sendTransaction", "@@@", {"encoding": "base64"}), -32602),
        (call("sendTransaction", "A" * 4000, {"encoding": "base64"}), -32602),
        (call("sendTransaction", "AAAA", {"encoding": "base64"}), -32602),
        (call("getSignaturesForAddress", str(SOMEBODY), {"limit": 0}), -32602),
        (call("getProgramAccounts", str(SYSTEM), {"filters": [{"what": 1}]}), -32602),
    ],
)
def test_nonsense_gets_the_standard_error(ledger: EmbeddedLedger, body: Any, code: int) -> None:
    ledger.fund(SOMEBODY, 10**9)
    assert post(ledger, body)["error"]["code"] == code
    assert post(ledger, call("getHealth"))["result"] == "ok"


def test_every_method_survives_wrong_parameters(ledger: EmbeddedLedger) -> None:
    for method in METHODS:
        for params in ([], [None], [1.5], ["x"], [{}], [[]], [{"a": 1}, 2, 3], "text", {"b": 2}):
            answer = post(ledger, {"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
            assert "result" in answer or answer["error"]["code"] in (-32602, -32004, -32008), answer


def test_an_oversized_body_is_turned_away(ledger: EmbeddedLedger) -> None:
    assert httpx.post(ledger.rpc_url, content=b" " * (1 << 21)).status_code == 413
    assert httpx.get(ledger.rpc_url + "/health").text == "ok"


def test_an_idle_connection_outlives_the_patience_of_clients(ledger: EmbeddedLedger) -> None:
    """httpx lets an idle connection go after five seconds. A server that does so too closes now
    and then just when the next request is sent, which then fails."""
    address = urlsplit(ledger.rpc_url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=5)
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "getHealth"})
    with contextlib.closing(connection):
        for pause in (0.0, 6.5):
            time.sleep(pause)
            connection.request("POST", "/", body, {"Content-Type": "application/json"})
            before = connection.sock
            assert json.load(connection.getresponse())["result"] == "ok"
            assert connection.sock is before


def test_a_busy_port_is_said(ledger: EmbeddedLedger) -> None:
    port = int(ledger.rpc_url.rpartition(":")[2])
    with pytest.raises(UsageError, match=f"port {port} on 127.0.0.1 cannot be used"):
        EmbeddedLedger.start(port=port)


def test_both_protocols_answer_on_the_port_and_the_one_after_it(ledger: EmbeddedLedger) -> None:
    """Clients that are given the HTTP URL alone look for the websocket one port further."""
    port = int(ledger.rpc_url.rpartition(":")[2])
    assert ledger.ws_url == f"ws://127.0.0.1:{port + 1}"

    async def health(url: str) -> Any:
        async with websockets.connect(url) as socket:
            await socket.send(json.dumps(call("getHealth")))
            return json.loads(await socket.recv())["result"]

    for one in (port, port + 1):
        assert asyncio.run(health(f"ws://127.0.0.1:{one}")) == "ok"
        answer = httpx.post(f"http://127.0.0.1:{one}", json=call("getHealth"))
        assert answer.json()["result"] == "ok"


def test_a_taken_websocket_port_is_said_and_the_first_one_let_go() -> None:
    # Of the test's own choice: the port before some ledger's is often another test's.
    first, beside = listen_pair("127.0.0.1", 0)
    port = beside.getsockname()[1]
    first.close()
    with beside:
        for _ in range(2):
            with pytest.raises(UsageError, match=f"port {port} on .*, the websocket's beside"):
                EmbeddedLedger.start(port=port - 1)
    with pytest.raises(UsageError, match=r"port 65536 on .*, the websocket's beside 65535"):
        EmbeddedLedger.start(port=65535)


def test_subscriptions_tell_of_what_happens(ledger: EmbeddedLedger) -> None:
    async def listen() -> tuple[list[Any], Any]:
        async with websockets.connect(ledger.ws_url) as socket:
            await socket.send(json.dumps(call("accountSubscribe", str(SOMEBODY))))
            await socket.send(json.dumps(call("slotSubscribe")))
            assert [json.loads(await socket.recv())["result"] for _ in range(2)] == [1, 2]
            await asyncio.to_thread(ledger.fund, SOMEBODY, 123_456_789)
            told = [json.loads(await socket.recv()) for _ in range(2)]
            signature = ledger.client().get_signatures_for_address(SOMEBODY).value[0].signature
            await socket.send(json.dumps(call("signatureSubscribe", str(signature))))
            await socket.recv()
            landed = json.loads(await asyncio.wait_for(socket.recv(), 5))
            await socket.send(json.dumps(call("accountUnsubscribe", 1)))
            assert json.loads(await socket.recv())["result"] is True
            return told, landed

    told, landed = asyncio.run(listen())
    assert [one["method"] for one in told] == ["accountNotification", "slotNotification"]
    assert told[0]["params"]["result"]["value"]["lamports"] == 123_456_789
    assert landed["params"]["result"]["value"] == {"err": None}
    assert ledger.chain.slot_listeners == []
    assert ledger.chain.listeners == [], "nothing is left of a closed connection"


def test_a_ping_that_wants_no_answer_gets_none(ledger: EmbeddedLedger) -> None:
    async def ping() -> Any:
        async with websockets.connect(ledger.ws_url) as socket:
            await socket.send(json.dumps({"jsonrpc": "2.0", "method": "ping"}))
            await socket.send(json.dumps(call("getHealth")))
            return json.loads(await socket.recv())

    assert asyncio.run(ping())["result"] == "ok"


def test_a_running_ledger_tells_of_slots_that_nobody_uses() -> None:
    async def slots(url: str) -> list[int]:
        async with websockets.connect(url) as socket:
            await socket.send(json.dumps(call("slotSubscribe")))
            await socket.recv()
            told = [json.loads(await asyncio.wait_for(socket.recv(), 30)) for _ in range(2)]
            return [one["params"]["result"]["slot"] for one in told]

    with EmbeddedLedger.serve(Chain(RunningClock(START))) as ledger:
        first, second = asyncio.run(slots(ledger.ws_url))
        assert second > first
