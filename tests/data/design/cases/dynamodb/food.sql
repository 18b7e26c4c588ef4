-- rows: restaurant 2000
-- rows: driver 5000
-- rows: delivery 2000000
-- rows: delivery_event 10000000
CREATE TABLE restaurant (id text PRIMARY KEY, name text, cuisine text, rating numeric(3, 1), active boolean, address text, created_at timestamp);
CREATE TABLE driver (id text PRIMARY KEY, name text, phone text, vehicle text, rating numeric(3, 1), deliveries integer, available boolean,
    created_at timestamp);
CREATE TABLE delivery (customer_id text NOT NULL, ordered_at timestamp NOT NULL, id text NOT NULL, restaurant_id text NOT NULL REFERENCES restaurant (id),
    driver_id text REFERENCES driver (id), status text, total numeric(10, 2), fee numeric(10, 2), tip numeric(10, 2), item_count integer,
    instructions text, PRIMARY KEY (customer_id, ordered_at, id));
CREATE TABLE delivery_event (delivery_id text NOT NULL, happened_at timestamp NOT NULL, id text NOT NULL, event_type text, description text, actor text,
    PRIMARY KEY (delivery_id, happened_at, id));
