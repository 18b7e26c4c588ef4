-- weight: 10
SELECT * FROM recipient WHERE id = $1;
SELECT * FROM courier WHERE id = $1;
SELECT * FROM product WHERE warehouse_id = $1;
SELECT p.warehouse_id, p.id, p.description, p.price, p.available FROM product p JOIN warehouse w ON w.id = p.warehouse_id
WHERE w.city = $1 AND p.category = $2;
SELECT * FROM rating WHERE warehouse_id = $1;
SELECT * FROM warehouse WHERE id = $1;
SELECT id, name, minutes, rating FROM warehouse WHERE city = $1 AND category = $2;
SELECT id, name, minutes, rating FROM warehouse WHERE city = $1 AND category = $2 AND rating >= $3;
SELECT id, name FROM warehouse WHERE city = $1 AND name >= $2 AND name < $3;
SELECT * FROM shipment WHERE id = $1;
SELECT s.id, s.status, s.created_at, w.name, s.weight FROM shipment s JOIN warehouse w ON w.id = s.warehouse_id WHERE s.recipient_id = $1;
SELECT s.id, s.status, s.created_at, w.name, s.weight FROM shipment s JOIN warehouse w ON w.id = s.warehouse_id
WHERE s.recipient_id = $1 AND s.status = $2 ORDER BY s.created_at;
SELECT s.id, s.status, s.created_at, r.name, s.weight FROM shipment s JOIN recipient r ON r.id = s.recipient_id WHERE s.warehouse_id = $1;
SELECT s.id, s.status, s.created_at, r.name, s.weight FROM shipment s JOIN recipient r ON r.id = s.recipient_id
WHERE s.warehouse_id = $1 AND s.status = $2 ORDER BY s.created_at;
SELECT s.id, s.status, s.created_at, w.name, s.weight FROM shipment s JOIN warehouse w ON w.id = s.warehouse_id WHERE s.courier_id = $1;
SELECT s.id, s.status, s.created_at, w.name, s.weight FROM shipment s JOIN warehouse w ON w.id = s.warehouse_id
WHERE s.courier_id = $1 AND s.status = $2 ORDER BY s.created_at;
SELECT s.id, s.created_at, w.name, s.origin, s.destination FROM shipment s JOIN warehouse w ON w.id = s.warehouse_id
WHERE s.available_city = $1 ORDER BY s.created_at;
SELECT s.id, w.name, s.status, s.destination, s.origin FROM shipment s JOIN warehouse w ON w.id = s.warehouse_id WHERE s.active_delivery = $1;
-- weight: 2
INSERT INTO recipient (id, name, email, phone, city) VALUES ($1, $2, $3, $4, $5);
INSERT INTO courier (id, name, email, phone, city) VALUES ($1, $2, $3, $4, $5);
INSERT INTO product (warehouse_id, category, id, description, price) VALUES ($1, $2, $3, $4, $5);
DELETE FROM product WHERE warehouse_id = $1 AND category = $2 AND id = $3;
INSERT INTO rating (warehouse_id, created_at, id, feedback, score) VALUES ($1, $2, $3, $4, $5);
INSERT INTO warehouse (id, name, city, category, rating) VALUES ($1, $2, $3, $4, $5);
UPDATE warehouse SET minutes = $2 WHERE id = $1;
INSERT INTO shipment (id, recipient_id, warehouse_id, status, weight, destination, origin, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8);
UPDATE shipment SET status = $2 WHERE id = $1;
UPDATE shipment SET courier_id = $2, active_delivery = $3 WHERE id = $1;
