"""Price processes, how SOL/USD may wander: frozen dataclasses with `sol_usd` and `paths`."""

from harness.treasury.prices.bootstrap import Bootstrap
from harness.treasury.prices.gbm import Gbm, Merton
from harness.treasury.prices.process import PriceProcess, SkinIndex
from harness.treasury.prices.stress import STRESSES, Stress
from harness.treasury.prices.volatility import Garch, Heston, Regimes

__all__ = [
    "STRESSES",
    "Bootstrap",
    "Garch",
    "Gbm",
    "Heston",
    "Merton",
    "PriceProcess",
    "Regimes",
    "SkinIndex",
    "Stress",
]
