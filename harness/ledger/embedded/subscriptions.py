"""Websocket subscriptions: being told when something happens instead of asking again.

Signature, account, program, logs, slot, slotsUpdates, root and block. Each connection has a
bounded queue; a client that does not read falls behind and is cut off rather than letting the
queue grow. With lagging commitment levels notifications still come at once, for every level.
Source: Solana's websocket documentation.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.ledger.embedded.chain import Chain
from harness.ledger.embedded.dispatch import call
from harness.ledger.embedded.encoding import TRANSACTION_ENCODINGS
from harness.ledger.embedded.methods.accounts import account_encoder, filters_of
from harness.ledger.embedded.methods.blocks import BLOCK_DETAILS, encode_block
from harness.ledger.embedded.methods.context import in_context
from harness.ledger.embedded.parameters import Parameters, to_address, wrong
from harness.ledger.embedded.record import TransactionRecord
from harness.ledger.embedded.rpc_error import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    PARSE_ERROR,
    RpcError,
)

SUBSCRIPTIONS_MAX = 1000
_ROOT_SLOTS_BEHIND = 32

#: Gives what to tell about a transaction: nothing, one result or several.
Watch = Callable[[TransactionRecord], list[Any]]
#: The same about a slot that is over.
SlotWatch = Callable[[Chain, int], list[Any]]


@dataclass
class Subscription:
    number: int
    kind: str
    watch: Watch | None  # None: it watches slots

    @property
    def notification(self) -> str:
        return f"{self.kind}Notification"


class Subscriber:
    """One websocket connection's subscriptions. `send` takes a text to be sent."""

    def __init__(self, chain: Chain, send: Callable[[str], None]) -> None:
        self._chain = chain
        self._send = send
        self._numbers = itertools.count(1)
        self._subscriptions: dict[int, Subscription] = {}
        chain.listeners.append(self._on_record)
        chain.slot_listeners.append(self._on_slot)

    def close(self) -> None:
        self._subscriptions.clear()
        self._chain.listeners.remove(self._on_record)
        self._chain.slot_listeners.remove(self._on_slot)

    def receive(self, body: str) -> None:
        """Answer one message: a subscription, its end, or any ordinary call."""
        try:
            request = json.loads(body)
        except (ValueError, RecursionError):
            self._refuse(None, RpcError(PARSE_ERROR, "Parse error"))
            return
        method = request.get("method") if isinstance(request, dict) else None
        kind = method.removesuffix("Subscribe") if isinstance(method, str) else ""
        if isinstance(method, str) and method.endswith("Unsubscribe"):
            self._unsubscribe(request, method.removesuffix("Unsubscribe"))
        elif kind != method and (kind in _WATCHES or kind in _SLOT_WATCHES):
            with self._chain.lock:
                self._subscribe(request, kind)
        elif isinstance(method, str) and "id" not in request:
            pass  # a notification, such as the pings of some clients: nobody waits for an answer
        elif isinstance(request, dict):
            self._send(json.dumps(call(self._chain, request)))
        else:
            self._refuse(None, RpcError(INVALID_REQUEST, "Invalid request"))

    def _unsubscribe(self, request: dict[str, Any], kind: str) -> None:
        values = request.get("params")
        number = values[0] if isinstance(values, list) and values else None
        known = self._subscriptions.get(number) if isinstance(number, int) else None
        if known is None or known.kind != kind:
            self._refuse(request, RpcError(INVALID_PARAMS, "Invalid subscription id."))
            return
        del self._subscriptions[known.number]
        self._answer(request, True)

    def _subscribe(self, request: dict[str, Any], kind: str) -> None:
        values = request.get("params") or []
        try:
            if not isinstance(values, list):
                raise wrong("expected a list")
            if len(self._subscriptions) >= SUBSCRIPTIONS_MAX:
                raise RpcError(INTERNAL_ERROR, f"at most {SUBSCRIPTIONS_MAX} subscriptions")
            watch = None
            if kind in _WATCHES:
                watch = _WATCHES[kind](self._chain, Parameters(values))
        except RpcError as error:
            self._refuse(request, error)
            return
        number = next(self._numbers)
        subscription = Subscription(number, kind, watch)
        self._subscriptions[number] = subscription
        self._answer(request, number)
        if kind == "signature":  # it may have landed already
            record = self._chain.history.get(Parameters(values).signature(0))
            if record is not None:
                self._tell(subscription, record)

    def _on_record(self, record: TransactionRecord) -> None:
        for subscription in list(self._subscriptions.values()):
            if subscription.watch is not None:
                self._tell(subscription, record)

    def _on_slot(self, slot: int) -> None:
        for subscription in list(self._subscriptions.values()):
            if subscription.watch is None:
                self._send_all(subscription, _SLOT_WATCHES[subscription.kind](self._chain, slot))

    def _tell(self, subscription: Subscription, record: TransactionRecord) -> None:
        assert subscription.watch is not None
        try:
            results = subscription.watch(record)
        except RpcError:  # such as data that is too long for the encoding asked for
            return
        self._send_all(subscription, results)
        if results and subscription.kind == "signature":
            self._subscriptions.pop(subscription.number, None)

    def _send_all(self, subscription: Subscription, results: list[Any]) -> None:
        for result in results:
            params = {"result": result, "subscription": subscription.number}
            told = {"jsonrpc": "2.0", "method": subscription.notification, "params": params}
            self._send(json.dumps(told))

    def _answer(self, request: dict[str, Any], result: Any) -> None:
        self._send(json.dumps({"jsonrpc": "2.0", "id": request.get("id"), "result": result}))

    def _refuse(self, request: dict[str, Any] | None, error: RpcError) -> None:
        number = None if request is None else request.get("id")
        self._send(json.dumps({"jsonrpc": "2.0", "id": number, "error": error.as_json()}))


