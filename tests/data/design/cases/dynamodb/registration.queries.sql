-- weight: 10
SELECT * FROM app_user WHERE id = $1;
SELECT id, email FROM app_user WHERE email = $1;
-- weight: 2
INSERT INTO app_user (id, email, full_name, created_at) VALUES ($1, $2, $3, $4);
DELETE FROM app_user WHERE id = $1;
