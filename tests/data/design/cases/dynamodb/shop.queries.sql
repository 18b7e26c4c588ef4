-- weight: 10
SELECT * FROM customer WHERE id = $1;
SELECT * FROM product WHERE id = $1;
SELECT * FROM warehouse WHERE id = $1;
SELECT * FROM warehouse_item WHERE product_id = $1;
SELECT * FROM orders WHERE id = $1;
SELECT * FROM order_item WHERE order_id = $1;
SELECT * FROM invoice WHERE order_id = $1;
SELECT * FROM shipment WHERE order_id = $1;
SELECT i.* FROM shipment_item i JOIN shipment s ON s.id = i.shipment_id WHERE s.order_id = $1;
SELECT i.* FROM order_item i JOIN orders o ON o.id = i.order_id WHERE i.product_id = $1 AND o.ordered_at >= $2 AND o.ordered_at < $3;
SELECT * FROM invoice WHERE id = $1;
SELECT * FROM payment WHERE invoice_id = $1;
SELECT * FROM shipment WHERE id = $1;
SELECT * FROM shipment_item WHERE shipment_id = $1;
SELECT * FROM shipment WHERE warehouse_id = $1;
SELECT * FROM warehouse_item WHERE warehouse_id = $1;
SELECT i.* FROM invoice i JOIN orders o ON o.id = i.order_id WHERE o.customer_id = $1 AND i.invoiced_at >= $2 AND i.invoiced_at < $3;
SELECT i.* FROM order_item i JOIN orders o ON o.id = i.order_id WHERE o.customer_id = $1 AND o.ordered_at >= $2 AND o.ordered_at < $3;
-- weight: 2
INSERT INTO customer (id, name, email) VALUES ($1, $2, $3);
INSERT INTO orders (id, customer_id, ordered_at) VALUES ($1, $2, $3);
-- weight: 6
INSERT INTO order_item (order_id, product_id, quantity, price) VALUES ($1, $2, $3, $4);
-- weight: 2
INSERT INTO invoice (id, order_id, invoiced_at, amount) VALUES ($1, $2, $3, $4);
INSERT INTO payment (invoice_id, id, kind, amount) VALUES ($1, $2, $3, $4);
INSERT INTO shipment (id, order_id, warehouse_id, shipped_at, address, kind) VALUES ($1, $2, $3, $4, $5, $6);
INSERT INTO shipment_item (shipment_id, product_id, quantity) VALUES ($1, $2, $3);
UPDATE warehouse_item SET quantity = $3 WHERE product_id = $1 AND warehouse_id = $2;
