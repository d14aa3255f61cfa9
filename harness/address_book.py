"""Who is who: every address that a run knows, under a name that a person can read.

Journals, reports and messages say "player-2" and "nft-7" instead of addresses, so that they can
be read, compared between runs and shown around without giving a wallet away.
"""

from __future__ import annotations

import re

from solders.pubkey import Pubkey

_BASE58_WORD = re.compile(r"\b[1-9A-HJ-NP-Za-km-z]{32,88}\b")
_ADDRESS_LENGTH_MAX = 44


class AddressBook:
    """Two-way map between addresses and names. Names are unique; the first one given stays."""

    def __init__(self) -> None:
        self._name_by_address: dict[Pubkey, str] = {}
        self._address_by_name: dict[str, Pubkey] = {}
        self._name_by_text: dict[str, str] = {}
        self._strangers = 0

    def add(self, name: str, address: Pubkey) -> None:
        """Enter an address under a name.

        Raises ValueError if the name already stands for another address.
        """
        known = self._address_by_name.get(name)
        if known is not None and known != address:
            raise ValueError(f"the name {name} already stands for another address")
        self._address_by_name[name] = address
        self._name_by_address.setdefault(address, name)
        self._name_by_text.setdefault(str(address), name)

    def name(self, address: Pubkey) -> str:
        """The address's name; a stranger gets the next free `other-N` and keeps it."""
        if address not in self._name_by_address:
            self._strangers += 1
            self.add(f"other-{self._strangers}", address)
        return self._name_by_address[address]

    def address(self, name: str) -> Pubkey:
        """The address behind a name. Raises KeyError for an unknown name."""
        return self._address_by_name[name]

    def known(self, address: Pubkey) -> str | None:
        """The address's name if it has one; unlike `name`, gives none to strangers."""
        return self._name_by_address.get(address)

    def named(self, prefix: str = "") -> dict[str, Pubkey]:
        """All entries whose name starts with `prefix`, in the order they were made."""
        return {n: a for n, a in self._address_by_name.items() if n.startswith(prefix)}

    def redact(self, text: str) -> str:
        """`text` with every known address replaced by its name, and any other long base58
        word (a signature, a stranger's address) by a placeholder."""
        return _BASE58_WORD.sub(lambda word: self._name_of_word(word[0]), text)

    def _name_of_word(self, word: str) -> str:
        if len(word) > _ADDRESS_LENGTH_MAX:
            return "<signature>"
        return self._name_by_text.get(word, "<address>")
