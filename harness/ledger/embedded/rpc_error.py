"""Errors of JSON-RPC as Solana's nodes give them.

Source: agave's rpc-client-api crate (custom_error.rs) and the Display texts of TransactionError
and InstructionError.
"""

from __future__ import annotations

import re
from typing import Any

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
PREFLIGHT_FAILURE = -32002
SIGNATURE_VERIFICATION_FAILURE = -32003
BLOCK_NOT_AVAILABLE = -32004
UNSUPPORTED_TRANSACTION_VERSION = -32015
MIN_CONTEXT_SLOT_NOT_REACHED = -32016

_TRANSACTION_ERRORS = {
    "AccountLoadedTwice": "Account loaded twice",
    "AccountNotFound": "Attempt to debit an account but found no record of a prior credit.",
    "AddressLookupTableNotFound": ("Transaction loads an address table account that doesn't exist"),
    "AlreadyProcessed": "This transaction has already been processed",
    "BlockhashNotFound": "Blockhash not found",
    "InsufficientFundsForFee": "Insufficient funds for fee",
    "InvalidAccountForFee": "This account may not be used to pay transaction fees",
    "InvalidAddressLookupTableData": (
        "Transaction loads an address table account with invalid data"
    ),
    "InvalidAddressLookupTableIndex": "Transaction address table lookup uses an invalid index",
    "InvalidAddressLookupTableOwner": (
        "Transaction loads an address table account with an invalid owner"
    ),
    "InvalidLoadedAccountsDataSizeLimit": (
        "LoadedAccountsDataSizeLimit set for transaction must be greater than 0."
    ),
    "InvalidProgramForExecution": "This program may not be used for executing instructions",
    "MaxLoadedAccountsDataSizeExceeded": ("Transaction exceeded max loaded accounts data size cap"),
    "ProgramAccountNotFound": "Attempt to load a program that does not exist",
    "ProgramCacheHitMaxLimit": "Program cache hit max limit",
    "SanitizeFailure": "Transaction failed to sanitize accounts offsets correctly",
    "SignatureFailure": "Transaction did not pass signature verification",
    "TooManyAccountLocks": "Transaction locked too many accounts",
}

_INSTRUCTION_ERRORS = {
    "AccountAlreadyInitialized": "instruction requires an uninitialized account",
    "AccountBorrowFailed": (
        "instruction tries to borrow reference for an account which is already borrowed"
    ),
    "AccountDataSizeChanged": (
        "program other than the account's owner changed the size of the account data"
    ),
    "AccountDataTooSmall": "account data too small for instruction",
    "AccountNotExecutable": "instruction expected an executable account",
    "AccountNotRentExempt": "An account does not have enough lamports to be rent-exempt",
    "ArithmeticOverflow": "Program arithmetic overflowed",
    "CallDepth": "Cross-program invocation call depth too deep",
    "ComputationalBudgetExceeded": "Computational budget exceeded",
    "DuplicateAccountIndex": "instruction contains duplicate accounts",
    "ExternalAccountDataModified": "instruction modified data of an account it does not own",
    "ExternalAccountLamportSpend": (
        "instruction spent from the balance of an account it does not own"
    ),
    "IllegalOwner": "Provided owner is not allowed",
    "Immutable": "Account is immutable",
    "IncorrectAuthority": "Incorrect authority provided",
    "IncorrectProgramId": "incorrect program id for instruction",
    "InsufficientFunds": "insufficient funds for instruction",
    "InvalidAccountData": "invalid account data for instruction",
    "InvalidAccountOwner": "Invalid account owner",
    "InvalidArgument": "invalid program argument",
    "InvalidError": "program returned invalid error code",
    "InvalidInstructionData": "invalid instruction data",
    "InvalidRealloc": "Failed to reallocate account data",
    "InvalidSeeds": "Provided seeds do not result in a valid address",
    "MaxSeedLengthExceeded": "Length of the seed is too long for address generation",
    "MissingAccount": "An account required by the instruction is missing",
    "MissingRequiredSignature": "missing required signature for instruction",
    "ModifiedProgramId": "instruction illegally modified the program id of an account",
    "NotEnoughAccountKeys": "insufficient account keys for instruction",
    "PrivilegeEscalation": (
        "Cross-program invocation with unauthorized signer or writable account"
    ),
    "ProgramFailedToComplete": "Program failed to complete",
    "ReadonlyDataModified": "instruction modified data of a read-only account",
    "ReadonlyLamportChange": "instruction changed the balance of a read-only account",
    "ReentrancyNotAllowed": (
        "Cross-program invocation reentrancy not allowed for this instruction"
    ),
    "UnbalancedInstruction": ("sum of account balances before and after instruction do not match"),
    "UninitializedAccount": "instruction requires an initialized account",
    "UnsupportedProgramId": "Unsupported program id",
    "UnsupportedSysvar": "Unsupported sysvar",
}


class RpcError(Exception):
    """An answer that is an error."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def as_json(self) -> dict[str, Any]:
        error = {"code": self.code, "message": self.message}
        return error if self.data is None else {**error, "data": self.data}


def describe(error: Any) -> str:
    """A transaction error in the words of Solana's runtime."""
    if isinstance(error, str):
        return _TRANSACTION_ERRORS.get(error, _spaced(error))
    if not isinstance(error, dict) or not error:
        return str(error)
    name, detail = next(iter(error.items()))
    if name == "InstructionError":
        index, reason = detail
        return f"Error processing Instruction {index}: {_describe_reason(reason)}"
    if name == "InsufficientFundsForRent":
        index = detail["account_index"]
        return f"Transaction results in an account ({index}) with insufficient funds for rent"
    if name == "DuplicateInstruction":
        return f"Transaction contains a duplicate instruction ({detail}) that is not allowed"
    return _spaced(name)


def _describe_reason(reason: Any) -> str:
    if isinstance(reason, dict):
        name, detail = next(iter(reason.items()))
        return f"custom program error: {detail:#x}" if name == "Custom" else f"{name}: {detail}"
    return _INSTRUCTION_ERRORS.get(reason, _spaced(reason).lower())


def _spaced(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
