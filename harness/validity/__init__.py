"""Validity: does the instrument measure what it says? Anybody can run the proof again.

A scale is trusted after it has weighed known weights. Each part here feeds a method with data
whose truth is known, compares what comes out with theory or with others' published figures, and
writes the comparison into docs/validity.md with its seed and sizes.
"""
