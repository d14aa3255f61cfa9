"""The upgradeable loader (loader-v3): how a program gets onto a ledger and is replaced there."""
