-- What the account may see, as far as it was granted that itself: its grants in all (0: another account's), those that show triggers of
-- the whole database, tables whose triggers it sees one by one, tables, grants that show events, and those that show routines. $1: database.
SELECT COUNT(*),
       COALESCE(SUM(p.privilege_type = 'TRIGGER'), 0),
       (SELECT COUNT(DISTINCT t.table_name) FROM information_schema.table_privileges t
         WHERE t.table_schema = $1 AND t.privilege_type = 'TRIGGER'
           AND t.grantee = CONCAT('''', LEFT(CURRENT_USER(), CHAR_LENGTH(CURRENT_USER()) - CHAR_LENGTH(SUBSTRING_INDEX(CURRENT_USER(), '@', -1)) - 1),
                                  '''@''', SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')),
       (SELECT COUNT(*) FROM information_schema.tables b WHERE b.table_schema = $1 AND b.table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')),
       COALESCE(SUM(p.privilege_type = 'EVENT'), 0),
       COALESCE(SUM(p.privilege_type IN ('EXECUTE', 'ALTER ROUTINE', 'CREATE ROUTINE', 'SHOW_ROUTINE', 'READ')), 0)
  FROM (SELECT grantee, privilege_type FROM information_schema.user_privileges
         UNION ALL
        SELECT grantee, 'READ' FROM information_schema.user_privileges WHERE privilege_type = 'SELECT'
         UNION ALL
        SELECT grantee, privilege_type FROM information_schema.schema_privileges WHERE $1 LIKE table_schema
         UNION ALL
        SELECT grantee, 'READ' FROM information_schema.schema_privileges WHERE 'mysql' LIKE table_schema AND privilege_type = 'SELECT'
         UNION ALL
        SELECT grantee, 'READ' FROM information_schema.table_privileges
         WHERE table_schema = 'mysql' AND table_name = 'proc' AND privilege_type = 'SELECT') p
 WHERE p.grantee = CONCAT('''', LEFT(CURRENT_USER(), CHAR_LENGTH(CURRENT_USER()) - CHAR_LENGTH(SUBSTRING_INDEX(CURRENT_USER(), '@', -1)) - 1),
                          '''@''', SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')
