"""The knobs of a testbed beside the machine's own config.json: treasury, prices, odds.

Defaults are the guide's numbers. A `testbed.toml` sets any of them; a key that is not known is
refused rather than ignored.

    treasury_lamports = 500_000_000_000
    min_treasury_lamports = 100_000_000_000
    buyback_rate = "0.85"
    sol_usd = "200"
"""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from harness.errors import UsageError

TIERS = ("Common", "Uncommon", "Rare", "Epic", "Legendary")

# What the guide promises to players, in the order of `TIERS`.
PROMISED_ODDS = dict(
    zip(TIERS, map(Decimal, ("0.50", "0.25", "0.15", "0.07", "0.03")), strict=True)
)


@dataclass(frozen=True)
class TestbedSettings:
    """Numbers of one testbed. Lamports are integers, US dollars and rates are Decimals."""

    __test__ = False  # not a pytest class, whatever its name says

    treasury_lamports: int = 500_000_000_000
    min_treasury_lamports: int = 100_000_000_000
    authority_lamports: int = 100_000_000_000
    #: What a player starts with; None is ten times the price of a box, and at least 2 SOL.
    player_lamports: int | None = None
    buyback_rate: Decimal = Decimal("0.85")
    sol_usd: Decimal = Decimal("200")
    #: The guide's wait for metadata to be visible everywhere, between mint and reveal.
    propagation_seconds: int = 12
    #: The backend's limits; 0 is off, as all players call from one address. The guide's: 100 and 5.
    rate_limit_requests: int = 0
    reveal_limit_requests: int = 0
    #: Overrides `number` of config.json, for scenarios that sell the machine out.
    items_available: int | None = None
    #: The backend reaches the ledger through a proxy that can lose, refuse and hold calls.
    rpc_weather: bool = False
    #: The backend runs as a process of its own, by the machine's clock, and can be killed.
    backend_process: bool = False

    def replace(self, **changes: Any) -> TestbedSettings:
        """A copy with some numbers changed.

        Raises UsageError naming a key that does not exist or a value that cannot be.
        """
        known = {field.name for field in dataclasses.fields(self)}
        if unknown := sorted(set(changes) - known):
            raise UsageError(
                f"testbed settings: {unknown[0]}: unknown key; known: {', '.join(sorted(known))}"
            )
        checked = {key: _checked(key, value, self) for key, value in changes.items()}
        return dataclasses.replace(self, **checked)


def read_settings(path: Path | None) -> TestbedSettings:
    """The defaults, changed by a `testbed.toml` where one is given."""
    if path is None:
        return TestbedSettings()
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path.name}: is not TOML: {error}") from None
    return TestbedSettings().replace(**values)


def _checked(key: str, value: object, base: TestbedSettings) -> Any:
    if isinstance(getattr(base, key), bool):
        if not isinstance(value, bool):
            raise UsageError(f"testbed settings: {key}: must be true or false, is {value!r}")
        return value
    if isinstance(getattr(base, key), Decimal):
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            number = Decimal("NaN")
        limit = Decimal(1) if key == "buyback_rate" else Decimal("1e9")
        if not number.is_finite() or not 0 < number <= limit:
            raise UsageError(
                f"testbed settings: {key}: must be a number above 0 and at most {limit}, "
                f'is {value!r}; write it as text, such as "0.85"'
            )
        return number
    if value is None and key in ("items_available", "player_lamports"):
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise UsageError(f"testbed settings: {key}: must be a whole number from 0, is {value!r}")
    return value
