-- What a newer version changes in the databases; a second time it changes nothing.
\connect pe-puppetdb
SET ROLE "pe-puppetdb";
ALTER TABLE reports ADD COLUMN IF NOT EXISTS corrective_change boolean;
CREATE TABLE IF NOT EXISTS report_noops (report text PRIMARY KEY REFERENCES reports ON DELETE CASCADE, noop_pending boolean NOT NULL);
INSERT INTO schema_migrations (version) SELECT generate_series(47, 51) ON CONFLICT DO NOTHING;
RESET ROLE;

\connect pe-orchestrator
SET ROLE "pe-orchestrator";
CREATE TABLE IF NOT EXISTS job_events (id bigserial PRIMARY KEY, job_id bigint NOT NULL REFERENCES jobs, message text NOT NULL);
INSERT INTO schema_migrations (id) VALUES (20160900000000) ON CONFLICT DO NOTHING;
RESET ROLE;

\connect pe-activity
SET ROLE "pe-activity";
ALTER TABLE events ADD COLUMN IF NOT EXISTS ip_address text;
INSERT INTO schema_migrations (id) VALUES (20160900000000) ON CONFLICT DO NOTHING;
