"""The rows of reveals: every change is one statement, or one short transaction for a roll."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from backend.adapters.database import Database
from backend.domain.reveal_state import State

#: Rows that wait for their metadata; more are not noted, since anybody can ask for anything.
PENDING_MAX = 1000

_FIND = text(
    "select r.id, r.nft_mint, r.state, r.box_id, r.tries, r.client_seed, r.metadata_uri,"
    " r.tx_signature, r.signed_tx, r.last_valid_block_height,"
    " t.weapon || ' | ' || t.skin_name as title, t.rarity"
    " from reveals r left join skin_templates t on t.id = r.skin_template_id"
    " where r.nft_mint = :mint"
)
_TEMPLATES = text(
    "select id, weapon || ' | ' || skin_name as title, rarity, weight, stock is not null as limited"
    " from skin_templates where weight > 0 and (stock is null or stock > 0) order by id"
)
_TAKE = text(
    "update skin_templates set stock = stock - 1 where id = :id and stock > 0 returning id"
)
_NONCE = text(
    "update server_seeds set next_nonce = next_nonce + 1"
    " where id = (select max(id) from server_seeds) and disclosed_at is null"
    " returning id, seed, next_nonce - 1 as nonce"
)
# A pending row becomes the draw; a draw that is there already stays as it is.
_ENTER = text(
    "insert into reveals (nft_mint, state, box_id, skin_template_id, metadata_uri, tx_signature,"
    " signed_tx, last_valid_block_height, created_at, next_try_at, choices, client_seed, nonce,"
    " server_seed_id) values (:mint, 'submitted', :box_id, :template_id, :uri, :signature,"
    " :signed_tx, :last_height, :now, :next_try_at, :choices, :client_seed, :nonce, :seed_id)"
    " on conflict (nft_mint) do update set state = 'submitted', box_id = :box_id,"
    " skin_template_id = :template_id, metadata_uri = :uri, tx_signature = :signature,"
    " signed_tx = :signed_tx, last_valid_block_height = :last_height, tries = 0, error_code = null,"
    " next_try_at = :next_try_at, choices = :choices, client_seed = :client_seed, nonce = :nonce,"
    " server_seed_id = :seed_id where reveals.state = 'pending' returning id"
)
_FINISH = text(
    "with done as (update reveals set state = 'revealed', revealed_at = :now, next_try_at = null,"
    " error_code = null where id = :id and state = 'submitted'"
    " returning nft_mint, skin_template_id)"
    " insert into user_skins (nft_mint_address, skin_template_id, created_at, is_burned_back)"
    " select nft_mint, skin_template_id, :now, false from done"
    " on conflict (nft_mint_address) do nothing"
)
# Only whoever still sees the old signature may replace it.
_SIGN_AGAIN = text(
    "update reveals set signed_tx = :signed_tx, tx_signature = :signature,"
    " last_valid_block_height = :last_height where id = :id and state = 'submitted'"
    " and tx_signature = :old_signature"
)
_GIVE_UP = text(
    "with lost as (update reveals set state = 'failed', error_code = :code, next_try_at = null"
    " where id = :id and state = 'submitted' returning nft_mint, skin_template_id),"
    " owed as (insert into obligations (kind, nft_mint, amount_lamports, state, created_at)"
    " select 'reveal', nft_mint, :owed_lamports, 'open', :now from lost where :owed_lamports > 0"
    " on conflict (kind, nft_mint) do nothing)"
    " update skin_templates t set stock = t.stock + 1 from lost"
    " where t.id = lost.skin_template_id and t.stock is not null"
)
_POSTPONE = text(
    "update reveals set tries = tries + 1, error_code = :code, next_try_at = :next_try_at"
    " where id = :id and state in ('pending', 'submitted')"
)
_PEND = text(
    "insert into reveals (nft_mint, state, box_id, client_seed, created_at, next_try_at, tries)"
    " select :mint, 'pending', :box_id, :client_seed, :now, :next_try_at, 0"
    " where (select count(*) from reveals where state = 'pending') < :pending_max"
    " on conflict (nft_mint) do nothing"
)
_DROP = text("delete from reveals where id = :id and state = 'pending'")
# The lease keeps other workers away; should this one die, the row is due again after it.
_CLAIM = text(
    "update reveals set next_try_at = :lease_until where id in (select id from reveals"
    " where next_try_at <= :now order by next_try_at, id limit :most for update skip locked)"
    " returning nft_mint"
)


@dataclass(frozen=True)
class Template:
    """A skin that can be rolled. `limited` ones have a stock."""

    id: int
    title: str
    rarity: str
    weight: int
    limited: bool


@dataclass(frozen=True)
class StoredReveal:
    """A row; what the roll decides is empty while it is pending."""

    id: int
    nft_mint: str
    state: State
    box_id: str
    tries: int
    client_seed: str | None
    metadata_uri: str = ""
    tx_signature: str = ""
    signed_tx: bytes = b""
    last_valid_block_height: int = 0
    title: str = ""
    rarity: str = ""


@dataclass(frozen=True)
class FairNonce:
    """The seed of this roll and its place in the row of rolls made from it."""

    seed_id: int
    seed: bytes
    nonce: int


class AlreadyDrawn(Exception):
    """Somebody else's roll for this NFT was first; it counts."""


