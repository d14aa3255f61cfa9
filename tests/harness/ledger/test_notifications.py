"""Every subscription tells in a form that solders' types read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from solders.rpc.responses import parse_notification
from solders.system_program import TransferParams, transfer

from harness.ledger.embedded import EmbeddedLedger
from harness.ledger.embedded.subscriptions import Subscriber
from programs.addresses import TOKEN
from tests.harness.ledger.wallets import OTHER, PAYER, SOL, memo, new_token, send, signed


class Ear:
    """A websocket client without a socket: what it was told, in order."""

    def __init__(self, ledger: EmbeddedLedger) -> None:
        self.told: list[Any] = []
        self.subscriber = Subscriber(ledger.chain, lambda text: self.told.append(json.loads(text)))

    def subscribe(self, kind: str, *params: Any) -> int:
        asked = {"jsonrpc": "2.0", "id": 1, "method": f"{kind}Subscribe", "params": list(params)}
        self.subscriber.receive(json.dumps(asked))
        answer = self.told.pop()
        assert "result" in answer, answer
        return int(answer["result"])


B64 = {"encoding": "base64"}
BLOCK = {"encoding": "base64", "transactionDetails": "full", "maxSupportedTransactionVersion": 0}
KINDS: list[tuple[str, tuple[Any, ...], str]] = [
    ("account", (str(OTHER), B64), "AccountNotification"),
    ("account", (str(OTHER), {"encoding": "jsonParsed"}), "AccountNotification"),
    ("program", ("11111111111111111111111111111111", B64), "ProgramNotification"),
    ("logs", ("all",), "LogsNotification"),
    ("logs", ({"mentions": [str(OTHER)]},), "LogsNotification"),
    ("block", ("all", BLOCK), "BlockNotification"),
    ("block", ({"mentionsAccountOrProgram": str(OTHER)}, BLOCK), "BlockNotification"),
    ("slot", (), "SlotNotification"),
    ("slotsUpdates", (), "SlotUpdateNotification"),
    ("root", (), "RootNotification"),
]


@pytest.mark.parametrize(("kind", "params", "name"), KINDS, ids=lambda value: str(value)[:40])
def test_solders_reads_what_is_told(
    rich: EmbeddedLedger, kind: str, params: tuple[Any, ...], name: str
) -> None:
    ear = Ear(rich)
    number = ear.subscribe(kind, *params)
    pay = transfer(TransferParams(from_pubkey=PAYER.pubkey(), to_pubkey=OTHER, lamports=SOL))
    send(rich, [pay])
    assert ear.told, "something happened and nobody was told"
    for told in ear.told:
        assert told["params"]["subscription"] == number
        assert type(parse_notification(json.dumps(told))).__name__ == name
    ear.subscriber.close()


def test_a_signature_is_told_once_and_ends_the_subscription(rich: EmbeddedLedger) -> None:
    ear = Ear(rich)
    sent = signed(rich, [memo("one")])
    ear.subscribe("signature", str(sent.signatures[0]))
    send(rich, [memo("another")])
    assert ear.told == []
    rich.client().send_transaction(sent)
    send(rich, [memo("a third")])
    (told,) = ear.told
    assert type(parse_notification(json.dumps(told))).__name__ == "SignatureNotification"
    assert told["params"]["result"]["value"] == {"err": None}
    ear.subscriber.close()


def test_only_what_was_asked_for_is_told(rich: EmbeddedLedger) -> None:
    ear = Ear(rich)
    ear.subscribe("account", str(OTHER))
    ear.subscribe("logs", {"mentions": [str(OTHER)]})
    holders = {"encoding": "base64", "filters": [{"dataSize": 165}]}
    tokens = ear.subscribe("program", str(TOKEN), holders)
    _, holder = new_token(rich, decimals=0, amount=1)
    assert [one["params"]["subscription"] for one in ear.told] == [tokens]
    assert ear.told[0]["params"]["result"]["value"]["pubkey"] == str(holder)
    ear.subscriber.close()
