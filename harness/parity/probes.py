"""One call of every RPC method, good and bad, put to a ledger on which a life cycle was played."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message, to_bytes_versioned
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from harness.submission import sign
from programs.addresses import TOKEN, associated_token_address
from programs.buyback import client as buyback
from programs.token_metadata import client as token_metadata

if TYPE_CHECKING:
    from harness.testbed import Testbed

_TIMEOUT_SECONDS = 30.0
_LAMPORTS = 1_000_000
_COMMITMENT = {"commitment": "confirmed"}


@dataclass(frozen=True)
class Probe:
    """A call: its method and parameters, and a name for the report."""

    method: str
    parameters: list[Any]
    note: str = ""

    @property
    def name(self) -> str:
        return f"{self.method} ({self.note})" if self.note else self.method


class Prober:
    """Asks one ledger. Close it after use."""

    def __init__(self, rpc_url: str) -> None:
        self._url = rpc_url
        self._http = httpx.Client(timeout=_TIMEOUT_SECONDS, verify=False)

    def ask(self, probe: Probe) -> dict[str, Any]:
        """The answer's `result` or `error`, in an object of its own."""
        body = {"jsonrpc": "2.0", "id": 1, "method": probe.method, "params": probe.parameters}
        answer = self._http.post(self._url, json=body).json()
        return {key: answer[key] for key in ("result", "error") if key in answer}

    def close(self) -> None:
        self._http.close()


