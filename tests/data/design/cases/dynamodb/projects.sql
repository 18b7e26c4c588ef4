-- rows: organization 1000
-- rows: member 50000
-- rows: invite 20000
-- rows: project 20000
-- rows: milestone 100000
-- rows: task 1000000
-- rows: task_comment 5000000
CREATE TABLE organization (id text PRIMARY KEY, name text, domain text, plan text, max_users integer, max_projects integer, created_at timestamp,
    status text, billing_email text);
CREATE TABLE member (org_id text NOT NULL REFERENCES organization (id), user_id text NOT NULL, email text, first_name text, last_name text, role text,
    permissions text, joined_at timestamp, status text, PRIMARY KEY (org_id, user_id));
CREATE TABLE invite (org_id text NOT NULL REFERENCES organization (id), id text NOT NULL, email text, role text, invited_by text, created_at timestamp,
    expires_at timestamp, status text, PRIMARY KEY (org_id, id));
CREATE TABLE project (id text PRIMARY KEY, org_id text NOT NULL REFERENCES organization (id), name text, description text, status text, priority text,
    owner_id text, team_size integer, started date, due date, budget numeric(12, 2), created_at timestamp NOT NULL, updated_at timestamp);
CREATE TABLE milestone (project_id text NOT NULL REFERENCES project (id), id text NOT NULL, title text, due date, status text, percent integer,
    PRIMARY KEY (project_id, id));
CREATE TABLE task (id text PRIMARY KEY, project_id text NOT NULL REFERENCES project (id), title text, description text, status text NOT NULL,
    priority text NOT NULL, assignee_id text, reporter_id text, estimated numeric(6, 1), actual numeric(6, 1), due date NOT NULL, created_at timestamp,
    completed_at timestamp);
CREATE TABLE task_comment (task_id text NOT NULL REFERENCES task (id), created_at timestamp NOT NULL, id text NOT NULL, author_id text, content text,
    kind text, PRIMARY KEY (task_id, created_at, id));
