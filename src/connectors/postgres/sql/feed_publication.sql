-- A publication: its comment, does it tell all operations, the numbers of its entries (a table that was left out for a while has another
-- one), the first table of which it tells some rows or columns only, does it tell partitions' changes as the root's. $1: its name.
-- Columns that only newer servers have are read through JSON. Last: its owner, and may that one be trusted, as in ours.sql?
WITH RECURSIVE mine(oid) AS (
  SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = current_user
   UNION
  SELECT m.roleid FROM pg_catalog.pg_auth_members m JOIN mine ON mine.oid = m.member
)
SELECT (SELECT w.description FROM pg_catalog.pg_description w WHERE w.objoid = p.oid AND w.classoid = 'pg_catalog.pg_publication'::pg_catalog.regclass AND w.objsubid = 0), p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate,
       COALESCE((SELECT pg_catalog.string_agg(r.oid::pg_catalog.text, ' ' ORDER BY r.oid) FROM pg_catalog.pg_publication_rel r WHERE r.prpubid = p.oid), ''),
       (SELECT pg_catalog.min(r.prrelid::pg_catalog.regclass::pg_catalog.text)
          FROM pg_catalog.pg_publication_rel r CROSS JOIN LATERAL (SELECT pg_catalog.to_jsonb(r) AS row) j
         WHERE r.prpubid = p.oid AND COALESCE(j.row ->> 'prqual', j.row ->> 'prattrs') IS NOT NULL),
       COALESCE((pg_catalog.to_jsonb(p) ->> 'pubviaroot')::pg_catalog.bool, true),
       pg_catalog.pg_get_userbyid(p.pubowner), p.pubowner IN (SELECT oid FROM mine) OR EXISTS (SELECT 1 FROM pg_catalog.pg_roles r WHERE r.oid = p.pubowner AND r.rolsuper)
  FROM pg_catalog.pg_publication p
 WHERE p.pubname = $1::pg_catalog.name
