-- The first rule of a table that the program's statements can't be written past, and its event (pg_rewrite.ev_type).
-- $1: the table, $2: ON CONFLICT DO UPDATE is, which any rule ON UPDATE refuses, a disabled one too, and one ON INSERT that does something;
-- $3: DELETE within WITH is; $4: the letters of those that fire in the session (ev_enabled).
SELECT r.rulename, r.ev_type
  FROM pg_catalog.pg_rewrite r
 WHERE r.ev_class = $1::pg_catalog.oid
   AND (($2::pg_catalog.bool AND (r.ev_type = '2' OR (r.ev_type = '3' AND pg_catalog.strpos($4, r.ev_enabled::pg_catalog.text) > 0 AND pg_catalog.pg_get_ruledef(r.oid) NOT LIKE '% DO INSTEAD NOTHING;')))
     OR ($3::pg_catalog.bool AND r.ev_type = '4' AND pg_catalog.strpos($4, r.ev_enabled::pg_catalog.text) > 0))
 ORDER BY r.ev_type, r.rulename
 LIMIT 1
