-- A publication: its comment, does it tell all operations, all tables?, the hash of the tables that it has. $1: its name.
SELECT pg_catalog.obj_description(p.oid, 'pg_publication'), p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate,
       (SELECT pg_catalog.md5(COALESCE(pg_catalog.string_agg(pg_catalog.format('%I.%I', t.schemaname, t.tablename), ',' ORDER BY t.schemaname COLLATE "C", t.tablename COLLATE "C"), ''))
          FROM pg_catalog.pg_publication_tables t WHERE t.pubname = p.pubname)
  FROM pg_catalog.pg_publication p
 WHERE p.pubname = $1::pg_catalog.name
