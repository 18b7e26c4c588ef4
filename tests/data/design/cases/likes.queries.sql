SELECT * FROM account WHERE id = $1;
SELECT * FROM item WHERE id = $1;
SELECT i.* FROM likes l JOIN item i ON i.id = l.item_id WHERE l.account_id = $1 ORDER BY l.liked_at;
SELECT a.* FROM likes l JOIN account a ON a.id = l.account_id WHERE l.item_id = $1 ORDER BY l.liked_at;
INSERT INTO item (id, title, description) VALUES ($1, $2, $3);
INSERT INTO account (id, name, email) VALUES ($1, $2, $3);
INSERT INTO likes (id, liked_at, account_id, item_id) VALUES ($1, $2, $3, $4);
