-- The approval inbox: who must decide in which order, who stands in for whom, and what is said about what waits.
-- Adds only; what was there stays as it is.

-- ── people: out of office, and who stands in ──────────────────────────────────────────────────────────────
CREATE TABLE absence (
    id uuid PRIMARY KEY,
    staff_id uuid NOT NULL REFERENCES staff,
    deputy_id uuid REFERENCES staff,               -- null: away, and nobody stands in
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    note text NOT NULL DEFAULT '',
    created_by uuid NOT NULL REFERENCES staff,
    created_at timestamptz NOT NULL,
    cancelled_at timestamptz,
    cancelled_by uuid REFERENCES staff,
    CHECK (starts_at < ends_at),
    CHECK (deputy_id IS DISTINCT FROM staff_id)
);
CREATE INDEX absence_staff ON absence (staff_id, ends_at) WHERE cancelled_at IS NULL;
CREATE INDEX absence_deputy ON absence (deputy_id, ends_at) WHERE cancelled_at IS NULL AND deputy_id IS NOT NULL;

-- ── review: submissions by policy, escalation, claims, stopped batches ────────────────────────────────────
ALTER TABLE submission
    ADD COLUMN text_hash bytea,                    -- keyed hash of the text before anybody's slots: the same text again
    ADD COLUMN escalation smallint NOT NULL DEFAULT 0,  -- how many steps of its policy's escalation have been taken
    ADD COLUMN escalate_at timestamptz,            -- when the next thing happens because nobody decided
    ADD COLUMN claimed_by uuid REFERENCES staff,
    ADD COLUMN claimed_until timestamptz,
    ADD COLUMN stopped_at timestamptz,             -- one of its sample was returned
    ADD COLUMN stopped_by uuid REFERENCES staff,
    ADD COLUMN sample_round smallint NOT NULL DEFAULT 1;
-- One policy may take over from another for some messages of an occurrence.
ALTER TABLE submission DROP CONSTRAINT submission_occurrence_id_branch_id_key;
ALTER TABLE submission ADD CONSTRAINT submission_of_policy
    UNIQUE NULLS NOT DISTINCT (occurrence_id, branch_id, policy_version_id);
CREATE INDEX submission_escalation ON submission (escalate_at) WHERE state = 'open' AND escalate_at IS NOT NULL;
CREATE INDEX submission_text ON submission (text_hash, created_at) WHERE text_hash IS NOT NULL;
UPDATE submission SET escalate_at = due_by WHERE state = 'open';

ALTER TABLE decision
    ADD COLUMN step smallint NOT NULL DEFAULT 1,   -- which of the policy's approvers decided
    ADD COLUMN acting_for uuid REFERENCES staff;   -- whom a deputy stood in for
ALTER TABLE decision DROP CONSTRAINT decision_verb_check;
ALTER TABLE decision ADD CONSTRAINT decision_verb_check
    CHECK (verb IN ('approve', 'endorse', 'return', 'reject', 'release'));

ALTER TABLE message
    ADD COLUMN text_hash bytea,                    -- keyed hash of what is said, to whomever: identical texts
    ADD COLUMN endorsed smallint NOT NULL DEFAULT 0;  -- how many approvers in order have endorsed this revision
CREATE INDEX message_text ON message (submission_id, text_hash, id) WHERE state = 'held';
CREATE INDEX message_fallback ON message (fallback_of) WHERE fallback_of IS NOT NULL;

-- What people say to each other about what waits: sealed like every text. A question goes to compliance.
CREATE TABLE remark (
    id uuid PRIMARY KEY,
    submission_id uuid NOT NULL REFERENCES submission,
    message_id uuid,                               -- null: about the whole submission
    kind text NOT NULL CHECK (kind IN ('comment', 'question', 'answer')),
    staff_id uuid NOT NULL REFERENCES staff,
    at timestamptz NOT NULL,
    sealed_id uuid NOT NULL,
    answers uuid REFERENCES remark,                -- of an answer: the question
    objects boolean,                               -- of an answer: whether compliance objects
    closed_at timestamptz,                         -- of a question: answered, or taken back
    CHECK ((kind = 'answer') = (answers IS NOT NULL)),
    CHECK ((kind = 'answer') = (objects IS NOT NULL))
);
CREATE INDEX remark_submission ON remark (submission_id, at);
CREATE INDEX remark_message ON remark (message_id, at) WHERE message_id IS NOT NULL;
CREATE INDEX remark_open ON remark (at, id) WHERE kind = 'question' AND closed_at IS NULL;

-- Which revision each reader last saw, to show them what changed since.
CREATE TABLE message_seen (
    staff_id uuid NOT NULL REFERENCES staff,
    message_id uuid NOT NULL,
    revision int NOT NULL,
    findings jsonb NOT NULL DEFAULT '[]',          -- as they were then
    at timestamptz NOT NULL,
    PRIMARY KEY (staff_id, message_id)
);

-- Who is reading what now; worth nothing after a crash.
CREATE UNLOGGED TABLE reading (
    staff_id uuid PRIMARY KEY REFERENCES staff,
    submission_id uuid NOT NULL,
    message_id uuid,
    at timestamptz NOT NULL
);
CREATE INDEX reading_submission ON reading (submission_id, at);

-- ── notices: at once, or gathered until a time of day ─────────────────────────────────────────────────────
ALTER TABLE notice ADD COLUMN not_before timestamptz;

-- ── figures: the branch's page, day sheets and month reports ───────────────────────────────────────────────
CREATE INDEX submission_branch_expiry ON submission (branch_id, expires_at);
CREATE INDEX decision_at ON decision (at);
CREATE INDEX decision_undone ON decision (undone_at) WHERE undone_at IS NOT NULL;
CREATE INDEX decision_released ON decision (standing_approval_id) WHERE standing_approval_id IS NOT NULL;
CREATE INDEX message_made ON message (branch_id, id);      -- an id says when it was made
CREATE INDEX message_ended ON message (branch_id, state_at)
    WHERE state NOT IN ('draft', 'held', 'returned', 'approved', 'claimed');
CREATE INDEX reply_answered ON reply (branch_id, answered_at) WHERE answered_at IS NOT NULL;
CREATE INDEX consent_opted_out ON consent (at) WHERE state = 'opted_out';

-- ── rights ────────────────────────────────────────────────────────────────────────────────────────────────
GRANT SELECT, INSERT, UPDATE, DELETE ON absence, remark, message_seen, reading TO outreach_app;
REVOKE DELETE ON absence, remark FROM outreach_app;
