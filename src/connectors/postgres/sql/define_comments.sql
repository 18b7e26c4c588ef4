-- Comments on all of these.
, said AS MATERIALIZED (
  SELECT d.* FROM pg_catalog.pg_description d
   WHERE d.objoid >= 16384 OR d.classoid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
)
SELECT 'comment:' || d.classoid || ':' || d.objoid || ':' || d.objsubid AS id, 'comment' AS kind, i.schema AS schema, NULL AS "table",
       CASE WHEN i.type LIKE '% column' THEN 'COLUMN ' || i.identity
            WHEN i.type = 'table constraint' THEN 'CONSTRAINT ' || i.identity
            WHEN i.type = 'domain constraint' THEN 'CONSTRAINT ' || pg_catalog.regexp_replace(i.identity, ' on ', ' ON DOMAIN ')
            WHEN i.type = 'statistics object' THEN 'STATISTICS ' || i.identity
            WHEN i.type = 'composite type' THEN 'TYPE ' || i.identity
            ELSE pg_catalog.upper(i.type) || ' ' || i.identity END AS name,
       CASE WHEN d.objsubid = 0 OR d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass THEN d.classoid || ':' || d.objoid || ':' || d.objsubid END AS owner,
       d.description AS text,
       CASE WHEN d.objsubid > 0 THEN d.classoid || ':' || d.objoid || ':0' END AS _need
  FROM said d CROSS JOIN LATERAL pg_catalog.pg_identify_object(d.classoid, d.objoid, d.objsubid) i
 WHERE ((d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND (EXISTS (SELECT 1 FROM relation c WHERE c.oid = d.objoid)))
     OR (d.classoid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND EXISTS (SELECT 1 FROM space s WHERE s.oid = d.objoid) AND NOT (i.identity = 'public' AND d.description = 'standard public schema'))
     OR (d.classoid = 'pg_catalog.pg_type'::pg_catalog.regclass AND EXISTS (SELECT 1 FROM named_type t WHERE t.oid = d.objoid))
     OR (d.classoid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND EXISTS (SELECT 1 FROM routine p WHERE p.oid = d.objoid))
     OR (d.classoid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k JOIN relation c ON c.oid = k.conrelid WHERE k.oid = d.objoid))
     OR (d.classoid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k JOIN named_type t ON t.oid = k.contypid WHERE k.oid = d.objoid))
     OR (d.classoid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND EXISTS (SELECT 1 FROM pg_catalog.pg_trigger g JOIN relation c ON c.oid = g.tgrelid WHERE g.oid = d.objoid))
     OR (d.classoid = 'pg_catalog.pg_policy'::pg_catalog.regclass AND EXISTS (SELECT 1 FROM pg_catalog.pg_policy g JOIN relation c ON c.oid = g.polrelid WHERE g.oid = d.objoid))
     OR (d.classoid = 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass)
     OR (d.classoid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND EXISTS (SELECT 1 FROM pg_catalog.pg_rewrite g JOIN relation c ON c.oid = g.ev_class WHERE g.oid = d.objoid)))
 ORDER BY 3, 5
