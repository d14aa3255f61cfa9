"""The odds' parts of the validity page."""

from __future__ import annotations

from harness.validity.odds_power import power, stopping
from harness.validity.odds_reference import agreement
from harness.validity.odds_size import anytime, size
from harness.validity.odds_speed import speed
from harness.validity.parts import PartFunction

PARTS: dict[str, PartFunction] = {
    "size-50": size(50),
    "size-500": size(500),
    "size-5000": size(5_000),
    "anytime": anytime,
    "power": power,
    "stopping": stopping,
    "agreement": agreement,
    "speed": speed,
}
