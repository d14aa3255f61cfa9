"""What the testbed asks of a database server, whoever runs it.

A shelf on which each scenario gets a box of its own: taken empty or as a copy of another, used,
and thrown away. Nothing that was put on the shelf outlives the run.
"""

from __future__ import annotations

from typing import Protocol


class Database(Protocol):
    """A Postgres server that databases can be made on."""

    kind: str
    """`embedded`, `container` or `url`; for reports."""

    def create_database(self, name: str, template: str | None = None) -> str:
        """Make a database, as a copy of one made here before if `template` names it.

        Returns SQLAlchemy's URL of it. That holds a password: not for logs. Raises ValueError
        for a name that is not of lower-case letters, digits and underscores.
        """
        ...

    def drop_database(self, name: str) -> None:
        """Throw a database away and cut off whoever is connected. None there: nothing to do."""
        ...

    def close(self) -> None:
        """Leave nothing behind. Safe to call twice."""
        ...
