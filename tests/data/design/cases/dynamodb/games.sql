-- rows: game 100
-- rows: score 10000000
-- rows: achievement 5000000
-- rows: tournament_entry 100000
CREATE TABLE game (id text PRIMARY KEY, title text, genre text, released date, publisher text, max_players integer, active boolean, code text);
CREATE TABLE score (game_id text NOT NULL REFERENCES game (id), score integer NOT NULL, player_id text NOT NULL, player_name text, achieved_at timestamp,
    level integer, seconds integer, PRIMARY KEY (game_id, score, player_id));
CREATE TABLE achievement (player_id text NOT NULL, id text NOT NULL, game_id text NOT NULL REFERENCES game (id), name text, description text,
    points integer NOT NULL, unlocked_at timestamp, rarity text, PRIMARY KEY (player_id, id));
CREATE TABLE tournament_entry (tournament_id text NOT NULL, ranking integer NOT NULL, player_id text, player_name text, total integer, matches integer,
    wins integer, prize numeric(10, 2), PRIMARY KEY (tournament_id, ranking));
