"""The economic model: will the treasury run dry, and what keeps it alive?

    from harness.treasury import Scenario, simulate
    result = simulate(Scenario(), paths=10_000, seed=7)
    print(result.ruin(), result.value_at_risk(0.99))

Names are looked up when they are first used, so that nothing is compiled before it is needed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.treasury.behaviour import (
        Arbitrage,
        Behaviour,
        Bots,
        Holders,
        Panic,
        PriceSensitivity,
        QuoteHunters,
        Whales,
    )
    from harness.treasury.demand import Campaign, Demand, Hawkes
    from harness.treasury.exact import Books
    from harness.treasury.model import DynamicRate, Economy, Rules, Shortfall, Tier, TopUp
    from harness.treasury.oracle import Oracle, OracleKind
    from harness.treasury.prices import (
        Bootstrap,
        Garch,
        Gbm,
        Heston,
        Merton,
        Regimes,
        SkinIndex,
        Stress,
    )
    from harness.treasury.result import Result
    from harness.treasury.scenario import Scenario
    from harness.treasury.simulation import simulate
    from harness.treasury.tape import Tape, record

_HOMES = {
    "behaviour": "Arbitrage Behaviour Bots Holders Panic PriceSensitivity QuoteHunters Whales",
    "demand": "Campaign Demand Hawkes",
    "exact": "Books",
    "model": "DynamicRate Economy Rules Shortfall Tier TopUp",
    "oracle": "Oracle OracleKind",
    "prices": "Bootstrap Garch Gbm Heston Merton Regimes SkinIndex Stress",
    "result": "Result",
    "scenario": "Scenario",
    "simulation": "simulate",
    "tape": "Tape record",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "Arbitrage",
    "Behaviour",
    "Books",
    "Bootstrap",
    "Bots",
    "Campaign",
    "Demand",
    "DynamicRate",
    "Economy",
    "Garch",
    "Gbm",
    "Hawkes",
    "Heston",
    "Holders",
    "Merton",
    "Oracle",
    "OracleKind",
    "Panic",
    "PriceSensitivity",
    "QuoteHunters",
    "Regimes",
    "Result",
    "Rules",
    "Scenario",
    "Shortfall",
    "SkinIndex",
    "Stress",
    "Tape",
    "Tier",
    "TopUp",
    "Whales",
    "record",
    "simulate",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"harness.treasury has no {name}")
    # No submodule may carry the name of what is wanted: importing it would put it in the place.
    value = getattr(importlib.import_module(f"harness.treasury.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value
