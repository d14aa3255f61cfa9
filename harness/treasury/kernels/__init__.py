"""The loops that numba compiles. Nothing here is imported before a simulation starts."""
