"""Amounts of tokens as nodes show them: raw, as a float, and exactly in decimals."""

from __future__ import annotations

from typing import Any


def token_amount(amount: int, decimals: int) -> dict[str, Any]:
    """`uiAmount` is a float and may be rounded; `uiAmountString` is exact, without trailing
    zeros. Source: agave's account-decoder crate, parse_token.rs."""
    text = str(amount)
    if decimals:
        text = text.rjust(decimals + 1, "0")
        text = f"{text[:-decimals]}.{text[-decimals:]}".rstrip("0").rstrip(".")
    return {
        "uiAmount": amount / 10**decimals if decimals < 20 else None,
        "decimals": decimals,
        "amount": str(amount),
        "uiAmountString": text,
    }
