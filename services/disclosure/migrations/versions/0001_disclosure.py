"""The first tables of disclosure.

What is narrowed stays narrowed and what happened stays told: exclusions, endings, affiliations, acts and
releases only grow, and triggers hold even our own code to that.
"""

from __future__ import annotations

from alembic import op

revision = "0001_disclosure"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE disclosure.incidents (
  name text PRIMARY KEY, reporter_kid text NOT NULL UNIQUE,
  reporter_signing bytea NOT NULL, reporter_sealing bytea NOT NULL,
  production text, language smallint NOT NULL, categories smallint[] NOT NULL, withdrawn boolean NOT NULL,
  epoch bigint NOT NULL, version bigint NOT NULL,
  intake_statement bytea NOT NULL, intake_signature bytea NOT NULL, create_time timestamptz NOT NULL);

CREATE TABLE disclosure.sections (
  name text NOT NULL, version integer NOT NULL, incident text NOT NULL REFERENCES disclosure.incidents,
  kind smallint NOT NULL, digest bytea NOT NULL, commitment bytea NOT NULL,
  author_kid text NOT NULL, reporter_kid text NOT NULL, author_signature bytea NOT NULL,
  ciphertext bytea STORAGE EXTERNAL NOT NULL, create_time timestamptz NOT NULL, PRIMARY KEY (name, version));
CREATE INDEX sections_in_order ON disclosure.sections (incident, create_time, name);

CREATE TABLE disclosure.wraps (
  section text NOT NULL, version integer NOT NULL, reader_kid text NOT NULL, grant_name text NOT NULL,
  incident text NOT NULL REFERENCES disclosure.incidents, wrap bytea STORAGE PLAIN NOT NULL CHECK (length(wrap) = 1168),
  PRIMARY KEY (section, version, reader_kid, grant_name),
  FOREIGN KEY (section, version) REFERENCES disclosure.sections (name, version));
CREATE INDEX wraps_by_reader ON disclosure.wraps (reader_kid, grant_name);
CREATE INDEX wraps_by_grant ON disclosure.wraps (grant_name, reader_kid);

CREATE TABLE disclosure.seats (
  grant_name text NOT NULL, kid text NOT NULL, incident text NOT NULL REFERENCES disclosure.incidents, notice text,
  subject text NOT NULL, organisation text NOT NULL, participation text NOT NULL, appointment text NOT NULL,
  since timestamptz NOT NULL, closed_time timestamptz, close_reason text, first_open_time timestamptz,
  PRIMARY KEY (grant_name, kid), CHECK ((closed_time IS NULL) = (close_reason IS NULL)));
CREATE INDEX seats_by_incident ON disclosure.seats (incident);
CREATE INDEX seats_by_notice ON disclosure.seats (notice, kid);
CREATE INDEX seats_by_kid ON disclosure.seats (kid) WHERE closed_time IS NULL;
CREATE INDEX seats_by_appointment ON disclosure.seats (appointment) WHERE closed_time IS NULL;
CREATE INDEX seats_by_subject ON disclosure.seats (subject) WHERE closed_time IS NULL;

CREATE TABLE disclosure.exclusions (
  incident text NOT NULL REFERENCES disclosure.incidents, target text NOT NULL, PRIMARY KEY (incident, target));
CREATE INDEX exclusions_by_target ON disclosure.exclusions (target);

CREATE TABLE disclosure.affiliations (
  subject text NOT NULL, organisation text NOT NULL, PRIMARY KEY (subject, organisation));
CREATE INDEX affiliations_by_organisation ON disclosure.affiliations (organisation);

CREATE TABLE disclosure.ended (target text PRIMARY KEY, create_time timestamptz NOT NULL);

CREATE TABLE disclosure.notices (
  name text PRIMARY KEY, incident text NOT NULL REFERENCES disclosure.incidents,
  sender_participation text NOT NULL, sender_kid text NOT NULL,
  recipient text NOT NULL, recipient_organisation text NOT NULL,
  purposes smallint[] NOT NULL, valid_until timestamptz NOT NULL, terms_version text NOT NULL,
  state smallint NOT NULL, answer smallint NOT NULL,
  decision_statement bytea NOT NULL, decision_signature bytea NOT NULL, decision_stands boolean NOT NULL,
  consent text, create_time timestamptz NOT NULL, answer_by_time timestamptz NOT NULL,
  offer_time timestamptz, open_time timestamptz, close_time timestamptz, expire_time timestamptz);
