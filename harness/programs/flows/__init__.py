"""The conformance flows: scripted transactions that two sets of programs are both made to run.

A flow is a play with fixed lines. It never looks at what came of a step, so that both sets are
given the very same transactions; what became of each is for compare.py to judge.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.programs.flows import (
    collections,
    delegates,
    editions,
    guards,
    hidden,
    machine,
    metadata,
    opcodes,
    selling,
)
from harness.programs.stage import Stage


@dataclass(frozen=True)
class Flow:
    """One play: its name, what it is about, and its lines."""

    name: str
    about: str
    play: Callable[[Stage], None]


FLOWS = (
    Flow("opcodes", "every instruction number of Token Metadata, bare", opcodes.play),
    Flow("machine", "config lines drawn and in sequence, guards, withdrawal", machine.play),
    Flow("guards-nft", "guards, groups, routes, freezing, token payment", guards.play_nft),
    Flow("guards-pnft", "the same for programmable NFTs", guards.play_pnft),
    Flow(
        "hidden-sized", "hidden settings, reveal and burn in a sized collection", hidden.play_sized
    ),
    Flow("hidden-unsized", "the same in an unsized collection", hidden.play_unsized),
    Flow("metadata", "create, mint, transfer, update, use, burn", metadata.play),
    Flow("collections", "verify and unverify, sized and unsized, by delegates", collections.play),
    Flow("delegates", "programmable NFTs: delegates, locks, transfers, burns", delegates.play),
    Flow("editions", "prints: up to the limit, transferred and burnt", editions.play),
    Flow("buyback", "every instruction of the buyback, paid and refused", selling.play),
)
