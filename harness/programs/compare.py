"""Two sets of programs made to do the same: what came of each step, laid side by side.

Like two bakers given one recipe and the same flour: it isn't asked how they knead, only whether the
loaves are alike. Compared are results, return data and, of every account that a step names, owner,
lamports and bytes; logs are not (they carry source lines), nor are compute units.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from solders.pubkey import Pubkey

from harness.errors import UsageError
from harness.programs.flows import FLOWS, Flow
from harness.programs.sets import ProgramSet
from harness.programs.stage import AccountState, Stage, Step

_BYTES_SHOWN_MAX = 8


@dataclass(frozen=True)
class Difference:
    """One thing that differs after a step: `what` it is, and how it is in each set."""

    what: str
    reference: str
    other: str


@dataclass(frozen=True)
class StepPair:
    """One step on both sets."""

    reference: Step
    other: Step
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class FlowResult:
    """One flow on both sets."""

    flow: Flow
    steps: tuple[StepPair, ...]

    @property
    def differing(self) -> list[StepPair]:
        return [pair for pair in self.steps if pair.differences]

    @property
    def succeeded(self) -> int:
        """Steps that succeed on the reference."""
        return sum(pair.reference.succeeded for pair in self.steps)

    @property
    def compute_units_ratio(self) -> float:
        """Compute units of the other set to the reference's, over steps that succeed on both."""
        both = [pair for pair in self.steps if pair.reference.succeeded and pair.other.succeeded]
        reference = sum(pair.reference.compute_units for pair in both)
        return sum(pair.other.compute_units for pair in both) / reference if reference else 1.0


@dataclass(frozen=True)
class Comparison:
    """All flows on both sets."""

    reference: ProgramSet
    other: ProgramSet
    results: tuple[FlowResult, ...]

    @property
    def equal(self) -> bool:
        return not any(result.differing for result in self.results)


def compare(
    reference: ProgramSet,
    other: ProgramSet,
    only: tuple[str, ...] = (),
    told: Callable[[str], None] = lambda _: None,
) -> Comparison:
    """Play every flow, or those named in `only`, on both sets.

    Raises UsageError for an unknown flow or an ELF that the virtual machine refuses.
    """
    known = {flow.name: flow for flow in FLOWS}
    for name in only:
        if name not in known:
            raise UsageError(f"flow {name!r} is unknown; known: {', '.join(known)}")
    chosen = [flow for flow in FLOWS if not only or flow.name in only]
    results = []
    for flow in chosen:
        told(f"{flow.name}: {flow.about} ...")
        results.append(FlowResult(flow, _paired(_played(flow, reference), _played(flow, other))))
    return Comparison(reference, other, tuple(results))


def _played(flow: Flow, programs: ProgramSet) -> list[Step]:
    stage = Stage(programs)
    flow.play(stage)
    return stage.steps


def _paired(reference: list[Step], other: list[Step]) -> tuple[StepPair, ...]:
    return tuple(
        StepPair(one, two, tuple(differences(one, two)))
        for one, two in zip(reference, other, strict=True)
    )


def differences(one: Step, two: Step) -> list[Difference]:
    """What differs after a step."""
    found = []
    if one.error != two.error:
        found.append(Difference("result", _result(one), _result(two)))
    if one.return_data != two.return_data:
        found.append(
            Difference("return data", one.return_data.hex() or "-", two.return_data.hex() or "-")
        )
    for address in sorted(one.accounts, key=str):
        found += _account_differences(address, one.accounts[address], two.accounts[address])
    return found


def _result(step: Step) -> str:
    return "success" if step.error is None else str(step.error)


def _account_differences(
    address: Pubkey, one: AccountState | None, two: AccountState | None
) -> list[Difference]:
    if one == two:
        return []
    if one is None or two is None:
        there = "there ({0.lamports} lamports, {1} bytes)"
        shown = [
            "absent" if state is None else there.format(state, len(state.data))
            for state in (one, two)
        ]
        return [Difference(f"account {address}", *shown)]
    found = []
    if one.owner != two.owner:
        found.append(Difference(f"owner of {address}", str(one.owner), str(two.owner)))
    if one.lamports != two.lamports:
        found.append(Difference(f"lamports of {address}", str(one.lamports), str(two.lamports)))
    if len(one.data) != len(two.data):
        found.append(Difference(f"size of {address}", str(len(one.data)), str(len(two.data))))
    elif one.data != two.data:
        at = next(place for place in range(len(one.data)) if one.data[place] != two.data[place])
        shown = [state.data[at : at + _BYTES_SHOWN_MAX].hex() for state in (one, two)]
        found.append(Difference(f"bytes of {address} from {at}", *shown))
    return found
