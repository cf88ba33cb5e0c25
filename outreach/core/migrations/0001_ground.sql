-- The ground: every room's tables. Keys that are words are COLLATE "C".
-- Tables that grow for decades are range-partitioned by month from the start: messages and revisions by the
-- occurrence's scheduled month, sealed records and attempts by the month inside their UUIDv7.

-- ── people ────────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE branch (
    id uuid PRIMARY KEY,
    code text COLLATE "C" NOT NULL UNIQUE,
    name text NOT NULL UNIQUE,
    name_en text NOT NULL,
    time_zone text NOT NULL DEFAULT 'Asia/Shanghai',
    phone text NOT NULL DEFAULT '',
    complaint_phone text NOT NULL DEFAULT '',
    email text NOT NULL DEFAULT '',
    address text NOT NULL DEFAULT ''
);

CREATE TABLE staff (
    id uuid PRIMARY KEY,
    staff_no text COLLATE "C" NOT NULL UNIQUE,
    person_key text COLLATE "C" NOT NULL,          -- the same for two accounts of one person (P2)
    name text NOT NULL,
    name_en text NOT NULL DEFAULT '',
    email text NOT NULL DEFAULT '',
    phone text NOT NULL DEFAULT '',
    securities_licence text NOT NULL DEFAULT '',   -- 从业资格, art. 19
    securities_expires date,
    advisory_licence text NOT NULL DEFAULT '',     -- 投资咨询资格, art. 19 and 41
    advisory_expires date,
    language text NOT NULL DEFAULT 'zh-CN',
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'left'))
);

CREATE TABLE staff_role (
    id uuid PRIMARY KEY,
    staff_id uuid NOT NULL REFERENCES staff,
    role text NOT NULL,
    branch_id uuid REFERENCES branch,              -- null: the firm
    valid_from date NOT NULL DEFAULT '1970-01-01',
    valid_until date,
    UNIQUE NULLS NOT DISTINCT (staff_id, role, branch_id)
);

