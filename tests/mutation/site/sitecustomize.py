"""Breaks a process from its start, as TESTBED_MUTATION says. On child processes' path only."""

import os

_NAME = os.environ.get("TESTBED_MUTATION")

if _NAME == "unrecorded":
    from backend.service.buyback import BuybackService, Paid

    BuybackService._record = lambda self, quote: Paid(quote.tx_signature, quote.amount_lamports)
    BuybackService.repair = lambda self, mint: False
elif _NAME == "drawn anew":
    from backend.service.reveal import RevealService

    RevealService.find = lambda self, mint: None
