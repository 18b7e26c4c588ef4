-- rows: performer 20000
-- rows: album 200000
-- rows: track 2400000
-- rows: listener 100000
-- rows: play 50000000
CREATE TABLE performer (
    name text NOT NULL PRIMARY KEY,
    type text,
    country text,
    born integer,
    died integer,
    founded integer
);
CREATE TABLE album (
    title text NOT NULL,
    year integer NOT NULL,
    performer text NOT NULL REFERENCES performer (name),
    genre text NOT NULL,
    PRIMARY KEY (title, year)
);
CREATE TABLE track (
    album_title text NOT NULL,
    album_year integer NOT NULL,
    number integer NOT NULL,
    title text NOT NULL,
    length integer,
    PRIMARY KEY (album_title, album_year, number),
    FOREIGN KEY (album_title, album_year) REFERENCES album (title, year)
);
CREATE TABLE listener (
    id uuid NOT NULL PRIMARY KEY,
    name text
);
CREATE TABLE play (
    listener uuid NOT NULL REFERENCES listener (id),
    played_at timestamp NOT NULL,
    album_title text NOT NULL,
    album_year integer NOT NULL,
    number integer NOT NULL,
    PRIMARY KEY (listener, played_at),
    FOREIGN KEY (album_title, album_year, number) REFERENCES track (album_title, album_year, number)
);
