-- What the kernel itself keeps in the database. Applied by db.upgrade; every statement may run again.
CREATE SCHEMA IF NOT EXISTS kernel;
CREATE SCHEMA IF NOT EXISTS jobs;

-- How far tests moved the clock; a session reads it only when the test switch made it say so.
CREATE TABLE IF NOT EXISTS kernel.test_clock (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    offset_s double precision NOT NULL DEFAULT 0
);
INSERT INTO kernel.test_clock DEFAULT VALUES ON CONFLICT DO NOTHING;

CREATE OR REPLACE FUNCTION kernel.moved_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT clock_timestamp() + make_interval(secs => offset_s) FROM kernel.test_clock
$$;

-- Without a query in it, so that the planner puts it where it is called; every open path asks it.
CREATE OR REPLACE FUNCTION kernel.app_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT CASE
        WHEN current_setting('meldbrug.test_clock', true) = 'on' THEN kernel.moved_now()
        ELSE clock_timestamp()
    END
$$;
