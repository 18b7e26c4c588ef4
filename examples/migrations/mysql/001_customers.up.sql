CREATE TABLE customers (
    id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    name varchar(200) NOT NULL,
    country varchar(2) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL
);
CREATE TABLE orders (
    id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    customer_id bigint NOT NULL,
    total decimal(12, 2) NOT NULL,
    CONSTRAINT orders_customer FOREIGN KEY (customer_id) REFERENCES customers (id)
);
INSERT INTO customers (name, country) VALUES ('Ann', 'fr'), ('Bob', 'DE'), ('Cem', 'tr');
INSERT INTO orders (customer_id, total) VALUES (1, 10.00), (1, 5.50), (3, 7.25);
