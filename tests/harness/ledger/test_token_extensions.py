"""Every Token-2022 extension of an account, as agave's account-decoder writes it."""

from __future__ import annotations

import base64
import struct
from typing import Any

import pytest
from solders.account import Account

from harness.ledger.embedded.machine import TOKEN_2022
from harness.ledger.embedded.parsed.accounts import parse_account
from tests.harness.ledger.wallets import OTHER, PAYER, SOL

A, B = bytes(PAYER.pubkey()), bytes(OTHER)
a, b = str(PAYER.pubkey()), str(OTHER)
NOBODY = bytes(32)
KEY, CIPHER, AE = bytes(range(32)), bytes(range(64)), bytes(range(36))


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


#: Number, value, and what a node shows: a name and a state.
EXTENSIONS: list[tuple[int, bytes, str, dict[str, Any] | None]] = [
    (1, A + NOBODY + struct.pack("<Q", 7) + struct.pack("<QQH", 1, 2, 3) * 2,
     "transferFeeConfig", {
         "transferFeeConfigAuthority": a, "withdrawWithheldAuthority": None, "withheldAmount": 7,
         "olderTransferFee": {"epoch": 1, "maximumFee": 2, "transferFeeBasisPoints": 3},
         "newerTransferFee": {"epoch": 1, "maximumFee": 2, "transferFeeBasisPoints": 3}}),
    (2, struct.pack("<Q", 2**63), "transferFeeAmount", {"withheldAmount": 2**63}),
    (3, A, "mintCloseAuthority", {"closeAuthority": a}),
    (4, A + b"\x01" + KEY, "confidentialTransferMint", {
        "authority": a, "autoApproveNewAccounts": True, "auditorElgamalPubkey": base64_of(KEY)}),
    (4, NOBODY + b"\x00" + NOBODY, "confidentialTransferMint", {
        "authority": None, "autoApproveNewAccounts": False, "auditorElgamalPubkey": None}),
    (5, b"\x01" + KEY + CIPHER * 3 + AE + b"\x00\x01" + struct.pack("<QQQQ", 1, 2, 3, 4),
     "confidentialTransferAccount", {
         "approved": True, "elgamalPubkey": base64_of(KEY),
         "pendingBalanceLo": base64_of(CIPHER), "pendingBalanceHi": base64_of(CIPHER),
         "availableBalance": base64_of(CIPHER), "decryptableAvailableBalance": base64_of(AE),
         "allowConfidentialCredits": False, "allowNonConfidentialCredits": True,
         "pendingBalanceCreditCounter": 1, "maximumPendingBalanceCreditCounter": 2,
         "expectedPendingBalanceCreditCounter": 3, "actualPendingBalanceCreditCounter": 4}),
    (6, b"\x02", "defaultAccountState", {"accountState": "frozen"}),
    (6, b"\x09", "defaultAccountState", {"accountState": "uninitialized"}),
    (7, b"", "immutableOwner", None),
    (8, b"\x01", "memoTransfer", {"requireIncomingTransferMemos": True}),
    (9, b"", "nonTransferable", None),
    (10, A + struct.pack("<qhqh", -1, -2, 3, 4), "interestBearingConfig", {
        "rateAuthority": a, "initializationTimestamp": -1, "preUpdateAverageRate": -2,
        "lastUpdateTimestamp": 3, "currentRate": 4}),
    (11, b"\x01", "cpiGuard", {"lockCpi": True}),
    (12, A, "permanentDelegate", {"delegate": a}),
    (13, b"", "nonTransferableAccount", None),
    (14, A + B, "transferHook", {"authority": a, "programId": b}),
    (15, b"\x00", "transferHookAccount", {"transferring": False}),
    (16, A + KEY + b"\x01" + CIPHER, "confidentialTransferFeeConfig", {
        "authority": a, "withdrawWithheldAuthorityElgamalPubkey": base64_of(KEY),
        "harvestToMintEnabled": True, "withheldAmount": base64_of(CIPHER)}),
    (17, CIPHER, "confidentialTransferFeeAmount", {"withheldAmount": base64_of(CIPHER)}),
    (18, A + B, "metadataPointer", {"authority": a, "metadataAddress": b}),
    (19, A + B + b"".join(struct.pack("<I", len(one)) + one for one in (b"Box", b"BX", b"u"))
     + struct.pack("<I", 1) + b"\x01\x00\x00\x00k\x01\x00\x00\x00v", "tokenMetadata", {
         "updateAuthority": a, "mint": b, "name": "Box", "symbol": "BX", "uri": "u",
         "additionalMetadata": [["k", "v"]]}),
    (20, NOBODY + B, "groupPointer", {"authority": None, "groupAddress": b}),
    (21, A + B + struct.pack("<QQ", 1, 9), "tokenGroup", {
        "updateAuthority": a, "mint": b, "size": 1, "maxSize": 9}),
    (22, A + B, "groupMemberPointer", {"authority": a, "memberAddress": b}),
    (23, A + B + struct.pack("<Q", 5), "tokenGroupMember", {
        "mint": a, "group": b, "memberNumber": 5}),
    (24, CIPHER + AE + KEY + CIPHER, "confidentialMintBurn", {
        "confidentialSupply": base64_of(CIPHER), "decryptableSupply": base64_of(AE),
        "supplyElgamalPubkey": base64_of(KEY), "pendingBurn": base64_of(CIPHER)}),
    (25, A + struct.pack("<dqd", 1.0, 8, 1e21), "scaledUiAmountConfig", {
        "authority": a, "multiplier": "1", "newMultiplierEffectiveTimestamp": 8,
        "newMultiplier": "1000000000000000000000"}),
    (26, A + b"\x01", "pausableConfig", {"authority": a, "paused": True}),
    (27, b"", "pausableAccount", None),
    (99, b"?", "unparseableExtension", None),
    (11, b"\x01\x01", "unparseableExtension", None),
    (11, b"", "unparseableExtension", None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("number", "value", "name", "state"), EXTENSIONS, ids=[f"{e[0]}-{e[2]}" for e in EXTENSIONS]
)
def test_an_extension_is_shown_as_a_node_shows_it(
    number: int, value: bytes, name: str, state: dict[str, Any] | None
) -> None:
    mint = struct.pack("<I", 1) + A + struct.pack("<Q", 10) + b"\x06\x01" + bytes(36)
    data = mint + bytes(83) + b"\x01" + struct.pack("<HH", number, len(value)) + value
    shown = parse_account(OTHER, Account(SOL, data, TOKEN_2022, False, 0), lambda _: 6)
    assert shown is not None
    expected = {"extension": name} | ({} if state is None else {"state": state})
    assert shown["parsed"]["info"]["extensions"] == [expected]
