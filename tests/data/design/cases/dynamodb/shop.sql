-- rows: customer 100000
-- rows: product 20000
-- rows: warehouse 50
-- rows: warehouse_item 200000
-- rows: orders 1000000
-- rows: order_item 3000000
-- rows: invoice 1000000
-- rows: payment 1200000
-- rows: shipment 1300000
-- rows: shipment_item 3500000
CREATE TABLE customer (id text PRIMARY KEY, name text, email text);
CREATE TABLE product (id text PRIMARY KEY, name text, description text, price numeric(10, 2));
CREATE TABLE warehouse (id text PRIMARY KEY, address text);
CREATE TABLE warehouse_item (product_id text NOT NULL REFERENCES product (id), warehouse_id text NOT NULL REFERENCES warehouse (id), quantity integer,
    PRIMARY KEY (product_id, warehouse_id));
CREATE TABLE orders (id text PRIMARY KEY, customer_id text NOT NULL REFERENCES customer (id), ordered_at timestamp NOT NULL);
CREATE TABLE order_item (order_id text NOT NULL REFERENCES orders (id), product_id text NOT NULL REFERENCES product (id), quantity integer,
    price numeric(10, 2), PRIMARY KEY (order_id, product_id));
CREATE TABLE invoice (id text PRIMARY KEY, order_id text NOT NULL REFERENCES orders (id), invoiced_at timestamp NOT NULL, amount numeric(10, 2));
CREATE TABLE payment (invoice_id text NOT NULL REFERENCES invoice (id), id text NOT NULL, kind text, amount numeric(10, 2), PRIMARY KEY (invoice_id, id));
CREATE TABLE shipment (id text PRIMARY KEY, order_id text NOT NULL REFERENCES orders (id), warehouse_id text NOT NULL REFERENCES warehouse (id),
    shipped_at timestamp, address text, kind text);
CREATE TABLE shipment_item (shipment_id text NOT NULL REFERENCES shipment (id), product_id text NOT NULL REFERENCES product (id), quantity integer,
    PRIMARY KEY (shipment_id, product_id));
