\set location :root /puppetdb
CREATE TABLESPACE "pe-puppetdb" LOCATION :'location';
CREATE USER "pe-puppetdb" PASSWORD :'puppetdb_password';
CREATE DATABASE "pe-puppetdb" OWNER "pe-puppetdb" TABLESPACE "pe-puppetdb"
  ENCODING 'utf8' LC_CTYPE 'en_US.utf8' LC_COLLATE 'en_US.utf8' TEMPLATE template0;
\set location :root /classifier
CREATE TABLESPACE "pe-classifier" LOCATION :'location';
CREATE USER "pe-classifier" PASSWORD :'classifier_password';
CREATE DATABASE "pe-classifier" OWNER "pe-classifier" TABLESPACE "pe-classifier"
  ENCODING 'utf8' LC_CTYPE 'en_US.utf8' LC_COLLATE 'en_US.utf8' TEMPLATE template0;
\set location :root /rbac
CREATE TABLESPACE "pe-rbac" LOCATION :'location';
CREATE USER "pe-rbac" PASSWORD :'rbac_password';
CREATE DATABASE "pe-rbac" OWNER "pe-rbac" TABLESPACE "pe-rbac"
  ENCODING 'utf8' LC_CTYPE 'en_US.utf8' LC_COLLATE 'en_US.utf8' TEMPLATE template0;
\set location :root /activity
CREATE TABLESPACE "pe-activity" LOCATION :'location';
CREATE USER "pe-activity" PASSWORD :'activity_password';
CREATE DATABASE "pe-activity" OWNER "pe-activity" TABLESPACE "pe-activity"
  ENCODING 'utf8' LC_CTYPE 'en_US.utf8' LC_COLLATE 'en_US.utf8' TEMPLATE template0;
\set location :root /orchestrator
CREATE TABLESPACE "pe-orchestrator" LOCATION :'location';
CREATE USER "pe-orchestrator" PASSWORD :'orchestrator_password';
CREATE DATABASE "pe-orchestrator" OWNER "pe-orchestrator" TABLESPACE "pe-orchestrator"
  ENCODING 'utf8' LC_CTYPE 'en_US.utf8' LC_COLLATE 'en_US.utf8' TEMPLATE template0;

\connect pe-puppetdb
CREATE EXTENSION pg_trgm;
CREATE EXTENSION pgcrypto;
SET ROLE "pe-puppetdb";
CREATE TABLE schema_migrations (version integer PRIMARY KEY, "time" timestamptz NOT NULL DEFAULT now());
CREATE TABLE certnames (certname text PRIMARY KEY, deactivated timestamptz, expired timestamptz);
CREATE TABLE factsets (
  certname text PRIMARY KEY REFERENCES certnames ON DELETE CASCADE,
  "timestamp" timestamptz NOT NULL,
  hash bytea NOT NULL
);
CREATE TABLE catalogs (
  id bigserial PRIMARY KEY,
  certname text NOT NULL UNIQUE REFERENCES certnames ON DELETE CASCADE,
  hash text NOT NULL,
  resources jsonb NOT NULL
);
CREATE TABLE reports (
  hash text PRIMARY KEY,
  certname text NOT NULL REFERENCES certnames ON DELETE CASCADE,
  puppet_version text NOT NULL,
  start_time timestamptz NOT NULL,
  end_time timestamptz NOT NULL,
  receive_time timestamptz NOT NULL
);
CREATE TABLE resource_events (
  report text NOT NULL REFERENCES reports ON DELETE CASCADE,
  status text NOT NULL,
  "timestamp" timestamptz NOT NULL,
  resource_type text NOT NULL,
  resource_title text NOT NULL,
  message text
);
INSERT INTO schema_migrations (version) SELECT generate_series(28, 46);
INSERT INTO certnames (certname) SELECT format('node%s.pe.example.com', to_char(n, 'FM0000')) FROM generate_series(1, 200) n;
INSERT INTO factsets SELECT certname, now(), digest(certname, 'sha1') FROM certnames;
INSERT INTO catalogs (certname, hash, resources)
  SELECT certname, md5(certname), jsonb_build_object('Class', 'ntp', 'File', '/etc/ntp.conf', 'node', certname) FROM certnames;
INSERT INTO reports
  SELECT md5('report' || n), format('node%s.pe.example.com', to_char(1 + n % 200, 'FM0000')), '4.5.3', t, t + interval '9 s', t + interval '10 s'
  FROM (SELECT n, now() - n * interval '1 minute' AS t FROM generate_series(1, 800) n) runs;
INSERT INTO resource_events
  SELECT md5('report' || 1 + n % 800), 'success', now() - n * interval '10 s', 'File', '/etc/app/part' || n % 50, 'content changed'
  FROM generate_series(1, 2000) n;
