"""Rate limits of the guide: so many requests a window, and fewer reveals a minute.

A turnstile per address and one per signed-in wallet; whoever is stopped at either is told when it
opens again. Counted in Redis by all processes together, or in memory on the passed clock. If Redis
does not answer, this process's memory counts on, so that a broken Redis opens nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from limits.aio.storage import RedisStorage
from limits.errors import StorageError

from backend.adapters.clock import Clock
from backend.domain.errors import RateLimited
from backend.settings import Settings

_KEYS_MAX = 100_000
_HOPS_MAX = 20
_WITH_PORT = re.compile(r"(?:\[(?P<v6>[^]]*)\]|(?P<v4>[\d.]+))(?::\d+)?")
_REDIS_SECONDS = 0.25


class Counters:
    """Counters in memory whose windows end by the passed clock; bounded in number."""

    def __init__(self, clock: Clock, keys_max: int = _KEYS_MAX) -> None:
        self._clock = clock
        self._keys_max = keys_max
        self._kept: dict[str, tuple[int, float]] = {}

    def count(self, key: str, window_seconds: int) -> tuple[int, float]:
        """Count one; how many there are in this window, and when it ends."""
        now = self._clock.now().timestamp()
        count, ends = self._kept.get(key, (0, 0.0))
        if ends <= now:
            self._kept.pop(key, None)  # a new window goes to the end of the line
            count, ends = 0, now + window_seconds
            while len(self._kept) >= self._keys_max:
                del self._kept[next(iter(self._kept))]
        self._kept[key] = (count + 1, ends)
        return count + 1, ends


class RateLimits:
    """`general` for every call of the API, `reveal` in addition for opening boxes."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._clock = clock
        self._memory = Counters(clock)
        url = settings.redis_url()
        self._redis = None if url is None else RedisStorage(
            f"async+{url}", wrap_exceptions=True, implementation="redispy",
            socket_timeout=_REDIS_SECONDS, socket_connect_timeout=_REDIS_SECONDS,
        )  # fmt: skip
        self._limits = {
            "general": (settings.rate_limit_max_requests, settings.rate_limit_window_ms),
            "reveal": (settings.reveal_limit_max_requests, settings.reveal_limit_window_ms),
        }

    async def check(self, names: Sequence[str], callers: Sequence[str]) -> None:
        """Count a request for each caller against each limit. Raises RateLimited."""
        for name in names:
            most, window_ms = self._limits[name]
            window_seconds = -(-window_ms // 1000)
            for caller in callers if most else ():
                count, ends = await self._count(f"LIMITER/{name}/{caller}", window_seconds)
                if count > most:
                    left = math.ceil(ends - self._clock.now().timestamp())
                    raise RateLimited(name, min(max(1, left), window_seconds))

    async def _count(self, key: str, window_seconds: int) -> tuple[int, float]:
        if self._redis is not None:
            try:
                count = await self._redis.incr(key, window_seconds)
                return count, await self._redis.get_expiry(key)
            except StorageError:
                pass
        return self._memory.count(key, window_seconds)


class Proxies:
    """Who is calling, if the peer may be a proxy of ours."""

    def __init__(self, trusted: Sequence[str]) -> None:
        self._networks = [ip_network(one) for one in trusted]

    def caller(self, peer: str, forwarded: str) -> str:
        """The address of the nearest hop that is not a trusted proxy: what the client itself put
        into X-Forwarded-For, further left, is never believed. IPv6 as its /64, which is one
        customer."""
        hops = forwarded.split(",")[-_HOPS_MAX:] if forwarded and self._networks else []
        address = None
        with suppress(ValueError):  # then the last one that is an address counts
            address = _address(peer)
            while hops and any(address in network for network in self._networks):
                address = _address(hops.pop().strip())
        if isinstance(address, IPv6Address):
            return str(ip_network((int(address), 64), strict=False).network_address)
        return str(address or "unknown")


def _address(text: str) -> IPv4Address | IPv6Address:
    """Without the port that some proxies add; as IPv4 where a socket for both families maps it."""
    bare = _WITH_PORT.fullmatch(text)
    address = ip_address(bare["v6"] or bare["v4"] if bare else text)
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
