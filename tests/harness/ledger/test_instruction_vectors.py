"""Instructions are put into words exactly as a node's own code puts them.

The file in `data` says where its answers come from. They were part of 120,000 that were compared
when it was made.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from solders.pubkey import Pubkey

from harness.ledger.embedded.parsed import parse_instruction
from harness.ledger.embedded.parsed.token_extensions import GROUPS

FILE = json.loads((Path(__file__).parent / "data" / "instructions.json").read_text())
NUMBERS = {str(Pubkey(bytes([number]) * 32)): f"@{number}" for number in range(1, 41)}
NAMES = {number: name for name, number in NUMBERS.items()}


def by_number(shown: Any) -> Any:
    """The same with accounts by number."""
    if isinstance(shown, dict):
        return {name: by_number(value) for name, value in shown.items()}
    if isinstance(shown, list):
        return [by_number(value) for value in shown]
    return NUMBERS.get(shown, shown) if isinstance(shown, str) else shown


@pytest.mark.parametrize("number", range(len(FILE["programs"])), ids=FILE["programs"])
def test_as_a_node_puts_it(number: int) -> None:
    program = Pubkey.from_string(FILE["programs"][number])
    played = 0
    for own, data, accounts, words in FILE["instructions"]:
        if own != number:
            continue
        names = [NAMES[f"@{account}"] for account in accounts]
        shown = parse_instruction(program, bytes.fromhex(data), names, None)
        assert by_number(None if shown is None else shown["parsed"]) == words, (data, accounts)
        played += 1
    assert played


def test_every_instruction_for_extensions_is_among_them() -> None:
    kinds = {words["type"] for *_, words in FILE["instructions"] if isinstance(words, dict)}
    known = {layout.kind for group in GROUPS.values() for layout in group.values()}
    assert known <= kinds
    assert len(kinds) > 120
