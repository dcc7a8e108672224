"""Coordination's first tables: ids, states and times; nothing confidential beyond them."""

from __future__ import annotations

from alembic import op

revision = "0001_coordination"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE coordination.incidents (
  name text PRIMARY KEY, version bigint NOT NULL, production text NOT NULL, reporter_kid text NOT NULL,
  withdrawn boolean NOT NULL, progress smallint NOT NULL, create_time timestamptz NOT NULL,
  acknowledge_time timestamptz, update_time timestamptz NOT NULL, content text NOT NULL);
CREATE INDEX incidents_by_production ON coordination.incidents (production, name);

-- The time of the incident stands here too, so that a handler's list is one walk of one index.
CREATE TABLE coordination.handlers (
  incident text NOT NULL REFERENCES coordination.incidents, subject text NOT NULL, create_time timestamptz NOT NULL,
  PRIMARY KEY (incident, subject));
CREATE INDEX handlers_newest ON coordination.handlers (subject, create_time, incident);

CREATE TABLE coordination.notices (
  name text PRIMARY KEY, incident text NOT NULL REFERENCES coordination.incidents, sender text NOT NULL,
  recipient text NOT NULL, state smallint NOT NULL, purposes smallint[] NOT NULL, terms_version text NOT NULL,
  create_time timestamptz NOT NULL, offer_time timestamptz, open_time timestamptz, close_time timestamptz,
  answer_by_time timestamptz, answer_time timestamptz, acknowledge_time timestamptz,
  update_time timestamptz NOT NULL, content text NOT NULL);
CREATE INDEX notices_newest ON coordination.notices (incident, create_time, name);
CREATE INDEX notices_by_sender ON coordination.notices (sender, incident);

-- `seq` counts the changes that this subject can see, in the order in which they commit; `denied` is a stub
-- that was ahead of the policy when a stream came to send it.
CREATE TABLE coordination.deliveries (
  notice text NOT NULL REFERENCES coordination.notices, subject text NOT NULL, live boolean NOT NULL,
  offer_time timestamptz, open_time timestamptz, close_time timestamptz,
  seq bigint NOT NULL, update_time timestamptz NOT NULL, content text NOT NULL,
  denied boolean NOT NULL DEFAULT false, PRIMARY KEY (notice, subject));
CREATE UNIQUE INDEX deliveries_in_order ON coordination.deliveries (subject, seq);

CREATE TABLE coordination.inboxes (subject text PRIMARY KEY, seq bigint NOT NULL);

-- `owner` is an incident or a notice; `subject` is empty but for one reader's own clock.
CREATE TABLE coordination.clocks (
  owner text NOT NULL, subject text NOT NULL, kind smallint NOT NULL,
  due_time timestamptz NOT NULL, met_time timestamptz, PRIMARY KEY (owner, subject, kind));
CREATE INDEX clocks_due ON coordination.clocks (due_time) WHERE met_time IS NULL;

-- Names as shown of participations and productions, and of the independent point.
CREATE TABLE coordination.titles (
  name text PRIMARY KEY, title text NOT NULL, read_time timestamptz NOT NULL, spread boolean NOT NULL);
CREATE INDEX titles_by_age ON coordination.titles (read_time);
CREATE INDEX titles_to_spread ON coordination.titles (name) WHERE NOT spread;
"""


def upgrade() -> None:
    """Makes the tables."""
    op.execute(TABLES)
