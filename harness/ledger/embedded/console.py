"""Transactions for a person who watches: one block of lines each, instructions in words.

Known programs are decoded as `jsonParsed` has them, Anchor programs by the name that they log.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from harness.ledger.embedded.parsed import parse_instruction
from harness.ledger.embedded.record import TransactionRecord
from harness.ledger.embedded.rpc_error import describe
from programs.addresses import COMPUTE_BUDGET

_INVOKED = re.compile(r"^Program (\w+) invoke \[(\d+)\]$")
_NAMED = re.compile(r"^Program log: (?:Instruction: |IX: )(.+)$")
_BUDGET = {
    1: ("requestHeapFrame", 4), 2: ("setComputeUnitLimit", 4), 3: ("setComputeUnitPrice", 8),
    4: ("setLoadedAccountsDataSizeLimit", 4),
}  # fmt: skip
_LOG_LINES_MAX = 60


def summary(record: TransactionRecord) -> dict[str, Any]:
    """A transaction as one JSON value: what `--json` prints, a line each."""
    return {
        "slot": record.slot,
        "signature": str(record.signature),
        "error": None if record.error is None else describe(record.error),
        "fee_lamports": record.fee_lamports,
        "compute_units": record.execution.compute_units,
        "instructions": list(instructions(record)),
        "logs": list(record.execution.logs),
    }


def lines(record: TransactionRecord) -> Iterator[str]:
    """The same for a terminal."""
    outcome = "ok" if record.error is None else f"failed: {describe(record.error)}"
    yield (
        f"slot {record.slot}  {record.signature}  {outcome}  "
        f"fee {record.fee_lamports}  {record.execution.compute_units} units"
    )
    for index, one in enumerate(instructions(record)):
        facts = "  ".join(f"{name}={value}" for name, value in one["info"].items())
        yield f"  {index}  {one['program']} {one['name']}  {facts}".rstrip()
    logs = record.execution.logs
    for line in logs[:_LOG_LINES_MAX]:
        yield f"     {line}"
    if len(logs) > _LOG_LINES_MAX:
        yield f"     ... and {len(logs) - _LOG_LINES_MAX} more lines of log"


def instructions(record: TransactionRecord) -> Iterator[dict[str, Any]]:
    """A transaction's own instructions: program, name and facts."""
    keys, logged = record.accounts, _logged_names(record)
    for index, one in enumerate(record.transaction.message.instructions):
        program = keys[one.program_id_index]
        names = [str(keys[at]) for at in bytes(one.accounts) if at < len(keys)]
        parsed = parse_instruction(program, one.data, names, 1)
        if program == COMPUTE_BUDGET and one.data[:1] and one.data[0] in _BUDGET:
            name, size = _BUDGET[one.data[0]]
            value = int.from_bytes(one.data[1 : 1 + size], "little")
            yield {"program": "compute-budget", "name": name, "info": {"value": value}}
        elif parsed is None:
            info: dict[str, Any] = {"accounts": len(names), "bytes": len(one.data)}
            yield {"program": str(program), "name": logged.get(index, "?"), "info": info}
        elif isinstance(parsed["parsed"], str):
            info = {"text": parsed["parsed"]}
            yield {"program": parsed["program"], "name": "memo", "info": info}
        else:
            yield {
                "program": parsed["program"],
                "name": parsed["parsed"]["type"],
                "info": _flat(parsed["parsed"].get("info", {})),
            }


def _flat(info: dict[str, Any]) -> dict[str, Any]:
    """Facts on one line: amounts as decimals, code left out."""
    return {
        name: value.get("uiAmountString", value) if isinstance(value, dict) else value
        for name, value in info.items()
        if name != "bytes"
    }


def _logged_names(record: TransactionRecord) -> dict[int, str]:
    """Names that top-level instructions logged of themselves, by index."""
    names: dict[int, str] = {}
    index = -1
    for line in record.execution.logs:
        invoked = _INVOKED.match(line)
        if invoked and invoked[2] == "1":
            index += 1
        elif (named := _NAMED.match(line)) and index >= 0:
            names.setdefault(index, named[1])
    return names
