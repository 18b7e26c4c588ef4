-- The columns of a table, for a declared change: name, type, NOT NULL, default, generated, identity, comment, number, where the
-- operators of its order are if not in pg_catalog, its default is a constant, sequences that it owns, its collation where that is not that of its type, has
-- its type an operator for equality, its type without a length.
-- $1: the table's oid.
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull,
       CASE WHEN a.attgenerated = '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END, a.attgenerated <> '', a.attidentity,
       (SELECT w.description FROM pg_catalog.pg_description w WHERE w.objoid = a.attrelid AND w.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND w.objsubid = a.attnum), a.attnum,
       w.place,
       d.adbin IS NULL OR d.adbin::text ~ '^\{CONST ' OR d.adbin::text ~ '^\{FUNCEXPR [^{}]*:funcformat [12] [^{}]*:args \(\{CONST ',
       (SELECT pg_catalog.string_agg(q.objid::pg_catalog.regclass::text, ', ') FROM pg_catalog.pg_depend q
         WHERE q.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND q.refclassid = q.classid
           AND q.refobjid = a.attrelid AND q.refobjsubid = a.attnum AND q.deptype = 'a'
           AND EXISTS (SELECT 1 FROM pg_catalog.pg_class s WHERE s.oid = q.objid AND s.relkind = 'S')),
       CASE WHEN a.attcollation <> t.typcollation THEN
         (SELECT pg_catalog.format('%I.%I', n.nspname, l.collname) FROM pg_catalog.pg_collation l
            JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace WHERE l.oid = a.attcollation) END,
       t.typtype IN ('e', 'r', 'm') OR EXISTS (
         SELECT 1 FROM pg_catalog.pg_opclass o JOIN pg_catalog.pg_am m ON m.oid = o.opcmethod AND m.amname IN ('btree', 'hash')
          WHERE o.opcdefault AND (o.opcintype = coalesce(nullif(t.typbasetype, 0), t.oid)
                                  OR (coalesce(nullif(t.typbasetype, 0), t.oid) = 'pg_catalog.varchar'::pg_catalog.regtype
                                      AND o.opcintype = 'pg_catalog.text'::pg_catalog.regtype))),
       pg_catalog.format_type(a.atttypid, -1)
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  LEFT JOIN LATERAL (
    SELECT pg_catalog.quote_ident(w.nspname) AS place FROM pg_catalog.pg_opclass f
      JOIN pg_catalog.pg_amop p ON p.amopfamily = f.opcfamily AND p.amoplefttype = f.opcintype AND p.amoprighttype = f.opcintype
      JOIN pg_catalog.pg_operator o ON o.oid = p.amopopr JOIN pg_catalog.pg_namespace w ON w.oid = o.oprnamespace
     WHERE f.opcmethod = 403 AND f.opcdefault AND f.opcintype = coalesce(nullif(t.typbasetype, 0), t.oid) AND p.amoppurpose = 's' AND p.amopstrategy = 3
       AND f.opcintype >= 16384) w ON true
 WHERE a.attrelid = $1::pg_catalog.oid AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attnum
