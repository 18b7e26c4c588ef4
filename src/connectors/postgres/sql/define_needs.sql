-- Who needs whom, by the ids of definitions.
, place AS (
  SELECT 2604::oid AS classid, d.oid AS objid, CASE WHEN a.attgenerated = '' THEN '2604:' || d.oid || ':0' ELSE '1259:' || d.adrelid || ':' || d.adnum END AS id FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
  UNION ALL SELECT 2618, r.oid, '1259:' || r.ev_class || ':0' FROM pg_catalog.pg_rewrite r WHERE r.rulename = '_RETURN'
  UNION ALL SELECT 1259, k.conindid, '2606:' || k.oid || ':0' FROM pg_catalog.pg_constraint k WHERE k.contype IN ('p', 'u', 'x')
  UNION ALL SELECT 1247, t.oid, '1259:' || t.typrelid || ':0' FROM pg_catalog.pg_type t JOIN pg_catalog.pg_class c ON c.oid = t.typrelid WHERE c.relkind <> 'c'
  UNION ALL SELECT 1247, t.oid, CASE WHEN e.typrelid <> 0 AND ec.relkind <> 'c' THEN '1259:' || e.typrelid || ':0' ELSE '1247:' || e.oid || ':0' END FROM pg_catalog.pg_type e JOIN pg_catalog.pg_type t ON t.oid = e.typarray LEFT JOIN pg_catalog.pg_class ec ON ec.oid = e.typrelid
  UNION ALL SELECT 1259, c.oid, '1247:' || c.reltype || ':0' FROM pg_catalog.pg_class c WHERE c.relkind = 'c'
)
SELECT DISTINCT coalesce(p.id, d.classid || ':' || d.objid || ':' || d.objsubid) AS "user", coalesce(q.id, d.refclassid || ':' || d.refobjid || ':' || d.refobjsubid) AS used
  FROM pg_catalog.pg_depend d LEFT JOIN place p ON p.classid = d.classid AND p.objid = d.objid AND (d.objsubid = 0 OR d.classid = 1259::oid) LEFT JOIN place q ON q.classid = d.refclassid AND q.objid = d.refobjid
 WHERE d.deptype IN ('n', 'a', 'i', 'P', 'S', 'x', 'e') AND d.objid >= 16384
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_sequence s WHERE s.seqrelid = d.objid AND d.classid = 1259::oid AND d.refobjsubid > 0)
UNION
SELECT coalesce(p.id, d.classid || ':' || d.objid || ':0'), d.refclassid || ':' || d.refobjid || ':0'
  FROM pg_catalog.pg_depend d LEFT JOIN place p ON p.classid = d.classid AND p.objid = d.objid
 WHERE d.deptype IN ('n', 'a') AND d.objid >= 16384 AND d.refobjsubid > 0
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_sequence s WHERE s.seqrelid = d.objid AND d.classid = 1259::oid)
UNION
SELECT 'owner:' || d.objid, d.refclassid || ':' || d.refobjid || ':' || d.refobjsubid
  FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_sequence s ON s.seqrelid = d.objid
 WHERE d.classid = 1259::oid AND d.refclassid = d.classid AND d.deptype = 'a' AND d.refobjsubid > 0
