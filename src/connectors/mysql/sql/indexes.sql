-- Columns of indexes; a prefix of a column and an expression have no plain name. $1: database, $2: one table or NULL.
SELECT table_name, index_name, non_unique, IF(sub_part IS NULL, column_name, NULL), index_type, collation = 'D',
       column_name
  FROM information_schema.statistics
 WHERE table_schema = $1 AND ($2 IS NULL OR table_name = $2)
 ORDER BY CAST(table_name AS BINARY), index_name <> 'PRIMARY', CAST(index_name AS BINARY), seq_in_index
