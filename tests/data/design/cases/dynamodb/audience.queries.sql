-- weight: 10
SELECT * FROM app_user WHERE id = $1;
-- weight: 1
SELECT * FROM app_user WHERE status = $1;
SELECT * FROM app_user WHERE status = $1 AND last_active >= $2;
SELECT * FROM app_user WHERE country = $1 AND city = $2;
SELECT * FROM app_user WHERE country = $1 AND city >= $2 AND city < $3;
SELECT * FROM app_user WHERE engagement = $1;
SELECT * FROM app_user WHERE engagement = $1 AND sessions BETWEEN $2 AND $3;
SELECT * FROM app_user WHERE age_group = $1;
SELECT * FROM app_user WHERE age_group = $1 AND signed_up >= $2;
SELECT * FROM app_user WHERE age_group = $1 AND signed_up BETWEEN $2 AND $3;
-- weight: 5
INSERT INTO app_user (id, email, status, last_active, country, city, signed_up, engagement, sessions, age_group)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);
