-- What the account was granted itself: a right and the table that it is for (NULL: all of the server, empty: all of the database). $1: database.
SELECT p.privilege_type, p.table_name
  FROM (SELECT grantee, privilege_type, NULL AS table_name FROM information_schema.user_privileges
         UNION ALL
        SELECT grantee, privilege_type, '' FROM information_schema.schema_privileges WHERE $1 LIKE table_schema
         UNION ALL
        SELECT grantee, privilege_type, table_name FROM information_schema.table_privileges WHERE table_schema = $1
         UNION ALL
        SELECT grantee, privilege_type, table_name FROM information_schema.column_privileges WHERE table_schema = $1) p
 WHERE p.grantee = CONCAT('''', LEFT(CURRENT_USER(), CHAR_LENGTH(CURRENT_USER()) - CHAR_LENGTH(SUBSTRING_INDEX(CURRENT_USER(), '@', -1)) - 1),
                          '''@''', SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')
