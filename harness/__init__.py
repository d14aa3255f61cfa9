"""The instrument: starts the testbed, plays the players, judges what happened, reports.

`Testbed` is the whole economy as one context manager; everything else is reached from it.
"""
