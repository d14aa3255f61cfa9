"""Calls to this machine go straight there, whatever proxies the environment names.

Companies set HTTP_PROXY for everything that runs. A proxy cannot reach a testbed's ports on
loopback, and what is said there is none of its business. Calls to other machines go through it.
"""

from __future__ import annotations

import os

_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")
#: Where both are set, libraries disagree about which one counts.
_VARIABLES = ("NO_PROXY", "no_proxy")


def spare_loopback() -> None:
    """Name this machine in NO_PROXY, for this process and those that it starts."""
    told = ",".join(os.environ.get(name, "") for name in _VARIABLES).split(",")
    exempt = [one.strip() for one in told if one.strip()]
    for name in _VARIABLES:
        os.environ[name] = ",".join(dict.fromkeys((*exempt, *_THIS_MACHINE)))
