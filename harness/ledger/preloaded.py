"""The programs that every testbed's ledger starts with."""

from __future__ import annotations

from solders.pubkey import Pubkey

from harness.ledger.protocol import ProgramImage
from harness.programs.sets import PROGRAMS, ProgramSet, open_set


def program_images(
    upgrade_authority: Pubkey | None, programs: ProgramSet | None = None
) -> list[ProgramImage]:
    """The programs of every testbed, the committed ones unless given.

    Only the buyback can be upgraded, and by nobody if there is no authority.
    """
    elves = (programs or open_set()).elves
    return [
        ProgramImage(
            address=program.address,
            elf=elves[program.name],
            upgrade_authority=upgrade_authority if program.name == "buyback" else None,
        )
        for program in PROGRAMS
    ]
