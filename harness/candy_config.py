"""The machine's recipe: reads and checks a sugar `config.json`.

The same file that `sugar deploy` takes. Addresses may be placeholders such as `<YOUR_WALLET>`;
the testbed puts its own wallets there. Amounts are SOL in the file and lamports from here on.
Source: the guide's step 3 and Metaplex's description of sugar's configuration file.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from solders.pubkey import Pubkey

from harness.errors import UsageError

LAMPORTS_PER_SOL = 1_000_000_000
DEFAULT_PATH = Path(__file__).parent / "defaults" / "config.json"

# Limits of Token Metadata and of the machine itself.
_NAME_BYTES_MAX = 32
_SYMBOL_BYTES_MAX = 10
_URI_BYTES_MAX = 200
_HASH_BYTES = 32
_BASIS_POINTS_MAX = 10_000
_CREATORS_MAX = 4  # Token Metadata allows five; the machine is one of them

_TOP_KEYS = {
    "price", "number", "gatekeeper", "solTreasuryAccount", "splTokenAccount", "splToken",
    "goLiveDate", "endSettings", "whitelistMintSettings", "hiddenSettings", "uploadMethod",
    "retainAuthority", "isMutable", "isSequential", "creators", "symbol", "sellerFeeBasisPoints",
    "guards", "tokenStandard", "ruleSet", "awsConfig", "nftStorageAuthToken", "pinataConfig",
    "sdriveApiKey", "shdwStorageAccount", "maxEditionSupply",
}  # fmt: skip
_GUARD_KEYS = {"solPayment", "botTax", "startDate"}
_PLACEHOLDER = re.compile(r"<[A-Z0-9_]+>")


@dataclass(frozen=True)
class HiddenSettings:
    """What every NFT shows until it is revealed. `name` holds `$ID$` or `$ID+1$`."""

    name: str
    uri: str
    hash: bytes


@dataclass(frozen=True)
class Creator:
    """`address` is None where the file has a placeholder."""

    address: Pubkey | None
    share_percent: int


@dataclass(frozen=True)
class CandyConfig:
    """A checked config.json. `destination` is None where the file has a placeholder."""

    items_available: int
    symbol: str
    seller_fee_basis_points: int
    is_mutable: bool
    hidden: HiddenSettings
    creators: tuple[Creator, ...]
    mint_price_lamports: int
    destination: Pubkey | None
    bot_tax_lamports: int
    bot_tax_last_instruction: bool
    start_date: datetime | None
    source: str = "config.json"


class _Reader:
    """Walks the file and says which key is wrong and why."""

    def __init__(self, source: str) -> None:
        self.source = source

    def wrong(self, key: str, why: str) -> UsageError:
        return UsageError(f"{self.source}: {key}: {why}")

    def section(self, value: object, key: str, allowed: set[str] | None = None) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.wrong(key or "(whole file)", f"must be an object, is {_shown(value)}")
        if allowed is not None and (unknown := sorted(set(value) - allowed)):
            prefix = f"{key}." if key else ""
            raise self.wrong(
                prefix + unknown[0], f"unknown key; known here: {', '.join(sorted(allowed))}"
            )
        return value

    def required(self, section: dict[str, Any], key: str, at: str = "") -> Any:
        if section.get(key) is None:
            raise self.wrong(f"{at}{key}", "is missing")
        return section[key]

    def integer(self, value: object, key: str, low: int, high: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.wrong(
                key, f"must be a whole number from {low} to {high}, is {_shown(value)}"
            )
        return value

    def flag(self, value: object, key: str) -> bool:
        if not isinstance(value, bool):
            raise self.wrong(key, f"must be true or false, is {_shown(value)}")
        return value

    def text(self, value: object, key: str, bytes_max: int) -> str:
        if not isinstance(value, str) or not value:
            raise self.wrong(key, f"must be a text, is {_shown(value)}")
        if len(value.encode()) > bytes_max:
            raise self.wrong(key, f"has {len(value.encode())} bytes, at most {bytes_max} fit")
        return value

    def lamports(self, value: object, key: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise self.wrong(key, f"must be an amount of SOL such as 0.2, is {_shown(value)}")
        lamports = Decimal(value) * LAMPORTS_PER_SOL
        if not lamports.is_finite() or lamports < 0 or lamports != int(lamports):
            raise self.wrong(key, f"{value} SOL is not a whole number of lamports from 0 up")
        return int(lamports)

    def address(self, value: object, key: str) -> Pubkey | None:
        if isinstance(value, str) and _PLACEHOLDER.fullmatch(value):
            return None
        try:
            return Pubkey.from_string(value if isinstance(value, str) else "")
        except ValueError:
            raise self.wrong(
                key,
                f"{_shown(value)} is neither a base58 address nor a placeholder like <YOUR_WALLET>",
            ) from None

    def date(self, value: object, key: str) -> datetime:
        try:
            text = value if isinstance(value, str) else ""
            parsed = datetime.fromisoformat(text) if text[:4].isdigit() else _http_date(text)
        except (ValueError, TypeError):
            raise self.wrong(
                key, f"{_shown(value)} is not a date such as 2026-01-01T00:00:00Z"
            ) from None
        return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _http_date(text: str) -> datetime:
    return parsedate_to_datetime(text)


def _shown(value: object) -> str:
    return json.dumps(value, default=str)[:60]


def read_candy_config(path: Path = DEFAULT_PATH) -> CandyConfig:
    """Read and check a config.json.

    Raises UsageError, one line with the key and the reason, for a file that is missing, is not
    JSON, has unknown keys, contradicts itself or asks for what this testbed cannot set up.
    """
    source = path.name
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be read ({error.strerror}); name a sugar config.json with --config"
        ) from None
    try:
        raw = json.loads(text, parse_float=Decimal)
    except ValueError as error:
        raise UsageError(f"{source}: is not JSON: {error}") from None
    return _check(_Reader(source), raw)


def _check(read: _Reader, raw: object) -> CandyConfig:
    top = read.section(raw, "", _TOP_KEYS)
    hidden = _hidden(read, top)
    if top.get("tokenStandard") not in (None, "nft"):
        raise read.wrong("tokenStandard", f"only nft is set up here, is {top['tokenStandard']!r}")

    guards = read.section(read.required(top, "guards"), "guards", {"default", "groups"})
    if guards.get("groups"):
        raise read.wrong("guards.groups", "guard groups are not set up here; use guards.default")
    default = read.section(read.required(guards, "default", "guards."), "guards.default")
    active = {name: guard for name, guard in default.items() if guard is not None}
    if unknown := sorted(set(active) - _GUARD_KEYS):
        raise read.wrong(
            f"guards.default.{unknown[0]}",
            f"this guard is not set up here; known: {', '.join(sorted(_GUARD_KEYS))}",
        )

    at = "guards.default.solPayment"
    payment = read.section(
        read.required(active, "solPayment", "guards.default."), at, {"value", "destination"}
    )
    price = read.lamports(read.required(payment, "value", f"{at}."), f"{at}.value")
    if top.get("price") is not None and read.lamports(top["price"], "price") != price:
        raise read.wrong("price", f"{top['price']} contradicts {at}.value {payment['value']}")

    at = "guards.default.botTax"
    tax = read.section(active.get("botTax") or {"value": 0}, at, {"value", "lastInstruction"})
    start = active.get("startDate")
    if start is not None:
        start = read.section(start, "guards.default.startDate", {"date"}).get("date")

    return CandyConfig(
        items_available=read.integer(read.required(top, "number"), "number", 1, 2**32 - 1),
        symbol=read.text(read.required(top, "symbol"), "symbol", _SYMBOL_BYTES_MAX),
        seller_fee_basis_points=read.integer(
            read.required(top, "sellerFeeBasisPoints"),
            "sellerFeeBasisPoints", 0, _BASIS_POINTS_MAX,
        ),
        is_mutable=_mutable(read, top),
        hidden=hidden,
        creators=_creators(read, top),
        mint_price_lamports=price,
        destination=read.address(
            read.required(payment, "destination", "guards.default.solPayment."),
            "guards.default.solPayment.destination",
        ),
        bot_tax_lamports=read.lamports(tax.get("value", 0), f"{at}.value"),
        bot_tax_last_instruction=read.flag(
            tax.get("lastInstruction", False), f"{at}.lastInstruction"
        ),
        start_date=None if start is None else read.date(start, "guards.default.startDate.date"),
        source=read.source,
    )  # fmt: skip


def _hidden(read: _Reader, top: dict[str, Any]) -> HiddenSettings:
    hidden = read.section(
        read.required(top, "hiddenSettings"), "hiddenSettings", {"name", "uri", "hash"}
    )
    name = read.text(
        read.required(hidden, "name", "hiddenSettings."), "hiddenSettings.name", _NAME_BYTES_MAX
    )
    if "$ID$" not in name and "$ID+1$" not in name:
        raise read.wrong("hiddenSettings.name", f"{_shown(name)} has neither $ID$ nor $ID+1$")
    hash_text = read.required(hidden, "hash", "hiddenSettings.")
    if not isinstance(hash_text, str) or len(hash_text.encode()) != _HASH_BYTES:
        raise read.wrong("hiddenSettings.hash", f"must be {_HASH_BYTES} characters")
    uri = read.text(
        read.required(hidden, "uri", "hiddenSettings."), "hiddenSettings.uri", _URI_BYTES_MAX
    )
    return HiddenSettings(name=name, uri=uri, hash=hash_text.encode())


def _mutable(read: _Reader, top: dict[str, Any]) -> bool:
    if not read.flag(top.get("isMutable", True), "isMutable"):
        raise read.wrong("isMutable", "is false, but a reveal rewrites the metadata: set it true")
    return True


def _creators(read: _Reader, top: dict[str, Any]) -> tuple[Creator, ...]:
    listed = read.required(top, "creators")
    if not isinstance(listed, list) or not 1 <= len(listed) <= _CREATORS_MAX:
        raise read.wrong("creators", f"must be a list of 1 to {_CREATORS_MAX} creators")
    creators = []
    for index, value in enumerate(listed):
        at = f"creators[{index}]"
        creator = read.section(value, at, {"address", "share"})
        address = read.address(read.required(creator, "address", f"{at}."), f"{at}.address")
        share = read.integer(read.required(creator, "share", f"{at}."), f"{at}.share", 0, 100)
        creators.append(Creator(address=address, share_percent=share))
    if (total := sum(creator.share_percent for creator in creators)) != 100:
        raise read.wrong("creators", f"the shares add up to {total}, not 100")
    return tuple(creators)
