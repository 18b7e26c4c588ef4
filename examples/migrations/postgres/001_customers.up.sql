CREATE TABLE customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    country text NOT NULL
);
CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customers (id),
    total numeric(12, 2) NOT NULL
);
INSERT INTO customers (name, country) VALUES ('Ann', 'fr'), ('Bob', 'DE'), ('Cem', 'tr');
INSERT INTO orders (customer_id, total) VALUES (1, 10.00), (1, 5.50), (3, 7.25);
