"""What a judge says."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Judgement:
    """One judge's verdict: passed if nothing was found wrong.

    `findings` are sentences for a person, with names instead of addresses; `counted` says over how
    much the judge looked, so that a verdict over nothing is seen as such.
    """

    judge: str
    findings: tuple[str, ...] = ()
    counted: dict[str, int] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return not self.findings
