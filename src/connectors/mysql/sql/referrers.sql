-- Foreign keys that refer to a table, a row for each of their columns. $1: database, $2: the table.
SELECT k.table_schema, k.table_name, k.constraint_name, k.column_name, k.referenced_column_name, k.referenced_table_name
  FROM information_schema.key_column_usage k
 WHERE k.referenced_table_schema = $1 AND k.referenced_table_name = $2
 ORDER BY CAST(k.table_schema AS BINARY), CAST(k.table_name AS BINARY), CAST(k.constraint_name AS BINARY), k.ordinal_position
