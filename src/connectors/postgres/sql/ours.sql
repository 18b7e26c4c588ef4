-- A relation that has a name of ours: its owner, may the owner be trusted with what we do to it, what it carries that ours never do, its name, the
-- account. No row: there is none. $1: its name, as SQL. A superuser is said to be a member of every role: so the memberships themselves are asked.
WITH RECURSIVE mine(oid) AS (
  SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = current_user
   UNION
  SELECT m.roleid FROM pg_catalog.pg_auth_members m JOIN mine ON mine.oid = m.member
)
SELECT pg_catalog.pg_get_userbyid(c.relowner),
       c.relowner IN (SELECT oid FROM mine) OR EXISTS (SELECT 1 FROM pg_catalog.pg_roles r WHERE r.oid = c.relowner AND r.rolsuper),
       CASE WHEN c.relkind <> 'r' THEN 'no records of its own: it is no plain table'
            WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal)
                 THEN (SELECT pg_catalog.format('the trigger %I', pg_catalog.min(t.tgname::text)) FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal)
            WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_rewrite w WHERE w.ev_class = c.oid)
                 THEN (SELECT pg_catalog.format('the rule %I', pg_catalog.min(w.rulename::text)) FROM pg_catalog.pg_rewrite w WHERE w.ev_class = c.oid)
            WHEN c.relrowsecurity OR EXISTS (SELECT 1 FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid) THEN 'row level security'
            WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attgenerated <> '') THEN 'a generated column'
            WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid OR i.inhparent = c.oid) THEN 'tables that inherit from it, or that it inherits from'
            WHEN code.what IS NOT NULL THEN code.what END,
       pg_catalog.format('%I.%I', n.nspname, c.relname), pg_catalog.quote_ident(current_user)
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  -- expressions that call what is not the server's own, which a write evaluates
  LEFT JOIN LATERAL (
    SELECT x.what FROM (
      SELECT pg_catalog.format('the check %I', k.conname) AS what, k.conbin::text AS tree FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c'
       UNION ALL
      SELECT pg_catalog.format('a default of %I', a.attname), d.adbin::text FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE d.adrelid = c.oid
       UNION ALL
      SELECT pg_catalog.format('the index %I', i.indexrelid::pg_catalog.regclass), pg_catalog.concat(i.indexprs::text, i.indpred::text) FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid
       UNION ALL
      -- a column of another's type: a domain with a check, or whose operators are not the server's
      SELECT pg_catalog.format('the type of %I', a.attname), ':funcid 16384'
        FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid AND t.typtype = 'd' WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND c.relname IN ('_transhume_ledger', '_transhume_object', '_transhume_rebuild', '_transhume_schema', '_transhume_schema_lock')) x
     -- and of its own those that do more than calculate (code.sql), and casts to others' types: a domain has checks
     WHERE EXISTS (SELECT 1 FROM pg_catalog.regexp_matches(x.tree, ':(funcid|opfuncid|resulttype) ([1-9][0-9]*)', 'g') m
                     LEFT JOIN pg_catalog.pg_proc p ON m[1] <> 'resulttype' AND p.oid = m[2]::pg_catalog.oid
                    WHERE m[2]::pg_catalog.int8 >= 16384 OR p.proname ~ '_to_xml'
                       OR (p.provolatile = 'v' AND p.proname NOT IN ('clock_timestamp', 'currval', 'gen_random_uuid', 'lastval', 'nextval', 'random', 'random_normal', 'setseed', 'timeofday', 'uuidv4', 'uuidv7')))
     LIMIT 1) code ON c.relpersistence <> 't' -- one that the session made
 WHERE c.oid = pg_catalog.to_regclass($1)::pg_catalog.oid
