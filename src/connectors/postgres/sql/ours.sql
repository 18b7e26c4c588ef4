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
            WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid OR i.inhparent = c.oid) THEN 'tables that inherit from it, or that it inherits from' END,
       pg_catalog.format('%I.%I', n.nspname, c.relname), pg_catalog.quote_ident(current_user)
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.oid = pg_catalog.to_regclass($1)::pg_catalog.oid