def probes(bed: Testbed) -> list[Probe]:
    """Mint two boxes, reveal and sell one; then calls about all that, in a fixed order."""
    player = bed.player()
    sold, kept = player.mint(), player.mint()
    player.reveal(sold, wait=False)
    signature = str(player.sell(sold))
    wallet, mint = str(player.pubkey), str(kept.mint)
    token = str(associated_token_address(player.pubkey, kept.mint))
    metadata = str(token_metadata.metadata_address(kept.mint))
    slot = bed.evidence().receipts[-1].slot
    config = str(buyback.config_address())
    nobody = str(Keypair.from_seed(bytes(32)).pubkey())
    good, late = _transfer(bed, player.keypair), _transfer(bed, player.keypair, stale=True)
    message = b64encode(to_bytes_versioned(good.message)).decode()
    b64 = {"encoding": "base64"}
    parsed = {"encoding": "jsonParsed"}
    sent = b64encode(bytes(good)).decode()
    fresh = b64encode(bytes(_transfer(bed, player.keypair, lamports=_LAMPORTS + 1))).decode()
    return [
        Probe("getAccountInfo", [wallet, b64 | _COMMITMENT], "wallet"),
        Probe("getAccountInfo", [token, parsed | _COMMITMENT], "token account, parsed"),
        Probe("getAccountInfo", [mint, parsed | _COMMITMENT], "mint, parsed"),
        Probe("getAccountInfo", [metadata, b64 | _COMMITMENT], "metadata"),
        Probe("getAccountInfo", [str(buyback.PROGRAM_ID), parsed | _COMMITMENT], "program, parsed"),
        Probe("getAccountInfo", [nobody, b64 | _COMMITMENT], "no such account"),
        Probe("getAccountInfo", ["nonsense", b64], "no address"),
        Probe("getAccountInfo", [wallet, {"encoding": "rot13"}], "no encoding"),
        Probe("getBalance", [wallet, _COMMITMENT]),
        Probe("getBalance", [], "without address"),
        Probe("getMultipleAccounts", [[wallet, nobody, config], b64 | _COMMITMENT]),
        Probe("getMultipleAccounts", [[wallet] * 101], "101 addresses"),
        Probe("getProgramAccounts", [str(buyback.PROGRAM_ID), b64 | _COMMITMENT]),
        Probe(
            "getProgramAccounts",
            [str(buyback.PROGRAM_ID), {"withContext": True, **b64, **_COMMITMENT}],
            "with context",
        ),
        Probe("getLargestAccounts", [_COMMITMENT]),
        Probe("getSupply", [_COMMITMENT]),
        Probe("getMinimumBalanceForRentExemption", [165]),
        Probe("getTokenAccountBalance", [token, _COMMITMENT]),
        Probe("getTokenAccountBalance", [wallet, _COMMITMENT], "no token account"),
        Probe("getTokenAccountsByOwner", [wallet, {"programId": str(TOKEN)}, parsed | _COMMITMENT]),
        Probe("getTokenAccountsByOwner", [wallet, {"mint": mint}, b64 | _COMMITMENT], "of a mint"),
        Probe("getTokenAccountsByDelegate", [wallet, {"mint": mint}, parsed | _COMMITMENT]),
        Probe("getTokenLargestAccounts", [mint, _COMMITMENT]),
        Probe("getTokenSupply", [mint, _COMMITMENT]),
        Probe("getBlock", [slot, {"maxSupportedTransactionVersion": 0, **_COMMITMENT}]),
        Probe("getBlock", [slot, {"transactionDetails": "signatures", "rewards": False,
                                  "maxSupportedTransactionVersion": 0, **_COMMITMENT}],
              "signatures"),
        Probe("getBlock", [10**9], "of the future"),
        Probe("getBlockCommitment", [slot]),
        Probe("getBlockProduction", [_COMMITMENT]),
        Probe("getBlockTime", [slot]),
        Probe("getBlocks", [slot, slot, _COMMITMENT]),
        Probe("getBlocksWithLimit", [slot, 1, _COMMITMENT]),
        Probe("getBlockHeight", [_COMMITMENT]),
        Probe("getClusterNodes", []),
        Probe("getEpochInfo", [_COMMITMENT]),
        Probe("getEpochSchedule", []),
        Probe("getFirstAvailableBlock", []),
        Probe("getGenesisHash", []),
        Probe("getHealth", []),
        Probe("getHighestSnapshotSlot", []),
        Probe("getIdentity", []),
        Probe("getInflationGovernor", []),
        Probe("getInflationRate", []),
        Probe("getInflationReward", [[wallet], _COMMITMENT]),
        Probe("getLatestBlockhash", [_COMMITMENT]),
        Probe("getLeaderSchedule", [None, _COMMITMENT]),
        Probe("getMaxRetransmitSlot", []),
        Probe("getMaxShredInsertSlot", []),
        Probe("getRecentPerformanceSamples", [1]),
        Probe("getRecentPrioritizationFees", [[wallet]]),
        Probe("getSlot", [_COMMITMENT]),
        Probe("getSlotLeader", [_COMMITMENT]),
        Probe("getSlotLeaders", [slot, 2]),
        Probe("getStakeMinimumDelegation", [_COMMITMENT]),
        Probe("getTransactionCount", [_COMMITMENT]),
        Probe("getVersion", []),
        Probe("getVoteAccounts", [_COMMITMENT]),
        Probe("isBlockhashValid", [str(good.message.recent_blockhash), _COMMITMENT]),
        Probe("minimumLedgerSlot", []),
        Probe("getFeeForMessage", [message, _COMMITMENT]),
        Probe("getSignatureStatuses", [[signature], {"searchTransactionHistory": True}]),
        Probe("getSignatureStatuses", [["x"]], "no signature"),
        Probe("getSignaturesForAddress", [wallet, {"limit": 3, **_COMMITMENT}]),
        Probe("getSignaturesForAddress", [wallet, {"limit": 1001}], "limit 1001"),
        Probe("getTransaction", [signature, {"encoding": "json",
                                             "maxSupportedTransactionVersion": 0, **_COMMITMENT}]),
        Probe("getTransaction", [signature, {"encoding": "jsonParsed",
                                             "maxSupportedTransactionVersion": 0, **_COMMITMENT}],
              "parsed"),
        Probe("getTransaction", [signature, {"encoding": "base64",
                                             "maxSupportedTransactionVersion": 0, **_COMMITMENT}],
              "base64"),
        Probe("simulateTransaction", [sent, {"encoding": "base64", **_COMMITMENT}]),
        Probe("simulateTransaction", [sent, {"encoding": "base64", "accounts": {
            "encoding": "base64", "addresses": [wallet]}, **_COMMITMENT}], "with accounts"),
        Probe("sendTransaction", [b64encode(bytes(late)).decode(), b64], "stale blockhash"),
        Probe("sendTransaction", ["AAAA", b64], "no transaction"),
        Probe("sendTransaction", [sent, b64 | {"preflightCommitment": "confirmed"}]),
        Probe("sendTransaction", [fresh, b64], "blockhash of a block not yet final"),
        Probe("requestAirdrop", [wallet, _LAMPORTS, _COMMITMENT]),
        Probe("getNothing", [], "no such method"),
    ]  # fmt: skip


def _transfer(
    bed: Testbed, keypair: Keypair, *, stale: bool = False, lamports: int = _LAMPORTS
) -> VersionedTransaction:
    """A signed transfer to the treasury that nobody has sent, or one that is too old to land."""
    move = transfer(
        TransferParams(
            from_pubkey=keypair.pubkey(), to_pubkey=bed.deployment.treasury, lamports=lamports
        )
    )
    transaction, _ = sign(bed.client, [move], [keypair], compute_units_limit=None)
    if not stale:
        return transaction
    message = Message.new_with_blockhash([move], keypair.pubkey(), Hash.new_unique())
    return VersionedTransaction(message, [keypair])
