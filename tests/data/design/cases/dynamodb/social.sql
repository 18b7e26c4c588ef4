-- rows: profile 100000
-- rows: post 2000000
-- rows: post_comment 10000000
-- rows: post_like 40000000
-- rows: follow 5000000
CREATE TABLE profile (user_id text PRIMARY KEY, username text, email text, created_at timestamp);
CREATE TABLE post (user_id text NOT NULL REFERENCES profile (user_id), id text NOT NULL, content text, media text, created_at timestamp,
    PRIMARY KEY (user_id, id));
CREATE TABLE post_comment (user_id text NOT NULL, post_id text NOT NULL, id text NOT NULL, username text, content text, created_at timestamp,
    PRIMARY KEY (user_id, post_id, id), FOREIGN KEY (user_id, post_id) REFERENCES post (user_id, id));
CREATE TABLE post_like (user_id text NOT NULL, post_id text NOT NULL, liker_id text NOT NULL, username text, created_at timestamp,
    PRIMARY KEY (user_id, post_id, liker_id), FOREIGN KEY (user_id, post_id) REFERENCES post (user_id, id));
CREATE TABLE follow (user_id text NOT NULL REFERENCES profile (user_id), follower_id text NOT NULL, username text, created_at timestamp,
    PRIMARY KEY (user_id, follower_id));