CREATE TABLE client (
    id uuid PRIMARY KEY,
    client_no text COLLATE "C" NOT NULL UNIQUE,
    account_no text COLLATE "C",
    name text NOT NULL,
    gender text CHECK (gender IN ('male', 'female')),
    kind text NOT NULL DEFAULT 'person' CHECK (kind IN ('person', 'company')),
    id_type text,
    id_no text,
    id_expiry date,
    birth_date date,
    lunar_month smallint,
    lunar_day smallint,
    lunar_leap boolean,
    tier text COLLATE "C" NOT NULL DEFAULT 'ordinary',
    risk_class smallint CHECK (risk_class BETWEEN 1 AND 5),
    risk_minimum boolean NOT NULL DEFAULT false,   -- the lowest C1: only R1
    assessed_on date,
    investor_class text,
    opened_on date,
    status text NOT NULL DEFAULT 'normal' CHECK (status IN ('normal', 'dormant', 'frozen', 'closed')),
    deceased boolean NOT NULL DEFAULT false,
    test boolean NOT NULL DEFAULT false,
    advisor_id uuid REFERENCES staff,
    advisor_no text COLLATE "C",                   -- as the file said; without advisor_id it is an orphan
    consultant_id uuid REFERENCES staff,
    branch_id uuid NOT NULL REFERENCES branch,
    channel_preference text,
    language text NOT NULL DEFAULT 'zh-CN',
    time_zone text NOT NULL DEFAULT 'Asia/Shanghai',
    address text,
    postcode text,
    margin_expiry date,
    note text,
    tags text[] NOT NULL DEFAULT '{}',
    do_not_contact boolean NOT NULL DEFAULT false,
    row_digest bytea,                              -- of the imported row: the same file twice changes nothing
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX client_branch ON client (branch_id, client_no);
CREATE INDEX client_advisor ON client (advisor_id) WHERE advisor_id IS NOT NULL;
CREATE INDEX client_birthday ON client ((extract(month FROM birth_date)), (extract(day FROM birth_date)))
    WHERE birth_date IS NOT NULL AND lunar_month IS NULL;
CREATE INDEX client_lunar_birthday ON client (lunar_month, lunar_day, lunar_leap) WHERE lunar_month IS NOT NULL;

CREATE TABLE contact_point (
    id uuid PRIMARY KEY,
    client_id uuid NOT NULL REFERENCES client,
    channel text COLLATE "C" NOT NULL,             -- sms | email | letter
    address text COLLATE "C" NOT NULL,             -- E.164, mail address, postal address
    country text COLLATE "C" NOT NULL DEFAULT '',  -- ISO 3166 of a number
    active boolean NOT NULL DEFAULT true,
    UNIQUE (client_id, channel, address)
);
CREATE INDEX contact_point_address ON contact_point (address, channel);

-- The present state; each change is also a leaf of the ledger.
CREATE TABLE consent (
    id uuid PRIMARY KEY,
    client_id uuid NOT NULL REFERENCES client,
    channel text COLLATE "C" NOT NULL DEFAULT '*',
    category text COLLATE "C" NOT NULL DEFAULT '*',
    state text NOT NULL CHECK (state IN ('opted_in', 'opted_out')),
    source text NOT NULL,                          -- import | sms | page | provider
    evidence text NOT NULL DEFAULT '',
    at timestamptz NOT NULL,
    UNIQUE (client_id, channel, category)
);

CREATE TABLE holding (
    client_id uuid NOT NULL REFERENCES client,
    code text COLLATE "C" NOT NULL,
    quantity numeric NOT NULL,
    as_of date NOT NULL,
    PRIMARY KEY (client_id, code)
);
CREATE INDEX holding_code ON holding (code, client_id);

CREATE TABLE import_run (
    id uuid PRIMARY KEY,
    kind text NOT NULL,                            -- clients | holdings | research | market-events
    file_name text NOT NULL,
    file_sha256 bytea NOT NULL,
    encoding text,
    counts jsonb NOT NULL,
    rejects_path text,
    by_staff_id uuid REFERENCES staff,
    at timestamptz NOT NULL
);

CREATE TABLE import_finding (
    import_id uuid NOT NULL REFERENCES import_run,
    number bigint NOT NULL,
    row_number bigint NOT NULL,
    client_no text,
    column_name text,
    code text NOT NULL,
    severity text NOT NULL,                        -- reject | warning
    message text NOT NULL,
    mend text NOT NULL,
    PRIMARY KEY (import_id, number)
);

-- ── auth ──────────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE account (
    staff_id uuid PRIMARY KEY REFERENCES staff,
    username text COLLATE "C" NOT NULL UNIQUE,
    password_hash text NOT NULL,                   -- argon2id
    disabled boolean NOT NULL DEFAULT false
);

CREATE TABLE web_session (
    token_hash bytea PRIMARY KEY,                  -- SHA-256 of the cookie's value
    staff_id uuid NOT NULL REFERENCES staff,
    csrf_token text NOT NULL,
    created_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);

CREATE TABLE signin_attempt (
    key text COLLATE "C" NOT NULL,                 -- username or address, hashed
    at timestamptz NOT NULL,
    succeeded boolean NOT NULL
);
CREATE INDEX signin_attempt_key ON signin_attempt (key, at);

-- ── content ───────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE content_release (
    id uuid PRIMARY KEY,
    number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    at timestamptz NOT NULL,
    published_by uuid NOT NULL REFERENCES staff,
    approved_by uuid NOT NULL REFERENCES staff,
    bootstrap boolean NOT NULL DEFAULT false,
    note text NOT NULL DEFAULT '',
    CHECK (published_by <> approved_by)
);

CREATE TABLE content_version (
    id uuid PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,                -- template | job | policy | lexicon | disclosures | reasons
    name text COLLATE "C" NOT NULL,
    version int NOT NULL,
    sha256 bytea NOT NULL,
    files jsonb NOT NULL,                          -- relative path -> text, exactly as published
    release_id uuid NOT NULL REFERENCES content_release,
    last_editor uuid NOT NULL REFERENCES staff,    -- may not approve what is made from it (P2)
    retired boolean NOT NULL DEFAULT false,        -- a version that ends the name
    UNIQUE (kind, name, version)
);

-- ── feeds ─────────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE feed_item (
    id uuid PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,                -- research | market-event
    item_key text COLLATE "C" NOT NULL,            -- report_id or event_id
    issued_at timestamptz NOT NULL,                -- published_at or announced_at
    code text COLLATE "C" NOT NULL DEFAULT '',     -- ts_code
    item_type text NOT NULL DEFAULT '',
    risk_level smallint,
    urgent boolean NOT NULL DEFAULT false,
    expires_at timestamptz,
    data jsonb NOT NULL,
    sha256 bytea NOT NULL,
    supersedes_id uuid REFERENCES feed_item,
    superseded_by uuid REFERENCES feed_item,
    received_at timestamptz NOT NULL,
    UNIQUE (kind, item_key, issued_at)
);
CREATE INDEX feed_item_in_force ON feed_item (kind, issued_at) WHERE superseded_by IS NULL;

-- ── scheduling ────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE schedule (
    job_name text COLLATE "C" PRIMARY KEY,
    high_water timestamptz NOT NULL,               -- every firing composed at or before it has its occurrence
    enabled boolean NOT NULL DEFAULT true
);

CREATE TABLE occurrence (
    id uuid PRIMARY KEY,
    job_name text COLLATE "C" NOT NULL,            -- 'advisor' for an advisor's request
    occurrence_key text COLLATE "C" NOT NULL,      -- civil date, instant, feed item or request
    job_version_id uuid REFERENCES content_version,
    template_version_id uuid REFERENCES content_version,
    policy_version_id uuid REFERENCES content_version,
    scheduled_month date NOT NULL,
    send_date date,
    send_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    feed_item_id uuid REFERENCES feed_item,
    requested_by uuid REFERENCES staff,
    state text NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'composed', 'expired', 'cancelled')),
    top_up boolean NOT NULL DEFAULT false,
    composed_at timestamptz,
    note text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    UNIQUE (job_name, occurrence_key)
);
CREATE INDEX occurrence_due ON occurrence (created_at) WHERE state = 'due';
CREATE INDEX occurrence_open ON occurrence (expires_at) WHERE state = 'composed' AND top_up;

