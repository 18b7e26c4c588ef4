-- Scratch databases whose owner, a process of the server, is gone. Another role's may not be looked at: it is there.
SELECT d.datname
FROM pg_catalog.pg_database AS d
WHERE d.datname ~ '^_transhume_scratch_[0-9]{1,9}_[0-9]{1,18}_[0-9a-f]+$'
  AND NOT EXISTS (
      SELECT 1
      FROM pg_catalog.pg_stat_activity AS a
      WHERE a.pid = split_part(d.datname, '_', 4)::int
        AND (a.backend_start IS NULL OR extract(epoch FROM a.backend_start)::bigint = split_part(d.datname, '_', 5)::bigint))
