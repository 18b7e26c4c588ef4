-- Columns of the tables that tables.sql lists, in their order. A domain's type is that of its innermost base, whose words come behind
-- ("numeric(5,-3)"; NULL: it is no domain), and that is told without the limits (length, digits, fields) that it has here or in a
-- domain, NULL where it has none. $1: the schemas, each with what names of its tables begin with: '{{public,""},{sales,sales.}}';
-- $2: one table or NULL for all.
WITH RECURSIVE space AS (
  SELECT n.oid, n.nspname, s.list[i][2] AS lead, CASE WHEN s.list[i][2] = '' THEN '' ELSE pg_catalog.quote_ident(n.nspname) || '.' END AS place
    FROM (SELECT $1::text[] AS list) s CROSS JOIN LATERAL pg_catalog.generate_subscripts(s.list, 1) i
    JOIN pg_catalog.pg_namespace n ON n.nspname = s.list[i][1]
), nested AS (
  SELECT oid AS domain, typbasetype AS base, typtypmod AS modifier FROM pg_catalog.pg_type WHERE typtype = 'd'
   UNION ALL
  SELECT n.domain, i.typbasetype, i.typtypmod FROM nested n JOIN pg_catalog.pg_type i ON i.oid = n.base AND i.typtype = 'd'
), innermost AS (
  SELECT n.domain, n.base, n.modifier FROM nested n JOIN pg_catalog.pg_type i ON i.oid = n.base AND i.typtype <> 'd'
)
SELECT a.attrelid, a.attname,
       s.oid,
       s.typtype,
       CASE WHEN t.typtype = 'd' THEN o.modifier ELSE a.atttypmod END,
       pg_catalog.format_type(a.atttypid, a.atttypmod),
       a.attnotnull OR (t.typtype = 'd' AND t.typnotnull),
       a.attidentity, a.attgenerated,
       pg_catalog.pg_get_expr(d.adbin, d.adrelid),
       CASE WHEN a.attcollation <> t.typcollation THEN l.collname END,
       t.typtype, a.attnum,
       -- do its bytes mean the same in every server? Not where they hold the numbers of objects or types, or nobody can send them;
       -- and xml is sent and received without a declaration that says just version 1.0; an empty tsquery is sent, but not received
       s.oid <> 142 AND e.oid <> 3615 AND e.oid < 16384 AND e.typtype IN ('b', 'r', 'm') AND e.typname NOT LIKE 'reg%' AND e.typsend <> 0 AND e.typreceive <> 0,
       (SELECT w.description FROM pg_catalog.pg_description w WHERE w.objoid = a.attrelid AND w.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND w.objsubid = a.attnum),
       t.oid >= 16384, -- the first number of what is not built in
       CASE WHEN s.oid < 16384 AND CASE WHEN t.typtype = 'd' THEN o.modifier ELSE a.atttypmod END >= 0 THEN pg_catalog.format_type(s.oid, -1) END,
       CASE WHEN t.typtype = 'd' THEN pg_catalog.format_type(s.oid, o.modifier) END,
       -- what it is compared by; one that the account may not name is none to us
       CASE WHEN l.oid IS NULL THEN NULL
            WHEN pg_catalog.has_schema_privilege(m.oid, 'USAGE') THEN pg_catalog.format('%I.%I', m.nspname, l.collname)
            ELSE 'pg_catalog."C"' END,
       NOT l.collisdeterministic,
       -- where the operators of its order are, of a type that is not built in: others may be taken for them (of citext those of text)
       CASE WHEN s.oid >= 16384 THEN (
        SELECT pg_catalog.quote_ident(w.nspname) FROM pg_catalog.pg_opclass f
          JOIN pg_catalog.pg_amop p ON p.amopfamily = f.opcfamily AND p.amoplefttype = f.opcintype AND p.amoprighttype = f.opcintype
          JOIN pg_catalog.pg_operator o ON o.oid = p.amopopr JOIN pg_catalog.pg_namespace w ON w.oid = o.oprnamespace
         WHERE f.opcmethod = 403 AND f.opcdefault AND f.opcintype = s.oid AND p.amoppurpose = 's' AND p.amopstrategy = 5) END,
       -- another one once the column was altered; of an enum behind it the labels with their numbers
       pg_catalog.concat(a.xmin, ' ' || (
        SELECT pg_catalog.string_agg(pg_catalog.concat(b.oid, '=', pg_catalog.quote_literal(b.enumlabel)), ',' ORDER BY b.enumsortorder)
          FROM pg_catalog.pg_enum b WHERE b.enumtypid = s.oid)),
       -- the function that writes its text, and the type that this takes, where a cast of somebody's would be called in its place
       CASE WHEN s.oid >= 16384 AND EXISTS (SELECT 1 FROM pg_catalog.pg_cast k WHERE k.castsource = s.oid AND k.casttarget = 25 AND k.castfunc <> 0) THEN (
        SELECT pg_catalog.format('%I.%I', w.nspname, f.proname) FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_namespace w ON w.oid = f.pronamespace WHERE f.oid = s.typoutput) END,
       pg_catalog.format_type(s.oid, -1)
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN space n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  LEFT JOIN innermost o ON o.domain = t.oid
  JOIN pg_catalog.pg_type s ON s.oid = CASE WHEN t.typtype = 'd' THEN o.base ELSE t.oid END
  JOIN pg_catalog.pg_type e ON e.oid = CASE WHEN s.typcategory = 'A' AND s.typelem <> 0 THEN s.typelem ELSE s.oid END
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
  LEFT JOIN pg_catalog.pg_namespace m ON m.oid = l.collnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
   AND ($2::text IS NULL OR c.relname = $2)
   AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attrelid, a.attnum
