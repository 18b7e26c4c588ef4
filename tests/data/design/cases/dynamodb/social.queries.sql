-- weight: 10
SELECT * FROM profile WHERE user_id = $1;
SELECT p.*, u.username FROM post p JOIN profile u ON u.user_id = p.user_id WHERE p.user_id = $1;
SELECT p.*, u.username FROM post p JOIN profile u ON u.user_id = p.user_id WHERE p.user_id = $1 AND p.id >= $2 AND p.id < $3;
SELECT * FROM post_comment WHERE user_id = $1 AND post_id = $2;
SELECT * FROM post_comment WHERE user_id = $1 AND post_id BETWEEN $2 AND $3;
SELECT * FROM post_like WHERE user_id = $1 AND post_id = $2;
SELECT * FROM post_like WHERE user_id = $1 AND post_id > $2;
SELECT * FROM follow WHERE user_id = $1;
-- weight: 1
SELECT * FROM follow WHERE follower_id = $1;
-- weight: 2
INSERT INTO post (user_id, id, content) VALUES ($1, $2, $3);
DELETE FROM post WHERE user_id = $1 AND id = $2;
INSERT INTO post_comment (user_id, post_id, id, username, content) VALUES ($1, $2, $3, $4, $5);
-- weight: 5
INSERT INTO post_like (user_id, post_id, liker_id, username) VALUES ($1, $2, $3, $4);
DELETE FROM post_like WHERE user_id = $1 AND post_id = $2 AND liker_id = $3;
INSERT INTO follow (user_id, follower_id, username) VALUES ($1, $2, $3);
DELETE FROM follow WHERE user_id = $1 AND follower_id = $2;
