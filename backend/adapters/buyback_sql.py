"""The statements of buybacks: quotes, what they hold back, records, what else is owed.

Every change is one statement, which stands or falls as a whole.
"""

from sqlalchemy import text

_QUOTE = """q.id, q.nft_mint, q.user_wallet, q.state, q.amount_lamports, q.price_usd, q.sol_usd,
    q.message_sha256, q.issued_tx, q.treasury_signed, q.last_valid_block_height, q.expires_at,
    q.tx_signature, q.signed_tx"""
#: Of a refund: the treasury pays the network's fee of one signature, too.
_COST = "amount_lamports + 5000"

OPEN_BOOK = text(f"""
    insert into treasury_books (treasury, reserved_lamports, paid_lamports)
    select :treasury, coalesce(sum(held), 0), 0 from (select {_COST} as held from obligations
      where state = 'paying' union all select amount_lamports from buyback_quotes
      where state in ('open', 'signed')) live on conflict (treasury) do nothing""")
SKIN = text("""
    select s.is_burned_back, t.base_price_usd as price_usd, b.paid_lamports as paid_before,
      q.id as live_quote_id
    from user_skins s join skin_templates t on t.id = s.skin_template_id
    left join treasury_books b on b.treasury = :treasury
    left join buyback_quotes q on q.nft_mint = s.nft_mint_address and q.state in ('open', 'signed')
    where s.nft_mint_address = :mint""")
# Holds the amount back and enters the quote, or does neither. The balance was read a little before:
# what was paid since may be missing from it already or not, so it counts as missing.
ISSUE = text("""
    with held as (update treasury_books set reserved_lamports = reserved_lamports + :amount
      where treasury = :treasury and reserved_lamports + paid_lamports - :paid_before + :amount
      <= :spendable returning treasury)
    insert into buyback_quotes (nft_mint, user_wallet, state, amount_lamports, price_usd, sol_usd,
      message_sha256, issued_tx, treasury_signed, last_valid_block_height, created_at, expires_at,
      next_check_at)
    select :mint, :wallet, 'open', :amount, :price_usd, :sol_usd, :digest, :issued_tx,
      :treasury_signed, :last_height, :now, :expires_at, :next_check_at from held returning id""")
BY_ID = text(f"select {_QUOTE} from buyback_quotes q where q.id = :id")
BY_MESSAGE = text("select id from buyback_quotes where message_sha256 = :digest")
# The quote of this very message; failing that the NFT's live one, whose message may be changed if
# the user signs first.
TO_CONFIRM = text(f"""
    select {_QUOTE}, r.tx_signature as paid_signature, r.quote_id as paid_quote_id
    from buyback_quotes q left join buyback_records r on r.nft_mint = q.nft_mint
    where q.message_sha256 = :digest or (q.nft_mint = :mint and q.state in ('open', 'signed'))
    order by q.message_sha256 = :digest desc limit 1""")
SIGN = text(f"""
    update buyback_quotes q set state = 'signed', tx_signature = :signature,
      signed_tx = :signed_tx, message_sha256 = :digest
    where id = :id and state = 'open' returning {_QUOTE}""")
# It can never be paid: it is dead and holds nothing back any more.
CLOSE = text("""
    with closed as (update buyback_quotes set state = 'dead', next_check_at = null
      where id = :id and state in ('open', 'signed') and (not :unsigned_only or signed_tx is null)
      returning amount_lamports)
    update treasury_books set reserved_lamports = reserved_lamports
      - (select amount_lamports from closed)
    where treasury = :treasury and exists (select from closed) returning treasury""")
# Payment, mark, quote and what it held back: together or not at all, and once.
RECORD = text("""
    with was as (select id, state, amount_lamports from buyback_quotes
      where id = cast(:quote_id as bigint) for update),
    closed as (update buyback_quotes q set state = 'paid', tx_signature = :signature,
      next_check_at = null from was where q.id = was.id and was.state <> 'paid'
      returning case when was.state = 'dead' then 0 else was.amount_lamports end as freed),
    marked as (update user_skins set is_burned_back = true, buyback_tx_signature = :signature
      where nft_mint_address = :mint),
    entered as (insert into buyback_records (nft_mint, user_wallet, amount_paid, tx_signature,
      created_at, quote_id) values (:mint, :wallet, :amount_sol, :signature, :now,
      cast(:quote_id as bigint)) on conflict (nft_mint) do nothing returning id)
    update treasury_books set
      reserved_lamports = reserved_lamports - coalesce((select sum(freed) from closed), 0),
      paid_lamports = paid_lamports + case when exists (select from entered) then :amount else 0 end
    where treasury = :treasury""")
# The lease keeps other workers away; should this one die, the quote is due again after it.
CLAIM = text(f"""
    update buyback_quotes q set next_check_at = :lease_until where id in
      (select id from buyback_quotes where next_check_at <= :now order by next_check_at, id
      limit :most for update skip locked) returning {_QUOTE}""")
# With what is entered by half: marked as sold without a payment, or the other way round.
UNSOLD = text("""
    select s.id, s.nft_mint_address as nft_mint, s.is_burned_back or r.id is not null as half
    from user_skins s left join buyback_records r on r.nft_mint = s.nft_mint_address
    where not (s.is_burned_back and r.id is not null) and s.id > :after order by s.id
    limit :most""")
INVENTORY = text("""
    select u.nft_mint_address as nft_mint, t.weapon || ' | ' || t.skin_name as skin_name,
      t.rarity as skin_rarity, t.condition, t.image_url
    from user_skins u join skin_templates t on t.id = u.skin_template_id
    where u.nft_mint_address = any(:mints) and not u.is_burned_back order by u.id limit 1000""")

# -- what the house may owe a player ---------------------------------------------------------------

OBLIGATIONS = text("""
    select id, kind, nft_mint, wallet, amount_lamports, state, tx_signature,
      last_valid_block_height from obligations order by id limit 1000""")
# In any order, lest some that cannot be paid keep the others waiting.
OWED = text("""
    select id, wallet, amount_lamports, tx_signature, signed_tx, last_valid_block_height,
      b.paid_lamports as paid_before from obligations, treasury_books b
    where state in ('approved', 'paying') and treasury = :treasury order by random() limit :most""")
DECIDE = text("""
    update obligations set state = :state, wallet = coalesce(cast(:wallet as text), wallet)
    where id = :id and state = 'open'
      and (:state = 'waived' or coalesce(cast(:wallet as text), wallet) is not null)
    returning id""")
# Only whoever still sees what it read may store other bytes. The first hold the cost back.
SIGN_REFUND = text(f"""
    with due as (select id, case state when 'approved' then {_COST} else 0 end as cost
      from obligations where id = :id and state in ('approved', 'paying')
      and tx_signature is not distinct from cast(:old_signature as text) for update),
    held as (update treasury_books set reserved_lamports = reserved_lamports + cost from due
      where treasury = :treasury
      and reserved_lamports + paid_lamports - :paid_before + cost <= :spendable returning due.id)
    update obligations o set state = 'paying', tx_signature = :signature, signed_tx = :signed_tx,
      last_valid_block_height = :last_height from held where o.id = held.id returning o.*""")
REFUNDED = text(f"""
    with done as (update obligations set state = 'paid', settled_at = :now
      where id = :id and state = 'paying' returning {_COST} as cost)
    update treasury_books set reserved_lamports = reserved_lamports - cost,
      paid_lamports = paid_lamports + cost from done where treasury = :treasury""")
PAYOUTS = text("""
    select kind, nft_mint, wallet, amount_lamports, tx_signature, paid_at from payout_audit
    where id > :after order by id limit 1000""")
