--
-- PostgreSQL database dump
--

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SET check_function_bodies = false;
SET client_min_messages = warning;
SET row_security = off;

SET search_path = public, pg_catalog;

--
-- Data for Name: select; Type: TABLE DATA; Schema: public; Owner: pe-puppetdb
--

COPY "select" (id, "window") FROM stdin;
1	2
\.


--
-- Data for Name: Upper; Type: TABLE DATA; Schema: public; Owner: pe-puppetdb
--

COPY "Upper" (id) FROM stdin;
1
2
\.


--
-- Data for Name: back\slash; Type: TABLE DATA; Schema: public; Owner: pe-puppetdb
--

COPY "back\slash" (id) FROM stdin;
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

