"""What a run is played against, and what a story may ask of it.

A guest house offers what its keeper has the keys for. On the embedded ledger with the reference
backend every story can be told; against somebody else's backend only its HTTP interface and the
ledger are there, and a story that needs more is skipped and counted, never passed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: Every capability that a scenario's `needs` marker may name, with why it can be missing.
CAPABILITIES = {
    "operator": "the keys of the buyback's authority and treasury",
    "database": "the backend's own tables",
    "database server": "a database server of this run's own, which may be crashed",
    "virtual clock": "a ledger whose time can be moved",
    "passing time": "a ledger whose slots go on by themselves",
    "reference backend": "settings, logs and life of the backend",
    "containers": "a validator and a Postgres in containers of this run's own",
    "analysis": "the packages of make setup, or of pip's group [analysis]",
    "embedded ledger": "accounts and programs changed past every transaction",
}


class Lacks(Exception):
    """A story asked, in its middle, for what the target does not offer; the text is the reason.

    No HarnessError: it is nobody's refusal, and a story must not take it for one.
    """


@dataclass(frozen=True)
class Target:
    """Ledger and backend of a run, as far as stories depend on them."""

    missing: frozenset[str] = frozenset()

    def lacks(self, needs: set[str], changes: Mapping[str, object]) -> str:
        """The reason why a story cannot be told here, or an empty text.

        Raises ValueError for a need that nobody has heard of.
        """
        if unknown := sorted(needs - set(CAPABILITIES)):
            raise ValueError(f"needs {unknown[0]!r}; known: {', '.join(sorted(CAPABILITIES))}")
        asked = set(needs) | ({"reference backend"} if changes else set())
        lacking = sorted(asked & self.missing)
        if not lacking:
            return ""
        return "needs " + ", ".join(f"{one} ({CAPABILITIES[one]})" for one in lacking)