class RevealRows:
    """What the reveal service asks the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, mint: str) -> StoredReveal | None:
        row = self._database.first(_FIND, mint=mint)
        if row is None:
            return None
        number, nft_mint, state, *rest = row
        if state == State.PENDING:
            return StoredReveal(number, nft_mint, State.PENDING, *rest[:3])
        return StoredReveal(number, nft_mint, State(state), *rest)

    def templates(self) -> Sequence[Template]:
        """All that can be rolled, in a fixed order."""
        return [Template(*row) for row in self._database.rows(_TEMPLATES)]

    @contextmanager
    def draw(self) -> Iterator[DrawRows]:
        """A roll that takes from a stock or a row of nonces: all of it is entered, or nothing."""
        with self._database.transaction() as connection:
            yield DrawRows(connection)

    def enter(self, **values: object) -> int:
        """A roll that needs neither; returns its id. Raises AlreadyDrawn."""
        row = self._database.first(_ENTER, **values)
        if row is None:
            raise AlreadyDrawn
        return int(row.id)

    def finish(self, number: int, now: datetime) -> None:
        self._database.rows(_FINISH, id=number, now=now)

    def sign_again(self, number: int, old_signature: str, **signed: object) -> None:
        self._database.rows(_SIGN_AGAIN, id=number, old_signature=old_signature, **signed)

    def give_up(self, number: int, code: str, owed_lamports: int, now: datetime) -> None:
        """Failed for good: what was taken from a stock goes back, what is owed is noted."""
        self._database.rows(_GIVE_UP, id=number, code=code, owed_lamports=owed_lamports, now=now)

    def postpone(self, number: int, code: str, next_try_at: datetime | None) -> None:
        self._database.rows(_POSTPONE, id=number, code=code, next_try_at=next_try_at)

    def pend(
        self, mint: str, box_id: str, client_seed: str | None, now: datetime, next_try_at: datetime
    ) -> None:
        """Note that an NFT is to be revealed once it is there."""
        self._database.rows(
            _PEND, mint=mint, box_id=box_id, client_seed=client_seed, now=now,
            next_try_at=next_try_at, pending_max=PENDING_MAX,
        )  # fmt: skip

    def drop(self, number: int) -> None:
        self._database.rows(_DROP, id=number)

    def claim_due(self, now: datetime, lease_until: datetime, most: int) -> list[str]:
        """The mints of due reveals, which no other worker gets until the lease is over."""
        rows = self._database.rows(_CLAIM, now=now, lease_until=lease_until, most=most)
        return [row.nft_mint for row in rows]


class DrawRows:
    """Inside the transaction of one roll."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def next_nonce(self) -> FairNonce | None:
        """The next of the newest seed; None if that is disclosed or there is none. Others wait
        until this transaction ends, so that no nonce is left out."""
        row = self._connection.execute(_NONCE).first()
        return None if row is None else FairNonce(row.id, bytes(row.seed), row.nonce)

    def take(self, template_id: int) -> bool:
        """One from the stock; False if there is none left."""
        return self._connection.execute(_TAKE, {"id": template_id}).first() is not None

    def enter(self, **values: object) -> int:
        """The id of the roll. Raises AlreadyDrawn, which takes back what was taken."""
        row = self._connection.execute(_ENTER, values).first()
        if row is None:
            raise AlreadyDrawn
        return int(row.id)
