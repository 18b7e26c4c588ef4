-- weight: 10
SELECT d.*, b.brand_name, c.category_name FROM deal d JOIN brand b ON b.id = d.brand_id JOIN category c ON c.id = d.category_id WHERE d.id = $1;
SELECT d.*, b.brand_name, c.category_name FROM deal d JOIN brand b ON b.id = d.brand_id JOIN category c ON c.id = d.category_id
WHERE d.brand_id = $1 ORDER BY d.created_at;
SELECT d.id, d.title, d.price, b.brand_name, d.created_at FROM deal d JOIN brand b ON b.id = d.brand_id WHERE d.category_id = $1 ORDER BY d.created_at;
SELECT d.*, b.brand_name, c.category_name FROM deal d JOIN brand b ON b.id = d.brand_id JOIN category c ON c.id = d.category_id
WHERE d.brand_id = $1 AND d.created_at >= $2;
SELECT * FROM app_user WHERE id = $1;
SELECT * FROM brand WHERE id = $1;
SELECT * FROM watch WHERE user_id = $1;
SELECT user_id, watch_key FROM watch WHERE brand_id = $1;
SELECT user_id, watch_key, target_name, created_at FROM watch WHERE category_id = $1;
SELECT user_id, watch_key, target_name, created_at FROM watch WHERE watch_type = $1 ORDER BY created_at;
SELECT * FROM activity WHERE user_id = $1;
SELECT * FROM activity WHERE user_id = $1 AND happened_at >= $2;
SELECT * FROM trending WHERE category_id = $1;
SELECT * FROM trending WHERE category_id = $1 AND score >= $2;
SELECT * FROM trending WHERE brand_id = $1 AND discount >= $2;
-- weight: 3
INSERT INTO deal (id, title, description, price, brand_id, category_id, created_at, status) VALUES ($1, $2, $3, $4, $5, $6, $7, $8);
INSERT INTO app_user (id, username, email, display_name, created_at) VALUES ($1, $2, $3, $4, $5);
INSERT INTO brand (id, brand_name, description, logo_url, created_at) VALUES ($1, $2, $3, $4, $5);
