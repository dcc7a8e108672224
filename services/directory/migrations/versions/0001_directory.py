"""The directory's first tables.

A key is never deleted, nor is what vouches for it: content sealed or signed years ago must still verify,
and a key that was ever enrolled must never pass as a reporter's. Hence the triggers.
"""

from __future__ import annotations

from alembic import op

revision = "0001_directory"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE directory.organisations (
  name text PRIMARY KEY, version integer NOT NULL, title text NOT NULL, kind smallint NOT NULL,
  umbrella text NOT NULL, state smallint NOT NULL);
CREATE UNIQUE INDEX organisations_singular ON directory.organisations (kind) WHERE kind IN (6, 7);

CREATE TABLE directory.members (
  name text PRIMARY KEY, version integer NOT NULL,
  organisation text NOT NULL REFERENCES directory.organisations,
  subject text NOT NULL, title text NOT NULL, subject_kind smallint NOT NULL, admin boolean NOT NULL,
  state smallint NOT NULL, kid text NOT NULL, pending_kid text NOT NULL, key_change_time timestamptz);
CREATE UNIQUE INDEX members_once ON directory.members (organisation, subject) WHERE state <> 4;
CREATE INDEX members_by_organisation ON directory.members (organisation, name);
CREATE INDEX members_by_subject ON directory.members (subject);
CREATE INDEX members_pending_admins ON directory.members (name) WHERE admin AND state = 2;

CREATE TABLE directory.keys (
  kid text PRIMARY KEY, signing bytea NOT NULL, sealing bytea NOT NULL,
  member text NOT NULL REFERENCES directory.members);
CREATE INDEX keys_by_member ON directory.keys (member);

CREATE TABLE directory.invitations (
  code_digest bytea PRIMARY KEY, member text NOT NULL REFERENCES directory.members,
  expire_time timestamptz NOT NULL, used boolean NOT NULL);

CREATE TABLE directory.endorsements (
  kid text PRIMARY KEY REFERENCES directory.keys, signer_kid text NOT NULL REFERENCES directory.keys,
  statement bytea NOT NULL, signature bytea NOT NULL);

CREATE TABLE directory.rotations (
  old_kid text PRIMARY KEY REFERENCES directory.keys, new_kid text NOT NULL UNIQUE REFERENCES directory.keys,
  completed boolean NOT NULL, statement bytea NOT NULL, signature bytea NOT NULL);

CREATE TABLE directory.sequences (
  organisation text NOT NULL, signer_kid text NOT NULL, last bigint NOT NULL, PRIMARY KEY (organisation, signer_kid));

CREATE TABLE directory.productions (
  name text PRIMARY KEY, version integer NOT NULL, title text NOT NULL,
  lead text NOT NULL REFERENCES directory.organisations,
  start_time timestamptz NOT NULL, end_time timestamptz NOT NULL, isan text NOT NULL, eidr text NOT NULL,
  code text NOT NULL UNIQUE);

CREATE TABLE directory.participations (
  name text PRIMARY KEY, version integer NOT NULL, production text NOT NULL,
  organisation text NOT NULL REFERENCES directory.organisations,
  state smallint NOT NULL, independent boolean NOT NULL,
  CHECK (independent = (production = '')));
CREATE UNIQUE INDEX participations_once ON directory.participations (production, organisation) WHERE state <> 3;
CREATE UNIQUE INDEX participations_standing ON directory.participations (independent) WHERE independent;
CREATE INDEX participations_by_organisation ON directory.participations (organisation, name);

CREATE TABLE directory.appointments (
  name text PRIMARY KEY, version integer NOT NULL,
  organisation text NOT NULL, participation text NOT NULL REFERENCES directory.participations,
  capacity smallint NOT NULL, role text NOT NULL, member text NOT NULL REFERENCES directory.members,
  subject text NOT NULL, kid text NOT NULL, deputy_of text NOT NULL, signer_kid text NOT NULL REFERENCES directory.keys,
  ended boolean NOT NULL, statement bytea NOT NULL, signature bytea NOT NULL);
CREATE UNIQUE INDEX appointments_once ON directory.appointments (participation, member, capacity) WHERE NOT ended;
CREATE INDEX appointments_by_member ON directory.appointments (member);
"""

APPEND_ONLY = """
CREATE FUNCTION directory.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'directory.% only grows', TG_TABLE_NAME;
END $$;
CREATE TRIGGER keys_only_grow BEFORE UPDATE OR DELETE ON directory.keys
  FOR EACH ROW EXECUTE FUNCTION directory.refuse_change();
CREATE TRIGGER endorsements_only_grow BEFORE UPDATE OR DELETE ON directory.endorsements
  FOR EACH ROW EXECUTE FUNCTION directory.refuse_change();
"""


def upgrade() -> None:
    """Makes the tables."""
    op.execute(TABLES)
    op.execute(APPEND_ONLY)
