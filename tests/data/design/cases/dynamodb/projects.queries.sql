-- weight: 10
SELECT * FROM organization WHERE id = $1;
SELECT * FROM member WHERE org_id = $1;
SELECT * FROM invite WHERE org_id = $1;
SELECT * FROM project WHERE id = $1;
SELECT * FROM milestone WHERE project_id = $1;
SELECT id, name, status, priority, owner_id, team_size, created_at, due FROM project WHERE org_id = $1 ORDER BY created_at;
SELECT * FROM task WHERE id = $1;
SELECT id, title, status, priority, assignee_id, due, estimated, created_at FROM task WHERE project_id = $1;
SELECT id, title, status, priority, assignee_id, due, estimated, created_at FROM task WHERE project_id = $1 AND status = $2 ORDER BY priority;
SELECT id, project_id, title, status, priority, due, estimated FROM task WHERE assignee_id = $1;
SELECT id, project_id, title, status, priority, due, estimated FROM task WHERE assignee_id = $1 AND status = $2 ORDER BY due;
SELECT * FROM task_comment WHERE task_id = $1 ORDER BY created_at;
-- weight: 2
INSERT INTO organization (id, name, domain) VALUES ($1, $2, $3);
UPDATE organization SET plan = $2, max_users = $3, max_projects = $4 WHERE id = $1;
INSERT INTO member (org_id, user_id, email) VALUES ($1, $2, $3);
UPDATE member SET role = $3, permissions = $4 WHERE org_id = $1 AND user_id = $2;
INSERT INTO invite (org_id, id, email) VALUES ($1, $2, $3);
INSERT INTO project (id, org_id, name, created_at, status) VALUES ($1, $2, $3, $4, $5);
UPDATE project SET status = $2, updated_at = $3 WHERE id = $1;
INSERT INTO milestone (project_id, id, title) VALUES ($1, $2, $3);
INSERT INTO task (id, project_id, title, status, priority, due, assignee_id) VALUES ($1, $2, $3, $4, $5, $6, $7);
UPDATE task SET status = $2, actual = $3, completed_at = $4 WHERE id = $1;
INSERT INTO task_comment (task_id, created_at, id, content) VALUES ($1, $2, $3, $4);
