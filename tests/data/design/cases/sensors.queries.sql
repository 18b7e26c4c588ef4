-- weight: 1
SELECT name, description, region, num_sensors FROM network ORDER BY name;
-- weight: 10
SELECT h.date_hour, h.avg_temperature, s.latitude, s.longitude, s.name
FROM hourly h JOIN sensor s ON s.name = h.sensor
WHERE s.network = $1 AND h.date_hour >= $2 AND h.date_hour < $3
ORDER BY h.date_hour DESC;
-- weight: 5
SELECT name, network, latitude, longitude, characteristics FROM sensor WHERE network = $1;
-- weight: 10
SELECT measured_at, value FROM temperature
WHERE sensor = $1 AND measured_at >= $2 AND measured_at < $3
ORDER BY measured_at DESC;
-- weight: 60
INSERT INTO temperature (sensor, measured_at, value) VALUES ($1, $2, $3);
-- weight: 1
INSERT INTO hourly (sensor, date_hour, avg_temperature) VALUES ($1, $2, $3);
