"""Compute units that differ because a call from program to program has another price.

SIMD-0339, active on a validator of Agave 3 and unknown to the virtual machine in solders 0.26, lets
a program hand over more accounts and changes what a call costs: 946 units and 80 bytes an account
at 250 bytes a unit, where it was 1,000. A call on the embedded ledger is therefore up to 54 units
dearer. Source: program-runtime/src/execution_budget.rs of agave 3.1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

UNITS_A_CALL_MAX = 54

#: Appended to a difference's title if the price of calls is enough to explain it.
MARK = " (price of calls)"

_CALL = re.compile(r"^Program \S+ invoke \[(\d+)\]$")
_CONSUMED = re.compile(r"^(Program \S+ consumed )(\d+) of (\d+)( compute units)$")


def calls_in(logs: Sequence[str]) -> int:
    """How many calls from program to program a transaction's log shows."""
    return sum(found is not None and int(found[1]) > 1 for found in map(_CALL.match, logs))


def within_price(ours: object, theirs: object, calls: int) -> bool:
    """Whether two figures, or two lines `consumed A of B`, differ by no more than the calls'
    price: the embedded ledger consumes more and has less left."""
    if isinstance(ours, int) and isinstance(theirs, int):
        return 0 <= ours - theirs <= UNITS_A_CALL_MAX * calls
    if not isinstance(ours, str) or not isinstance(theirs, str):
        return False
    one, other = _CONSUMED.match(ours), _CONSUMED.match(theirs)
    if one is None or other is None or (one[1], one[4]) != (other[1], other[4]):
        return False
    return within_price(int(one[2]), int(other[2]), calls) and within_price(
        int(other[3]), int(one[3]), calls
    )
