-- Other sessions that hold an advisory lock of this database. $1, $2: the two halves of its key.
SELECT l.pid
  FROM pg_catalog.pg_locks l
  JOIN pg_catalog.pg_database d ON d.oid = l.database AND d.datname = pg_catalog.current_database()
 WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.classid = $1::pg_catalog.oid AND l.objid = $2::pg_catalog.oid
   AND l.pid <> pg_catalog.pg_backend_pid()
