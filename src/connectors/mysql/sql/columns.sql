-- Columns in their order. $1: database, $2: one table or NULL for all.
SELECT table_name, column_name, data_type, column_type, is_nullable, column_default, extra, character_set_name,
       collation_name, generation_expression, column_comment
  FROM information_schema.columns
 WHERE table_schema = $1 AND ($2 IS NULL OR table_name = $2)
 ORDER BY CAST(table_name AS BINARY), ordinal_position
