"""What a transaction costs and how much it may compute: the runtime's price list.

Base fee: 5,000 lamports a signature, those that precompiles verify included. Priority fee: the
unit limit times the price asked for, rounded up. Source: SIMD-0170 (default unit limits) and
agave's compute-budget crate.
"""

from __future__ import annotations

from dataclasses import dataclass

from solders.message import Message, MessageV0
from solders.pubkey import Pubkey

from programs.addresses import COMPUTE_BUDGET, SYSTEM

SIGNATURE_FEE_LAMPORTS = 5000
UNITS_MAX = 1_400_000
LOADED_BYTES_MAX = 64 * 2**20
_UNITS_DEFAULT = 200_000
_BUILTIN_UNITS_DEFAULT = 3_000
_MICRO = 1_000_000

_ED25519 = Pubkey.from_string("Ed25519SigVerify111111111111111111111111111")
_SECP256K1 = Pubkey.from_string("KeccakSecp256k11111111111111111111111111111")
_SECP256R1 = Pubkey.from_string("Secp256r1SigVerify1111111111111111111111111")
_PRECOMPILES = frozenset({_ED25519, _SECP256K1, _SECP256R1})
_BUILTINS = frozenset(
    {
        SYSTEM,
        COMPUTE_BUDGET,
        Pubkey.from_string("Vote111111111111111111111111111111111111111"),
        Pubkey.from_string("BPFLoader1111111111111111111111111111111111"),
        Pubkey.from_string("BPFLoader2111111111111111111111111111111111"),
        Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111"),
        _ED25519,
        _SECP256K1,
    }
)


@dataclass(frozen=True, slots=True)
class Budget:
    """What a message asks of the runtime and pays for it."""

    signatures: int
    units_limit: int
    micro_lamports_per_unit: int
    loaded_bytes_max: int | None  # None where the message does not say

    @property
    def base_fee_lamports(self) -> int:
        return self.signatures * SIGNATURE_FEE_LAMPORTS

    @property
    def priority_fee_lamports(self) -> int:
        return -(-self.units_limit * self.micro_lamports_per_unit // _MICRO)

    @property
    def fee_lamports(self) -> int:
        return self.base_fee_lamports + self.priority_fee_lamports


def budget_of(message: Message | MessageV0) -> Budget:
    """Read a message's compute-budget instructions. Malformed ones are left to the runtime."""
    limit, price, loaded, default = None, 0, None, 0
    signatures = message.header.num_required_signatures
    keys = message.account_keys
    for one in message.instructions:
        index = one.program_id_index
        program = keys[index] if index < len(keys) else None
        default += _BUILTIN_UNITS_DEFAULT if program in _BUILTINS else _UNITS_DEFAULT
        data = one.data
        if program == COMPUTE_BUDGET:
            if data[:1] == b"\x02":
                limit = int.from_bytes(data[1:5], "little")
            elif data[:1] == b"\x03":
                price = int.from_bytes(data[1:9], "little")
            elif data[:1] == b"\x04":
                loaded = int.from_bytes(data[1:5], "little")
        elif program in _PRECOMPILES and data:
            signatures += data[0]
    units = min(default if limit is None else limit, UNITS_MAX)
    return Budget(signatures, units, price, loaded)
