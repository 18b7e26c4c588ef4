-- Row triggers of others on a table and its partitions that fire for INSERT or UPDATE, in the order in which they fire: its name, is it
-- BEFORE, its function, does the function read the row as a whole, does it use the column of it.
-- $1: the table's oid, $2: the column, as a regular expression has it.
SELECT t.tgname, (t.tgtype & 2) <> 0, p.proname, p.prosrc ~* '\mnew\M\s*(::|\.\s*\*|,|\))|\musing\M[^;]*\mnew\M',
       p.prosrc ~* ('\m(new|old)\M\s*\.\s*"?' || $2 || '"?(?![[:alnum:]_])')
         OR (p.prosrc ~* '=\s*new\s*;' AND p.prosrc ~* ('\m' || $2 || '(?![[:alnum:]_])'))
         OR pg_catalog.encode(t.tgargs, 'escape') ~* ('\m' || $2 || '(?![[:alnum:]_])')
  FROM (SELECT $1::pg_catalog.oid AS oid
        UNION SELECT r.relid::pg_catalog.oid FROM pg_catalog.pg_partition_tree($1::pg_catalog.oid::pg_catalog.regclass) r) o
  JOIN pg_catalog.pg_trigger t ON t.tgrelid = o.oid AND NOT t.tgisinternal AND t.tgenabled <> 'D'
   AND (t.tgtype & 1) <> 0 AND (t.tgtype & 20) <> 0
  JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
 ORDER BY t.tgname::text COLLATE "C"
