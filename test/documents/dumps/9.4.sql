--
-- PostgreSQL database dump
--

SET statement_timeout = 0;
SET lock_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SET check_function_bodies = false;
SET client_min_messages = warning;

SET search_path = public, pg_catalog;

--
-- Data for Name: reports; Type: TABLE DATA; Schema: public; Owner: pe-puppetdb
--

COPY reports (id, hash) FROM stdin;
1	\\x0a
2	\\x0b
3	\\x0c
\.


SET search_path = console, pg_catalog;

--
-- Data for Name: reports; Type: TABLE DATA; Schema: console; Owner: pe-puppetdb
--

COPY reports (id) FROM stdin;
1
\.


--
-- Data for Name: 100% Größe; Type: TABLE DATA; Schema: console; Owner: pe-puppetdb
--

COPY "100% Größe" ("Größe") FROM stdin;
1
2
\.


--
-- Data for Name: tab; Type: TABLE DATA; Schema: console; Owner: pe-puppetdb
--

COPY "a	tab" (id) FROM stdin;
1
\.


--
-- PostgreSQL database dump complete
--

