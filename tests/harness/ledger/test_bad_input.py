"""The whole surface under nonsense: standard errors, no crash, nothing left behind."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import resource
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import websockets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.message import Message
from solders.pubkey import Pubkey

from harness.ledger.embedded import EmbeddedLedger
from harness.ledger.embedded.dispatch import METHODS, dispatch
from harness.ledger.embedded.machine import GENESIS
from harness.ledger.embedded.subscriptions import SUBSCRIPTIONS_MAX, Subscriber
from tests.harness.ledger.wallets import OTHER, PAYER, SOL, encoded, memo, new_token, send, signed

STANDARD = {
    -32700, -32600, -32601, -32602,  # JSON-RPC 2.0; -32603 would be a fault of ours
    -32002, -32003, -32004, -32008, -32015, -32016,  # Solana's
}  # fmt: skip
#: Far in the future everything has expired; after a reset nobody has money.
UNDOES = {"surfnet_timeTravel", "surfnet_resetNetwork"}
FEW = settings(
    max_examples=150, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


@pytest.fixture(scope="module")
def ledger() -> Iterator[EmbeddedLedger]:
    with EmbeddedLedger.start() as started:
        started.fund(PAYER.pubkey(), 10 * SOL)
        new_token(started, decimals=2, amount=1)
        yield started


def answer_of(ledger: EmbeddedLedger, body: bytes | str) -> Any:
    """The answer to a body; what it is must be JSON-RPC, whatever the body was."""
    answer = json.loads(dispatch(ledger.chain, body))
    for one in answer if isinstance(answer, list) else [answer]:
        assert one["jsonrpc"] == "2.0"
        assert ("result" in one) != ("error" in one)
        if "error" in one:
            assert one["error"]["code"] in STANDARD, one
            assert isinstance(one["error"]["message"], str)
    return answer


# Values that look right more often than not: real addresses, signatures, options, numbers.
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=20),
    st.sampled_from([str(one) for one in GENESIS[:8]] + [str(OTHER), str(PAYER.pubkey())]),
    st.sampled_from(["base64", "base58", "jsonParsed", "json", "all", "confirmed", "1" * 88]),
    st.binary(max_size=80).map(lambda data: base64.b64encode(data).decode()),
)  # fmt: skip
names = st.sampled_from(
    ["encoding", "commitment", "limit", "filters", "dataSlice", "offset", "length", "memcmp",
     "bytes", "dataSize", "minContextSlot", "before", "until", "accounts", "addresses", "mint",
     "programId", "maxSupportedTransactionVersion", "transactionDetails", "mentions", "lamports",
     "data", "owner", "filter", "includeAccounts", "range", "firstSlot", "withContext"]
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=8,
)


@FEW
@given(st.sampled_from(sorted(set(METHODS) - UNDOES)), st.lists(values, max_size=4))
def test_any_method_with_any_parameters(
    ledger: EmbeddedLedger, method: str, params: list[Any]
) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    answer_of(ledger, body)


@FEW
@given(st.one_of(st.binary(max_size=200), values.map(lambda value: json.dumps(value).encode())))
def test_any_body(ledger: EmbeddedLedger, body: bytes) -> None:
    answer_of(ledger, body)


def test_nesting_and_numbers_beyond_reason(ledger: EmbeddedLedger) -> None:
    for body in (
        "[" * 100_000, '{"a":' * 50_000, '{"method":"getSlot","params":' + "[" * 20_000,
        '{"jsonrpc":"2.0","id":1,"method":"getBlockTime","params":[' + "9" * 5_000 + "]}",
        '{"jsonrpc":"2.0","id":1,"method":"getBlockTime","params":[1e400]}',
        '{"jsonrpc":"2.0","id":1,"method":"getBlockTime","params":[NaN]}',
        '{"jsonrpc":"2.0","id":{"a":[1]},"method":"getSlot"}', b"\xff\xfe\x00\xd8",
    ):  # fmt: skip
        answer_of(ledger, body)


@FEW
@given(
    st.lists(
        st.tuples(
            st.sampled_from([*GENESIS[:20], OTHER, PAYER.pubkey(), Pubkey(b"\x09" * 32)]),
            st.binary(max_size=60),
            st.lists(
                st.tuples(
                    st.sampled_from([*GENESIS, OTHER, PAYER.pubkey()]),
                    st.booleans(),
                ),
                max_size=6,
            ),
        ),
        max_size=4,
    ),
    st.booleans(),
)
def test_programs_with_wrong_data_and_accounts(
    ledger: EmbeddedLedger,
    asked: list[tuple[Pubkey, bytes, list[tuple[Pubkey, bool]]]],
    skip_preflight: bool,
) -> None:
    instructions = [
        Instruction(
            program, data, [AccountMeta(one, one == PAYER.pubkey(), write) for one, write in metas]
        )
        for program, data, metas in asked
    ]
    total = sum(account.lamports for _, account in ledger.chain.machine.accounts)
    fees = sum(record.fee_lamports for record in ledger.chain.history.values())
    sent = signed(ledger, instructions)
    if len(bytes(sent)) > 1232:
        return
    params = [encoded(sent), {"encoding": "base64", "skipPreflight": skip_preflight}]
    for method in ("simulateTransaction", "sendTransaction"):
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params[:1]}
        body["params"] = [params[0], {"encoding": "base64"}] if method[1] == "i" else params
        answer_of(ledger, json.dumps(body))
    paid = sum(record.fee_lamports for record in ledger.chain.history.values()) - fees
    after = sum(account.lamports for _, account in ledger.chain.machine.accounts)
    assert after + paid == total, "lamports neither appear nor vanish"


@FEW
@given(st.binary(min_size=1, max_size=1300), st.sampled_from(["base64", "base58"]))
def test_bytes_that_are_no_transaction(ledger: EmbeddedLedger, data: bytes, encoding: str) -> None:
    text = base64.b64encode(data).decode()
    body = {"jsonrpc": "2.0", "id": 1, "method": "sendTransaction",
            "params": [text, {"encoding": encoding}]}  # fmt: skip
    assert "error" in answer_of(ledger, json.dumps(body))


@FEW
@given(st.integers(0, 300), st.binary(min_size=1, max_size=4))
def test_a_transaction_with_some_bytes_changed(
    ledger: EmbeddedLedger, place: int, other: bytes
) -> None:
    data = bytearray(bytes(signed(ledger, [memo("as it was")])))
    place %= len(data)
    data[place : place + len(other)] = other
    text = base64.b64encode(bytes(data)).decode()
    for method in ("simulateTransaction", "sendTransaction"):
        body = {"jsonrpc": "2.0", "id": 1, "method": method,
                "params": [text, {"encoding": "base64"}]}  # fmt: skip
        answer_of(ledger, json.dumps(body))


def test_an_index_beyond_the_accounts_is_refused(ledger: EmbeddedLedger) -> None:
    good = Message.new_with_blockhash([memo("x")], PAYER.pubkey(), Hash.default())
    data = bytearray(bytes(good))
    at = bytes(data).rindex(b"\x01x") - 2  # the instruction's account index
    data[at] = 200
    sent = b"\x01" + bytes(PAYER.sign_message(bytes(data))) + bytes(data)
    body = {"jsonrpc": "2.0", "id": 1, "method": "sendTransaction",
            "params": [base64.b64encode(sent).decode(), {"encoding": "base64"}]}  # fmt: skip
    assert "error" in answer_of(ledger, json.dumps(body))


@FEW
@given(values)
def test_any_websocket_message(ledger: EmbeddedLedger, message: Any) -> None:
    told: list[str] = []
    subscriber = Subscriber(ledger.chain, told.append)
    try:
        subscriber.receive(json.dumps(message))
        for kind in ("account", "program", "logs", "block", "signature", "slot", "no such"):
            for verb in ("Subscribe", "Unsubscribe"):
                asked = {"jsonrpc": "2.0", "id": 1, "method": kind + verb, "params": [message]}
                subscriber.receive(json.dumps(asked))
        send(ledger, [memo("tell everybody")])
        for text in told:
            shown = json.loads(text)
            assert shown.get("error", {}).get("code", -32602) in STANDARD, shown
    finally:
        subscriber.close()
    assert subscriber.receive not in ledger.chain.listeners


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files as Linux does")
def test_a_thousand_websockets_come_and_go() -> None:
    with EmbeddedLedger.start() as ledger:
        ledger.fund(PAYER.pubkey(), 10 * SOL)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < 4096:
            pytest.skip(f"this process may open {hard} files; both ends of 1,000 need more")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
        before = open_files()

        async def crowd(count: int) -> int:
            sockets = []
            for _ in range(count):
                sockets.append(await websockets.connect(ledger.ws_url, ping_interval=None))
            asked = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "slotSubscribe"})
            await asyncio.gather(*(one.send(asked) for one in sockets))
            await asyncio.gather(*(one.recv() for one in sockets))
            assert len(ledger.chain.listeners) == count
            await asyncio.to_thread(send, ledger, [memo("to all")])
            told = await asyncio.gather(*(one.recv() for one in sockets))
            for one in sockets[: count // 2]:
                one.transport.abort()  # gone without a word
            await asyncio.gather(*(one.close() for one in sockets[count // 2 :]))
            return len(told)

        assert asyncio.run(crowd(1000)) == 1000
        for _ in range(1000):
            if not ledger.chain.listeners:
                break
            ledger.clock.sleep(0)
            httpx.get(ledger.rpc_url + "/health")
        assert ledger.chain.listeners == []
        for _ in range(1000):
            if open_files() <= before + 2:
                break
            httpx.get(ledger.rpc_url + "/health")
        assert open_files() <= before + 2


def test_a_subscriber_has_a_limit(ledger: EmbeddedLedger) -> None:
    told: list[str] = []
    subscriber = Subscriber(ledger.chain, told.append)
    asked = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "slotSubscribe"})
    for _ in range(SUBSCRIPTIONS_MAX + 1):
        subscriber.receive(asked)
    subscriber.close()
    assert "result" in json.loads(told[-2])
    assert json.loads(told[-1])["error"]["code"] == -32603


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00\xff\xfe" * 50,
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n{}",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["bytes", "version", "length", "long", "chunks"],
)  # fmt: skip
def test_what_is_no_http_ends_the_connection_only(ledger: EmbeddedLedger, raw: bytes) -> None:
    port = int(ledger.rpc_url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(10)
        while connection.recv(4096):
            pass
    assert httpx.get(ledger.rpc_url + "/health").text == "ok"


def test_a_body_beyond_the_limit_is_turned_away_without_reading_it(
    ledger: EmbeddedLedger,
) -> None:
    assert httpx.post(ledger.rpc_url, content=b"[" * (1 << 21)).status_code == 413
    assert httpx.get(ledger.rpc_url + "/health").text == "ok"
