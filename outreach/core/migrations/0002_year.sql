-- Content and occasions: what a branch says in a year. Adds only; what was there stays as it is.

-- ── content: drafts that are edited in the browser ────────────────────────────────────────────────────────
CREATE TABLE content_draft (
    id uuid PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,                -- template | job | policy | lexicon | disclosures | reasons
    name text COLLATE "C" NOT NULL,
    base_version int NOT NULL DEFAULT 0,           -- the version in force it was started from; 0: there was none
    files jsonb NOT NULL,
    state text NOT NULL DEFAULT 'editing' CHECK (state IN ('editing', 'submitted', 'published', 'returned', 'discarded')),
    revision int NOT NULL DEFAULT 1,               -- counts every saving; whoever saves names the one they saw
    editor_id uuid NOT NULL REFERENCES staff,      -- who last edited it (P2)
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    submitted_at timestamptz,
    submitted_by uuid REFERENCES staff,
    note text NOT NULL DEFAULT '',
    decided_by uuid REFERENCES staff,
    decided_at timestamptz,
    decision_note text NOT NULL DEFAULT '',
    release_id uuid REFERENCES content_release
);
CREATE UNIQUE INDEX content_draft_open ON content_draft (kind, name) WHERE state IN ('editing', 'submitted', 'returned');
CREATE INDEX content_draft_state ON content_draft (state, updated_at DESC);

-- ── people: what clients want to be told, dated facts, and what a person corrected here ───────────────────
CREATE TABLE subscription (
    client_id uuid NOT NULL REFERENCES client,
    feed text COLLATE "C" NOT NULL,                -- research | market-event
    item_type text COLLATE "C" NOT NULL DEFAULT '*',
    source text NOT NULL DEFAULT '',
    since timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (client_id, feed, item_type)
);
CREATE INDEX subscription_feed ON subscription (feed, item_type, client_id) WHERE ended_at IS NULL;

CREATE TABLE client_date (
    client_id uuid NOT NULL REFERENCES client,
    kind text COLLATE "C" NOT NULL,                -- product-maturity, warrant-expiry … : the institution's own names
    on_date date NOT NULL,
    subject text NOT NULL DEFAULT '',              -- what it is about, as a client may read it
    source text NOT NULL DEFAULT '',
    at timestamptz NOT NULL,
    PRIMARY KEY (client_id, kind, on_date, subject)
);
CREATE INDEX client_date_on ON client_date (kind, on_date, client_id);

-- A value that a person put right here: the nightly file does not overwrite it silently.
CREATE TABLE client_correction (
    client_id uuid NOT NULL REFERENCES client,
    field text COLLATE "C" NOT NULL,
    value jsonb NOT NULL,                          -- ours
    file_value jsonb,                              -- what the file had said when it was corrected
    by_staff_id uuid NOT NULL REFERENCES staff,
    at timestamptz NOT NULL,
    note text NOT NULL DEFAULT '',
    told_at timestamptz,                           -- when a write-back file carried it
    PRIMARY KEY (client_id, field)
);
CREATE INDEX client_correction_untold ON client_correction (at) WHERE told_at IS NULL;

CREATE TABLE import_conflict (
    id uuid PRIMARY KEY,
    client_id uuid NOT NULL REFERENCES client,
    branch_id uuid NOT NULL REFERENCES branch,
    field text COLLATE "C" NOT NULL,
    ours jsonb NOT NULL,
    theirs jsonb NOT NULL,
    import_id uuid NOT NULL REFERENCES import_run,
    at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'kept', 'taken', 'gone')),
    decided_by uuid REFERENCES staff,
    decided_at timestamptz
);
CREATE UNIQUE INDEX import_conflict_open ON import_conflict (client_id, field) WHERE state = 'open';
CREATE INDEX import_conflict_branch ON import_conflict (branch_id, at DESC, id);

-- A dropped file that is not imported by itself: a person looks at its preview and decides.
CREATE TABLE import_waiting (
    id uuid PRIMARY KEY,
    kind text NOT NULL,                            -- clients | holdings
    file_name text NOT NULL,
    file_sha256 bytea NOT NULL,
    path text NOT NULL,
    reasons jsonb NOT NULL,                        -- code and figures of each; never a client's data
    at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'applied', 'discarded')),
    decided_by uuid REFERENCES staff,
    decided_at timestamptz
);
CREATE INDEX import_waiting_open ON import_waiting (at) WHERE state = 'waiting';

CREATE TABLE write_back (
    id uuid PRIMARY KEY,
    number bigint NOT NULL UNIQUE,                 -- without gaps: given under a lock
    file_name text NOT NULL,
    sha256 bytea NOT NULL,                         -- of the list of its files' digests
    first_leaf bigint NOT NULL,                    -- the record's entries first_leaf to end_leaf - 1, none left out
    end_leaf bigint NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    counts jsonb NOT NULL,
    at timestamptz NOT NULL,
    by_staff_id uuid REFERENCES staff
);

-- The dates that jobs ask for every day, over all clients.
CREATE INDEX client_assessed_on ON client (assessed_on) WHERE assessed_on IS NOT NULL;
CREATE INDEX client_id_expiry ON client (id_expiry) WHERE id_expiry IS NOT NULL;
CREATE INDEX client_margin_expiry ON client (margin_expiry) WHERE margin_expiry IS NOT NULL;
CREATE INDEX client_opened_on ON client (opened_on) WHERE opened_on IS NOT NULL;

