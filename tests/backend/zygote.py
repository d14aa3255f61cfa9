"""A process that forks backends, each of which can be told to die before its n-th I/O operation.

Started by `test_crashes.py`, which speaks JSON lines with it. Importing the backend takes a second,
forking it some milliseconds, so that every point gets a process of its own and a real SIGKILL. An
operation is an SQL statement, a COMMIT or ROLLBACK, or an RPC call: between two of them a process
changes nothing outside itself, so that dying at any line between them is dying before the later.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import sys
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from pydantic import SecretStr
from solana.rpc.api import Client
from solana.rpc.providers.http import HTTPProvider
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from sqlalchemy import Engine, create_engine, event

from backend.adapters.ledger import Ledger
from backend.domain.errors import Refusal
from backend.domain.price import StaticPrice
from backend.service.wiring import Services, build_services
from backend.settings import Settings


class Steps:
    """Counts operations; dies before the chosen one."""

    def __init__(self, die_before: int | None) -> None:
        self.names: list[str] = []
        self._die_before = die_before

    def step(self, name: str) -> None:
        self.names.append(name)
        if len(self.names) == self._die_before:
            os.kill(os.getpid(), signal.SIGKILL)


class OwnClock:
    """Starts where the ledger is; waiting takes no time."""

    def __init__(self, now: str) -> None:
        self._now = datetime.fromisoformat(now)

    def now(self) -> datetime:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


class Loaded:
    """Randomness of its own in every process, as several backends have."""

    def random(self) -> float:
        return int.from_bytes(os.urandom(6), "big") / 2**48

    def randrange(self, stop: int, /) -> int:
        return int(self.random() * stop)


@cache
def prepared(settings_text: str) -> tuple[Settings, Engine, Client]:
    """What takes long to make and is good in every child: made before the fork, unconnected."""
    values = json.loads(settings_text)
    secret = {"database_url", "admin_wallet_private_key", "admin_private_key"}
    settings = Settings(**{k: SecretStr(v) if k in secret else v for k, v in values.items()})
    engine = create_engine(settings.sqlalchemy_url())
    engine.connect().close()
    engine.dispose()
    return settings, engine, Client(settings.solana_rpc_url, timeout=30)


def services(command: dict[str, Any], steps: Steps) -> Services:
    settings, engine, client = prepared(json.dumps(command["settings"]))
    event.listen(
        engine, "before_cursor_execute", lambda _c, _r, sql, *_: steps.step("sql " + sql[:40])
    )
    for end in ("commit", "rollback"):
        event.listen(engine, end, lambda _, end=end: steps.step(f"sql {end}"))
    ask = HTTPProvider.make_request

    def counted(self: HTTPProvider, body: Any, parser: Any) -> Any:
        steps.step(f"rpc {type(body).__name__}")
        return ask(self, body, parser)

    HTTPProvider.make_request = counted
    clock = OwnClock(command["now"])
    price = StaticPrice(settings.sol_price_usd)
    return build_services(
        settings, engine, Ledger(client, clock), clock, randomness=Loaded(), price=price
    )


def perform(command: dict[str, Any], steps: Steps) -> Any:
    """Do what the command says, as the API would."""
    backend = services(command, steps)
    # What is done once in the life of a process is no part of the walk.
    backend.buybacks.warm_up()
    steps.names.clear()
    mint = Pubkey.from_string(command["mint"])
    match command["do"]:
        case "reveal":
            return vars(backend.reveals.reveal(mint, "mystery-box"))
        case "request":
            issued = backend.buybacks.request(mint, Pubkey.from_string(command["wallet"]))
            return base64.b64encode(bytes(issued.transaction)).decode()
        case "confirm":
            signed = VersionedTransaction.from_bytes(base64.b64decode(command["signed"]))
            wallet = Pubkey.from_string(command["wallet"])
            return vars(backend.buybacks.confirm(mint, wallet, signed))
        case "tick":
            return backend.worker.tick()
        case other:
            raise ValueError(f"unknown command {other}")


def child(command: dict[str, Any], out: int) -> None:
    steps = Steps(command.get("die_before"))
    try:
        answer = {"result": perform(command, steps)}
    except Refusal as refusal:
        answer = {"refused": refusal.code}
    steps.step("answer")
    os.write(out, json.dumps({**answer, "steps": steps.names}).encode())
    os._exit(0)


def start(command: dict[str, Any]) -> tuple[int, int]:
    prepared(json.dumps(command["settings"]))
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(readable)
        child(command, writable)
    os.close(writable)
    return pid, readable


def finish(pid: int, readable: int) -> dict[str, Any]:
    with os.fdopen(readable, "rb") as answer:
        text = answer.read()
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return {"killed": os.WTERMSIG(status)}
    return json.loads(text) if text else {"broken": os.waitstatus_to_exitcode(status)}


def main() -> None:
    """Each line is a list of commands to run side by side; each answer a list, in their order."""
    for line in sys.stdin:
        started = [start(command) for command in json.loads(line)]
        answers = [finish(*one) for one in started]
        sys.stdout.write(json.dumps(answers) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
