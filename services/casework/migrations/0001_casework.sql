-- Cases as last published: the columns are what lists filter by, the document is what is answered.
-- ``opened_at``, ``updated_at``, ``due_at`` and ``closed_at`` are by the case's own clock; ``recorded_at``, by
-- which lists of cases with different clocks are ordered, is by the wall. ``changed_in`` is the transaction of the last change, by which changes are read in a safe order
-- (after a restore into another cluster it has to be set anew: UPDATE cases SET changed_in = DEFAULT).
CREATE TABLE cases (
    case_id     text        PRIMARY KEY,
    store_id    text        NOT NULL,
    order_id    text        NOT NULL,
    customer_id text        NOT NULL,
    kind        text        NOT NULL,
    status      text        NOT NULL,
    phase       text        NOT NULL,
    waiting_on  text,
    due_at      timestamptz,
    owner       text,
    sequence    bigint      NOT NULL CHECK (sequence >= 0),
    document    jsonb       NOT NULL,
    opened_at   timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    closed_at   timestamptz,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    changed_in  xid8        NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX cases_by_update ON cases (store_id, recorded_at DESC, case_id DESC);
CREATE INDEX cases_by_status ON cases (status, recorded_at DESC, case_id DESC);
CREATE INDEX cases_by_order ON cases (store_id, order_id, recorded_at DESC, case_id DESC);
CREATE INDEX cases_by_customer ON cases (store_id, customer_id, recorded_at DESC, case_id DESC);
CREATE INDEX cases_by_phase ON cases (store_id, phase, recorded_at DESC, case_id DESC);
CREATE INDEX cases_by_party ON cases (store_id, waiting_on, recorded_at DESC, case_id DESC)
    WHERE waiting_on IS NOT NULL;
CREATE INDEX cases_by_owner ON cases (store_id, owner, recorded_at DESC, case_id DESC) WHERE owner IS NOT NULL;
CREATE INDEX cases_by_due ON cases (store_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX cases_by_change ON cases (changed_in, case_id);

-- What a case is found by; written once, for none of it ever changes.
CREATE TABLE case_words (
    case_id text     PRIMARY KEY REFERENCES cases,
    words   tsvector NOT NULL
);
CREATE INDEX case_words_by_word ON case_words USING gin (words);

-- ``number`` counts a case's entries as it made them.
CREATE TABLE timeline (
    case_id  text        NOT NULL REFERENCES cases,
    entry_id text        NOT NULL,
    number   bigint      NOT NULL,
    at       timestamptz NOT NULL,
    actor    jsonb       NOT NULL,
    what     text        NOT NULL,
    detail   text        NOT NULL,
    PRIMARY KEY (case_id, entry_id)
);

-- A claim is a lease by the wall's clock: once ``claimed_until`` is past, the task counts as open.
-- ``sequence`` is the case's publication that told of the task; no case, no sequence.
CREATE TABLE tasks (
    task_id       text        PRIMARY KEY,
    store_id      text        NOT NULL,
    case_id       text,
    queue         text        NOT NULL,
    kind          text        NOT NULL,
    title         text        NOT NULL,
    due_at        timestamptz NOT NULL,
    outcomes      jsonb       NOT NULL,
    context       jsonb       NOT NULL,
    state         text        NOT NULL CHECK (state IN ('open', 'claimed', 'completed', 'canceled')),
    assignee      text,
    claimed_until timestamptz,
    outcome       text,
    note          text        NOT NULL DEFAULT '',
    sequence      bigint      NOT NULL DEFAULT 0,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    CHECK ((state = 'claimed') = (claimed_until IS NOT NULL)),
    CHECK (state <> 'claimed' OR assignee IS NOT NULL)
);
CREATE INDEX tasks_by_due ON tasks (store_id, due_at, task_id) WHERE state IN ('open', 'claimed');
CREATE INDEX tasks_by_queue ON tasks (store_id, queue, due_at, task_id) WHERE state IN ('open', 'claimed');
CREATE INDEX tasks_by_state ON tasks (store_id, state, due_at, task_id);
CREATE INDEX tasks_by_assignee ON tasks (store_id, assignee, due_at, task_id) WHERE assignee IS NOT NULL;
CREATE INDEX tasks_by_case ON tasks (case_id, due_at, task_id) WHERE case_id IS NOT NULL;

-- Files lie outside, by their digest; a row is written once its file is safe.
CREATE TABLE evidence (
    evidence_id  text        PRIMARY KEY,
    store_id     text        NOT NULL,
    case_id      text        NOT NULL,
    kind         text        NOT NULL,
    content_type text        NOT NULL,
    sha256       text        NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    size_bytes   bigint      NOT NULL CHECK (size_bytes > 0),
    added_at     timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX evidence_by_case ON evidence (case_id);

-- Versions of policy documents; a version never changes. An empty ``store_id`` is every store's.
CREATE TABLE policies (
    policy_id   text        NOT NULL,
    version     integer     NOT NULL CHECK (version >= 1),
    store_id    text        NOT NULL,
    countries   text[]      NOT NULL,
    is_fallback boolean     NOT NULL,
    valid_from  timestamptz,
    document    jsonb       NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (policy_id, version)
);
CREATE INDEX policies_by_store ON policies (store_id, policy_id, version DESC);
