-- What is neither table nor index: what it is, its name, and the table it belongs to, in an order in which most can be made;
-- behind these what no copy makes, with the reason. Grants are those of others that the account may see. $1: database.
SELECT 'sequence' AS what, table_name AS name, NULL AS owner, 1 AS place, 0 AS number, NULL AS why
  FROM information_schema.tables WHERE table_schema = $1 AND table_type = 'SEQUENCE'
UNION ALL
SELECT LOWER(routine_type), routine_name, NULL, 2, 0, NULL
  FROM information_schema.routines WHERE routine_schema = $1
UNION ALL
SELECT 'view', table_name, NULL, 3, 0, NULL
  FROM information_schema.views WHERE table_schema = $1
UNION ALL
SELECT 'trigger', trigger_name, event_object_table, 4, action_order, NULL
  FROM information_schema.triggers WHERE trigger_schema = $1
UNION ALL
SELECT 'event', event_name, NULL, 5, 0, NULL
  FROM information_schema.events WHERE event_schema = $1
UNION ALL
SELECT 'history', table_name, table_name, 6, 0, 'its records of the past are not copied, those of now are'
  FROM information_schema.tables WHERE table_schema = $1 AND table_type = 'SYSTEM VERSIONED'
UNION ALL
SELECT DISTINCT 'grant', p.grantee, NULL, 7, 0, 'who may do what in the database is not carried'
  FROM (SELECT grantee FROM information_schema.schema_privileges WHERE table_schema IN ($1, REPLACE(REPLACE(REPLACE($1, '\\', '\\\\'), '_', '\\_'), '%', '\\%'))
         UNION ALL
        SELECT grantee FROM information_schema.table_privileges WHERE table_schema = $1
         UNION ALL
        SELECT grantee FROM information_schema.column_privileges WHERE table_schema = $1) p
 WHERE p.grantee <> CONCAT('''', LEFT(CURRENT_USER(), CHAR_LENGTH(CURRENT_USER()) - CHAR_LENGTH(SUBSTRING_INDEX(CURRENT_USER(), '@', -1)) - 1),
                           '''@''', SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')
 ORDER BY 4, 5, 1, 2
