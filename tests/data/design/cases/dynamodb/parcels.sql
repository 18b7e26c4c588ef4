-- rows: recipient 200000
-- rows: courier 5000
-- rows: warehouse 2000
-- rows: product 100000
-- rows: rating 500000
-- rows: shipment 5000000
CREATE TABLE recipient (id text PRIMARY KEY, name text, email text, phone text, city text, created_at timestamp);
CREATE TABLE courier (id text PRIMARY KEY, name text, email text, phone text, city text, vehicle text, created_at timestamp);
CREATE TABLE warehouse (id text PRIMARY KEY, name text NOT NULL, address text, city text NOT NULL, category text NOT NULL, rating integer NOT NULL,
    minutes integer, created_at timestamp);
CREATE TABLE product (warehouse_id text NOT NULL REFERENCES warehouse (id), category text NOT NULL, id text NOT NULL, description text,
    price numeric(10, 2), available boolean, PRIMARY KEY (warehouse_id, category, id));
CREATE TABLE rating (warehouse_id text NOT NULL REFERENCES warehouse (id), created_at timestamp NOT NULL, id text NOT NULL, recipient_name text,
    feedback text, score integer, PRIMARY KEY (warehouse_id, created_at, id));
CREATE TABLE shipment (id text PRIMARY KEY, recipient_id text NOT NULL REFERENCES recipient (id), warehouse_id text NOT NULL REFERENCES warehouse (id),
    status text NOT NULL, packages text, weight numeric(8, 2), destination text, origin text, created_at timestamp NOT NULL, updated_at timestamp,
    courier_id text REFERENCES courier (id), available_city text, active_delivery text);
