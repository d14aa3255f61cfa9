"""The life of a reveal, as a table and one decision.

    (asked) -> PENDING -> SUBMITTED -> REVEALED
                 |            |-> SUBMITTED   the same roll, signed anew
                 v            v
              (dropped)     FAILED

PENDING: the metadata is not on the ledger yet, nothing is rolled. SUBMITTED: the roll and the
signed bytes are stored; from here on the roll never changes. The row is dropped if the metadata
never appears, and FAILED only if the ledger proves that this NFT can never show the roll.
"""

from __future__ import annotations

from enum import StrEnum

from backend.domain.fate import Fate

#: How often the worker tries before it leaves a reveal alone, until somebody asks for it again.
TRIES_MAX = 12
_FIRST_WAIT_SECONDS = 2.0
_WAIT_SECONDS_MAX = 300.0


class State(StrEnum):
    PENDING = "pending"
    SUBMITTED = "submitted"
    REVEALED = "revealed"
    FAILED = "failed"


class Shown(StrEnum):
    """What the NFT shows on the ledger, compared with its stored roll."""

    PLACEHOLDER = "placeholder"
    ROLL = "roll"
    #: A label that we did not write.
    OTHER = "other"
    #: Nothing, since it was burnt.
    GONE = "gone"


class Step(StrEnum):
    FINISH = "finish"
    SIGN_AGAIN = "sign again"
    WAIT = "wait"
    GIVE_UP = "give up"


def next_step(fate: Fate, shown: Shown) -> Step:
    """What to do about a submitted reveal.

    Signing again needs both proofs: the old bytes are dead and the placeholder is still there.
    """
    if fate is Fate.LANDED or shown is Shown.ROLL:
        return Step.FINISH
    if not fate.dead:
        return Step.WAIT
    return Step.SIGN_AGAIN if shown is Shown.PLACEHOLDER else Step.GIVE_UP


def wait_seconds(tries: int) -> float | None:
    """Pause before the next try, doubling up to five minutes; None after the last."""
    if tries >= TRIES_MAX:
        return None
    return min(_FIRST_WAIT_SECONDS * 2.0**tries, _WAIT_SECONDS_MAX)
