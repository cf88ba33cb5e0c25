"""The rate limit of a provider account, shared by every worker: a token bucket in one row."""

import math

from sqlalchemy import Connection, text

_TAKE = text(
    """
    WITH refilled AS (
        SELECT account,
               least(burst, tokens + per_second * extract(epoch FROM clock_timestamp() - refilled_at)) AS tokens
        FROM rate_bucket WHERE account = :account FOR UPDATE
    )
    UPDATE rate_bucket b
       SET tokens = r.tokens - least(:want, greatest(floor(r.tokens), 0)), refilled_at = clock_timestamp()
      FROM refilled r WHERE b.account = r.account
    RETURNING least(:want, greatest(floor(r.tokens), 0))
    """
)

_ENSURE = text(
    """
    INSERT INTO rate_bucket (account, tokens, per_second, burst, refilled_at)
    VALUES (:account, :burst, :per_second, :burst, clock_timestamp())
    ON CONFLICT (account) DO UPDATE SET per_second = excluded.per_second, burst = excluded.burst
    WHERE rate_bucket.per_second <> excluded.per_second OR rate_bucket.burst <> excluded.burst
    """
)


def grant(conn: Connection, account: str, want: int, per_second: float) -> int:
    """How many of ``want`` calls the account's bucket (refilled at ``per_second``) grants now."""
    if want <= 0:
        return 0
    conn.execute(
        _ENSURE, {"account": account, "per_second": per_second, "burst": max(1.0, math.ceil(per_second))}
    )
    return int(conn.execute(_TAKE, {"account": account, "want": want}).scalar_one())
