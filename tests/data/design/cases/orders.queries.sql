-- weight: 5
SELECT id, customer_id, ordered_at, status, total FROM orders
WHERE customer_id = $1 AND ordered_at >= $2 AND ordered_at < $3 ORDER BY ordered_at DESC;
-- weight: 10
SELECT o.id, i.name, i.id, i.description, i.price, oi.quantity, o.status, o.ordered_at, o.subtotal, o.shipping, o.tax, o.total,
    o.payment, o.billing, o.delivery
FROM order_item oi JOIN orders o ON o.id = oi.order_id JOIN item i ON i.id = oi.item_id
WHERE o.id = $1 ORDER BY i.name;
-- weight: 2
SELECT o.id, o.ordered_at FROM order_item oi JOIN orders o ON o.id = oi.order_id
WHERE oi.item_id = $1 AND o.customer_id = $2 ORDER BY o.ordered_at DESC;
-- weight: 2
SELECT changed_at, status FROM status_change WHERE order_id = $1 ORDER BY changed_at DESC;
-- weight: 1
INSERT INTO orders (id, customer_id, ordered_at, status, subtotal, shipping, tax, total, payment, billing, delivery)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);
-- weight: 3
INSERT INTO order_item (order_id, item_id, quantity) VALUES ($1, $2, $3);
-- weight: 0.2
UPDATE orders SET status = $4 WHERE id = $1 AND customer_id = $2 AND ordered_at = $3;
-- weight: 4
INSERT INTO status_change (order_id, changed_at, status) VALUES ($1, $2, $3);
