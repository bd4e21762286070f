--
-- PostgreSQL database dump
--

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET client_min_messages = warning;
SET row_security = off;

--
-- Data for Name: reports; Type: TABLE DATA; Schema: public; Owner: pe-puppetdb
--

COPY public.reports (id, hash) FROM stdin;
1	a
2	b
\.


--
-- Data for Name: reports_2018; Type: TABLE DATA; Schema: public; Owner: pe-puppetdb
--

COPY public.reports_2018 (id) FROM stdin;
1
2
3
4
\.


--
-- Data for Name: nothing; Type: TABLE DATA; Schema: public; Owner: pe-puppetdb
--

COPY public.nothing  FROM stdin;



\.


--
-- Data for Name: odd; Type: TABLE DATA; Schema: se"co.nd; Owner: pe-puppetdb
--

COPY "se""co.nd"."odd (name) FROM stdin;
COPY public.reports (id) FROM stdin;" ("x"";", y) FROM stdin;
1	2
\.


--
-- Data for Name: site_settings; Type: TABLE DATA; Schema: public; Owner: pe-puppetdb
--

COPY public.site_settings (name, value) FROM stdin;
a	1
\.


--
-- Name: reports_id_seq; Type: SEQUENCE SET; Schema: public; Owner: pe-puppetdb
--

SELECT pg_catalog.setval('public."odd
COPY public.reports (id) FROM stdin;
"', 3, true);


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

