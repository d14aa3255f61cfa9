"""Compiling once for all runs: numba's cache, kept in the user's cache folder.

numba looks only at the file of a function when it asks whether a cached compilation is still
good, not at the files of the functions it calls. So the folder is named after the contents of all
kernels together: another version is another folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

from harness.database.cache import find_cache


def _cache_folder() -> Path:
    sources = sorted(Path(__file__).parent.glob("*.py"))
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()
    return find_cache() / "numba" / digest[:16]


_config: Any = numba.config
_config.CACHE_DIR = str(_cache_folder())

#: For functions that are called from Python.
compiled: Callable[..., Any] = numba.njit(cache=True, error_model="numpy")
