-- The approval inbox: who must decide in which order, who stands in for whom, and what is said about what waits.
-- Adds only; what was there stays as it is.

-- ── people: out of office, and who stands in ──────────────────────────────────────────────────────────────
CREATE TABLE absence (
    id uuid PRIMARY KEY,
    staff_id uuid NOT NULL REFERENCES staff,
    deputy_id uuid REFERENCES staff,               -- null: away, and nobody stands in
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    note_id uuid,                                  -- sealed
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
    ADD COLUMN escalation smallint NOT NULL DEFAULT 0,  -- 1: its deciders were told that it is late; one more for each step of its policy's escalation
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
CREATE INDEX message_alternative ON message (state, expires_at)   -- what goes only if the one before did not arrive
    WHERE fallback_of IS NOT NULL AND state IN ('held', 'approved');

-- ── review: how much waits in each submission, without counting messages ──────────────────────────────────
-- Each statement that moves messages adds what it changed; the sum over a submission is what there is. Nothing is updated
-- in place, so that nobody who moves messages waits for another; review folds the rows of a submission together.
CREATE TABLE submission_tally (
    id bigint GENERATED ALWAYS AS IDENTITY,
    submission_id uuid NOT NULL,
    branch_id uuid NOT NULL,
    held int NOT NULL,
    flagged int NOT NULL,                          -- of the held ones, as are the next two
    blocked int NOT NULL,
    personal int NOT NULL,                         -- given words of their own
    returned int NOT NULL,
    decided int NOT NULL,
    skipped int NOT NULL,                          -- clients whose message the advisor took back
    alternatives int NOT NULL                      -- of the held ones: what goes only if another did not arrive
);
CREATE INDEX submission_tally_of ON submission_tally (submission_id, branch_id) INCLUDE (held);

CREATE FUNCTION tally_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO submission_tally (submission_id, branch_id, held, flagged, blocked, personal, returned, decided, skipped,
                                  alternatives)
    SELECT submission_id, branch_id, count(*) FILTER (WHERE state = 'held'),
           count(*) FILTER (WHERE state = 'held' AND flagged), count(*) FILTER (WHERE state = 'held' AND blocked),
           count(*) FILTER (WHERE state = 'held' AND revision > 1), count(*) FILTER (WHERE state = 'returned'),
           count(*) FILTER (WHERE state IN ('approved', 'claimed', 'sent', 'delivered', 'undelivered', 'handed_over',
                                            'unknown', 'failed', 'returned', 'rejected')),
           count(*) FILTER (WHERE state = 'cancelled' AND reason IN ('skipped', 'withdrawn') AND fallback_of IS NULL),
           count(*) FILTER (WHERE state = 'held' AND fallback_of IS NOT NULL)
      FROM added GROUP BY submission_id, branch_id;
    RETURN NULL;
END $$;

CREATE FUNCTION tally_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO submission_tally (submission_id, branch_id, held, flagged, blocked, personal, returned, decided, skipped,
                                  alternatives)
    SELECT * FROM (
        SELECT submission_id, branch_id,
               coalesce(sum(n) FILTER (WHERE state = 'held'), 0) AS held,
               coalesce(sum(n) FILTER (WHERE state = 'held' AND flagged), 0) AS flagged,
               coalesce(sum(n) FILTER (WHERE state = 'held' AND blocked), 0) AS blocked,
               coalesce(sum(n) FILTER (WHERE state = 'held' AND revision > 1), 0) AS personal,
               coalesce(sum(n) FILTER (WHERE state = 'returned'), 0) AS returned,
               coalesce(sum(n) FILTER (WHERE state IN ('approved', 'claimed', 'sent', 'delivered', 'undelivered',
                   'handed_over', 'unknown', 'failed', 'returned', 'rejected')), 0) AS decided,
               coalesce(sum(n) FILTER (WHERE state = 'cancelled' AND reason IN ('skipped', 'withdrawn')
                                         AND fallback_of IS NULL), 0) AS skipped,
               coalesce(sum(n) FILTER (WHERE state = 'held' AND fallback_of IS NOT NULL), 0) AS alternatives
          FROM (SELECT 1 AS n, submission_id, branch_id, state, flagged, blocked, revision, reason, fallback_of
                  FROM after
                UNION ALL
                SELECT -1, submission_id, branch_id, state, flagged, blocked, revision, reason, fallback_of
                  FROM before) AS moved
         GROUP BY submission_id, branch_id) AS sums
     WHERE (held, flagged, blocked, personal, returned, decided, skipped, alternatives) <> (0, 0, 0, 0, 0, 0, 0, 0);
    RETURN NULL;
END $$;

CREATE TRIGGER message_added AFTER INSERT ON message
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION tally_added();
CREATE TRIGGER message_changed AFTER UPDATE ON message
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION tally_changed();

INSERT INTO submission_tally (submission_id, branch_id, held, flagged, blocked, personal, returned, decided, skipped,
                                  alternatives)
SELECT submission_id, branch_id, count(*) FILTER (WHERE state = 'held'),
       count(*) FILTER (WHERE state = 'held' AND flagged), count(*) FILTER (WHERE state = 'held' AND blocked),
       count(*) FILTER (WHERE state = 'held' AND revision > 1), count(*) FILTER (WHERE state = 'returned'),
       count(*) FILTER (WHERE state IN ('approved', 'claimed', 'sent', 'delivered', 'undelivered', 'handed_over',
                                        'unknown', 'failed', 'returned', 'rejected')),
       count(*) FILTER (WHERE state = 'cancelled' AND reason IN ('skipped', 'withdrawn') AND fallback_of IS NULL),
       count(*) FILTER (WHERE state = 'held' AND fallback_of IS NOT NULL)
  FROM message GROUP BY submission_id, branch_id;

-- The inbox's order, and within a submission what needs a look first.
CREATE INDEX submission_order ON submission ((CASE WHEN urgent THEN 0 ELSE 1 END), due_by, id) WHERE state = 'open';
CREATE INDEX message_order ON message (submission_id, (CASE WHEN blocked THEN 0 WHEN flagged THEN 1 ELSE 2 END), id)
    WHERE state = 'held';

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
ALTER TABLE notice
    ADD COLUMN told_id uuid,                       -- what was told at once to several people
    ADD COLUMN submission_id uuid,                 -- what it speaks of: decided meanwhile, it is not told any more
    ADD COLUMN branch_id uuid REFERENCES branch,   -- whose matter it is; null: the firm's, or nobody's
    ADD COLUMN urgent boolean NOT NULL DEFAULT false,
    ADD COLUMN not_before timestamptz,             -- gathered until then; null: at once
    ADD COLUMN routed_at timestamptz,              -- when it was settled who is told of it by which ways
    ADD COLUMN stands_in_for uuid REFERENCES staff;  -- who would have been told, and is away
-- What the version before had told, or had given up, is not told again. Tries are counted for each way from here on.
UPDATE notice SET routed_at = coalesce(sent_at, created_at) WHERE sent_at IS NOT NULL OR tries >= 8;
DROP INDEX notice_unsent;
CREATE INDEX notice_unrouted ON notice (coalesce(not_before, created_at)) WHERE routed_at IS NULL;
CREATE INDEX notice_untold ON notice (submission_id) WHERE routed_at IS NULL;
CREATE INDEX notice_told ON notice (told_id);

-- One row for each way by which a notice goes to somebody: what went by one way is not repeated for another's sake.
CREATE TABLE notice_delivery (
    notice_id uuid NOT NULL REFERENCES notice,
    way text NOT NULL,                             -- mail, or a target's name in OUTREACH_NOTICE_TARGETS
    recipient text NOT NULL,                       -- whose letters are gathered: a member of staff's id, or the target's name
    told_id uuid,                                  -- of a group's way: once for all in the group
    tries int NOT NULL DEFAULT 0,
    next_try_at timestamptz NOT NULL,
    ended_at timestamptz,
    outcome text NOT NULL DEFAULT '' CHECK (outcome IN ('', 'told', 'over', 'seen', 'gone', 'given_up')),
    error text NOT NULL DEFAULT '',                -- what came back last; never an address or a token
    PRIMARY KEY (notice_id, way),
    CHECK ((ended_at IS NULL) = (outcome = ''))
);
CREATE UNIQUE INDEX notice_delivery_group ON notice_delivery (told_id, way) WHERE told_id IS NOT NULL;
CREATE INDEX notice_delivery_due ON notice_delivery (next_try_at) WHERE ended_at IS NULL;

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
GRANT SELECT, INSERT, UPDATE ON notice_delivery TO outreach_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON submission_tally TO outreach_app;
REVOKE DELETE ON absence, remark FROM outreach_app;
