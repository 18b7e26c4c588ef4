SELECT * FROM performer WHERE name = $1;
SELECT * FROM album WHERE performer = $1 ORDER BY year DESC;
SELECT * FROM album WHERE title = $1 AND year = $2;
SELECT * FROM album WHERE title = $1 ORDER BY year DESC;
SELECT * FROM album WHERE genre = $1 ORDER BY year DESC;
SELECT t.title, t.album_year, t.album_title, t.number, t.length, a.genre
FROM track t JOIN album a ON a.title = t.album_title AND a.year = t.album_year
WHERE t.title = $1 ORDER BY t.album_year DESC;
SELECT t.album_title, t.album_year, t.number, t.title, t.length, a.genre
FROM track t JOIN album a ON a.title = t.album_title AND a.year = t.album_year
WHERE t.album_title = $1 AND t.album_year = $2 ORDER BY t.number;
SELECT * FROM listener WHERE id = $1;
SELECT p.played_at, p.album_title, p.album_year, p.number, t.title
FROM play p JOIN track t ON t.album_title = p.album_title AND t.album_year = p.album_year AND t.number = p.number
WHERE p.listener = $1 AND p.played_at >= $2 AND p.played_at < $3
ORDER BY p.played_at DESC;
INSERT INTO play (listener, played_at, album_title, album_year, number) VALUES ($1, $2, $3, $4, $5);
-- weight: 0.1
INSERT INTO album (title, year, performer, genre) VALUES ($1, $2, $3, $4);
-- weight: 1
INSERT INTO track (album_title, album_year, number, title, length) VALUES ($1, $2, $3, $4, $5);
