"""The rows of the inbox's bed, by set: branches, their people, clients, and what waits for each manager."""

BATCHES = (1000, 400, 200, 100, 100)  # messages of a branch's batches
EACH = (50, 50, 50, 50)  # messages of its advisor's requests

_FLAG = (
    '[{"rule": "exaggeration", "article": "art. 17", "severity": "flag", "field": "text", "start": 0, "end": 2,'
    ' "advice": "…"}]'
)

# A colon in a literal would be taken for a parameter.
_FLAGGED = _FLAG.replace(":", "\\:")

ROWS = (
    """
    INSERT INTO branch (id, code, name, name_en)
    SELECT gen_random_uuid(), 'X' || n, '营业部' || n, 'Branch ' || n FROM generate_series(1, :branches) AS n
    """,
    """
    INSERT INTO staff (id, staff_no, person_key, name)
    SELECT gen_random_uuid(), kind || to_char(n, 'FM000'), kind || n, '员工' || kind || n
      FROM generate_series(1, :branches) AS n, unnest(ARRAY['MX', 'AX']) AS kind
    """,
    """
    INSERT INTO staff_role (id, staff_id, role, branch_id)
    SELECT gen_random_uuid(), s.id, CASE WHEN s.staff_no LIKE 'M%' THEN 'manager' ELSE 'advisor' END, b.id
      FROM staff s JOIN branch b ON b.code = 'X' || CAST(substr(s.staff_no, 3) AS int) WHERE s.staff_no ~ '^[MA]X'
    """,
    """
    INSERT INTO client (id, client_no, name, tier, risk_class, assessed_on, branch_id, advisor_id, created_at,
                        updated_at)
    SELECT gen_random_uuid(), b.code || '-' || n, '客户' || n, 'vip', 3, current_date, b.id, s.id, now(), now()
      FROM branch b JOIN staff s ON s.staff_no = 'AX' || to_char(CAST(substr(b.code, 2) AS int), 'FM000'),
           generate_series(1, 1000) AS n
     WHERE b.code LIKE 'X%'
    """,
    """
    INSERT INTO contact_point (id, client_id, channel, address)
    SELECT gen_random_uuid(), id, 'sms', '+86147' || to_char(row_number() OVER (ORDER BY id), 'FM00000000') FROM client
    """,
    """
    INSERT INTO occurrence (id, job_name, occurrence_key, scheduled_month, send_at, expires_at, state, created_at,
                            policy_version_id, job_version_id)
    SELECT gen_random_uuid(), 'bench', 'batch-' || n, CAST(date_trunc('month', now()) AS date),
           now() + interval '1 day', now() + interval '3 days', 'composed', now(),
           (SELECT id FROM content_version WHERE kind = 'policy' AND name = 'festival-batch'),
           (SELECT id FROM content_version WHERE kind = 'job' AND name = 'new-year')
      FROM generate_subscripts(CAST(:batches AS int[]), 1) AS n
    """,
    """
    INSERT INTO occurrence (id, job_name, occurrence_key, scheduled_month, send_at, expires_at, state, created_at,
                            policy_version_id)
    SELECT gen_random_uuid(), 'advisor', b.code || '-' || n, CAST(date_trunc('month', now()) AS date),
           now() + interval '1 day', now() + interval '3 days', 'composed', now(),
           (SELECT id FROM content_version WHERE kind = 'policy' AND name = 'advisor-each')
      FROM branch b, generate_subscripts(CAST(:each AS int[]), 1) AS n WHERE b.code LIKE 'X%'
    """,
    # The largest batch is due first.
    """
    INSERT INTO submission (id, occurrence_id, scheduled_month, branch_id, mode, policy_version_id, title, category,
                            author_id, sample_seed, created_at, due_by, send_at, expires_at)
    SELECT gen_random_uuid(), o.id, o.scheduled_month, b.id,
           CASE o.job_name WHEN 'advisor' THEN 'each' ELSE 'batch' END, o.policy_version_id,
           '提交 ' || o.occurrence_key, 'relationship', s.id, o.occurrence_key, now(),
           now() + interval '1 hour' * (CAST(split_part(o.occurrence_key, '-', 2) AS int) + random()), o.send_at,
           o.expires_at
      FROM occurrence o
      JOIN branch b ON b.code LIKE 'X%' AND (o.job_name = 'bench' OR split_part(o.occurrence_key, '-', 1) = b.code)
      JOIN staff s ON s.staff_no = 'AX' || to_char(CAST(substr(b.code, 2) AS int), 'FM000')
     WHERE o.job_name IN ('bench', 'advisor')
    """,
    f"""
    INSERT INTO message (id, scheduled_month, occurrence_id, submission_id, branch_id, client_id, author_id,
                         last_editor_id, channel, contact_point_id, address_hash, category, language, lexicon_digest,
                         digest, payload_id, state, state_at, send_at, send_window, time_zone, expires_at, created_at,
                         flagged, findings, text_hash)
    SELECT gen_random_uuid(), o.scheduled_month, o.id, s.id, s.branch_id, c.id,
           CASE s.mode WHEN 'each' THEN s.author_id END, CASE s.mode WHEN 'each' THEN s.author_id END, 'sms', p.id,
           sha256(CAST(c.client_no AS bytea)), s.category, 'zh-CN', :lexicon,
           (CAST(:digests AS bytea[]))[1 + c.n % 40], (CAST(:payloads AS uuid[]))[1 + c.n % 40], 'held', now(),
           o.send_at, '00:00-24:00', 'Asia/Shanghai', o.expires_at, now(), c.n % 50 = 0,
           CAST(CASE WHEN c.n % 50 = 0 THEN '{_FLAGGED}' ELSE '[]' END AS jsonb),
           (CAST(:hashes AS bytea[]))[1 + c.n % 40]
      FROM submission s JOIN occurrence o ON o.id = s.occurrence_id
      JOIN (SELECT id, client_no, branch_id, CAST(split_part(client_no, '-', 2) AS int) AS n
              FROM client WHERE client_no LIKE 'X%') c ON c.branch_id = s.branch_id
      JOIN contact_point p ON p.client_id = c.id
     WHERE c.n <= CASE s.mode WHEN 'each' THEN (CAST(:each AS int[]))[CAST(split_part(o.occurrence_key, '-', 2) AS int)]
                       ELSE (CAST(:batches AS int[]))[CAST(split_part(o.occurrence_key, '-', 2) AS int)] END
    """.replace("00:00-24:00", "00\\:00-24\\:00"),
    """
    INSERT INTO message_revision (message_id, scheduled_month, revision, digest, payload_id, editor_id, at)
    SELECT id, scheduled_month, 1, digest, payload_id, author_id, created_at FROM message
    """,
)
