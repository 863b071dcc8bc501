CREATE TABLE expected_returns (
    rma             text        PRIMARY KEY,
    store_id        text        NOT NULL,
    case_id         text        NOT NULL,
    order_id        text        NOT NULL,
    body            jsonb       NOT NULL,
    body_hash       bytea       NOT NULL,
    label_url       text,
    carrier         text,
    tracking_number text,
    is_open         boolean     NOT NULL DEFAULT true
);

-- Numbers under which a return's parcels travel: the label's, and whatever the customer told us.
CREATE TABLE parcels (
    store_id        text NOT NULL,
    tracking_number text NOT NULL,
    rma             text NOT NULL REFERENCES expected_returns,
    PRIMARY KEY (store_id, tracking_number)
);

-- Units of an expected line; nobody can judge more than have come.
CREATE TABLE line_counts (
    rma       text    NOT NULL REFERENCES expected_returns,
    line_id   text    NOT NULL,
    sku       text    NOT NULL,
    expected  integer NOT NULL CHECK (expected > 0),
    received  integer NOT NULL DEFAULT 0 CHECK (received >= 0),
    inspected integer NOT NULL DEFAULT 0 CHECK (inspected BETWEEN 0 AND received),
    PRIMARY KEY (rma, line_id)
);

CREATE TABLE receipts (
    store_id   text  NOT NULL,
    receipt_id text  NOT NULL,
    rma        text  REFERENCES expected_returns,
    body       jsonb NOT NULL,
    body_hash  bytea NOT NULL,
    PRIMARY KEY (store_id, receipt_id)
);
CREATE INDEX receipts_by_rma ON receipts (rma);

CREATE TABLE inspections (
    store_id      text  NOT NULL,
    inspection_id text  NOT NULL,
    rma           text  NOT NULL REFERENCES expected_returns,
    body          jsonb NOT NULL,
    body_hash     bytea NOT NULL,
    PRIMARY KEY (store_id, inspection_id)
);
CREATE INDEX inspections_by_rma ON inspections (rma);

CREATE TABLE stock (
    store_id    text   NOT NULL,
    sku         text   NOT NULL,
    on_hand     bigint NOT NULL DEFAULT 0 CHECK (on_hand >= 0),
    reserved    bigint NOT NULL DEFAULT 0 CHECK (reserved BETWEEN 0 AND on_hand),
    quarantined bigint NOT NULL DEFAULT 0 CHECK (quarantined >= 0),
    PRIMARY KEY (store_id, sku)
);

-- Every change of stock, once: ``movement_id`` is derived from its cause.
CREATE TABLE stock_movements (
    movement_id text        PRIMARY KEY,
    store_id    text        NOT NULL,
    sku         text        NOT NULL,
    on_hand     bigint      NOT NULL,
    quarantined bigint      NOT NULL,
    cause       text        NOT NULL,
    moved_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX stock_movements_by_sku ON stock_movements (store_id, sku);

-- A carrier's scans, kept also when no parcel of ours is known by that number.
CREATE TABLE tracking_events (
    store_id        text        NOT NULL,
    carrier         text        NOT NULL,
    event_id        text        NOT NULL,
    tracking_number text        NOT NULL,
    event           jsonb       NOT NULL,
    occurred_at     timestamptz NOT NULL,
    PRIMARY KEY (store_id, carrier, event_id)
);
CREATE INDEX tracking_events_by_number ON tracking_events (store_id, tracking_number, occurred_at);
