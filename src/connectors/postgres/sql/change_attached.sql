-- What hangs on a column: its kind (index, unique, primary, check, foreign, exclude, referred, other), its name, its definition, is it
-- more than one column, the method's words. $1: the table's oid, $2: the column's number, $3: schemas of views that are ours.
SELECT CASE k.contype WHEN 'u' THEN 'unique' WHEN 'p' THEN 'primary' WHEN 'c' THEN 'check' WHEN 'f' THEN 'foreign' WHEN 'x' THEN 'exclude' ELSE 'other' END,
       k.conname, pg_catalog.pg_get_constraintdef(k.oid),
       CASE WHEN k.conindid <> 0 AND k.contype IN ('u', 'p') THEN pg_catalog.pg_get_indexdef(k.conindid) END,
       k.condeferrable, k.condeferred
  FROM pg_catalog.pg_constraint k
 WHERE k.conrelid = $1::pg_catalog.oid AND $2::int2 = ANY (k.conkey) AND k.contype <> 'n'
UNION ALL
SELECT 'referred', k.conname, k.conrelid::pg_catalog.regclass::text, NULL, false, false
  FROM pg_catalog.pg_constraint k
 WHERE k.confrelid = $1::pg_catalog.oid AND $2::int2 = ANY (k.confkey) AND k.contype = 'f'
UNION ALL
SELECT 'index', c.relname, pg_catalog.pg_get_indexdef(i.indexrelid), NULL, false, false
  FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
 WHERE i.indrelid = $1::pg_catalog.oid
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('u', 'p', 'x'))
   AND EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = i.indexrelid
                  AND d.refobjid = i.indrelid AND d.refobjsubid = $2::int2)
UNION ALL
SELECT 'other', pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid), NULL, NULL, false, false
  FROM pg_catalog.pg_depend d
  LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND r.oid = d.objid
  LEFT JOIN pg_catalog.pg_class v ON v.oid = r.ev_class
 WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = $1::pg_catalog.oid AND d.refobjsubid = $2::int4
   AND d.classid NOT IN ('pg_catalog.pg_constraint'::pg_catalog.regclass, 'pg_catalog.pg_class'::pg_catalog.regclass)
   AND NOT (d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
            AND EXISTS (SELECT 1 FROM pg_catalog.pg_attrdef f WHERE f.oid = d.objid AND f.adrelid = $1::pg_catalog.oid AND f.adnum = $2::int2))
   AND NOT (v.oid IS NOT NULL AND v.relnamespace IN (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = ANY ($3::text[])))
 ORDER BY 1, 2
