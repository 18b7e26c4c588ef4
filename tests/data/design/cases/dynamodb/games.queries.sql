-- weight: 10
SELECT * FROM game WHERE id = $1;
-- weight: 1
SELECT * FROM game;
-- weight: 10
SELECT * FROM score WHERE game_id = $1 ORDER BY score DESC LIMIT 10;
SELECT * FROM score WHERE player_id = $1 ORDER BY score DESC;
SELECT * FROM achievement WHERE player_id = $1;
SELECT * FROM achievement WHERE game_id = $1 ORDER BY points DESC LIMIT 10;
SELECT * FROM tournament_entry WHERE tournament_id = $1 ORDER BY ranking;
-- weight: 5
INSERT INTO score (game_id, score, player_id, player_name, achieved_at) VALUES ($1, $2, $3, $4, $5);
INSERT INTO achievement (player_id, id, game_id, name, points) VALUES ($1, $2, $3, $4, $5);
UPDATE tournament_entry SET player_id = $3, total = $4 WHERE tournament_id = $1 AND ranking = $2;
