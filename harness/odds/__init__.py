"""Odds: prove or refute a rarity table, with known error rates and the fewest draws.

A regulator with a notebook beside a slot machine: a promise on the wall, a tally of what came out,
and rules, fixed beforehand, for when the tally contradicts the promise.

Start with `harness.odds.table` (the promise), `harness.odds.sources` (draws) and
`harness.odds.audit` (the verdict); docs/odds.md shows all of it.
"""
