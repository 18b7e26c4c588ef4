-- rows: brand 2000
-- rows: category 200
-- rows: deal 1000000
-- rows: app_user 500000
-- rows: watch 2000000
-- rows: activity 20000000
-- rows: trending 20000
CREATE TABLE brand (id text PRIMARY KEY, brand_name text, description text, logo_url text, created_at timestamp);
CREATE TABLE category (id text PRIMARY KEY, category_name text);
CREATE TABLE deal (id text PRIMARY KEY, title text, description text, price numeric(10, 2), brand_id text NOT NULL REFERENCES brand (id),
    category_id text NOT NULL REFERENCES category (id), created_at timestamp NOT NULL, status text);
CREATE TABLE app_user (id text PRIMARY KEY, username text, email text, display_name text, created_at timestamp, last_login timestamp);
CREATE TABLE watch (user_id text NOT NULL REFERENCES app_user (id), watch_key text NOT NULL, watch_type text NOT NULL, target_id text, target_name text,
    brand_id text, category_id text, created_at timestamp NOT NULL, PRIMARY KEY (user_id, watch_key));
CREATE TABLE activity (user_id text NOT NULL REFERENCES app_user (id), happened_at timestamp NOT NULL, id text NOT NULL, activity_type text, details text,
    PRIMARY KEY (user_id, happened_at, id));
CREATE TABLE trending (category_id text NOT NULL REFERENCES category (id), score integer NOT NULL, deal_id text NOT NULL REFERENCES deal (id),
    brand_id text NOT NULL, title text, discount integer NOT NULL, views integer, clicks integer, PRIMARY KEY (category_id, score));