def _watch_signature(chain: Chain, parameters: Parameters) -> Watch:
    signature = parameters.signature(0)
    options = parameters.options(1)
    options.commitment()
    options.flag("enableReceivedNotification")

    def watch(record: TransactionRecord) -> list[Any]:
        if record.signature != signature:
            return []
        return [in_context(chain, {"err": record.error})]

    return watch


def _watch_account(chain: Chain, parameters: Parameters) -> Watch:
    address, options = parameters.address(0), parameters.options(1)
    options.commitment()
    encode = account_encoder(chain, options)
    gone = {
        "data": ["", "base64"], "executable": False, "lamports": 0,
        "owner": "11111111111111111111111111111111", "rentEpoch": 0, "space": 0,
    }  # fmt: skip

    def watch(record: TransactionRecord) -> list[Any]:
        if address not in record.accounts:
            return []
        return [in_context(chain, encode(address, chain.account(address)) or gone)]

    return watch


def _watch_program(chain: Chain, parameters: Parameters) -> Watch:
    program, options = parameters.address(0), parameters.options(1)
    options.commitment()
    encode, wanted = account_encoder(chain, options), filters_of(options)

    def watch(record: TransactionRecord) -> list[Any]:
        changed = ((one, chain.account(one)) for one in dict.fromkeys(record.accounts))
        return [
            in_context(chain, {"pubkey": str(address), "account": encode(address, account)})
            for address, account in changed
            if account is not None
            and account.owner == program
            and all(one(account.data) for one in wanted)
        ]

    return watch


def _watch_logs(chain: Chain, parameters: Parameters) -> Watch:
    wanted = parameters.value(0)
    parameters.options(1).commitment()
    mentioned = None
    if isinstance(wanted, dict) and isinstance(wanted.get("mentions"), list):
        if len(wanted["mentions"]) != 1:
            raise RpcError(INVALID_PARAMS, "Invalid Request: Only 1 address supported")
        mentioned = to_address(wanted["mentions"][0])
    elif wanted not in ("all", "allWithVotes"):
        raise wrong("expected `all`, `allWithVotes` or an object with `mentions`")

    def watch(record: TransactionRecord) -> list[Any]:
        if mentioned is not None and mentioned not in record.accounts:
            return []
        value = {
            "signature": str(record.signature),
            "err": record.error,
            "logs": record.execution.logs,
        }
        return [in_context(chain, value)]

    return watch


def _watch_block(chain: Chain, parameters: Parameters) -> Watch:
    wanted, options = parameters.value(0), parameters.options(1)
    options.commitment()
    encoding = options.choice("encoding", TRANSACTION_ENCODINGS, "base64")
    details = options.choice("transactionDetails", BLOCK_DETAILS, "full")
    newest = options.integer("maxSupportedTransactionVersion")
    mentioned = None
    if isinstance(wanted, dict) and "mentionsAccountOrProgram" in wanted:
        mentioned = to_address(wanted["mentionsAccountOrProgram"])
    elif wanted != "all":
        raise wrong("expected `all` or an object with `mentionsAccountOrProgram`")
    rewards = options.get("showRewards") is not False

    def watch(record: TransactionRecord) -> list[Any]:
        if mentioned is not None and mentioned not in record.accounts:
            return []
        block = encode_block(chain, record.slot, encoding, details, newest, with_rewards=rewards)
        return [in_context(chain, {"slot": record.slot, "err": None, "block": block})]

    return watch


def _slot(_: Chain, slot: int) -> list[Any]:
    return [{"slot": slot, "parent": slot - 1, "root": max(slot - _ROOT_SLOTS_BEHIND, 0)}]


def _slot_updates(chain: Chain, slot: int) -> list[Any]:
    milliseconds = chain.block_time(slot) * 1000
    records = chain.history.in_slot(slot)
    failed = sum(record.error is not None for record in records)
    stats = {
        "numTransactionEntries": len(records),
        "numSuccessfulTransactions": len(records) - failed,
        "numFailedTransactions": failed,
        "maxTransactionsPerEntry": min(len(records), 1),
    }
    return [
        {"type": "frozen", "slot": slot, "timestamp": milliseconds, "stats": stats},
        {"type": "root", "slot": slot, "timestamp": milliseconds},
    ]


def _root(_: Chain, slot: int) -> list[Any]:
    return [max(slot - _ROOT_SLOTS_BEHIND, 0)]


_WATCHES: dict[str, Callable[[Chain, Parameters], Watch]] = {
    "signature": _watch_signature,
    "account": _watch_account,
    "program": _watch_program,
    "logs": _watch_logs,
    "block": _watch_block,
}
_SLOT_WATCHES: dict[str, SlotWatch] = {
    "slot": _slot,
    "slotsUpdates": _slot_updates,
    "root": _root,
}
