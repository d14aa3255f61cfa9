"""A whole ledger in a file: accounts, time and history, saved and brought back.

The file is gzipped JSON, a line for each thing: first what it is, then the accounts that a fresh
ledger does not have, then the transactions. It is written beside its place and moved there when
complete, so that there is never half a snapshot.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from harness.clock import VirtualClock
from harness.errors import UsageError
from harness.ledger.embedded.chain import Chain
from harness.ledger.embedded.storage import (
    account_from_json,
    account_to_json,
    record_from_json,
    record_to_json,
)

_FORMAT = "embedded ledger snapshot"
_VERSION = 1


def check_place(path: Path) -> None:
    """Raises UsageError if a snapshot could not be written there: better said before there is
    anything to lose."""
    beside = _beside(path)
    try:
        beside.touch()
        beside.unlink()
    except OSError as error:
        raise _unwritable(path, error) from None


def save(chain: Chain, path: Path) -> int:
    """Write a chain to a file; callers hold its lock. Returns the bytes written.

    Raises UsageError if the file cannot be written.
    """
    beside = _beside(path)
    try:
        with gzip.open(beside, "wt", compresslevel=1) as out:
            for line in _lines(chain):
                out.write(json.dumps(line, separators=(",", ":")) + "\n")
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise _unwritable(path, error) from None
    return path.stat().st_size


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.{os.getpid()}.part")


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"cannot write the snapshot {path}: {error.strerror}")


def _lines(chain: Chain) -> Iterator[dict[str, Any]]:
    chain.sync()
    fresh = chain.machine.genesis
    kept = [(a, one) for a, one in chain.machine.accounts if fresh.get(a) != one]
    closed = [str(a) for a in fresh if chain.machine.accounts.get(a) is None]
    yield {
        "format": _FORMAT,
        "version": _VERSION,
        "now": chain.clock.now().isoformat(),
        "epochStart": chain.epoch_start.isoformat(),
        "slot": chain.slot,
        "transactions": chain.transactions_seen,
        "airdrops": chain.airdrops,
        "accounts": len(kept),
        "closed": closed,
        "records": len(chain.history),
    }
    for address, account in kept:
        yield account_to_json(address, account)
    for record in chain.history.values():
        yield record_to_json(record)


def restore(chain: Chain, path: Path) -> None:
    """Make a fresh chain what the file says. Its clock, which must be virtual or running, moves
    to the snapshot's time.

    Raises UsageError for a file that is missing, broken or no snapshot.
    """
    try:
        with gzip.open(path, "rt") as lines:
            _restore(chain, lines)
    except OSError as error:
        reason = error.strerror or "not a gzip file"
        raise UsageError(f"cannot read the snapshot {path}: {reason}") from None
    except (ValueError, KeyError, TypeError, EOFError) as error:
        raise UsageError(
            f"{path} is not a whole snapshot of an embedded ledger ({type(error).__name__}: "
            f"{error}); save another with --state"
        ) from None


def _restore(chain: Chain, lines: TextIO) -> None:
    head = json.loads(next(lines, ""))
    if (
        not isinstance(head, dict)
        or head.get("format") != _FORMAT
        or head.get("version") != _VERSION
    ):
        raise ValueError(f"expected {_FORMAT} version {_VERSION}")
    accounts = [account_from_json(json.loads(next(lines, ""))) for _ in range(head["accounts"])]
    records = [record_from_json(json.loads(next(lines, ""))) for _ in range(head["records"])]
    for address, _ in list(chain.machine.accounts):
        if address not in chain.machine.genesis:
            chain.machine.set_account(address, None)
    for address in chain.machine.genesis:
        if str(address) in head["closed"]:
            chain.machine.set_account(address, None)
    for address, account in accounts:
        chain.machine.set_account(address, account)
    for record in records:
        chain.history.add(record)
    assert isinstance(chain.clock, VirtualClock)
    chain.clock.set(datetime.fromisoformat(head["now"]))
    chain.epoch_start = datetime.fromisoformat(head["epochStart"])
    chain.transactions_seen, chain.airdrops = head["transactions"], head["airdrops"]
    chain.slot = 0
    chain.sync()
    chain.slot = max(chain.slot, head["slot"])
