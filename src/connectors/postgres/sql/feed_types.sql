-- What the types of columns are that pgoutput told of: the number of the column, the innermost base of a domain (or the type itself),
-- what it is, its modifier, and format_type's words. Behind "WITH told(place, type, modifier) AS (VALUES …) ".
SELECT o.place, s.oid, s.typtype, CASE WHEN t.typtype = 'd' THEN b.modifier ELSE o.modifier END, pg_catalog.format_type(o.type, o.modifier)
  FROM told o
  JOIN pg_catalog.pg_type t ON t.oid = o.type
 CROSS JOIN LATERAL (
  WITH RECURSIVE nested AS (
    SELECT t.oid AS type, t.typtype, t.typbasetype, t.typtypmod, -1 AS modifier
     UNION ALL
    SELECT i.oid, i.typtype, i.typbasetype, i.typtypmod, n.typtypmod FROM nested n JOIN pg_catalog.pg_type i ON i.oid = n.typbasetype AND n.typtype = 'd'
  )
  SELECT n.type, n.modifier FROM nested n WHERE n.typtype <> 'd'
 ) b
  JOIN pg_catalog.pg_type s ON s.oid = b.type
