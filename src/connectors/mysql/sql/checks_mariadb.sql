-- Checks. $1: database, $2: one table or NULL for all.
SELECT table_name, constraint_name, check_clause
  FROM information_schema.check_constraints
 WHERE constraint_schema = $1 AND ($2 IS NULL OR table_name = $2)
 ORDER BY CAST(table_name AS BINARY), CAST(constraint_name AS BINARY)
