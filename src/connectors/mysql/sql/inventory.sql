-- How many objects of each kind information_schema has of a database: the catalogue, the kind in the words of objects.sql,
-- the number, and as what it goes along with a table into whatever target has the like (schema_count_objects). $1: database.
SELECT 'information_schema.tables', CASE table_type WHEN 'VIEW' THEN 'view' WHEN 'SEQUENCE' THEN 'sequence' ELSE 'table' END AS what,
       COUNT(*), MAX(IF(table_type IN ('BASE TABLE', 'SYSTEM VERSIONED'), 'always', ''))
  FROM information_schema.tables
 WHERE table_schema = $1 AND table_name NOT LIKE '\_transhume\_%' AND table_type NOT LIKE 'TEMPORARY%' GROUP BY 2
UNION ALL
SELECT 'information_schema.partitions', IF(subpartition_name IS NULL, 'partition', 'subpartition'), COUNT(*), 'always'
  FROM information_schema.partitions
 WHERE table_schema = $1 AND partition_name IS NOT NULL AND table_name NOT LIKE '\_transhume\_%' GROUP BY 2
UNION ALL
SELECT 'information_schema.statistics', IF(index_type IN ('BTREE', 'HASH'), 'index', CONCAT(LOWER(index_type), ' index')),
       COUNT(DISTINCT table_name, index_name), MAX(IF(index_type IN ('BTREE', 'HASH'), 'index', ''))
  FROM information_schema.statistics
 WHERE table_schema = $1 AND table_name NOT LIKE '\_transhume\_%' GROUP BY 2
UNION ALL
SELECT 'information_schema.table_constraints',
       CASE constraint_type WHEN 'PRIMARY KEY' THEN 'primary key' WHEN 'UNIQUE' THEN 'unique key' WHEN 'FOREIGN KEY' THEN 'foreign key'
                            ELSE LOWER(constraint_type) END, COUNT(*),
       MAX(CASE constraint_type WHEN 'PRIMARY KEY' THEN 'primary key' WHEN 'UNIQUE' THEN 'unique index' WHEN 'FOREIGN KEY' THEN 'foreign key' ELSE '' END)
  FROM information_schema.table_constraints
 WHERE table_schema = $1 AND table_name NOT LIKE '\_transhume\_%' GROUP BY 2
UNION ALL
SELECT 'information_schema.routines', LOWER(routine_type), COUNT(*), ''
  FROM information_schema.routines WHERE routine_schema = $1 GROUP BY 2
UNION ALL
SELECT 'information_schema.triggers', 'trigger', COUNT(*), ''
  FROM information_schema.triggers WHERE trigger_schema = $1 GROUP BY 2
UNION ALL
SELECT 'information_schema.events', 'event', COUNT(*), ''
  FROM information_schema.events WHERE event_schema = $1 GROUP BY 2
 ORDER BY 1, 2
