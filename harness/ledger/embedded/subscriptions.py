"""Websocket subscriptions: being told when something happens instead of asking again.

Supported: signature, account, program, logs, slot, root. Each connection has a bounded queue; a
client that does not read falls behind and is cut off rather than letting the queue grow.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.ledger.embedded.chain import Chain
from harness.ledger.embedded.dispatch import call
from harness.ledger.embedded.encoding import encode_account
from harness.ledger.embedded.methods.accounts import in_context
from harness.ledger.embedded.parameters import Parameters, to_address
from harness.ledger.embedded.record import TransactionRecord
from harness.ledger.embedded.rpc_error import INVALID_PARAMS, RpcError

SUBSCRIPTIONS_MAX = 1000

#: Gives what to tell about a transaction, or None for nothing.
Watch = Callable[[TransactionRecord], list[Any]]


@dataclass
class Subscription:
    number: int
    notification: str
    watch: Watch
    once: bool = False


class Subscriber:
    """One websocket connection's subscriptions. `send` takes a text to be sent."""

    def __init__(self, chain: Chain, send: Callable[[str], None]) -> None:
        self._chain = chain
        self._send = send
        self._numbers = itertools.count(1)
        self._subscriptions: dict[int, Subscription] = {}
        chain.listeners.append(self._on_record)

    def close(self) -> None:
        self._chain.listeners.remove(self._on_record)

    def receive(self, body: str) -> None:
        """Answer one message: a subscription, its end, or any ordinary call."""
        try:
            request = json.loads(body)
        except ValueError:
            request = None
        method = request.get("method") if isinstance(request, dict) else None
        if isinstance(method, str) and method.endswith("Unsubscribe"):
            number = (request.get("params") or [None])[0]
            gone = self._subscriptions.pop(number, None) is not None
            self._answer(request, gone)
        elif isinstance(method, str) and method.removesuffix("Subscribe") in _WATCHES:
            with self._chain.lock:
                self._subscribe(request, method.removesuffix("Subscribe"))
        else:
            self._send(json.dumps(call(self._chain, request)))

    def _subscribe(self, request: dict[str, Any], kind: str) -> None:
        try:
            if len(self._subscriptions) >= SUBSCRIPTIONS_MAX:
                raise RpcError(INVALID_PARAMS, f"at most {SUBSCRIPTIONS_MAX} subscriptions")
            watch = _WATCHES[kind](self._chain, Parameters(request.get("params") or []))
        except (RpcError, KeyError, TypeError, ValueError) as error:
            known = error if isinstance(error, RpcError) else RpcError(INVALID_PARAMS, str(error))
            answer = {"jsonrpc": "2.0", "id": request.get("id"), "error": known.as_json()}
            self._send(json.dumps(answer))
            return
        number = next(self._numbers)
        subscription = Subscription(number, f"{kind}Notification", watch, kind == "signature")
        self._subscriptions[number] = subscription
        self._answer(request, number)
        if kind == "signature":  # it may have landed already
            signature = Parameters(request["params"]).signature(0)
            if (record := self._chain.history.get(signature)) is not None:
                self._tell(subscription, record)

    def _on_record(self, record: TransactionRecord) -> None:
        for subscription in list(self._subscriptions.values()):
            self._tell(subscription, record)

    def _tell(self, subscription: Subscription, record: TransactionRecord) -> None:
        for result in subscription.watch(record):
            params = {"result": result, "subscription": subscription.number}
            self._send(
                json.dumps(
                    {"jsonrpc": "2.0", "method": subscription.notification, "params": params}
                )
            )
            if subscription.once:
                self._subscriptions.pop(subscription.number, None)

    def _answer(self, request: dict[str, Any], result: Any) -> None:
        self._send(json.dumps({"jsonrpc": "2.0", "id": request.get("id"), "result": result}))


def _watch_signature(chain: Chain, parameters: Parameters) -> Watch:
    signature = parameters.signature(0)

    def watch(record: TransactionRecord) -> list[Any]:
        if record.signature != signature:
            return []
        return [in_context(chain, {"err": record.error})]

    return watch


def _watch_account(chain: Chain, parameters: Parameters) -> Watch:
    address, options = parameters.address(0), parameters.options(1)

    def watch(record: TransactionRecord) -> list[Any]:
        if address not in record.accounts:
            return []
        encoding = options.get("encoding", "base64")
        return [in_context(chain, encode_account(chain.machine.get_account(address), encoding))]

    return watch


def _watch_program(chain: Chain, parameters: Parameters) -> Watch:
    program, options = parameters.address(0), parameters.options(1)
    encoding = options.get("encoding", "base64")

    def watch(record: TransactionRecord) -> list[Any]:
        changed = ((one, chain.account(one)) for one in record.accounts)
        return [
            in_context(
                chain, {"pubkey": str(address), "account": encode_account(account, encoding)}
            )
            for address, account in changed
            if account is not None and account.owner == program
        ]

    return watch


def _watch_logs(chain: Chain, parameters: Parameters) -> Watch:
    wanted = parameters.value(0, "all")
    mentioned = (
        [to_address(text) for text in wanted["mentions"]] if isinstance(wanted, dict) else None
    )

    def watch(record: TransactionRecord) -> list[Any]:
        if mentioned is not None and not any(one in record.accounts for one in mentioned):
            return []
        value = {
            "signature": str(record.signature),
            "err": record.error,
            "logs": record.meta.logs(),
        }
        return [in_context(chain, value)]

    return watch


def _watch_slot(_: Chain, __: Parameters) -> Watch:
    return lambda record: [
        {"slot": record.slot, "parent": record.slot - 1, "root": max(record.slot - 32, 0)}
    ]


def _watch_root(_: Chain, __: Parameters) -> Watch:
    return lambda record: [max(record.slot - 32, 0)]


_WATCHES: dict[str, Callable[[Chain, Parameters], Watch]] = {
    "signature": _watch_signature,
    "account": _watch_account,
    "program": _watch_program,
    "logs": _watch_logs,
    "slot": _watch_slot,
    "root": _watch_root,
}
