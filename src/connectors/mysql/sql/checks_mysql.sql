-- Checks (MySQL 8.0.16). $1: database, $2: one table or NULL for all.
SELECT t.table_name, c.constraint_name, c.check_clause
  FROM information_schema.check_constraints c
  JOIN information_schema.table_constraints t
    ON t.constraint_schema = c.constraint_schema AND t.constraint_name = c.constraint_name AND t.constraint_type = 'CHECK'
 WHERE c.constraint_schema = $1 AND ($2 IS NULL OR t.table_name = $2)
 ORDER BY CAST(t.table_name AS BINARY), CAST(c.constraint_name AS BINARY)
