"""Power cuts on purpose, for what runs in a container of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.testbed import Testbed


@runtime_checkable
class Restartable(Protocol):
    """What can be killed and comes back in the same place with what it had written down."""

    def restart(self) -> None: ...


def restart_ledger(testbed: Testbed) -> None:
    """Kill the validator's container, start it again and wait until it is healthy.

    Raises HarnessError if it is not in a container of ours.
    """
    _restart(testbed.ledger)


def restart_database(testbed: Testbed) -> None:
    """Kill Postgres' container, start it again and wait until it answers.

    Raises HarnessError if it is not in a container of ours.
    """
    _restart(testbed.database)
    testbed.engine.dispose()  # its connections died with the server


def _restart(part: object) -> None:
    if not isinstance(part, Restartable):
        kind = getattr(part, "kind", type(part).__name__)
        raise HarnessError(f"a part of kind {kind} cannot be killed: it is in no container of ours")
    part.restart()
