-- rows: app_user 1000000
CREATE TABLE app_user (id text PRIMARY KEY, email text, status text NOT NULL, last_active timestamp NOT NULL, country text NOT NULL, city text NOT NULL,
    signed_up date NOT NULL, engagement text NOT NULL, sessions integer NOT NULL, age_group text NOT NULL, total_sessions integer, last_purchase date);
