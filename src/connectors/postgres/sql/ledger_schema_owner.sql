-- The schema $1 of a ledger: its owner, may the owner be trusted, its name and the account as SQL. No row: there is none. As in ours.sql.
WITH RECURSIVE mine(oid) AS (
  SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = current_user
   UNION
  SELECT m.roleid FROM pg_catalog.pg_auth_members m JOIN mine ON mine.oid = m.member
)
SELECT pg_catalog.pg_get_userbyid(n.nspowner),
       n.nspowner IN (SELECT oid FROM mine) OR EXISTS (SELECT 1 FROM pg_catalog.pg_roles r WHERE r.oid = n.nspowner AND r.rolsuper),
       pg_catalog.quote_ident(n.nspname), pg_catalog.quote_ident(current_user)
  FROM pg_catalog.pg_namespace n WHERE n.nspname = $1::pg_catalog.name
