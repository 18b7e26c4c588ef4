-- Tables and views of one database. $1: database, $2: one name or NULL for all (to run by hand, put texts in their place).
SELECT table_name, table_type, engine, table_rows, data_length, table_comment, auto_increment, create_time,
       NULLIF(CONCAT_WS(' ', IF(table_type = 'SYSTEM VERSIONED', 'WITH SYSTEM VERSIONING', NULL), NULLIF(create_options, '')), '')
  FROM information_schema.tables
 WHERE table_schema = $1
   AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED', 'VIEW')
   AND ($2 IS NULL OR table_name = $2)
   AND ($2 IS NOT NULL OR table_name NOT LIKE '\_transhume\_%')
 ORDER BY CAST(table_name AS BINARY)