-- ── review ────────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE submission (
    id uuid PRIMARY KEY,
    occurrence_id uuid NOT NULL REFERENCES occurrence,
    branch_id uuid REFERENCES branch,              -- null: put up for the whole firm
    mode text NOT NULL CHECK (mode IN ('each', 'batch', 'standing')),
    policy_version_id uuid NOT NULL REFERENCES content_version,
    template_version_id uuid REFERENCES content_version,
    title text NOT NULL,
    category text NOT NULL,
    author_id uuid REFERENCES staff,               -- who queued it; for a job the last editor of its template
    urgent boolean NOT NULL DEFAULT false,
    sample_seed text NOT NULL,
    created_at timestamptz NOT NULL,
    due_by timestamptz NOT NULL,                   -- when the decision is needed
    send_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed')),
    UNIQUE NULLS NOT DISTINCT (occurrence_id, branch_id)
);
CREATE INDEX submission_open ON submission (branch_id, due_by, id) WHERE state = 'open';

CREATE TABLE standing_approval (
    id uuid PRIMARY KEY,
    branch_id uuid REFERENCES branch,
    template_version_id uuid NOT NULL REFERENCES content_version,
    policy_version_id uuid NOT NULL REFERENCES content_version,
    lexicon_digest bytea NOT NULL,
    granted_by uuid NOT NULL REFERENCES staff,
    granted_at timestamptz NOT NULL,
    valid_until timestamptz NOT NULL,
    revoked_at timestamptz,
    revoked_by uuid REFERENCES staff
);
CREATE INDEX standing_approval_in_force ON standing_approval (template_version_id) WHERE revoked_at IS NULL;

