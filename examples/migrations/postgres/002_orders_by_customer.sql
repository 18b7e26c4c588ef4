-- An index beside writers: not in a transaction, and resumed if it is broken off.
-- migrate:up
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_customer ON orders (customer_id);
-- migrate:down
DROP INDEX CONCURRENTLY IF EXISTS orders_customer;
