-- What is neither table nor index: what it is, its name, and the table it belongs to, in an order in which most can be made.
-- $1: database.
SELECT 'sequence' AS what, table_name AS name, NULL AS owner, 1 AS place, 0 AS number
  FROM information_schema.tables WHERE table_schema = $1 AND table_type = 'SEQUENCE'
UNION ALL
SELECT LOWER(routine_type), routine_name, NULL, 2, 0
  FROM information_schema.routines WHERE routine_schema = $1
UNION ALL
SELECT 'view', table_name, NULL, 3, 0
  FROM information_schema.views WHERE table_schema = $1
UNION ALL
SELECT 'trigger', trigger_name, event_object_table, 4, action_order
  FROM information_schema.triggers WHERE trigger_schema = $1
UNION ALL
SELECT 'event', event_name, NULL, 5, 0
  FROM information_schema.events WHERE event_schema = $1
 ORDER BY 4, 5, 1, 2
