CREATE TABLE customers (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    country TEXT NOT NULL
);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (id),
    total NUMERIC NOT NULL
);
INSERT INTO customers (id, name, country) VALUES (1, 'Ann', 'fr'), (2, 'Bob', 'DE'), (3, 'Cem', 'tr');
INSERT INTO orders (customer_id, total) VALUES (1, 10.00), (1, 5.50), (3, 7.25);