-- ── core: files that others drop into a watched folder ────────────────────────────────────────────────────
CREATE TABLE dropped_file (
    id uuid PRIMARY KEY,
    folder text COLLATE "C" NOT NULL,              -- research | market-events | clients | holdings …
    file_name text NOT NULL,
    sha256 bytea NOT NULL,
    size bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('taking', 'taken', 'refused')),
    counts jsonb NOT NULL DEFAULT '{}',
    detail text NOT NULL DEFAULT '',               -- why it was refused; never a client's data
    at timestamptz NOT NULL,
    UNIQUE (folder, sha256)
);
CREATE INDEX dropped_file_at ON dropped_file (at DESC, id);

-- ── auth: tokens of programs that speak to the API ────────────────────────────────────────────────────────
CREATE TABLE api_token (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    token_hash bytea NOT NULL UNIQUE,              -- SHA-256 of a random token; the token itself is told once
    permissions text[] NOT NULL,                   -- research | market-events
    created_by uuid REFERENCES staff,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);

-- ── messages: what is attached ────────────────────────────────────────────────────────────────────────────
CREATE TABLE attachment (
    id uuid PRIMARY KEY,
    sha256 bytea NOT NULL,
    media_type text NOT NULL,
    file_name text NOT NULL,
    size bigint NOT NULL,
    sealed_id uuid NOT NULL,                       -- its bytes, sealed
    branch_id uuid REFERENCES branch,              -- null: the firm's
    uploaded_by uuid NOT NULL REFERENCES staff,
    at timestamptz NOT NULL
);
CREATE INDEX attachment_sha256 ON attachment (sha256);

-- ── composing: drafts that an advisor keeps ───────────────────────────────────────────────────────────────
CREATE TABLE compose_draft (
    id uuid PRIMARY KEY,
    staff_id uuid NOT NULL REFERENCES staff,
    title text NOT NULL DEFAULT '',                -- the author's own name for it; never the text
    sealed_id uuid NOT NULL,                       -- the draft itself, sealed
    client_count int NOT NULL DEFAULT 0,
    template text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    closed_at timestamptz,
    occurrence_id uuid                             -- what became of it, when it was queued
);
CREATE INDEX compose_draft_open ON compose_draft (staff_id, updated_at DESC) WHERE closed_at IS NULL;

-- ── review: material approved before it has a recipient, and a branch's hold on what the firm approved ────
CREATE TABLE material (
    id uuid PRIMARY KEY,
    title text NOT NULL,
    category text COLLATE "C" NOT NULL,
    language text COLLATE "C" NOT NULL,
    risk_level smallint,
    advice boolean NOT NULL DEFAULT false,
    attachment_id uuid NOT NULL REFERENCES attachment,
    digest bytea NOT NULL,                         -- of all that a decision binds: the columns above, and the file's SHA-256
    branch_id uuid REFERENCES branch,              -- null: for the whole firm
    author_id uuid NOT NULL REFERENCES staff,
    state text NOT NULL DEFAULT 'held' CHECK (state IN ('held', 'approved', 'returned', 'rejected', 'withdrawn')),
    created_at timestamptz NOT NULL,
    decided_by uuid REFERENCES staff,
    decided_at timestamptz,
    reasons text[] NOT NULL DEFAULT '{}',
    note text NOT NULL DEFAULT '',
    valid_until timestamptz
);
CREATE INDEX material_state ON material (state, id DESC);
CREATE INDEX material_author ON material (author_id, id DESC);
CREATE INDEX material_attachment ON material (attachment_id);

CREATE TABLE branch_hold (
    id uuid PRIMARY KEY,
    submission_id uuid NOT NULL REFERENCES submission,
    branch_id uuid NOT NULL REFERENCES branch,
    by_staff_id uuid NOT NULL REFERENCES staff,
    at timestamptz NOT NULL,
    reason text NOT NULL,
    lifted_at timestamptz,
    lifted_by uuid REFERENCES staff
);
CREATE INDEX submission_firm ON submission (expires_at, id) WHERE branch_id IS NULL;
CREATE UNIQUE INDEX branch_hold_standing ON branch_hold (submission_id, branch_id) WHERE lifted_at IS NULL;

-- ── care: letters to post ─────────────────────────────────────────────────────────────────────────────────
ALTER TABLE task DROP CONSTRAINT task_kind_check;
ALTER TABLE task ADD CONSTRAINT task_kind_check CHECK (kind IN ('call', 'letter', 'answer', 'settle'));

-- ── feeds: chains of corrections, and what was made of an item ────────────────────────────────────────────
CREATE INDEX feed_item_superseded_by ON feed_item (superseded_by) WHERE superseded_by IS NOT NULL;
CREATE INDEX feed_item_supersedes ON feed_item (kind, (data ->> 'supersedes'))
    WHERE (data ->> 'supersedes') IS NOT NULL;
CREATE INDEX occurrence_feed_item ON occurrence (feed_item_id) WHERE feed_item_id IS NOT NULL;
CREATE TABLE occurrence_item (                     -- the items that a digest was made of
    occurrence_id uuid NOT NULL REFERENCES occurrence,
    feed_item_id uuid NOT NULL REFERENCES feed_item,
    PRIMARY KEY (occurrence_id, feed_item_id)
);
CREATE INDEX occurrence_item_of ON occurrence_item (feed_item_id);

-- ── rights ────────────────────────────────────────────────────────────────────────────────────────────────
GRANT SELECT, INSERT, UPDATE, DELETE ON content_draft, subscription, client_date, client_correction,
    import_conflict, import_waiting, write_back, dropped_file, api_token, attachment, compose_draft, material, branch_hold,
    occurrence_item TO outreach_app;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO outreach_app;
REVOKE UPDATE, DELETE ON attachment, write_back FROM outreach_app;
REVOKE DELETE ON content_draft, subscription, import_conflict, import_waiting, dropped_file, api_token, compose_draft, material,
    branch_hold FROM outreach_app;
