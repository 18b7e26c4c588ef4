-- What is neither table nor index: what it is, its name, the table it belongs to, and why it is not carried. $1: database.
SELECT 'view' AS what, table_name AS name, NULL AS owner, 'views are not carried' AS why
  FROM information_schema.views WHERE table_schema = $1
UNION ALL
SELECT 'trigger', trigger_name, event_object_table, 'triggers are not carried'
  FROM information_schema.triggers WHERE trigger_schema = $1
UNION ALL
SELECT LOWER(routine_type), routine_name, NULL, 'procedures and functions are not carried'
  FROM information_schema.routines WHERE routine_schema = $1
UNION ALL
SELECT 'event', event_name, NULL, 'events are not carried'
  FROM information_schema.events WHERE event_schema = $1
UNION ALL
SELECT 'sequence', table_name, NULL, 'sequences are not carried'
  FROM information_schema.tables WHERE table_schema = $1 AND table_type = 'SEQUENCE'
 ORDER BY 1, 2
