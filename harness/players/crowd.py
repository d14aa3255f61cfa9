"""Many people at once: the same moment, different hands.

A crowd at a door does not queue by itself. Everybody's move starts together, each in a thread of
its own, and what came of it, result or refusal, is kept in the order of the people. Which of them
was first is nobody's promise, so that journals of such scenarios may differ in their order.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from harness.errors import HarnessError

T = TypeVar("T")

_PEOPLE_MAX = 200
_WAIT_SECONDS_MAX = 60.0


def at_once(moves: Sequence[Callable[[], T]]) -> list[T | HarnessError]:
    """Start every move together; returns each one's result, or the refusal it met.

    Anything but a HarnessError is raised: it is a mistake, no answer.
    """
    if not 0 < len(moves) <= _PEOPLE_MAX:
        raise ValueError(f"a crowd has 1 to {_PEOPLE_MAX} people, not {len(moves)}")
    gate = threading.Barrier(len(moves))

    def act(move: Callable[[], T]) -> T | HarnessError:
        gate.wait(_WAIT_SECONDS_MAX)
        try:
            return move()
        except HarnessError as refused:
            return refused

    with ThreadPoolExecutor(len(moves)) as people:
        return list(people.map(act, moves))


def accepted(results: Sequence[T | HarnessError]) -> list[T]:
    """The results of those who were not refused."""
    return [one for one in results if not isinstance(one, HarnessError)]


def refused(results: Sequence[T | HarnessError]) -> list[HarnessError]:
    """The refusals of those who were."""
    return [one for one in results if isinstance(one, HarnessError)]
