"""Numbers in a profile's file, held to their bounds."""

from __future__ import annotations

from harness.errors import UsageError


def number_from(value: object, key: str, where: str, least: float, most: float) -> float:
    """A number from `least` to `most`. Raises UsageError naming the key and the value."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise UsageError(f"{where}: {key}: must be a number from {least} to {most}, is {value!r}")
    return float(value)


def whole_number_from(value: object, key: str, where: str, least: int, most: int) -> int:
    """A whole number from `least` to `most`. Raises UsageError naming the key and the value."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise UsageError(
            f"{where}: {key}: must be a whole number from {least} to {most}, is {value!r}"
        )
    return value
