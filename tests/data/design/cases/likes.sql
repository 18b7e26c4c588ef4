-- rows: account 100000
-- rows: item 200000
-- rows: likes 2000000
CREATE TABLE account (
    id integer NOT NULL PRIMARY KEY,
    name text,
    email text
);
CREATE TABLE item (
    id integer NOT NULL PRIMARY KEY,
    title text,
    description text
);
CREATE TABLE likes (
    id integer NOT NULL PRIMARY KEY,
    liked_at timestamp NOT NULL,
    account_id integer NOT NULL REFERENCES account (id),
    item_id integer NOT NULL REFERENCES item (id)
);
