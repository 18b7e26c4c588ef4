-- rows: app_user 1000000
CREATE TABLE app_user (id text PRIMARY KEY, email text NOT NULL UNIQUE, full_name text, created_at timestamp);
