"""Token-2022's instructions for extensions in words, and those of its group and metadata parts.

Instructions with proofs say by an offset where each proof is: 0 stands for an account that has it,
anything else for an instruction of the same transaction (then the instructions sysvar is passed),
perhaps with an account that records it. Nodes guess from the number of accounts which are there.
Source: agave's transaction-status crate, parse_token/extension/*.rs; spl-token-2022-interface 2.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from harness.ledger.embedded.amounts import token_amount
from harness.ledger.embedded.parsed.reader import CannotParse, Reader
from harness.ledger.embedded.parsed.token_layout import TokenLayout, Words, need, signers

_MINT = ("mint",)
_ACCOUNT = ("account",)
_TRANSFER = ("source", "mint", "destination")
_WITHDRAW = ("mint", "feeRecipient")
_NEW_BALANCE = ("newDecryptableAvailableBalance", "ae_ciphertext")
_NEW_SOURCE_BALANCE = ("newSourceDecryptableAvailableBalance", "ae_ciphertext")
_AUDITOR_CIPHERTEXTS = (("", "elgamal_ciphertext"), ("", "elgamal_ciphertext"))
_EQUALITY, _RANGE = "equalityProof", "rangeProof"
_VALIDITY = "ciphertextValidityProof"
_AMOUNT_VALIDITY = "transferAmountCiphertextValidityProof"
_FEE_VALIDITY, _FEE_SIGMA = "feeCiphertextValidityProof", "feeSigmaProof"
_PROOF = ("proofInstructionOffset", "i8")


def _offsets(*proofs: str) -> tuple[tuple[str, str], ...]:
    return tuple((f"{proof}InstructionOffset", "i8") for proof in proofs)


@dataclass(frozen=True)
class _OneProof(TokenLayout):
    """After `accounts` comes the account of a proof or the sysvar, then perhaps a record of it."""

    context: str = "proofContextStateAccount"
    record: str | None = "recordAccount"

    def words(self, reader: Reader, accounts: list[str]) -> Words:
        at = len(self.accounts)
        info = self.read(reader)
        sources = info.pop("sources", None)
        need(accounts, at + 2 + (sources or 0))
        own = accounts[: len(accounts) - (sources or 0)]
        info |= dict(zip(self.accounts, own, strict=False))
        in_account = info["proofInstructionOffset"] == 0
        info[self.context if in_account else "instructionsSysvar"] = own[at]
        at += 1
        if not in_account and self.record is not None and len(own) > at + 1:
            info[self.record] = own[at]
            at += 1
        if sources is not None:
            info["sourceAccounts"] = accounts[len(own) :]
        return {"type": self.kind, "info": info | signers(own, at, self.authority or "owner")}


@dataclass(frozen=True)
class _Proofs(TokenLayout):
    """After `accounts` come the sysvar if a proof is in an instruction, then accounts of proofs."""

    proofs: tuple[str, ...] = ()
    accounts_min: int = 0

    def words(self, reader: Reader, accounts: list[str]) -> Words:
        need(accounts, self.accounts_min)
        info: Words = dict(zip(self.accounts, accounts, strict=False)) | self.read(reader)
        at, last = len(self.accounts), len(accounts) - 1
        offsets = {proof: info[f"{proof}InstructionOffset"] for proof in self.proofs}
        if at < last and any(offsets.values()):
            info["instructionsSysvar"] = accounts[at]
            at += 1
        for proof, offset in offsets.items():
            if at < last:
                info[f"{proof}{'RecordAccount' if offset else 'ContextStateAccount'}"] = accounts[
                    at
                ]
                at += 1
        return {"type": self.kind, "info": info | signers(accounts, at, "owner")}


@dataclass(frozen=True)
class _Sources(TokenLayout):
    """The last accounts are those that fees are taken from: as many as the data says, or all."""

    def words(self, reader: Reader, accounts: list[str]) -> Words:
        named = len(self.accounts) + (self.authority is not None)
        sources = reader.u8() if self.authority else max(len(accounts) - named, 0)
        need(accounts, named + sources)
        own, rest = accounts[: len(accounts) - sources], accounts[len(accounts) - sources :]
        shown = super().words(reader, own)
        shown["info"]["sourceAccounts"] = rest
        return shown


@dataclass(frozen=True)
class _WithFee(TokenLayout):
    """Two amounts that share one number of decimals."""

    def read(self, reader: Reader) -> Words:
        amount, decimals, fee = reader.u64(), reader.u8(), reader.u64()
        return {
            "tokenAmount": token_amount(amount, decimals),
            "feeAmount": token_amount(fee, decimals),
        }


def _pointer(name: str, address: str) -> dict[int, TokenLayout]:
    """The two instructions of each extension that points from a mint to an address."""
    new = (f"{address}?", "zeroable_key")
    return {
        0: TokenLayout(
            f"initialize{name}", _MINT, None, (("authority?", "zeroable_key"), new), True
        ),
        1: TokenLayout(f"update{name}", _MINT, "authority", (new,), True),
    }


def _switch(name: str, on: str = "enable", off: str = "disable") -> tuple[TokenLayout, TokenLayout]:
    return (
        TokenLayout(f"{on}{name}", _ACCOUNT, "owner"),
        TokenLayout(f"{off}{name}", _ACCOUNT, "owner"),
    )


_FEE = (("transferFeeBasisPoints", "u16"), ("maximumFee", "u64"))
_TRANSFER_FEE: dict[int, TokenLayout] = {
    0: TokenLayout(
        "initializeTransferFeeConfig", _MINT, None,
        (("transferFeeConfigAuthority?", "option_key"),
         ("withdrawWithheldAuthority?", "option_key"), *_FEE),
    ),
    1: _WithFee("transferCheckedWithFee", _TRANSFER, "authority"),
    2: TokenLayout("withdrawWithheldTokensFromMint", _WITHDRAW, "withdrawWithheldAuthority"),
    3: _Sources("withdrawWithheldTokensFromAccounts", _WITHDRAW, "withdrawWithheldAuthority"),
    4: _Sources("harvestWithheldTokensToMint", _MINT),
    5: TokenLayout("setTransferFee", _MINT, "transferFeeConfigAuthority", _FEE),
}  # fmt: skip

_MINT_SETTINGS = (
    ("autoApproveNewAccounts", "bool"), ("auditorElGamalPubkey", "zeroable_elgamal_key"),
)  # fmt: skip
_CONFIDENTIAL_TRANSFER: dict[int, TokenLayout] = {
    0: TokenLayout(
        "initializeConfidentialTransferMint", _MINT, None,
        (("authority?", "zeroable_key"), *_MINT_SETTINGS), True,
    ),
    1: TokenLayout(
        "updateConfidentialTransferMint", ("mint", "confidentialTransferMintAuthority"), None,
        _MINT_SETTINGS, True,
    ),
    2: _OneProof(
        "configureConfidentialTransferAccount", ("account", "mint"), "owner",
        (("decryptableZeroBalance", "ae_ciphertext"),
         ("maximumPendingBalanceCreditCounter", "u64"), _PROOF), True,
    ),
    3: TokenLayout(
        "approveConfidentialTransferAccount",
        ("account", "mint", "confidentialTransferAuditorAuthority"),
    ),
    4: _OneProof("emptyConfidentialTransferAccount", _ACCOUNT, "owner", (_PROOF,), True),
    5: TokenLayout(
        "depositConfidentialTransfer", ("source", "destination", "mint"), "owner",
        (("amount", "u64"), ("decimals", "u8")), True,
    ),
    6: _Proofs(
        "withdrawConfidentialTransfer", ("source", "destination", "mint"), "owner",
        (("amount", "u64"), ("decimals", "u8"), _NEW_BALANCE, *_offsets(_EQUALITY, _RANGE)), True,
        (_EQUALITY, _RANGE), 5,
    ),
    7: _Proofs(
        "confidentialTransfer", _TRANSFER, "owner",
        (_NEW_SOURCE_BALANCE, *_AUDITOR_CIPHERTEXTS, *_offsets(_EQUALITY, _VALIDITY, _RANGE)),
        True, (_EQUALITY, _VALIDITY, _RANGE), 4,
    ),
    8: TokenLayout(
        "applyPendingConfidentialTransferBalance", _ACCOUNT, "owner",
        (("expectedPendingBalanceCreditCounter", "u64"), _NEW_BALANCE), True,
    ),
    **dict(enumerate(_switch("ConfidentialTransferConfidentialCredits"), 9)),
    **dict(enumerate(_switch("ConfidentialTransferNonConfidentialCredits"), 11)),
    13: _Proofs(
        "confidentialTransferWithFee", _TRANSFER, "owner",
        (_NEW_SOURCE_BALANCE, *_AUDITOR_CIPHERTEXTS,
         *_offsets(_EQUALITY, _AMOUNT_VALIDITY, _FEE_SIGMA, _FEE_VALIDITY, _RANGE)), True,
        (_EQUALITY, _AMOUNT_VALIDITY, _FEE_VALIDITY, _FEE_SIGMA, _RANGE), 4,
    ),
    14: TokenLayout("configureConfidentialAccountWithRegistry", ("account", "mint", "registry")),
}  # fmt: skip

_WITHHELD = "withdrawWithheldConfidentialTransferTokensFrom"
_CONFIDENTIAL_FEE: dict[int, TokenLayout] = {
    0: TokenLayout(
        "initializeConfidentialTransferFeeConfig", _MINT, None,
        (("authority?", "zeroable_key"),
         ("withdrawWithheldAuthorityElGamalPubkey", "elgamal_key")), True,
    ),
    1: _OneProof(
        f"{_WITHHELD}Mint", _WITHDRAW, "withdrawWithheldAuthority", (_PROOF, _NEW_BALANCE), True
    ),
    2: _OneProof(
        f"{_WITHHELD}Accounts", _WITHDRAW, "withdrawWithheldAuthority",
        (("sources", "u8"), _PROOF, _NEW_BALANCE), True, record="proofAccount",
    ),
    3: _Sources("harvestWithheldConfidentialTransferTokensToMint", _MINT),
    **dict(enumerate(_switch("ConfidentialTransferFeeHarvestToMint"), 4)),
}  # fmt: skip

_MINT_BURN_PROOFS = (_EQUALITY, _VALIDITY, _RANGE)
_CONFIDENTIAL_MINT_BURN: dict[int, TokenLayout] = {
    0: TokenLayout(
        "initializeConfidentialMintBurnMint", _MINT, None,
        (("supplyElGamalPubkey", "elgamal_key"), ("decryptableSupply", "ae_ciphertext")), True,
    ),
    1: _OneProof(
        "rotateConfidentialMintBurnSupplyElGamalPubkey", _MINT, "owner",
        (("newSupplyElGamalPubkey", "elgamal_key"), _PROOF), True, "proofAccount", None,
    ),
    2: TokenLayout(
        "updateConfidentialMintBurnDecryptableSupply", _MINT, "owner",
        (("newDecryptableSupply", "ae_ciphertext"),), True,
    ),
    3: _Proofs(
        "confidentialMint", ("destination", "mint"), "owner",
        (("newDecryptableSupply", "ae_ciphertext"), *_AUDITOR_CIPHERTEXTS,
         *_offsets(*_MINT_BURN_PROOFS)), True, _MINT_BURN_PROOFS, 3,
    ),
    4: _Proofs(
        "confidentialBurn", ("destination", "mint"), "owner",
        (_NEW_BALANCE, *_AUDITOR_CIPHERTEXTS, *_offsets(*_MINT_BURN_PROOFS)), True,
        _MINT_BURN_PROOFS, 3,
    ),
    5: TokenLayout("applyPendingBurn", _MINT, "owner"),
}  # fmt: skip

_STATE = (("accountState", "account_state"),)
#: By the instruction's first byte and its second.
GROUPS: dict[int, dict[int, TokenLayout]] = {
    26: _TRANSFER_FEE,
    27: _CONFIDENTIAL_TRANSFER,
    28: {
        0: TokenLayout("initializeDefaultAccountState", _MINT, None, _STATE, True),
        1: TokenLayout("updateDefaultAccountState", _MINT, "freezeAuthority", _STATE, True),
    },
    30: dict(enumerate(_switch("RequiredMemoTransfers"))),
    33: {
        0: TokenLayout(
            "initializeInterestBearingConfig", _MINT, None,
            (("rateAuthority", "zeroable_key"), ("rate", "i16")), True,
        ),
        1: TokenLayout(
            "updateInterestBearingConfigRate", _MINT, "rateAuthority", (("newRate", "i16"),), True
        ),
    },
    34: dict(enumerate(_switch("CpiGuard"))),
    36: _pointer("TransferHook", "programId"),
    37: _CONFIDENTIAL_FEE,
    39: _pointer("MetadataPointer", "metadataAddress"),
    40: _pointer("GroupPointer", "groupAddress"),
    41: _pointer("GroupMemberPointer", "memberAddress"),
    42: _CONFIDENTIAL_MINT_BURN,
    43: {
        0: TokenLayout(
            "initializeScaledUiAmountConfig", _MINT, None,
            (("authority", "zeroable_key"), ("multiplier", "number")), True,
        ),
        1: TokenLayout(
            "updateMultiplier", _MINT, "authority",
            (("newMultiplier", "number"), ("newMultiplierTimestamp", "i64")), True,
        ),
    },
    44: {
        0: TokenLayout("initializePausableConfig", _MINT, None, (("authority", "key"),), True),
        1: TokenLayout("pause", _MINT, "authority"),
        2: TokenLayout("resume", _MINT, "authority"),
    },
}  # fmt: skip

_GROUP = "spl_token_group_interface:"
_METADATA = "spl_token_metadata_interface:"
_OF_METADATA = ("metadata", "updateAuthority")
_NEW_AUTHORITY = (("newAuthority", "zeroable_key"),)
_INTERFACES: dict[str, TokenLayout] = {
    _GROUP + "initialize_token_group": TokenLayout(
        "initializeTokenGroup", ("group", "mint", "mintAuthority"), None,
        (("updateAuthority", "zeroable_key"), ("maxSize", "u64")), True,
    ),
    _GROUP + "update_group_max_size": TokenLayout(
        "updateTokenGroupMaxSize", ("group", "updateAuthority"), None, (("maxSize", "u64"),), True
    ),
    _GROUP + "update_authority": TokenLayout(
        "updateTokenGroupAuthority", ("group", "updateAuthority"), None, _NEW_AUTHORITY, True
    ),
    _GROUP + "initialize_member": TokenLayout(
        "initializeTokenGroupMember",
        ("member", "memberMint", "memberMintAuthority", "group", "groupUpdateAuthority"),
        exact=True,
    ),
    _METADATA + "initialize_account": TokenLayout(
        "initializeTokenMetadata", (*_OF_METADATA, "mint", "mintAuthority"), None,
        (("name", "short_text"), ("symbol", "short_text"), ("uri", "short_text")), True,
    ),
    _METADATA + "updating_field": TokenLayout(
        "updateTokenMetadataField", _OF_METADATA, None,
        (("field", "metadata_field"), ("value", "short_text")), True,
    ),
    _METADATA + "remove_key_ix": TokenLayout(
        "removeTokenMetadataKey", _OF_METADATA, None,
        (("idempotent", "flag"), ("key", "short_text")), True,
    ),
    _METADATA + "update_the_authority": TokenLayout(
        "updateTokenMetadataAuthority", _OF_METADATA, None, _NEW_AUTHORITY, True
    ),
    _METADATA + "emitter": TokenLayout(
        "emitTokenMetadata", ("metadata",), None,
        (("start?", "option_u64"), ("end?", "option_u64")), True,
    ),
}  # fmt: skip
_DISCRIMINATOR_BYTES = 8
_BY_DISCRIMINATOR = {
    hashlib.sha256(name.encode()).digest()[:_DISCRIMINATOR_BYTES]: layout
    for name, layout in _INTERFACES.items()
}


def parse_interface(data: bytes, accounts: list[str]) -> Words:
    """An instruction of the token group or token metadata interface."""
    reader = Reader(data)
    layout = _BY_DISCRIMINATOR.get(reader.take(_DISCRIMINATOR_BYTES))
    if layout is None:
        raise CannotParse
    return layout.words(reader, accounts)
