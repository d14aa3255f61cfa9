"""Every instruction number of Token Metadata, with no arguments and the payer for all accounts."""

from __future__ import annotations

from solders.instruction import AccountMeta, Instruction

from harness.programs.interface import GUARD, MACHINE, METADATA
from harness.programs.stage import Stage

_NUMBERS = 60  # four more than there are


def play(stage: Stage) -> None:
    payer = AccountMeta(stage.payer, True, False)
    for number in range(_NUMBERS):
        stage.step(
            f"instruction {number}", Instruction(METADATA.program, bytes([number]), [payer] * 3)
        )
    stage.step("instruction 254", Instruction(METADATA.program, b"\xfe", []))
    for name, interface in (("machine", MACHINE), ("guard", GUARD)):
        stage.step(f"{name}: unknown", Instruction(interface.program, b"\1" * 8, []))
        stage.step(f"{name}: nothing", Instruction(interface.program, b"", []))
