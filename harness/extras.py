"""Packages beyond those of `make run`: which group brings them, and what to say without them."""

from __future__ import annotations

from harness.errors import StartError

#: Groups of pyproject.toml's optional dependencies, by the modules that are missing without them.
_GROUPS = {
    "analysis": (
        "SALib", "arch", "dask", "distributed", "matplotlib", "nbclient", "nbformat", "numba",
        "numpy", "pandas", "pyarrow",
    ),
    "load": ("gevent", "locust", "psutil"),
    "docker": ("docker", "testcontainers"),
}  # fmt: skip


def missing_extra(error: ModuleNotFoundError) -> StartError | None:
    """What to tell a person whose command lacks one of those; None for any other module."""
    module = (error.name or "").partition(".")[0]
    group = next((name for name, modules in _GROUPS.items() if module in modules), None)
    if group is None:
        return None
    return StartError(
        f"this needs {module}, which is not installed: make setup in a checkout, elsewhere "
        f"pip install 'mystery-box-testbed[{group}]'"
    )
