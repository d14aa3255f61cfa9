"""The on-chain programs: source, IDL, built ELF, and the one Python client per program.

Clients are pure: they build instructions, derive addresses and read account bytes. They talk to
nobody, so that the backend and the harness can share them with any RPC client.
"""
