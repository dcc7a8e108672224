-- What the kernel itself keeps in the database. Applied by db.upgrade; every statement may run again.
CREATE SCHEMA IF NOT EXISTS kernel;
CREATE SCHEMA IF NOT EXISTS jobs;

-- How far tests moved the clock; a session reads it only when the test switch made it say so.
CREATE TABLE IF NOT EXISTS kernel.test_clock (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    offset_s double precision NOT NULL DEFAULT 0
);
INSERT INTO kernel.test_clock DEFAULT VALUES ON CONFLICT DO NOTHING;

CREATE OR REPLACE FUNCTION kernel.app_now() RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN current_setting('meldbrug.test_clock', true) = 'on'
        THEN clock_timestamp() + make_interval(secs => (SELECT offset_s FROM kernel.test_clock))
        ELSE clock_timestamp()
    END
$$;
