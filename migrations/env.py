"""How Alembic reaches the database. A migration never waits for a lock longer than 5 s."""

from alembic import context
from sqlalchemy import Connection, create_engine, text

from app.db.models import Base
from app.settings import settings


def migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=Base.metadata)
    with context.begin_transaction():
        connection.execute(text("SET LOCAL lock_timeout = '5s'"))
        # Two processes that migrate at once: the second waits here and finds nothing to do.
        connection.execute(text("SELECT pg_advisory_xact_lock(7127041)"))
        context.run_migrations()


def main() -> None:
    given: Connection | None = context.config.attributes.get("connection")
    if given is not None:
        migrate(given)
        return
    engine = create_engine(settings().database_url.get_secret_value())
    with engine.connect() as connection:
        migrate(connection)
    engine.dispose()


main()
