-- weight: 10
SELECT * FROM delivery WHERE customer_id = $1 AND ordered_at = $2 AND id = $3;
SELECT * FROM delivery WHERE customer_id = $1 AND status <> $2 AND total >= $3;
SELECT * FROM delivery WHERE customer_id = $1 AND fee >= $2 AND fee <= $3;
SELECT * FROM delivery WHERE customer_id = $1 AND status IN ($2, $3, $4);
SELECT * FROM delivery WHERE customer_id = $1 AND instructions IS NOT NULL;
SELECT * FROM delivery WHERE customer_id = $1 AND item_count >= $2;
SELECT * FROM delivery WHERE customer_id = $1 AND item_count >= $2 AND item_count <= $3;
SELECT * FROM delivery WHERE customer_id = $1 AND total >= $2 AND tip >= $3;
SELECT * FROM delivery_event WHERE delivery_id = $1;
SELECT * FROM delivery_event WHERE delivery_id = $1 AND event_type >= $2 AND event_type < $3;
SELECT * FROM restaurant WHERE id = $1;
SELECT * FROM driver WHERE id = $1;
-- weight: 1
SELECT * FROM restaurant WHERE rating >= $1 AND active = $2;
SELECT * FROM driver WHERE available = $1 AND deliveries >= $2 AND rating >= $3;
-- weight: 5
INSERT INTO delivery (customer_id, ordered_at, id, restaurant_id, status, total, fee, item_count) VALUES ($1, $2, $3, $4, $5, $6, $7, $8);
INSERT INTO delivery_event (delivery_id, happened_at, id, event_type) VALUES ($1, $2, $3, $4);
