"""The same RPC calls to both ledgers: are the answers of the same shape, the refusals the same?"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from harness.parity.compare import Comparison
from harness.parity.difference import Difference
from harness.parity.probes import Prober, probes
from harness.parity.shape import shape_of
from harness.run.session import RunOptions, RunSession

_SCENARIO = "parity of the RPC"
_ABSENT = "absent"

#: What each probe was answered, by its name, in order.
Answers = dict[str, dict[str, Any]]


def ask_all(options: RunOptions) -> Answers:
    """Open a testbed, play a life cycle on it and ask every question.

    Raises StartError if it will not start.
    """
    session = RunSession(options)
    try:
        with session.testbed(_SCENARIO, title="every RPC method, good and bad") as bed:
            prober = Prober(bed.ledger.rpc_url)
            try:
                return {probe.name: prober.ask(probe) for probe in probes(bed)}
            finally:
                prober.close()
    finally:
        session.close()


def compare_answers(embedded: Answers, validator: Answers) -> Comparison:
    """Shapes field by field; of errors also code and message."""
    found = Comparison(Counter({"RPC methods": len({name.split(" ")[0] for name in embedded})}))
    for name, ours in embedded.items():
        theirs = validator[name]
        found.counted["RPC calls"] += 1
        left, right = shape_of(ours), shape_of(theirs)
        for path in sorted(left.keys() | right.keys()):
            found.counted["RPC fields"] += 1
            one, other = left.get(path, _ABSENT), right.get(path, _ABSENT)
            if one != other:
                found.differences.append(Difference("RPC", f"rpc {name}: {path}", one, other))
        for key in ("code", "message"):
            one, other = ours.get("error", {}).get(key), theirs.get("error", {}).get(key)
            if one != other:
                found.differences.append(
                    Difference("RPC", f"rpc {name}: error {key}", str(one), str(other))
                )
    return found


def options_of(seed: str, folder: Path, ledger: str) -> RunOptions:
    """A run for the probes alone, in a folder of its own."""
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    return RunOptions(seed=seed, folder=folder, ledger=ledger)
