-- rows: device_log 10000000
CREATE TABLE device_log (device text NOT NULL, state text NOT NULL, logged_at timestamp NOT NULL, operator text NOT NULL, escalated_to text,
    PRIMARY KEY (device, state, logged_at));
