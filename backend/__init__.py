"""The reference backend: reveal, quote and buy back, as the production integration guide says.

    from backend.adapters.database import migrate
    from backend.adapters.catalogue import seed_catalogue
    from backend.api.app import create_app

    migrate(url); seed_catalogue(url)
    app = create_app(Settings(...))        # or: python -m backend, with the guide's variables

domain/    rules without I/O: odds, payout arithmetic, errors
adapters/  what the outside looks like: tables, migrations, the ledger, prices
service/   the two things it does: reveal and buyback
api/       HTTP
"""
