CREATE TABLE app_user (
  id bigint PRIMARY KEY,
  first_name text NOT NULL,
  last_name text NOT NULL,
  email_address text NOT NULL UNIQUE,
  birthday date,
  locale text NOT NULL DEFAULT 'en',
  login_count integer NOT NULL DEFAULT 0,
  city text,
  country text
);
INSERT INTO app_user VALUES
  (1, 'Ada', 'Byron', ' Ada@Example.org ', '1985-12-10', 'en', 12, 'London', 'UK'),
  (2, 'Grace', 'Hopper', 'grace@example.org', '1992-12-09', 'en', 0, NULL, 'US'),
  (3, 'Jürgen', 'Groß', 'JG@example.org', '2010-05-01', 'de', 3, 'Köln', 'DE');
