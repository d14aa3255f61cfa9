"""The processor's long-double registers, which the virtual machine leaves in disorder.

The JIT of Solana's virtual machine parks a value in the MMX register MM0 and never says `emms`
(solana-sbpf, src/jit.rs, ANCHOR_INTERNAL_FUNCTION_CALL_REG). MMX registers are those of the x87
unit, which therefore holds its stack for full: the next long-double operations of the same thread
give NaN. Whoever imports scipy.stats after a mint gets a NaN into its Kolmogorov-Smirnov
distribution for as long as the process lives. So the registers are handed back after each run.
"""

from __future__ import annotations

import ctypes
import mmap
import platform
from collections.abc import Callable
from functools import cache

_EMMS_RET = b"\x0f\x77\xc3"


@cache
def _emms() -> Callable[[], None]:
    """The instruction as a function; nothing to do on processors without MMX."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return lambda: None
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(_EMMS_RET)
    held = ctypes.c_char.from_buffer(page)
    # PYFUNCTYPE keeps the interpreter's lock: giving it up would cost more than the call.
    call = ctypes.PYFUNCTYPE(None)(ctypes.addressof(held))
    vars(call)["page"] = held  # as long as the function is there, so is its code
    return call


def hand_back_float_stack() -> None:
    """Empty the x87 stack of this thread, as the ABI expects it. For after a virtual machine has
    run; takes a fraction of a microsecond."""
    _emms()()