CREATE INDEX notices_by_incident ON disclosure.notices (incident, create_time, name);
-- The policy engine knows a notice by its own id alone; a clash across incidents is refused like any other.
CREATE UNIQUE INDEX notices_own_id ON disclosure.notices (split_part(name, '/', 4));
CREATE INDEX notices_unanswered ON disclosure.notices (answer_by_time) WHERE state = 1;
CREATE INDEX notices_expiring ON disclosure.notices (expire_time) WHERE close_time IS NULL AND expire_time IS NOT NULL;

CREATE TABLE disclosure.notice_readers (
  notice text NOT NULL REFERENCES disclosure.notices, kid text NOT NULL, position smallint NOT NULL,
  subject text NOT NULL, organisation text NOT NULL, appointment text NOT NULL, excluded boolean NOT NULL,
  PRIMARY KEY (notice, kid));

CREATE TABLE disclosure.notice_sections (
  notice text NOT NULL REFERENCES disclosure.notices, position smallint NOT NULL,
  section text NOT NULL, version integer NOT NULL, kind smallint NOT NULL, digest bytea NOT NULL, commitment bytea NOT NULL,
  PRIMARY KEY (notice, position), UNIQUE (notice, kind),
  FOREIGN KEY (section, version) REFERENCES disclosure.sections (name, version));

CREATE TABLE disclosure.consents (
  name text PRIMARY KEY, notice text NOT NULL REFERENCES disclosure.notices,
  incident text NOT NULL REFERENCES disclosure.incidents, statement bytea NOT NULL, signature bytea NOT NULL,
  state smallint NOT NULL, purposes smallint[] NOT NULL,
  valid_from timestamptz NOT NULL, valid_until timestamptz NOT NULL,
  terms_version text NOT NULL, create_time timestamptz NOT NULL, CHECK (valid_from < valid_until));
CREATE UNIQUE INDEX consents_one_live ON disclosure.consents (notice) WHERE state = 1;

CREATE TABLE disclosure.consent_sections (
  consent text NOT NULL REFERENCES disclosure.consents, reader_kid text NOT NULL, section text NOT NULL,
  version integer NOT NULL, kind smallint NOT NULL, PRIMARY KEY (consent, reader_kid, section));

CREATE TABLE disclosure.acts (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, incident text NOT NULL REFERENCES disclosure.incidents,
  kind text NOT NULL, notice text, statement bytea NOT NULL, signature bytea NOT NULL,
  create_time timestamptz NOT NULL);
CREATE INDEX acts_by_incident ON disclosure.acts (incident, create_time, id);

CREATE TABLE disclosure.acceptances (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, notice text NOT NULL REFERENCES disclosure.notices,
  participation text NOT NULL, terms_version text NOT NULL, accepted boolean NOT NULL,
  statement bytea NOT NULL, signature bytea NOT NULL, kid text NOT NULL, create_time timestamptz NOT NULL);
CREATE INDEX acceptances_by_notice ON disclosure.acceptances (notice);

-- Names its incident without a foreign key: checking one locks the incident's row, and many that open at once
-- would each write to it. The row is inserted from the incident's own, so that it is there.
CREATE TABLE disclosure.releases (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, incident text NOT NULL,
  notice text, capacity smallint NOT NULL, subject text, kid text NOT NULL, participation text,
  sections text[] NOT NULL, versions integer[] NOT NULL, kinds smallint[] NOT NULL, purpose smallint,
  request_id text NOT NULL, create_time timestamptz NOT NULL, UNIQUE (kid, request_id));
CREATE INDEX releases_by_incident ON disclosure.releases (incident, create_time, id);

CREATE TABLE disclosure.sequences (
  incident text NOT NULL REFERENCES disclosure.incidents, signer_kid text NOT NULL, last bigint NOT NULL,
  PRIMARY KEY (incident, signer_kid));

CREATE TABLE disclosure.rewraps (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, incident text NOT NULL REFERENCES disclosure.incidents,
  grant_name text NOT NULL, old_kid text NOT NULL, new_kid text NOT NULL,
  statement bytea NOT NULL, signature bytea NOT NULL, create_time timestamptz NOT NULL);
CREATE INDEX rewraps_by_grant ON disclosure.rewraps (grant_name, id);

CREATE FUNCTION disclosure.refuse_change() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'rows of % only grow', TG_TABLE_NAME; END $$;
"""

GROWING = ("exclusions", "affiliations", "ended", "acts", "releases")


def upgrade() -> None:
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    for table in GROWING:
        op.execute(
            f"CREATE TRIGGER {table}_only_grow BEFORE UPDATE OR DELETE OR TRUNCATE ON disclosure.{table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION disclosure.refuse_change()"
        )