CREATE TABLE decision (
    id uuid PRIMARY KEY,
    submission_id uuid NOT NULL REFERENCES submission,
    verb text NOT NULL CHECK (verb IN ('approve', 'return', 'reject', 'release')),
    actor_id uuid REFERENCES staff,                -- null only for a release
    standing_approval_id uuid REFERENCES standing_approval,
    at timestamptz NOT NULL,
    undo_until timestamptz NOT NULL,
    undone_at timestamptz,
    undone_by uuid REFERENCES staff,
    reasons text[] NOT NULL DEFAULT '{}',
    note text NOT NULL DEFAULT '',
    manifest_digest bytea NOT NULL,                -- SHA-256 over the sorted lines "message id, revision, digest"
    count int NOT NULL,
    policy_version_id uuid NOT NULL REFERENCES content_version,
    CHECK ((verb = 'release') = (standing_approval_id IS NOT NULL)),
    CHECK (verb = 'release' OR actor_id IS NOT NULL)
);
CREATE INDEX decision_submission ON decision (submission_id);

-- What a decision binds: exactly these payload digests (P1). Never updated.
CREATE TABLE decision_digest (
    decision_id uuid NOT NULL REFERENCES decision,
    message_id uuid NOT NULL,
    revision int NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (decision_id, message_id)
);
CREATE INDEX decision_digest_message ON decision_digest (message_id);

-- ── messages ──────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE message (
    id uuid NOT NULL,
    scheduled_month date NOT NULL,
    occurrence_id uuid NOT NULL,
    submission_id uuid NOT NULL,
    branch_id uuid NOT NULL,
    client_id uuid NOT NULL,
    advisor_id uuid,
    author_id uuid,                                -- who wrote it (P2)
    last_editor_id uuid,                           -- who last edited it (P2)
    channel text COLLATE "C" NOT NULL,
    contact_point_id uuid,
    address_hash bytea NOT NULL,                   -- keyed hash of the address
    category text COLLATE "C" NOT NULL,
    language text COLLATE "C" NOT NULL,
    template_version_id uuid,
    lexicon_digest bytea NOT NULL,
    risk_level smallint,
    product_codes text[] NOT NULL DEFAULT '{}',
    advice boolean NOT NULL DEFAULT false,
    revision int NOT NULL DEFAULT 1,
    digest bytea NOT NULL,                         -- SHA-256 of the current revision's payload
    payload_id uuid NOT NULL,                      -- its sealed record
    state text COLLATE "C" NOT NULL,
    state_at timestamptz NOT NULL,
    reason text,                                   -- code of messages/reasons.py: why it stands where it does
    reason_params jsonb,
    findings jsonb NOT NULL DEFAULT '[]',          -- rule, article, severity, spans; never text of the body
    flagged boolean NOT NULL DEFAULT false,
    blocked boolean NOT NULL DEFAULT false,
    urgent boolean NOT NULL DEFAULT false,
    send_at timestamptz NOT NULL,                  -- not before; inside the client's window
    send_window text NOT NULL DEFAULT '09:00-20:00',
    time_zone text NOT NULL,
    expires_at timestamptz NOT NULL,
    due_at timestamptz,                            -- when approved: max(send_at, decision + undo window, retry)
    decision_id uuid,
    claim_token uuid,                              -- of the attempt that holds it
    lease_until timestamptz,
    attempts int NOT NULL DEFAULT 0,
    fallback_of uuid,                              -- the message this one replaces on the next channel
    created_at timestamptz NOT NULL,
    PRIMARY KEY (scheduled_month, id),
    UNIQUE (scheduled_month, occurrence_id, client_id, channel)
) PARTITION BY RANGE (scheduled_month);
CREATE INDEX message_id ON message (id);
CREATE INDEX message_inbox ON message (submission_id, state, id);
CREATE INDEX message_branch_state ON message (branch_id, state, send_at, id);
CREATE INDEX message_due ON message (urgent DESC, due_at, id) WHERE state = 'approved';
CREATE INDEX message_claimed ON message (lease_until) WHERE state = 'claimed';
CREATE INDEX message_waiting_expiry ON message (expires_at) WHERE state IN ('held', 'returned', 'approved');
CREATE INDEX message_unknown ON message (state_at) WHERE state = 'unknown';
CREATE INDEX message_client ON message (client_id, state_at DESC);
CREATE INDEX message_author ON message (author_id, created_at DESC) WHERE author_id IS NOT NULL;
CREATE INDEX message_address ON message (address_hash, send_at);