CREATE INDEX reports_certname_idx ON reports (certname);
CREATE INDEX resource_events_title_trgm_idx ON resource_events USING gin (resource_title gin_trgm_ops);
RESET ROLE;
VACUUM (ANALYZE);

\connect pe-classifier
SET ROLE "pe-classifier";
CREATE TABLE schema_migrations (id bigint PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now());
CREATE TABLE groups (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name text NOT NULL UNIQUE,
  parent_id uuid REFERENCES groups,
  rule jsonb,
  environment text NOT NULL DEFAULT 'production'
);
CREATE TABLE group_classes (group_id uuid NOT NULL REFERENCES groups, class text NOT NULL, parameters jsonb, PRIMARY KEY (group_id, class));
CREATE TABLE node_check_ins (node text NOT NULL, time timestamptz NOT NULL, explanation jsonb);
INSERT INTO schema_migrations (id) SELECT 20160100000000 + n FROM generate_series(1, 12) n;
INSERT INTO groups (name) VALUES ('All Nodes');
INSERT INTO groups (name, parent_id)
  SELECT name, (SELECT id FROM groups WHERE name = 'All Nodes')
  FROM unnest(ARRAY['PE Infrastructure', 'PE Master', 'PE Certificate Authority', 'PE PuppetDB', 'PE Console', 'PE ActiveMQ Broker',
    'PE MCollective', 'PE Agent', 'PE Orchestrator']) name;
INSERT INTO group_classes SELECT id, 'puppet_enterprise::' || md5(name), '{}' FROM groups;
INSERT INTO node_check_ins
  SELECT format('node%s.pe.example.com', to_char(1 + n % 200, 'FM0000')), now() - n * interval '1 minute', '{}' FROM generate_series(1, 600) n;
RESET ROLE;
VACUUM (ANALYZE);

\connect pe-rbac
CREATE EXTENSION citext;
SET ROLE "pe-rbac";
CREATE TABLE schema_migrations (id bigint PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now());
CREATE TABLE subjects (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  login citext NOT NULL UNIQUE,
  password text NOT NULL,
  last_login timestamptz
);
CREATE TABLE roles (id serial PRIMARY KEY, display_name citext NOT NULL UNIQUE);
CREATE TABLE user_roles (subject_id uuid NOT NULL REFERENCES subjects, role_id integer NOT NULL REFERENCES roles, PRIMARY KEY (subject_id, role_id));
INSERT INTO schema_migrations (id) SELECT 20160100000000 + n FROM generate_series(1, 9) n;
INSERT INTO subjects (login, password)
  SELECT login, '$2a$10$' || md5(login) FROM (SELECT 'admin' AS login UNION ALL SELECT 'User' || n FROM generate_series(1, 150) n) logins;
INSERT INTO roles (display_name) VALUES ('Administrators'), ('Operators'), ('Viewers'), ('Code Deployers');
INSERT INTO user_roles SELECT id, 1 + ascii(md5(login::text)) % 4 FROM subjects;
RESET ROLE;
VACUUM (ANALYZE);

\connect pe-activity
SET ROLE "pe-activity";
CREATE TABLE schema_migrations (id bigint PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now());
CREATE TABLE events (id bigserial PRIMARY KEY, subject text NOT NULL, what text NOT NULL, ts timestamptz NOT NULL);
INSERT INTO schema_migrations (id) SELECT 20160100000000 + n FROM generate_series(1, 4) n;
INSERT INTO events (subject, what, ts) SELECT 'admin', 'edited group ' || n % 10, now() - n * interval '1 hour' FROM generate_series(1, 500) n;
RESET ROLE;
VACUUM (ANALYZE);

\connect pe-orchestrator
SET ROLE "pe-orchestrator";
CREATE TABLE schema_migrations (id bigint PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now());
CREATE TABLE jobs (id bigserial PRIMARY KEY, owner text NOT NULL, created timestamptz NOT NULL, environment text NOT NULL DEFAULT 'production');
CREATE TABLE job_nodes (job_id bigint NOT NULL REFERENCES jobs, node text NOT NULL, state text NOT NULL, PRIMARY KEY (job_id, node));
INSERT INTO schema_migrations (id) SELECT 20160100000000 + n FROM generate_series(1, 6) n;
INSERT INTO jobs (owner, created) SELECT 'admin', now() - n * interval '1 day' FROM generate_series(1, 60) n;
INSERT INTO job_nodes
  SELECT id, format('node%s.pe.example.com', to_char(n, 'FM0000')), 'finished' FROM jobs, generate_series(1, 5) n;
RESET ROLE;
VACUUM (ANALYZE);
