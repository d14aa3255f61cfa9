"""Amounts of tokens as nodes show them: raw, as a float, and exactly in decimals."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any


def token_amount(amount: int, decimals: int) -> dict[str, Any]:
    """`uiAmount` is a float and may be rounded; `uiAmountString` is exact, without trailing
    zeros. Source: agave's account-decoder crate, parse_token.rs."""
    text = str(amount)
    if decimals:
        text = text.rjust(decimals + 1, "0")
        text = f"{text[:-decimals]}.{text[-decimals:]}".rstrip("0").rstrip(".")
    return {
        "uiAmount": float(amount) / float(10**decimals) if decimals < 20 else None,
        "decimals": decimals,
        "amount": str(amount),
        "uiAmountString": text,
    }


def plain_number(value: float) -> str:
    """As Rust prints a float: the shortest digits that read back, never an exponent."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else repr(value)
    return format(Decimal(repr(value)), "f").removesuffix(".0")
