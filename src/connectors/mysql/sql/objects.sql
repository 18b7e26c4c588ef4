-- What is neither table nor index: a kind's letter, a name, the table it belongs to, and why it is not carried. $1: database.
SELECT 'v', table_name, NULL, 'views are not carried'
  FROM information_schema.views WHERE table_schema = $1
UNION ALL
SELECT 't', trigger_name, event_object_table, 'triggers are not carried'
  FROM information_schema.triggers WHERE trigger_schema = $1
UNION ALL
SELECT 'o', CONCAT(routine_name, ' (', LOWER(routine_type), ')'), NULL, 'procedures and functions are not carried'
  FROM information_schema.routines WHERE routine_schema = $1
UNION ALL
SELECT 'o', event_name, NULL, 'events are not carried'
  FROM information_schema.events WHERE event_schema = $1
UNION ALL
SELECT 's', table_name, NULL, 'sequences are not carried'
  FROM information_schema.tables WHERE table_schema = $1 AND table_type = 'SEQUENCE'
 ORDER BY 1, 2
