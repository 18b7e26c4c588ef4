-- May the account see the triggers of a table, as far as it was granted that itself, and how many fire when a record is added? $1: database, $2: table.
SELECT (SELECT COUNT(*)
          FROM (SELECT grantee, privilege_type FROM information_schema.user_privileges
                 UNION ALL
                SELECT grantee, privilege_type FROM information_schema.schema_privileges WHERE $1 LIKE table_schema
                 UNION ALL
                SELECT grantee, privilege_type FROM information_schema.table_privileges WHERE table_schema = $1 AND table_name = $2) p
         WHERE p.privilege_type = 'TRIGGER'
           AND p.grantee = CONCAT('''', LEFT(CURRENT_USER(), CHAR_LENGTH(CURRENT_USER()) - CHAR_LENGTH(SUBSTRING_INDEX(CURRENT_USER(), '@', -1)) - 1),
                                  '''@''', SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')),
       (SELECT COUNT(*) FROM information_schema.triggers
         WHERE event_object_schema = $1 AND event_object_table = $2 AND event_manipulation = 'INSERT')
