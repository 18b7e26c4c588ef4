-- The same for servers before generation_expression (MySQL 5.5 and 5.6, MariaDB 10.1).
SELECT table_name, column_name, data_type, column_type, is_nullable, column_default, extra, character_set_name,
       collation_name, NULL, column_comment
  FROM information_schema.columns
 WHERE table_schema = $1 AND ($2 IS NULL OR table_name = $2)
 ORDER BY CAST(table_name AS BINARY), ordinal_position
