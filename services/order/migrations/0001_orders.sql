CREATE TABLE orders (
    store_id       text        NOT NULL,
    order_id       text        NOT NULL,
    version        bigint      NOT NULL CHECK (version >= 1),
    sold           jsonb       NOT NULL,
    body_hash      bytea       NOT NULL,
    policy_id      text        NOT NULL,
    policy_version integer     NOT NULL,
    customer_id    text        NOT NULL,
    phone          text        NOT NULL,
    search_text    text        NOT NULL,
    placed_at      timestamptz NOT NULL,
    PRIMARY KEY (store_id, order_id)
);
CREATE INDEX orders_by_date ON orders (store_id, placed_at DESC, order_id DESC);
CREATE INDEX orders_by_customer ON orders (store_id, customer_id, placed_at DESC);

-- The units of a line, numbered from 0: free, held by a live case, or refunded. Claims take units out of
-- ``free`` under this row's lock, so that no unit is ever in two live cases.
CREATE TABLE line_units (
    store_id text           NOT NULL,
    order_id text           NOT NULL,
    line_id  text           NOT NULL,
    quantity integer        NOT NULL CHECK (quantity >= 1),
    free     int4multirange NOT NULL,
    returned integer        NOT NULL DEFAULT 0 CHECK (returned >= 0),
    refunded integer        NOT NULL DEFAULT 0 CHECK (refunded >= 0),
    in_case  integer        NOT NULL DEFAULT 0 CHECK (in_case >= 0),
    PRIMARY KEY (store_id, order_id, line_id),
    FOREIGN KEY (store_id, order_id) REFERENCES orders,
    CHECK (refunded + in_case <= quantity),
    CHECK (free <@ int4multirange(int4range(0, quantity)))
);

-- What a case took. ``units`` never changes; the lowest ``refunded`` of them have been paid back.
CREATE TABLE unit_claims (
    claim_id    uuid           NOT NULL,
    store_id    text           NOT NULL,
    order_id    text           NOT NULL,
    line_id     text           NOT NULL,
    case_id     text           NOT NULL,
    body_hash   bytea          NOT NULL,
    units       int4multirange NOT NULL CHECK (NOT isempty(units)),
    returned    integer        NOT NULL DEFAULT 0 CHECK (returned >= 0),
    refunded    integer        NOT NULL DEFAULT 0 CHECK (refunded >= 0),
    is_released boolean        NOT NULL DEFAULT false,
    PRIMARY KEY (claim_id, line_id),
    FOREIGN KEY (store_id, order_id, line_id) REFERENCES line_units
);
CREATE INDEX unit_claims_by_case ON unit_claims (store_id, case_id);

CREATE TABLE shipments (
    store_id        text        NOT NULL,
    shipment_id     text        NOT NULL,
    order_id        text        NOT NULL,
    carrier         text        NOT NULL,
    tracking_number text        NOT NULL,
    shipment        jsonb       NOT NULL,
    body_hash       bytea       NOT NULL,
    PRIMARY KEY (store_id, shipment_id),
    FOREIGN KEY (store_id, order_id) REFERENCES orders
);
CREATE INDEX shipments_by_order ON shipments (store_id, order_id);
CREATE INDEX shipments_by_tracking ON shipments (store_id, tracking_number);

-- Deliveries by the carriers' records, also of parcels that nobody has told us of yet.
CREATE TABLE deliveries (
    store_id        text        NOT NULL,
    tracking_number text        NOT NULL,
    delivered_at    timestamptz NOT NULL,
    PRIMARY KEY (store_id, tracking_number)
);
