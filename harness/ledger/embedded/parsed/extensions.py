"""Token-2022's extensions of mints and accounts in words.

Each is a type, a length and a value. One that is unknown or has another length than its type
appears as `unparseableExtension`, as on a node.
Source: agave's account-decoder crate 3.1, parse_token_extension.rs, and spl-token-2022-interface.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from harness.ledger.embedded.amounts import plain_number
from harness.ledger.embedded.parsed.reader import CannotParse, Reader
from harness.ledger.embedded.parsed.token_layout import ACCOUNT_STATES, EXTENSION_TYPES

#: Where an account's extension is called otherwise than in instructions.
_ACCOUNT_NAMES = {"scaledUiAmount": "scaledUiAmountConfig", "pausable": "pausableConfig"}
_EXTENSIONS_MAX = 64
_ELGAMAL_KEY_BYTES, _CIPHERTEXT_BYTES, _AE_CIPHERTEXT_BYTES = 32, 64, 36


def parse_extensions(data: bytes) -> list[dict[str, Any]]:
    """The extensions of an account, from after its account-type byte."""
    reader = Reader(data)
    found: list[dict[str, Any]] = []
    while reader.left >= 4 and len(found) < _EXTENSIONS_MAX:
        number, size = reader.u16(), reader.u16()
        if number == 0:
            break
        found.append(_extension(number, reader.take(size)))
    return found


def _extension(number: int, value: bytes) -> dict[str, Any]:
    name = EXTENSION_TYPES[number] if number < len(EXTENSION_TYPES) else ""
    name = _ACCOUNT_NAMES.get(name, name)
    if name in _WITHOUT_STATE:
        return {"extension": name}
    parser = _PARSERS.get(name)
    reader = Reader(value)
    try:
        if parser is not None:
            state = parser(reader)
            if not reader.left:
                return {"extension": name, "state": state}
    except CannotParse:
        pass
    return {"extension": "unparseableExtension"}


_WITHOUT_STATE = ("immutableOwner", "nonTransferable", "nonTransferableAccount", "pausableAccount")


def _default_state(reader: Reader) -> dict[str, Any]:
    state = reader.u8()
    return {
        "accountState": ACCOUNT_STATES[state] if state < len(ACCOUNT_STATES) else ACCOUNT_STATES[0]
    }


def _fee(reader: Reader) -> dict[str, Any]:
    return {
        "epoch": reader.u64(),
        "maximumFee": reader.u64(),
        "transferFeeBasisPoints": reader.u16(),
    }


def _transfer_fee_config(reader: Reader) -> dict[str, Any]:
    authority, withdraw, withheld = reader.zeroable_key(), reader.zeroable_key(), reader.u64()
    return {
        "transferFeeConfigAuthority": authority,
        "withdrawWithheldAuthority": withdraw,
        "withheldAmount": withheld,
        "olderTransferFee": _fee(reader),
        "newerTransferFee": _fee(reader),
    }


def _interest_bearing(reader: Reader) -> dict[str, Any]:
    return {
        "rateAuthority": reader.zeroable_key(), "initializationTimestamp": reader.i64(),
        "preUpdateAverageRate": reader.i16(), "lastUpdateTimestamp": reader.i64(),
        "currentRate": reader.i16(),
    }  # fmt: skip


def _scaled_ui_amount(reader: Reader) -> dict[str, Any]:
    return {
        "authority": reader.zeroable_key(), "multiplier": plain_number(reader.f64()),
        "newMultiplierEffectiveTimestamp": reader.i64(),
        "newMultiplier": plain_number(reader.f64()),
    }  # fmt: skip


def _group(reader: Reader) -> dict[str, Any]:
    return {
        "updateAuthority": reader.zeroable_key(), "mint": reader.key(), "size": reader.u64(),
        "maxSize": reader.u64(),
    }  # fmt: skip


def _group_member(reader: Reader) -> dict[str, Any]:
    return {"mint": reader.key(), "group": reader.key(), "memberNumber": reader.u64()}


def _confidential_mint(reader: Reader) -> dict[str, Any]:
    authority, approve = reader.zeroable_key(), bool(reader.u8())
    auditor = reader.take(_ELGAMAL_KEY_BYTES)
    return {
        "authority": authority, "autoApproveNewAccounts": approve,
        "auditorElgamalPubkey": base64.b64encode(auditor).decode() if any(auditor) else None,
    }  # fmt: skip


def _confidential_account(reader: Reader) -> dict[str, Any]:
    return {
        "approved": bool(reader.u8()),
        "elgamalPubkey": reader.base64(_ELGAMAL_KEY_BYTES),
        "pendingBalanceLo": reader.base64(_CIPHERTEXT_BYTES),
        "pendingBalanceHi": reader.base64(_CIPHERTEXT_BYTES),
        "availableBalance": reader.base64(_CIPHERTEXT_BYTES),
        "decryptableAvailableBalance": reader.base64(_AE_CIPHERTEXT_BYTES),
        "allowConfidentialCredits": bool(reader.u8()),
        "allowNonConfidentialCredits": bool(reader.u8()),
        "pendingBalanceCreditCounter": reader.u64(),
        "maximumPendingBalanceCreditCounter": reader.u64(),
        "expectedPendingBalanceCreditCounter": reader.u64(),
        "actualPendingBalanceCreditCounter": reader.u64(),
    }


def _confidential_fee_config(reader: Reader) -> dict[str, Any]:
    return {
        "authority": reader.zeroable_key(),
        "withdrawWithheldAuthorityElgamalPubkey": reader.base64(_ELGAMAL_KEY_BYTES),
        "harvestToMintEnabled": bool(reader.u8()),
        "withheldAmount": reader.base64(_CIPHERTEXT_BYTES),
    }


def _confidential_mint_burn(reader: Reader) -> dict[str, Any]:
    return {
        "confidentialSupply": reader.base64(_CIPHERTEXT_BYTES),
        "decryptableSupply": reader.base64(_AE_CIPHERTEXT_BYTES),
        "supplyElgamalPubkey": reader.base64(_ELGAMAL_KEY_BYTES),
        "pendingBurn": reader.base64(_CIPHERTEXT_BYTES),
    }


def _token_metadata(reader: Reader) -> dict[str, Any]:
    authority, mint = reader.zeroable_key(), reader.key()
    name, symbol, uri = reader.short_text(), reader.short_text(), reader.short_text()
    pairs = min(reader.u32(), 1024)
    additional = [[reader.short_text(), reader.short_text()] for _ in range(pairs)]
    return {
        "updateAuthority": authority, "mint": mint, "name": name, "symbol": symbol, "uri": uri,
        "additionalMetadata": additional,
    }  # fmt: skip


def _keys(*names: str) -> Callable[[Reader], dict[str, Any]]:
    return lambda reader: {name: reader.zeroable_key() for name in names}


_PARSERS: dict[str, Callable[[Reader], dict[str, Any]]] = {
    "transferFeeConfig": _transfer_fee_config,
    "transferFeeAmount": lambda reader: {"withheldAmount": reader.u64()},
    "mintCloseAuthority": _keys("closeAuthority"),
    "permanentDelegate": _keys("delegate"),
    "metadataPointer": _keys("authority", "metadataAddress"),
    "groupPointer": _keys("authority", "groupAddress"),
    "groupMemberPointer": _keys("authority", "memberAddress"),
    "transferHook": _keys("authority", "programId"),
    "defaultAccountState": _default_state,
    "memoTransfer": lambda reader: {"requireIncomingTransferMemos": bool(reader.u8())},
    "cpiGuard": lambda reader: {"lockCpi": bool(reader.u8())},
    "tokenMetadata": _token_metadata,
    "interestBearingConfig": _interest_bearing,
    "transferHookAccount": lambda reader: {"transferring": bool(reader.u8())},
    "tokenGroup": _group,
    "tokenGroupMember": _group_member,
    "scaledUiAmountConfig": _scaled_ui_amount,
    "pausableConfig": lambda reader: {
        "authority": reader.zeroable_key(),
        "paused": bool(reader.u8()),
    },
    "confidentialTransferMint": _confidential_mint,
    "confidentialTransferAccount": _confidential_account,
    "confidentialTransferFeeConfig": _confidential_fee_config,
    "confidentialTransferFeeAmount": lambda reader: {
        "withheldAmount": reader.base64(_CIPHERTEXT_BYTES)
    },
    "confidentialMintBurn": _confidential_mint_burn,
}
