"""What can go wrong on purpose: bad weather on the way to the ledger, a backend that is killed.

All of it happens on 127.0.0.1, a counted number of times, and to processes that this run started.
"""