CREATE TABLE message_revision (
    message_id uuid NOT NULL,
    scheduled_month date NOT NULL,
    revision int NOT NULL,
    digest bytea NOT NULL,
    payload_id uuid NOT NULL,
    editor_id uuid,
    at timestamptz NOT NULL,
    PRIMARY KEY (scheduled_month, message_id, revision)
) PARTITION BY RANGE (scheduled_month);

-- One greeting per (date, occasion, address), by a unique row (P3).
CREATE TABLE greeting_slot (
    send_date date NOT NULL,
    occasion text COLLATE "C" NOT NULL,
    address_hash bytea NOT NULL,
    message_id uuid NOT NULL,
    PRIMARY KEY (send_date, occasion, address_hash)
);

CREATE TABLE left_out (
    id uuid PRIMARY KEY,
    occurrence_id uuid NOT NULL REFERENCES occurrence,
    client_id uuid NOT NULL REFERENCES client,
    branch_id uuid NOT NULL,
    channel text NOT NULL DEFAULT '',
    rule text COLLATE "C" NOT NULL,                -- code of messages/reasons.py
    params jsonb NOT NULL DEFAULT '{}',
    reason text NOT NULL,                          -- in words, in the firm's language
    mend text NOT NULL,
    article text NOT NULL DEFAULT '',
    at timestamptz NOT NULL,
    UNIQUE (occurrence_id, client_id, channel)
);
CREATE INDEX left_out_branch ON left_out (branch_id, at DESC, id);

-- ── delivery ──────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE attempt (
    id uuid NOT NULL PRIMARY KEY,                  -- UUIDv7; also the fencing token
    message_id uuid NOT NULL,
    scheduled_month date NOT NULL,
    provider text COLLATE "C" NOT NULL,            -- smtp | twilio | gateway | person
    decision_id uuid NOT NULL,
    digest bytea NOT NULL,                         -- of the payload as it was checked at the moment of sending
    wire_digest bytea,
    state text COLLATE "C" NOT NULL CHECK (state IN
        ('claimed', 'started', 'accepted', 'temporary', 'permanent', 'unknown', 'abandoned')),
    claimed_at timestamptz NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    provider_ref text COLLATE "C",
    error_code text,
    error_text text
) PARTITION BY RANGE (id);
CREATE INDEX attempt_message ON attempt (message_id);
CREATE INDEX attempt_provider_ref ON attempt (provider_ref) WHERE provider_ref IS NOT NULL;
CREATE INDEX attempt_live ON attempt (claimed_at) WHERE state IN ('claimed', 'started');

CREATE TABLE receipt (
    id uuid PRIMARY KEY,
    message_id uuid,                               -- from the callback's address or the look-up
    provider text COLLATE "C" NOT NULL,
    provider_ref text COLLATE "C" NOT NULL,
    status text NOT NULL,                          -- the field's words: sent | delivered | undelivered | failed
    provider_status text NOT NULL,
    error_code text,
    received_at timestamptz NOT NULL,
    settled boolean NOT NULL DEFAULT false,        -- whether it has moved the message's state (or never can)
    UNIQUE (provider, provider_ref, provider_status)
);
CREATE INDEX receipt_message ON receipt (message_id);
CREATE INDEX receipt_unsettled ON receipt (received_at) WHERE NOT settled;

CREATE TABLE reply (
    id uuid PRIMARY KEY,
    channel text COLLATE "C" NOT NULL,
    provider text COLLATE "C" NOT NULL,
    provider_ref text COLLATE "C" NOT NULL,
    from_hash bytea NOT NULL,
    client_id uuid REFERENCES client,
    branch_id uuid REFERENCES branch,
    owner_id uuid REFERENCES staff,                -- 首问负责制: owns it until answered (art. 11)
    kind text NOT NULL CHECK (kind IN ('opt_out', 'opt_in', 'reply')),
    body_id uuid NOT NULL,                         -- sealed
    received_at timestamptz NOT NULL,
    due_by timestamptz,
    answered_at timestamptz,
    UNIQUE (provider, provider_ref)
);
CREATE INDEX reply_owner ON reply (owner_id, received_at DESC);
CREATE INDEX reply_branch ON reply (branch_id, received_at DESC);
CREATE INDEX reply_client ON reply (client_id, received_at DESC);

