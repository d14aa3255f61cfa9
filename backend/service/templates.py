"""The skins that can be rolled, kept for a minute: a roll must not read the whole catalogue."""

from __future__ import annotations

from datetime import datetime, timedelta

from backend.adapters.clock import Clock
from backend.adapters.reveal_rows import RevealRows, Template

_KEPT = timedelta(seconds=60)


class Templates:
    """Templates by tier. Stocks are not kept here: they are taken from in the database."""

    def __init__(self, rows: RevealRows, clock: Clock) -> None:
        self._rows = rows
        self._clock = clock
        self._kept: tuple[datetime, dict[str, list[Template]]] | None = None

    def by_tier(self) -> dict[str, list[Template]]:
        """Not to be changed: it is everybody's."""
        now, kept = self._clock.now(), self._kept
        if kept is None or now - kept[0] >= _KEPT:
            by_tier: dict[str, list[Template]] = {}
            for template in self._rows.templates():
                by_tier.setdefault(template.rarity, []).append(template)
            self._kept = kept = (now, by_tier)
        return kept[1]
