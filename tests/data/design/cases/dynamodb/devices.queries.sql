-- weight: 10
SELECT * FROM device_log WHERE device = $1 AND state = $2 ORDER BY logged_at DESC;
SELECT * FROM device_log WHERE operator = $1 AND logged_at >= $2 AND logged_at < $3 ORDER BY logged_at;
SELECT * FROM device_log WHERE escalated_to = $1;
SELECT * FROM device_log WHERE escalated_to = $1 AND state = $2;
SELECT * FROM device_log WHERE escalated_to = $1 AND state = $2 AND logged_at >= $3 AND logged_at < $4;
-- weight: 5
INSERT INTO device_log (device, state, logged_at, operator) VALUES ($1, $2, $3, $4);
UPDATE device_log SET escalated_to = $4 WHERE device = $1 AND state = $2 AND logged_at = $3;
