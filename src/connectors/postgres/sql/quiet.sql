-- What answers to changes of a table's records, and of its partitions': triggers and rules, with what puts each out of action and back, and
-- foreign keys that refer to it and act, with schema, table, actions and columns. Those of ours are for others alone. $1: the table, $2: how what fires in the session is enabled.
WITH RECURSIVE tree(oid) AS (
    SELECT $1::pg_catalog.oid UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree ON tree.oid = i.inhparent),
relation AS (
    SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, pg_catalog.pg_has_role(c.relowner, 'USAGE') AS may,
           pg_catalog.pg_get_userbyid(c.relowner) AS owner
      FROM tree JOIN pg_catalog.pg_class c ON c.oid = tree.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace)
SELECT 'trigger', t.tgname,
       pg_catalog.format('ALTER TABLE ONLY %s ENABLE %sTRIGGER %I', r.name, CASE t.tgenabled WHEN 'A' THEN 'ALWAYS ' WHEN 'R' THEN 'REPLICA ' END, t.tgname),
       pg_catalog.format('ALTER TABLE ONLY %s DISABLE TRIGGER %I', r.name, t.tgname), r.may, r.owner, '', '', ''
  FROM relation r JOIN pg_catalog.pg_trigger t ON t.tgrelid = r.oid
 WHERE NOT t.tgisinternal AND t.tgenabled = ANY ($2::pg_catalog."char"[]) AND NOT pg_catalog.starts_with(t.tgname::pg_catalog.text, '_transhume')
 UNION ALL
SELECT 'rule', w.rulename,
       pg_catalog.format('ALTER TABLE ONLY %s ENABLE %sRULE %I', r.name, CASE w.ev_enabled WHEN 'A' THEN 'ALWAYS ' WHEN 'R' THEN 'REPLICA ' END, w.rulename),
       pg_catalog.format('ALTER TABLE ONLY %s DISABLE RULE %I', r.name, w.rulename), r.may, r.owner, '', '', ''
  FROM relation r JOIN pg_catalog.pg_rewrite w ON w.ev_class = r.oid
 WHERE w.ev_type <> '1' AND w.ev_enabled = ANY ($2::pg_catalog."char"[])
 UNION ALL
SELECT 'foreign key', k.conname, n.nspname::pg_catalog.text, '', false, f.relname,
       CASE k.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' ELSE '' END,
       CASE k.confupdtype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' ELSE '' END,
       (SELECT pg_catalog.string_agg(a.attname::pg_catalog.text, E'\n' ORDER BY p.place) FROM pg_catalog.generate_subscripts(k.conkey, 1) p(place)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[p.place])
  FROM relation r JOIN pg_catalog.pg_constraint k ON k.confrelid = r.oid
  JOIN pg_catalog.pg_class f ON f.oid = k.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = f.relnamespace
 WHERE k.contype = 'f' AND k.conparentid = '0'::pg_catalog.oid AND (k.confdeltype IN ('c', 'n', 'd') OR k.confupdtype IN ('c', 'n', 'd'))
   AND EXISTS (SELECT 1 FROM pg_catalog.pg_trigger t WHERE t.tgconstraint = k.oid AND t.tgrelid = k.confrelid AND t.tgenabled = ANY ($2::pg_catalog."char"[]))
 ORDER BY 1, 2, 4
