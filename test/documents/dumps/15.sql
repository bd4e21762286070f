--
-- PostgreSQL database dump
--

\restrict cVqhqGR4tmJKBnWXtiEcLUBYDdZ7rKvpQXzmoV5Rce9k2P8hJcU0nAhYf3Tzwab

-- Dumped from database version 15.18
-- Dumped by pg_dump version 15.18

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Data for Name: reports; Type: TABLE DATA; Schema: public; Owner: pe-puppetdb
--

COPY public.reports (id, hash) FROM stdin;
1	\\.
2	COPY reports (id) FROM stdin;
3	\N
4	-- it's a "comment"
5	$$
\.


--
-- Data for Name: carriage; Type: TABLE DATA; Schema: public; Owner: pe-puppetdb
--

COPY public."carriagereturn" (id) FROM stdin;
1
\.


--
-- Data for Name: BLOBS; Type: BLOBS; Schema: -; Owner: 
--

BEGIN;

SELECT pg_catalog.lo_open('16400', 131072);
SELECT pg_catalog.lowrite(0, '\x434f5059207075626c69632e7265706f72747320286964292046524f4d20737464696e3b0a310a5c2e0a');
SELECT pg_catalog.lo_close(0);

COMMIT;


--
-- Name: LARGE OBJECT 16400; Type: COMMENT; Schema: -; Owner: pe-puppetdb
--

COMMENT ON LARGE OBJECT 16400 IS 'it''s a note;
COPY reports (id) FROM stdin;
1
\.
"';


--
-- PostgreSQL database dump complete
--

\unrestrict cVqhqGR4tmJKBnWXtiEcLUBYDdZ7rKvpQXzmoV5Rce9k2P8hJcU0nAhYf3Tzwab

