-- weight: 10
SELECT * FROM app_user WHERE id = $1;
SELECT * FROM address WHERE user_id = $1;
SELECT * FROM product WHERE id = $1;
SELECT id, name, price, stock FROM product WHERE category = $1;
SELECT id, name, price, stock FROM product WHERE category = $1 AND id > $2;
SELECT * FROM review WHERE product_id = $1;
SELECT * FROM review WHERE product_id = $1 AND id >= $2 AND id < $3;
SELECT * FROM orders WHERE id = $1;
SELECT i.*, p.name, p.sku FROM order_item i JOIN product p ON p.id = i.product_id WHERE i.order_id = $1;
SELECT id, ordered_at, status, total, currency, item_count FROM orders WHERE user_id = $1 ORDER BY ordered_at;
SELECT id, ordered_at, status, total, currency, item_count FROM orders WHERE user_id = $1 AND ordered_at >= $2;
SELECT id, ordered_at, status, total, currency, item_count FROM orders WHERE user_id = $1 AND ordered_at BETWEEN $2 AND $3;
-- weight: 2
INSERT INTO app_user (id, email, first_name, last_name, phone, created_at, status) VALUES ($1, $2, $3, $4, $5, $6, $7);
UPDATE app_user SET email = $2 WHERE id = $1;
INSERT INTO address (user_id, id, address_type, street, city) VALUES ($1, $2, $3, $4, $5);
INSERT INTO product (id, name, description, category, brand, price, stock) VALUES ($1, $2, $3, $4, $5, $6, $7);
UPDATE product SET stock = $2 WHERE id = $1;
INSERT INTO review (product_id, id, user_id, rating, title) VALUES ($1, $2, $3, $4, $5);
INSERT INTO orders (id, user_id, ordered_at, status, total, currency, item_count) VALUES ($1, $2, $3, $4, $5, $6, $7);
UPDATE orders SET status = $2, tracking = $3 WHERE id = $1;
INSERT INTO order_item (order_id, product_id, quantity, unit_price, total_price, currency) VALUES ($1, $2, $3, $4, $5, $6);
