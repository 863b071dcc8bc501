-- Where each series of numbers stands; its row is locked by whoever takes the next number.
CREATE TABLE document_series (
    store_id       text        NOT NULL,
    kind           text        NOT NULL CHECK (kind IN ('invoice', 'credit_note', 'debit_note')),
    year           integer     NOT NULL,
    last_number    integer     NOT NULL CHECK (last_number > 0),
    last_issued_at timestamptz NOT NULL,
    PRIMARY KEY (store_id, kind, year)
);

-- Documents as issued. document_id is the caller's, or derived from the refund: the idempotency key.
CREATE TABLE documents (
    document_id uuid        PRIMARY KEY,
    store_id    text        NOT NULL,
    order_id    text        NOT NULL,
    kind        text        NOT NULL CHECK (kind IN ('invoice', 'credit_note', 'debit_note')),
    year        integer     NOT NULL,
    position    integer     NOT NULL CHECK (position > 0),
    number      text        NOT NULL,
    invoice_id  uuid        REFERENCES documents,
    about_id    uuid        REFERENCES documents,
    refund_id   uuid        REFERENCES refunds,
    currency    text        NOT NULL,
    total       bigint      NOT NULL CHECK (total >= 0),
    body        jsonb       NOT NULL,
    body_hash   bytea       NOT NULL,
    issued_at   timestamptz NOT NULL,
    UNIQUE (store_id, kind, year, position),
    FOREIGN KEY (store_id, order_id) REFERENCES order_payments,
    CHECK ((kind = 'invoice') = (invoice_id IS NULL)),
    CHECK ((kind = 'invoice') = (about_id IS NULL))
);
CREATE INDEX documents_by_order ON documents (store_id, order_id, issued_at);
CREATE INDEX documents_by_invoice ON documents (invoice_id);
CREATE INDEX documents_by_refund ON documents (refund_id);
-- A note is taken back once.
CREATE UNIQUE INDEX documents_taken_back ON documents (about_id) WHERE kind = 'debit_note';

CREATE FUNCTION documents_are_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a document is never changed';
END $$;
CREATE TRIGGER documents_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON documents
    FOR EACH STATEMENT EXECUTE FUNCTION documents_are_immutable();

-- The last line of defence: no gap in a series, and never more credited than was invoiced.
CREATE FUNCTION document_fits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.position > 1 AND NOT EXISTS (
        SELECT FROM documents
         WHERE store_id = NEW.store_id AND kind = NEW.kind AND year = NEW.year AND position = NEW.position - 1)
    THEN
        RAISE EXCEPTION 'the number before % is missing', NEW.number;
    END IF;
    IF NEW.kind = 'credit_note' AND (
        SELECT sum(CASE kind WHEN 'credit_note' THEN total ELSE -total END)
          FROM documents WHERE invoice_id = NEW.invoice_id)
        > (SELECT total FROM documents WHERE document_id = NEW.invoice_id)
    THEN
        RAISE EXCEPTION 'more than the invoice would be credited by %', NEW.number;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER document_fits AFTER INSERT ON documents FOR EACH ROW EXECUTE FUNCTION document_fits();

-- A refund whose documents are to be looked at: written with what happened to it, worked off later. Every
-- happening has its own row, so that nobody who settles a refund waits for whoever writes its note.
CREATE TABLE document_dues (
    due_id    bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    refund_id uuid        NOT NULL REFERENCES refunds,
    due_at    timestamptz NOT NULL DEFAULT now(),
    try_at    timestamptz NOT NULL DEFAULT now(),
    attempts  integer     NOT NULL DEFAULT 0,
    done_at   timestamptz,
    problem   text
);
CREATE INDEX document_dues_open ON document_dues (try_at) WHERE done_at IS NULL;
CREATE INDEX document_dues_by_refund ON document_dues (refund_id);
