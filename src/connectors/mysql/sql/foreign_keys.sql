-- Foreign keys, a row a column. $1: database, $2: one table or NULL for all. Said of both sides of the join, or the server
-- would open every table of every database. MariaDB shows the second to accounts that may change the table: without it the rules are NULL,
-- and SHOW CREATE TABLE has them.
SELECT k.table_name, k.constraint_name, k.column_name, k.referenced_table_schema, k.referenced_table_name,
       k.referenced_column_name, r.delete_rule, r.update_rule
  FROM information_schema.key_column_usage k
  LEFT JOIN information_schema.referential_constraints r
    ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name AND r.table_name = k.table_name
   AND r.constraint_schema = $1 AND ($2 IS NULL OR r.table_name = $2)
 WHERE k.table_schema = $1 AND k.referenced_table_name IS NOT NULL AND ($2 IS NULL OR k.table_name = $2)
 ORDER BY CAST(k.table_name AS BINARY), CAST(k.constraint_name AS BINARY), k.ordinal_position
