-- The operator by which the server itself takes two columns for equal, and the types that it compares: that of a foreign key between them, else
-- that of the order of both types. No row: there is none, or they are texts, arrays of such and the like. $1, $2: a column's table and number, 0 of a
-- query; $3, $4: the other's; $5, $6: their types, of domains the innermost base.
WITH keys AS (
  SELECT k.conpfeqop[p.place] AS operator, k.confrelid = $3::oid AND p.other = $4::smallint AS turned
    FROM pg_catalog.pg_constraint k
   CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(k.conkey), pg_catalog.unnest(k.confkey)) WITH ORDINALITY p(own, other, place)
   WHERE k.contype = 'f' AND ((k.conrelid = $1::oid AND p.own = $2::smallint AND k.confrelid = $3::oid AND p.other = $4::smallint) OR
                              (k.conrelid = $3::oid AND p.own = $4::smallint AND k.confrelid = $1::oid AND p.other = $2::smallint))
   ORDER BY 1, 2 LIMIT 1
), ordered AS (
  SELECT s.place, c.opcfamily AS family, c.opcintype AS type, t.oid
    FROM (VALUES (1, $5::oid), (2, $6::oid)) s(place, type)
    JOIN pg_catalog.pg_type t ON t.oid = s.type
    LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
   CROSS JOIN LATERAL (
    SELECT c.opcfamily, c.opcintype FROM pg_catalog.pg_opclass c
     WHERE c.opcmethod = 403 AND c.opcdefault AND (c.opcintype = t.oid
        OR c.opcintype = CASE WHEN e.oid IS NOT NULL THEN 2277 WHEN t.typtype = 'r' THEN 3831 WHEN t.typtype = 'm' THEN 4537 END
        OR EXISTS (SELECT 1 FROM pg_catalog.pg_cast x WHERE x.castsource = t.oid AND x.casttarget = c.opcintype AND x.castmethod = 'b' AND x.castcontext = 'i'))
     ORDER BY c.opcintype <> t.oid, c.opcintype LIMIT 1) c
   WHERE t.typcollation = 0
     AND (e.oid IS NULL OR e.typtype IN ('e', 'r', 'm') OR EXISTS (
       SELECT 1 FROM pg_catalog.pg_opclass o WHERE o.opcmethod = 403 AND o.opcdefault AND (o.opcintype = e.oid OR EXISTS (
         SELECT 1 FROM pg_catalog.pg_cast x WHERE x.castsource = e.oid AND x.casttarget = o.opcintype AND x.castmethod = 'b' AND x.castcontext = 'i'))))
), types AS (
  SELECT m.amopopr AS operator, false AS turned
    FROM ordered l
    JOIN ordered r ON l.place = 1 AND r.place = 2 AND l.family = r.family
    JOIN pg_catalog.pg_amop m ON m.amopfamily = l.family AND m.amoplefttype = l.type AND m.amoprighttype = r.type AND m.amopstrategy = 3 AND m.amoppurpose = 's'
   WHERE l.oid = r.oid OR l.type NOT IN (2277, 3831, 4537)
), found AS (
  SELECT *, true AS of_key FROM keys
   UNION ALL
  SELECT *, false FROM types WHERE NOT EXISTS (SELECT 1 FROM keys)
)
SELECT pg_catalog.format('OPERATOR(%I.%s)', n.nspname, o.oprname), f.turned, f.of_key,
       -- a pseudotype stands for what is there
       pg_catalog.format_type(CASE WHEN l.typtype <> 'p' THEN l.oid WHEN f.turned THEN $6::oid ELSE $5::oid END, -1),
       pg_catalog.format_type(CASE WHEN r.typtype <> 'p' THEN r.oid WHEN f.turned THEN $5::oid ELSE $6::oid END, -1)
  FROM found f
  JOIN pg_catalog.pg_operator o ON o.oid = f.operator
  JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
  JOIN pg_catalog.pg_type l ON l.oid = o.oprleft
  JOIN pg_catalog.pg_type r ON r.oid = o.oprright
 WHERE pg_catalog.has_schema_privilege(n.oid, 'USAGE')
