"""How much memory this process has held at once."""

from __future__ import annotations

import sys
from pathlib import Path


def memory_bytes_max() -> int | None:
    """The largest resident set of this process so far; None where nobody counts.

    Linux's VmHWM where there is one: `ru_maxrss` begins there at that of the parent.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return 1024 * next(int(one.split()[1]) for one in lines if one.startswith("VmHWM:"))
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
