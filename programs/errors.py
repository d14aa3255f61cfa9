"""What programs' error numbers mean: the legend of a map.

A failed instruction leaves a number, and each program counts its own. Metaplex's and the
buyback's names are in their IDLs; SPL Token's are those of crate spl-token 4.0.0 (`TokenError`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from programs.addresses import TOKEN
from programs.buyback import client as buyback
from programs.candy_guard import client as candy_guard
from programs.candy_machine import client as candy_machine
from programs.token_metadata import client as token_metadata

_FOLDER = Path(__file__).parent
_IDLS = {
    token_metadata.PROGRAM_ID: "token_metadata/idl/token_metadata.json",
    candy_machine.PROGRAM_ID: "candy_machine/idl/candy_machine_core.json",
    candy_guard.PROGRAM_ID: "candy_guard/idl/candy_guard.json",
    buyback.PROGRAM_ID: "buyback/idl/buyback.json",
}
_TOKEN_ERRORS = (
    "NotRentExempt", "InsufficientFunds", "InvalidMint", "MintMismatch", "OwnerMismatch",
    "FixedSupply", "AlreadyInUse", "InvalidNumberOfProvidedSigners",
    "InvalidNumberOfRequiredSigners", "UninitializedState", "NativeNotSupported",
    "NonNativeHasBalance", "InvalidInstruction", "InvalidState", "Overflow",
    "AuthorityTypeNotSupported", "MintCannotFreeze", "AccountFrozen", "MintDecimalsMismatch",
    "NonNativeNotSupported",
)  # fmt: skip


@dataclass(frozen=True)
class ProgramError:
    """An error of a program: its name, and what it says to a person."""

    name: str
    message: str


def program_error(program: str, code: int) -> ProgramError | None:
    """The error with that number, of the program with that address; None if it isn't known."""
    return _known().get(program, {}).get(code)


@cache
def _known() -> dict[str, dict[int, ProgramError]]:
    known = {
        str(TOKEN): {code: ProgramError(name, name) for code, name in enumerate(_TOKEN_ERRORS)}
    }
    for program, idl in _IDLS.items():
        listed = json.loads((_FOLDER / idl).read_text(encoding="utf-8"))["errors"]
        known[str(program)] = {
            one["code"]: ProgramError(one["name"], one.get("msg") or one["name"]) for one in listed
        }
    return known
