-- rows: network 100
-- rows: sensor 10000
-- rows: hourly 87600000
-- rows: temperature 500000000
CREATE TABLE network (
    name text NOT NULL PRIMARY KEY,
    description text,
    region text,
    num_sensors integer
);
CREATE TABLE sensor (
    name text NOT NULL PRIMARY KEY,
    network text NOT NULL REFERENCES network (name),
    latitude numeric(9, 6),
    longitude numeric(9, 6),
    characteristics jsonb
);
CREATE TABLE hourly (
    sensor text NOT NULL REFERENCES sensor (name),
    date_hour timestamp NOT NULL,
    avg_temperature real,
    PRIMARY KEY (sensor, date_hour)
);
CREATE TABLE temperature (
    sensor text NOT NULL REFERENCES sensor (name),
    measured_at timestamp NOT NULL,
    value real,
    PRIMARY KEY (sensor, measured_at)
);
