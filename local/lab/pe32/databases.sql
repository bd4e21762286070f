\set console_location :root /console
\set puppetdb_location :root /puppetdb

CREATE TABLESPACE "pe-console" LOCATION :'console_location';
CREATE USER "console" PASSWORD :'console_password';
CREATE DATABASE "console" OWNER "console" TABLESPACE "pe-console"
  ENCODING 'utf8' LC_CTYPE 'en_US.utf8' LC_COLLATE 'en_US.utf8' TEMPLATE template0;
CREATE USER "console_auth" PASSWORD :'console_auth_password';
CREATE DATABASE "console_auth" OWNER "console_auth" TABLESPACE "pe-console"
  ENCODING 'utf8' LC_CTYPE 'en_US.utf8' LC_COLLATE 'en_US.utf8' TEMPLATE template0;
CREATE TABLESPACE "pe-puppetdb" LOCATION :'puppetdb_location';
CREATE USER "pe-puppetdb" PASSWORD :'puppetdb_password';
CREATE DATABASE "pe-puppetdb" OWNER "pe-puppetdb" TABLESPACE "pe-puppetdb"
  ENCODING 'utf8' LC_CTYPE 'en_US.utf8' LC_COLLATE 'en_US.utf8' TEMPLATE template0;

\connect console
SET ROLE console;
CREATE TABLE nodes (
  id serial PRIMARY KEY,
  name text NOT NULL UNIQUE,
  description text,
  status text NOT NULL DEFAULT 'unchanged',
  reported_at timestamp,
  created_at timestamp NOT NULL DEFAULT now(),
  updated_at timestamp NOT NULL DEFAULT now()
);
CREATE TABLE node_groups (id serial PRIMARY KEY, name text NOT NULL UNIQUE, description text);
CREATE TABLE node_classes (id serial PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE node_group_memberships (
  id serial PRIMARY KEY,
  node_id integer NOT NULL REFERENCES nodes,
  node_group_id integer NOT NULL REFERENCES node_groups
);
CREATE TABLE node_group_class_memberships (
  id serial PRIMARY KEY,
  node_group_id integer NOT NULL REFERENCES node_groups,
  node_class_id integer NOT NULL REFERENCES node_classes
);
CREATE TABLE parameters (
  id serial PRIMARY KEY,
  key text NOT NULL,
  value text,
  parameterable_id integer NOT NULL,
  parameterable_type text NOT NULL
);
CREATE TABLE delayed_jobs (id serial PRIMARY KEY, handler text, run_at timestamp, locked_at timestamp, failed_at timestamp);
INSERT INTO nodes (name, reported_at)
  SELECT format('node%s.pe.example.com', to_char(n, 'FM0000')), now() FROM generate_series(1, 400) n;
INSERT INTO node_groups (name)
  VALUES ('default'), ('mcollective'), ('no mcollective'), ('puppet_console'), ('puppet_master'), ('puppet_puppetdb'), ('web');
INSERT INTO node_classes (name)
  VALUES ('pe_accounts'), ('pe_mcollective'), ('pe_mcollective::role::master'), ('pe_puppetdb'), ('apache'), ('ntp');
INSERT INTO node_group_memberships (node_id, node_group_id) SELECT id, 1 + id % 7 FROM nodes;
INSERT INTO node_group_class_memberships (node_group_id, node_class_id)
  SELECT g.id, c.id FROM node_groups g, node_classes c;
INSERT INTO parameters (key, value, parameterable_id, parameterable_type)
  SELECT 'setting_' || n, md5(n::text), 1 + n % 400, 'Node' FROM generate_series(1, 3000) n;
RESET ROLE;

\connect console_auth
SET ROLE console_auth;
CREATE TABLE roles (id serial PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE users (
  id serial PRIMARY KEY,
  username text NOT NULL UNIQUE,
  encrypted_password text NOT NULL,
  role_id integer NOT NULL REFERENCES roles,
  enabled boolean NOT NULL DEFAULT true
);
CREATE TABLE casserver_tgt (id serial PRIMARY KEY, ticket text NOT NULL, username text NOT NULL, created_on timestamp NOT NULL);
INSERT INTO roles (name) VALUES ('read-only'), ('read-write'), ('admin');
INSERT INTO users (username, encrypted_password, role_id)
  SELECT format('user%s@pe.example.com', n), '$2a$10$' || md5('user' || n), 1 + n % 3 FROM generate_series(1, 150) n;
INSERT INTO casserver_tgt (ticket, username, created_on)
  SELECT 'TGC-' || md5(n::text), format('user%s@pe.example.com', 1 + n % 150), now() - n * interval '1 minute'
  FROM generate_series(1, 2000) n;
RESET ROLE;

\connect pe-puppetdb
SET ROLE "pe-puppetdb";
CREATE TABLE certnames (name text PRIMARY KEY, deactivated timestamptz);
CREATE TABLE catalogs (
  id bigserial PRIMARY KEY,
  hash text NOT NULL,
  api_version integer NOT NULL,
  catalog_version text NOT NULL,
  certname text NOT NULL UNIQUE REFERENCES certnames ON DELETE CASCADE
);
CREATE TABLE catalog_resources (
  catalog_id bigint NOT NULL REFERENCES catalogs ON DELETE CASCADE,
  resource text NOT NULL,
  type text NOT NULL,
  title text NOT NULL,
  tags text[] NOT NULL,
  exported boolean NOT NULL,
  file text,
  line integer,
  PRIMARY KEY (catalog_id, resource)
);
CREATE TABLE resource_params (resource text NOT NULL, name text NOT NULL, value text NOT NULL, PRIMARY KEY (resource, name));
CREATE TABLE certname_facts_metadata (certname text PRIMARY KEY REFERENCES certnames ON DELETE CASCADE, "timestamp" timestamptz);
CREATE TABLE certname_facts (
  certname text NOT NULL REFERENCES certname_facts_metadata ON DELETE CASCADE,
  name text NOT NULL,
  value text NOT NULL,
  PRIMARY KEY (certname, name)
);
CREATE TABLE reports (
  hash text PRIMARY KEY,
  certname text NOT NULL REFERENCES certnames ON DELETE CASCADE,
  puppet_version text NOT NULL,
  report_format smallint NOT NULL,
  configuration_version text NOT NULL,
  start_time timestamptz NOT NULL,
  end_time timestamptz NOT NULL,
  receive_time timestamptz NOT NULL,
  transaction_uuid text
);
CREATE TABLE resource_events (
  report text NOT NULL REFERENCES reports ON DELETE CASCADE,
  status text NOT NULL,
  "timestamp" timestamptz NOT NULL,
  resource_type text NOT NULL,
  resource_title text NOT NULL,
  property text,
  new_value text,
  old_value text,
  message text
);
INSERT INTO certnames (name) SELECT format('node%s.pe.example.com', to_char(n, 'FM0000')) FROM generate_series(1, 400) n;
INSERT INTO catalogs (hash, api_version, catalog_version, certname) SELECT md5(name), 1, '1393632000', name FROM certnames;
INSERT INTO catalog_resources
  SELECT c.id, md5(c.id || '/' || n), (ARRAY['File', 'Package', 'Service', 'Exec', 'User'])[1 + n % 5], '/etc/app/part' || n,
    ARRAY['class', 'file', 'app', 'part' || n], n % 50 = 0, '/etc/puppetlabs/puppet/modules/app/manifests/init.pp', n
  FROM catalogs c, generate_series(1, 250) n;
INSERT INTO resource_params SELECT md5(n::text), 'content', format('"%s"', repeat(md5(n::text), 3)) FROM generate_series(1, 80000) n;
INSERT INTO certname_facts_metadata SELECT name, now() FROM certnames;
INSERT INTO certname_facts
  SELECT c.name, 'fact_' || n, md5(c.name || n) FROM certnames c, generate_series(1, 120) n;
INSERT INTO reports
  SELECT md5('report' || n), format('node%s.pe.example.com', to_char(1 + n % 400, 'FM0000')),
    '3.4.3 (Puppet Enterprise 3.2.3)', 4, '1393632000', t, t + interval '9 s', t + interval '10 s', md5('run' || n)
  FROM (SELECT n, now() - n * interval '1 minute' AS t FROM generate_series(1, 12000) n) runs;
INSERT INTO resource_events
  SELECT md5('report' || 1 + n % 12000), 'success', now() - n * interval '10 s', 'File', '/etc/app/part' || n % 250, 'content',
    md5(n::text), md5((n - 1)::text), 'content changed to {md5}' || md5(n::text)
  FROM generate_series(1, 60000) n;
CREATE INDEX idx_catalog_resources_type ON catalog_resources (type);
CREATE INDEX idx_certname_facts_name ON certname_facts (name);
CREATE INDEX idx_reports_certname ON reports (certname);
CREATE INDEX idx_resource_events_report ON resource_events (report);
RESET ROLE;
VACUUM (ANALYZE);