-- The rate limit of a provider account, shared by all workers: a row grants the size of each claim.
CREATE TABLE rate_bucket (
    account text COLLATE "C" PRIMARY KEY,
    tokens double precision NOT NULL,
    per_second double precision NOT NULL,
    burst double precision NOT NULL,
    refilled_at timestamptz NOT NULL
);

-- ── care ──────────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE task (
    id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('call', 'answer', 'settle')),
    branch_id uuid REFERENCES branch,
    client_id uuid REFERENCES client,
    owner_id uuid REFERENCES staff,
    message_id uuid,
    reply_id uuid REFERENCES reply,
    due_by timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    done_at timestamptz,
    done_by uuid REFERENCES staff,
    note text NOT NULL DEFAULT '',
    UNIQUE NULLS NOT DISTINCT (kind, message_id, reply_id)
);
CREATE INDEX task_open ON task (owner_id, due_by) WHERE done_at IS NULL;

-- ── notices ───────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE notice (
    id uuid PRIMARY KEY,
    staff_id uuid NOT NULL REFERENCES staff,
    kind text NOT NULL,                            -- submission_held | decision | reply
    params jsonb NOT NULL DEFAULT '{}',            -- never client data
    created_at timestamptz NOT NULL,
    sent_at timestamptz,
    seen_at timestamptz,
    tries int NOT NULL DEFAULT 0
);
CREATE INDEX notice_unsent ON notice (created_at) WHERE sent_at IS NULL;
CREATE INDEX notice_staff ON notice (staff_id, created_at DESC);

-- ── ledger ────────────────────────────────────────────────────────────────────────────────────────────────
-- The key, salt and ciphertext of a record can be deleted from (disposal); the envelope and the tree stay.
CREATE TABLE sealed_record (
    id uuid NOT NULL PRIMARY KEY,
    epoch int NOT NULL,
    salt bytea NOT NULL,
    wrapped_key bytea NOT NULL,
    nonce bytea NOT NULL,
    ciphertext bytea NOT NULL
) PARTITION BY RANGE (id);

CREATE TABLE ledger_entry (
    id uuid PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,
    at timestamptz NOT NULL,
    envelope bytea NOT NULL,                       -- RFC 8785 JSON, without clear personal data
    sealed_id uuid,                                -- the record the envelope's commitment speaks of
    message_id uuid,
    client_id uuid,
    branch_id uuid
);
CREATE INDEX ledger_entry_message ON ledger_entry (message_id) WHERE message_id IS NOT NULL;
CREATE INDEX ledger_entry_client ON ledger_entry (client_id, at) WHERE client_id IS NOT NULL;
CREATE INDEX ledger_entry_at ON ledger_entry (at, id);
CREATE INDEX ledger_entry_deciding ON ledger_entry (at)
    WHERE kind IN ('decision', 'release', 'undo', 'standing_approval');

CREATE TABLE ledger_pending (
    entry_id uuid PRIMARY KEY REFERENCES ledger_entry
);

CREATE TABLE ledger_leaf (
    leaf_index bigint PRIMARY KEY,
    entry_id uuid NOT NULL UNIQUE REFERENCES ledger_entry,
    leaf_hash bytea NOT NULL
);

CREATE TABLE ledger_node (
    level smallint NOT NULL,
    node_index bigint NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (level, node_index)
);

CREATE TABLE ledger_checkpoint (
    tree_size bigint PRIMARY KEY,
    root bytea NOT NULL,
    note text NOT NULL,                            -- C2SP signed note
    at timestamptz NOT NULL
);

