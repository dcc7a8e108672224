-- Reports of sixteen people at four organisations, as many as meldbrug.seeds says; run by seeding.py.
CREATE FUNCTION pg_temp.id(prefix text, number int, width int DEFAULT 25) RETURNS text LANGUAGE sql IMMUTABLE AS
  $$ SELECT prefix || lpad(number::text, width, '0') $$;
INSERT INTO directory.organisations SELECT pg_temp.id('organisations/o', n), 1, 'Partij', 1, '', 1 FROM
  generate_series(0, 3) n;
INSERT INTO directory.productions SELECT 'productions/d', 1, 'Opname', pg_temp.id('organisations/o', 0),
  now(), now(), '', '', 'code';
INSERT INTO directory.participations SELECT pg_temp.id('participations/t', n), 1, 'productions/d',
  pg_temp.id('organisations/o', n), 2, false FROM generate_series(0, 3) n;
INSERT INTO directory.members SELECT pg_temp.id('members/m', n), 1, pg_temp.id('organisations/o', n % 4),
  pg_temp.id('persons/p', n), 'Lid', 1, false, 3, pg_temp.id('k', n, 51), '', NULL FROM generate_series(0,
  15) n;
INSERT INTO directory.keys SELECT kid, '\x00', '\x00', name FROM directory.members;
INSERT INTO directory.appointments SELECT pg_temp.id('appointments/a', n), 1,
  pg_temp.id('organisations/o', n % 4), pg_temp.id('participations/t', n % 4), 2, 'Rol',
  pg_temp.id('members/m', n), pg_temp.id('persons/p', n), pg_temp.id('k', n, 51), '', pg_temp.id('k', n,
  51), false, '\x00', '\x00' FROM generate_series(0, 15) n;
INSERT INTO disclosure.affiliations SELECT subject, organisation FROM directory.members;
CREATE TEMP TABLE seeded AS SELECT n, incident, incident || pg_temp.id('/notices/n', n) AS notice,
  pg_temp.id('consents/c', n) AS consent FROM ( SELECT n, pg_temp.id('incidents/i', n) AS incident FROM
  generate_series(0, current_setting('meldbrug.seeds')::int - 1) n) named;
INSERT INTO disclosure.incidents SELECT incident, 'r' || n, '\x00', '\x00', 'productions/d', 1, '{1}',
  false, 1, 1, '\x00', '\x00', now() FROM seeded;
INSERT INTO disclosure.sections SELECT incident || pg_temp.id('/sections/s' || w, n, 24), 1, incident, w,
  '\x00', '\x00', 'k', 'r' || n, '\x00', convert_to(repeat(md5(n::text), 32), 'UTF8'), now() FROM seeded,
  generate_series(2, 3) w;
INSERT INTO disclosure.notices SELECT notice, incident, 'participations/t', 'k',
  pg_temp.id('participations/t', n % 4), pg_temp.id('organisations/o', n % 4), '{1}', now() + interval '90
  days', 'v1', 7, 2, '\x00', '\x00', true, consent, now(), now() + interval '14 days', now(), now(), NULL,
  now() + interval '90 days' FROM seeded;
INSERT INTO disclosure.consents SELECT consent, notice, incident, '\x00', '\x00', 1, '{1}', now() -
  interval '1 day', now() + interval '90 days', 'v1', now() FROM seeded;
INSERT INTO disclosure.acceptances (notice, participation, terms_version, accepted, statement, signature,
  kid, create_time) SELECT notice, pg_temp.id('participations/t', n % 4), 'v1', true, '\x00', '\x00', 'k',
  now() FROM seeded;
CREATE TEMP TABLE sitting AS SELECT incident, CASE WHEN role = 7 THEN incident ELSE consent END AS
  grant_name, CASE WHEN role <> 7 THEN notice END AS notice, role, n, (n + role) % 16 AS person FROM seeded,
  unnest('{0,3,7}'::int[]) role;
INSERT INTO disclosure.seats SELECT grant_name, pg_temp.id('k', person, 51), incident, notice,
  pg_temp.id('persons/p', person), pg_temp.id('organisations/o', person % 4), pg_temp.id('participations/t',
  person % 4), pg_temp.id('appointments/a', person), now(), NULL, NULL, now() FROM sitting;
INSERT INTO disclosure.notice_readers SELECT notice, pg_temp.id('k', person, 51), role,
  pg_temp.id('persons/p', person), pg_temp.id('organisations/o', person % 4), pg_temp.id('appointments/a',
  person), false FROM sitting WHERE role <> 7;
INSERT INTO disclosure.wraps SELECT incident || pg_temp.id('/sections/s' || w, n, 24), 1, pg_temp.id('k',
  person, 51), grant_name, incident, decode(repeat('00', 1168), 'hex') FROM sitting, generate_series(2, 3) w;
INSERT INTO disclosure.consent_sections SELECT grant_name, pg_temp.id('k', person, 51), incident ||
  pg_temp.id('/sections/s' || w, n, 24), 1, w FROM sitting, generate_series(2, 3) w WHERE role <> 7;
INSERT INTO disclosure.releases (incident, notice, capacity, kid, sections, versions, kinds, purpose,
  request_id, create_time) SELECT incident, notice, 3, 'k', '{}', '{}', '{}', 1, incident, now() FROM seeded;
