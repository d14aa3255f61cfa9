"""Real money: whether a ledger is mainnet-beta, and whether a person meant that.

The cover over a switch that must not be thrown by leaning against it. Two flags lift it; a URL, a
configuration file or a script copied from devnet never does.
"""

from __future__ import annotations

from solana.exceptions import SolanaRpcException
from solana.rpc.api import Client
from solana.rpc.core import RPCException

from harness.errors import StartError, UsageError

#: What `getGenesisHash` answers on mainnet-beta. Source: Solana's list of clusters.
MAINNET_GENESIS = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"
#: Both are needed to spend there.
MAINNET_FLAGS = ("--spend-real-sol", "--on-mainnet-beta")


def refuse_mainnet(client: Client, asked: int = 0) -> None:
    """Raises UsageError if the ledger is mainnet-beta and it was not asked for twice.

    `asked` counts the flags given; StartError if the ledger will not say what it is.
    """
    try:
        genesis = str(client.get_genesis_hash().value)
    except (SolanaRpcException, RPCException) as error:
        reason = type(error.__cause__ or error).__name__
        raise StartError(f"the ledger does not say which cluster it is ({reason})") from None
    if genesis == MAINNET_GENESIS and asked < 2:
        raise UsageError(
            "--ledger: is mainnet-beta, where SOL is money; a run spends some and does not get all "
            "of it back. If that is meant, give both " + " and ".join(MAINNET_FLAGS)
        )
