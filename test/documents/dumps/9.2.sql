--
-- PostgreSQL database dump
--

SET statement_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SET check_function_bodies = false;
SET client_min_messages = warning;

SET search_path = public, pg_catalog;

--
-- Data for Name: certnames; Type: TABLE DATA; Schema: public; Owner: pe-puppetdb
--

COPY certnames (name, deactivated) FROM stdin;
master.example.com	\N
node1.example.com	2014-03-01 00:00:00+00
\.


--
-- Data for Name: empty; Type: TABLE DATA; Schema: public; Owner: pe-puppetdb
--

COPY empty (id) FROM stdin;
\.


--
-- Data for Name: nothing; Type: TABLE DATA; Schema: public; Owner: pe-puppetdb
--

COPY nothing  FROM stdin;


\.


--
-- Data for Name: odd (name); Type: TABLE DATA; Schema: public; Owner: pe-puppetdb
--

COPY "odd (name)" ("a) FROM stdin;", "it's") FROM stdin;
1	\\.
2	COPY reports (id) FROM stdin;
3	\N
4	-- it's a "comment"
5	$$
\.


--
-- Data for Name: with oids; Type: TABLE DATA; Schema: public; Owner: pe-puppetdb
--

COPY "with oids" (id) WITH OIDS FROM stdin;
16999	1
\.


--
-- Name: reports_id_seq; Type: SEQUENCE SET; Schema: public; Owner: pe-puppetdb
--

SELECT pg_catalog.setval('reports_id_seq', 3, true);


SET search_path = "se""co.nd", pg_catalog;

--
-- Data for Name: certnames; Type: TABLE DATA; Schema: se"co.nd; Owner: pe-puppetdb
--

COPY certnames (name) FROM stdin;
a
b
c
\.


--
-- Data for Name: two lines; Type: TABLE DATA; Schema: se"co.nd; Owner: pe-puppetdb
--

COPY "two
lines" (id, "a
column") FROM stdin;
1	2
\.


SET search_path = pg_catalog;

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

