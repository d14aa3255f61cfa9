"""`jsonParsed`: instructions and accounts in words, as nodes put them."""

from __future__ import annotations

from harness.ledger.embedded.parsed.accounts import parse_account
from harness.ledger.embedded.parsed.instructions import parse_instruction

__all__ = ["parse_account", "parse_instruction"]
