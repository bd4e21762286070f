-- Who may use which database: only the role of its name.
SELECT format('ALTER DATABASE %1$I OWNER TO %1$I', datname),
       format('REVOKE ALL ON DATABASE %I FROM PUBLIC', datname),
       format('GRANT ALL ON DATABASE %1$I TO %1$I', datname)
FROM pg_database JOIN pg_roles ON rolname = datname WHERE datname LIKE 'pe-%' \gexec
