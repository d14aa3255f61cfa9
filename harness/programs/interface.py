"""Instructions by their IDL: names instead of places.

An IDL lists each instruction's accounts in order with their flags, like a form with boxes. Filled
in by name, a form cannot have two boxes exchanged; a box that is left empty holds the program's own
address, which is how Anchor and Metaplex say "none".
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

import programs
from programs.addresses import (
    ASSOCIATED_TOKEN,
    INSTRUCTIONS_SYSVAR,
    SLOT_HASHES_SYSVAR,
    SYSTEM,
    TOKEN,
)
from programs.candy_guard import client as candy_guard
from programs.candy_machine import client as candy_machine
from programs.token_metadata import client as token_metadata

RENT_SYSVAR = Pubkey.from_string("SysvarRent111111111111111111111111111111111")
_ALWAYS_THE_SAME = {
    "systemProgram": SYSTEM,
    "tokenProgram": TOKEN,
    "splTokenProgram": TOKEN,
    "ataProgram": ASSOCIATED_TOKEN,
    "splAtaProgram": ASSOCIATED_TOKEN,
    "rent": RENT_SYSVAR,
    "sysvarInstructions": INSTRUCTIONS_SYSVAR,
    "recentSlothashes": SLOT_HASHES_SYSVAR,
    "tokenMetadataProgram": token_metadata.PROGRAM_ID,
    "candyMachineProgram": candy_machine.PROGRAM_ID,
}
_FOLDER = Path(programs.__file__).parent


@dataclass(frozen=True)
class Signed:
    """An account that signs although its form does not say so."""

    address: Pubkey


@dataclass(frozen=True)
class Interface:
    """The instructions of one program."""

    program: Pubkey
    idl: Path
    #: Shank numbers instructions; those below this one leave trailing "none"s out instead.
    first_with_none: int = 0

    def __call__(
        self,
        name: str,
        arguments: bytes = b"",
        remaining: Sequence[AccountMeta] = (),
        /,
        **accounts: Pubkey | Signed,
    ) -> Instruction:
        """Build an instruction. Accounts by their names in the IDL, in snake case.

        Raises ValueError for a name that the form has not, KeyError for one that is missing.
        """
        form = _forms(self.idl)[name]
        given = {_camel(key): value for key, value in accounts.items()}
        metas = [self._fill(box, given) for box in form["accounts"]]
        if form.get("discriminant", {"value": 0})["value"] < self.first_with_none:
            while metas[-1].pubkey == self.program:
                metas.pop()
        if given:
            raise ValueError(f"{name} has no account {', '.join(sorted(given))}")
        return Instruction(self.program, _discriminator(form) + arguments, [*metas, *remaining])

    def _fill(self, box: dict[str, Any], given: dict[str, Pubkey | Signed]) -> AccountMeta:
        name = box["name"]
        if name in given:
            value = given.pop(name)
            signs = isinstance(value, Signed)
            address = value.address if isinstance(value, Signed) else value
            return AccountMeta(address, signs or box["isSigner"] is True, box["isMut"])
        if name in _ALWAYS_THE_SAME:
            return AccountMeta(_ALWAYS_THE_SAME[name], False, False)
        if not box.get("isOptional"):
            raise KeyError(name)
        return AccountMeta(self.program, False, False)


def _camel(snake: str) -> str:
    return re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), snake)


def _snake(camel: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", camel).lower()


@cache
def _forms(idl: Path) -> dict[str, dict[str, Any]]:
    listed = json.loads(idl.read_text(encoding="utf-8"))["instructions"]
    return {form["name"]: form for form in listed}


def _discriminator(form: dict[str, Any]) -> bytes:
    """One byte where the IDL names it (shank), else Anchor's hash of the name."""
    if "discriminant" in form:
        return bytes([form["discriminant"]["value"]])
    return sha256(f"global:{_snake(form['name'])}".encode()).digest()[:8]


METADATA = Interface(
    token_metadata.PROGRAM_ID,
    _FOLDER / "token_metadata" / "idl" / "token_metadata.json",
    first_with_none=38,  # CreateEscrowAccount
)
MACHINE = Interface(
    candy_machine.PROGRAM_ID, _FOLDER / "candy_machine" / "idl" / "candy_machine_core.json"
)
GUARD = Interface(candy_guard.PROGRAM_ID, _FOLDER / "candy_guard" / "idl" / "candy_guard.json")
