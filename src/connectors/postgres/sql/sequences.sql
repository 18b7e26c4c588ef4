-- The sequences that fill columns of tables, owned by them or not: table, column, the sequence, does it count
-- upwards, the last number that it reaches, the one before its first, may the role set it, may it read it, may it ask
-- for its last number, and does it reach all that the column can hold?
-- $1: the schemas, each with what names of its tables begin with: '{{public,""},{sales,sales.}}'.
WITH space AS (
  SELECT n.oid, n.nspname, s.list[i][2] AS lead, CASE WHEN s.list[i][2] = '' THEN '' ELSE pg_catalog.quote_ident(n.nspname) || '.' END AS place
    FROM (SELECT $1::text[] AS list) s CROSS JOIN LATERAL pg_catalog.generate_subscripts(s.list, 1) i
    JOIN pg_catalog.pg_namespace n ON n.nspname = s.list[i][1]
)
SELECT n.lead || c.relname, a.attname, pg_catalog.format('%I.%I', sn.nspname, s.relname), q.seqincrement > 0,
       CASE WHEN q.seqincrement > 0 THEN q.seqmax ELSE q.seqmin END, q.seqstart::numeric - q.seqincrement,
       pg_catalog.has_sequence_privilege(s.oid, 'UPDATE'), pg_catalog.has_sequence_privilege(s.oid, 'SELECT'),
       pg_catalog.has_sequence_privilege(s.oid, 'USAGE, SELECT'),
       CASE b.oid WHEN 21 THEN abs(CASE WHEN q.seqincrement > 0 THEN q.seqmax ELSE q.seqmin END) >= 32767
                  WHEN 23 THEN abs(CASE WHEN q.seqincrement > 0 THEN q.seqmax ELSE q.seqmin END) >= 2147483647
                  WHEN 20 THEN abs(CASE WHEN q.seqincrement > 0 THEN q.seqmax ELSE q.seqmin END::numeric) >= 9223372036854775807
                  ELSE false END
  FROM pg_catalog.pg_class c
  JOIN space n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  JOIN pg_catalog.pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
  LEFT JOIN pg_catalog.pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
  JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
   AND CASE WHEN a.attidentity <> ''
            THEN d.classid = d.refclassid AND d.refobjid = c.oid AND d.refobjsubid = a.attnum AND d.deptype = 'i'
            ELSE d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = f.oid
             AND pg_catalog.pg_get_expr(f.adbin, f.adrelid) LIKE 'nextval(%' END
  JOIN pg_catalog.pg_class s ON s.oid = CASE WHEN a.attidentity <> '' THEN d.objid ELSE d.refobjid END AND s.relkind = 'S'
  JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace
  JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid
 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
   AND c.relname NOT LIKE '\_transhume\_%' AND b.oid IN (20, 21, 23, 1700)
   -- a plain name like that of another schema's table means that one
   AND NOT (n.lead = '' AND EXISTS (SELECT 1 FROM pg_catalog.generate_subscripts($1::text[], 1) i WHERE ($1::text[])[i][2] <> '' AND pg_catalog.starts_with(c.relname::text, ($1::text[])[i][2])))
 ORDER BY n.lead COLLATE "C", c.relname COLLATE "C", a.attnum
