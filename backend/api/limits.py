"""Rate limits of the guide: so many requests a window, and fewer reveals a minute.

A turnstile per address and one per signed-in wallet; whoever is stopped at either is told when it
opens again. Counted in Redis by all processes together, or in memory on the passed clock. If Redis
does not answer, this process's memory counts on, so that a broken Redis opens nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address, ip_network

from limits import RateLimitItemPerSecond
from limits.aio.storage import RedisStorage, Storage
from limits.errors import StorageError

from backend.adapters.clock import Clock
from backend.domain.access_errors import RateLimited
from backend.settings import Settings

_KEYS_MAX = 100_000
_HOPS_MAX = 20
_REDIS_SECONDS = 0.25


class ClockStorage(Storage):
    """Counters in memory whose windows end by the passed clock; bounded in number."""

    STORAGE_SCHEME = None

    def __init__(self, clock: Clock, keys_max: int = _KEYS_MAX) -> None:
        super().__init__()
        self._clock = clock
        self._keys_max = keys_max
        self._counters: dict[str, tuple[int, float]] = {}

    @property
    def base_exceptions(self) -> type[Exception]:
        return OSError  # nothing here can fail

    def _seconds(self) -> float:
        return self._clock.now().timestamp()

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        count, ends = self._counters.get(key, (0, 0.0))
        if ends <= self._seconds():
            self._counters.pop(key, None)  # a new window goes to the end of the line
            count, ends = 0, self._seconds() + expiry
            while len(self._counters) >= self._keys_max:
                del self._counters[next(iter(self._counters))]
        self._counters[key] = (count + amount, ends)
        return count + amount

    async def get(self, key: str) -> int:
        count, ends = self._counters.get(key, (0, 0.0))
        return count if ends > self._seconds() else 0

    async def get_expiry(self, key: str) -> float:
        return self._counters.get(key, (0, self._seconds()))[1]

    async def check(self) -> bool:
        return True

    async def reset(self) -> int:
        count = len(self._counters)
        self._counters.clear()
        return count

    async def clear(self, key: str) -> None:
        self._counters.pop(key, None)


class RateLimits:
    """`general` for every call of the API, `reveal` in addition for opening boxes."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._clock = clock
        self._memory = ClockStorage(clock)
        self._storage: Storage = self._memory
        if (url := settings.redis_url()) is not None:
            self._storage = RedisStorage(
                f"async+{url}", wrap_exceptions=True, implementation="redispy",
                socket_timeout=_REDIS_SECONDS, socket_connect_timeout=_REDIS_SECONDS,
            )  # fmt: skip
        self._limits = {
            name: RateLimitItemPerSecond(most, -(-window_ms // 1000), namespace=name)
            for name, most, window_ms in (
                ("general", settings.rate_limit_max_requests, settings.rate_limit_window_ms),
                ("reveal", settings.reveal_limit_max_requests, settings.reveal_limit_window_ms),
            )
            if most > 0
        }

    async def check(self, names: Sequence[str], callers: Sequence[str]) -> None:
        """Count a request for each caller against each limit. Raises RateLimited."""
        for name in names:
            if (limit := self._limits.get(name)) is None:
                continue
            for caller in callers:
                key, window = limit.key_for(caller), limit.get_expiry()
                storage = self._storage
                try:
                    count = await storage.incr(key, window)
                except StorageError:
                    storage = self._memory
                    count = await storage.incr(key, window)
                if count > limit.amount:
                    raise RateLimited(name, await self._seconds_left(storage, key, window))

    async def _seconds_left(self, storage: Storage, key: str, window: int) -> int:
        try:
            left = await storage.get_expiry(key) - self._clock.now().timestamp()
        except StorageError:
            left = window
        return min(max(1, -int(-left // 1)), window)


class Proxies:
    """Who is calling, if the peer may be a proxy of ours."""

    def __init__(self, trusted: Sequence[str]) -> None:
        self._networks = [ip_network(one) for one in trusted]

    def caller(self, peer: str, forwarded: str) -> str:
        """The address of the nearest hop that is not a trusted proxy: what the client itself put
        into X-Forwarded-For, further left, is never believed. IPv6 as its /64, which is one
        customer."""
        hops = forwarded.split(",")[-_HOPS_MAX:] if forwarded and self._networks else []
        address = peer
        while hops and self._trusts(address):
            hop = hops.pop().strip()
            try:
                ip_address(hop)
            except ValueError:
                break
            address = hop
        try:
            parsed = ip_address(address)
        except ValueError:
            return "unknown"
        if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
            return str(ip_network((int(parsed), 64), strict=False).network_address)
        return address

    def _trusts(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._networks)