-- ── archive ───────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE export_run (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL,
    by_staff_id uuid REFERENCES staff,
    query jsonb NOT NULL,
    path text NOT NULL,
    state text NOT NULL CHECK (state IN ('running', 'done', 'failed')),
    tree_size bigint,
    records bigint,
    manifest_sha256 bytea,
    error text
);

-- ── partitions ────────────────────────────────────────────────────────────────────────────────────────────
-- Whatever has no partition yet lands in the default one and is never refused; months are made ahead.
CREATE TABLE message_default PARTITION OF message DEFAULT;
CREATE TABLE message_revision_default PARTITION OF message_revision DEFAULT;
CREATE TABLE attempt_default PARTITION OF attempt DEFAULT;
CREATE TABLE sealed_record_default PARTITION OF sealed_record DEFAULT;

-- The least UUIDv7 of an instant: its 48-bit millisecond time, then zeros.
CREATE FUNCTION uuid7_floor(instant timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT (lpad(to_hex((extract(epoch FROM instant) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid
$$;

-- Makes the partitions of the month that holds ``month``. The application owns nothing, so this runs as the owner.
CREATE FUNCTION ensure_month(month date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    first date := date_trunc('month', month)::date;
    next date := (date_trunc('month', month) + interval '1 month')::date;
    suffix text := to_char(date_trunc('month', month), 'YYYYMM');
    lower_id uuid := public.uuid7_floor(date_trunc('month', month)::timestamp AT TIME ZONE 'UTC');
    upper_id uuid := public.uuid7_floor((date_trunc('month', month) + interval '1 month')::timestamp AT TIME ZONE 'UTC');
BEGIN
    IF to_regclass('public.message_' || suffix) IS NOT NULL THEN RETURN; END IF;
    PERFORM pg_advisory_xact_lock(hashtext('ensure_month'));
    IF to_regclass('public.message_' || suffix) IS NOT NULL THEN RETURN; END IF;
    IF EXISTS (SELECT FROM public.message_default WHERE scheduled_month = first) THEN RETURN; END IF;
    IF EXISTS (SELECT FROM public.message_revision_default WHERE scheduled_month = first) THEN RETURN; END IF;
    IF EXISTS (SELECT FROM public.attempt_default WHERE id >= lower_id AND id < upper_id) THEN RETURN; END IF;
    IF EXISTS (SELECT FROM public.sealed_record_default WHERE id >= lower_id AND id < upper_id) THEN RETURN; END IF;
    EXECUTE format('CREATE TABLE public.message_%s PARTITION OF public.message FOR VALUES FROM (%L) TO (%L)', suffix, first, next);
    EXECUTE format('CREATE TABLE public.message_revision_%s PARTITION OF public.message_revision FOR VALUES FROM (%L) TO (%L)', suffix, first, next);
    EXECUTE format('CREATE TABLE public.attempt_%s PARTITION OF public.attempt FOR VALUES FROM (%L) TO (%L)', suffix, lower_id, upper_id);
    EXECUTE format('CREATE TABLE public.sealed_record_%s PARTITION OF public.sealed_record FOR VALUES FROM (%L) TO (%L)', suffix, lower_id, upper_id);
END $$;

SELECT ensure_month((date_trunc('month', now()) + make_interval(months => n))::date) FROM generate_series(-1, 14) AS n;

-- ── rights ────────────────────────────────────────────────────────────────────────────────────────────────
-- The application's role owns nothing. What is a record can be added to, never altered or taken away.
GRANT USAGE ON SCHEMA public TO outreach_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO outreach_app;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO outreach_app;
REVOKE UPDATE, DELETE ON ledger_entry, ledger_leaf, ledger_node, ledger_checkpoint, decision_digest,
    message_revision, content_version, content_release, import_run, import_finding, left_out, greeting_slot,
    alembic_version FROM outreach_app;
REVOKE INSERT ON alembic_version FROM outreach_app;
REVOKE DELETE ON client, contact_point, consent, message, attempt, receipt, reply, decision, submission,
    occurrence, feed_item, staff, branch, standing_approval, export_run FROM outreach_app;
REVOKE UPDATE ON sealed_record FROM outreach_app;
