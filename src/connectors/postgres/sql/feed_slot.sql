-- A replication slot: is it another database's, another plugin's, who reads it, why it is of no use any more, what was confirmed, the
-- bytes that it keeps, the bytes until it is given up (NULL: no limit; 0: it may be at the next checkpoint), and where the server's log ends. $1: its name. The columns
-- that only some versions have are read through JSON.
SELECT s.database IS DISTINCT FROM pg_catalog.current_database(), s.plugin IS DISTINCT FROM 'pgoutput' OR COALESCE((j.row ->> 'two_phase')::pg_catalog.bool, false),
       s.active, s.active_pid,
       CASE WHEN COALESCE(j.row ->> 'wal_status', '') = 'lost' OR (j.row ->> 'invalidation_reason') IS NOT NULL
              OR COALESCE((j.row ->> 'conflicting')::pg_catalog.bool, false)
            THEN COALESCE(j.row ->> 'invalidation_reason', 'wal_status is ' || (j.row ->> 'wal_status')) END,
       s.confirmed_flush_lsn,
       pg_catalog.pg_wal_lsn_diff(e.lsn, s.restart_lsn)::pg_catalog.int8,
       CASE WHEN j.row ->> 'wal_status' = 'unreserved' THEN 0 ELSE GREATEST((j.row ->> 'safe_wal_size')::pg_catalog.int8, CASE WHEN j.row ->> 'safe_wal_size' IS NOT NULL THEN 0 END) END,
       e.lsn
  FROM pg_catalog.pg_replication_slots s
 CROSS JOIN LATERAL (SELECT pg_catalog.to_jsonb(s) AS row) j
 CROSS JOIN LATERAL (SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_flush_lsn() END AS lsn) e
 WHERE s.slot_name = $1::pg_catalog.name
