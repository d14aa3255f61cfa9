"""What a person reads afterwards: one self-contained page, a summary, and the same as JSON."""

from harness.report.render import render

__all__ = ["render"]
