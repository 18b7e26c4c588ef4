-- rows: customer 50000
-- rows: item 20000
-- rows: orders 1000000
-- rows: order_item 3000000
-- rows: status_change 4000000
CREATE TABLE customer (
    id text NOT NULL PRIMARY KEY,
    name text
);
CREATE TABLE item (
    id text NOT NULL PRIMARY KEY,
    name text NOT NULL,
    description text,
    price numeric(10, 2)
);
CREATE TABLE orders (
    id text NOT NULL PRIMARY KEY,
    customer_id text NOT NULL REFERENCES customer (id),
    ordered_at timestamp NOT NULL,
    status text,
    subtotal numeric(10, 2),
    shipping numeric(10, 2),
    tax numeric(10, 2),
    total numeric(10, 2),
    payment text,
    billing text,
    delivery text
);
CREATE TABLE order_item (
    order_id text NOT NULL REFERENCES orders (id),
    item_id text NOT NULL REFERENCES item (id),
    quantity integer,
    PRIMARY KEY (order_id, item_id)
);
CREATE TABLE status_change (
    order_id text NOT NULL REFERENCES orders (id),
    changed_at timestamp NOT NULL,
    status text,
    PRIMARY KEY (order_id, changed_at)
);
