"""What may become of a transaction, a reveal and a quote, and the decisions that follow.

    reveal:  (asked) -> PENDING -> SUBMITTED -> REVEALED
                           |        |  ^ same roll, signed anew
                           v        v
                        (dropped)  FAILED

    quote:   OPEN -> SIGNED -> PAID, or DEAD, which the ledger may still overrule

PENDING: the metadata is not on the ledger yet, nothing is rolled. SUBMITTED: roll and signed bytes
are stored; from here on the roll never changes. FAILED only if the ledger proves that this NFT can
never show the roll.
"""

from __future__ import annotations

from enum import StrEnum

#: How often the worker tries before it leaves a reveal alone, until somebody asks for it again.
TRIES_MAX = 12
_FIRST_WAIT_SECONDS = 2.0
_WAIT_SECONDS_MAX = 300.0


class Fate(StrEnum):
    """Of a transaction. Only FAILED and EXPIRED prove that its bytes can never land any more."""

    LANDED = "landed"
    #: It is on the ledger as an error: used up, nothing changed but the fee.
    FAILED = "failed"
    #: Not on the ledger, and its blockhash is dead beyond any fork.
    EXPIRED = "expired"
    #: A node would not take it; the bytes are still good.
    REFUSED = "refused"
    UNKNOWN = "unknown"

    @property
    def dead(self) -> bool:
        return self in (Fate.FAILED, Fate.EXPIRED)


class State(StrEnum):
    """Of a reveal."""

    PENDING = "pending"
    SUBMITTED = "submitted"
    REVEALED = "revealed"
    FAILED = "failed"


class QuoteState(StrEnum):
    """OPEN: issued. SIGNED: complete bytes stored, may be on the way."""

    OPEN = "open"
    SIGNED = "signed"
    PAID = "paid"
    DEAD = "dead"


class Shown(StrEnum):
    """What an NFT shows on the ledger, compared with its stored roll."""

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
