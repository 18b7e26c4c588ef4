-- weight: 10
SELECT * FROM tenant WHERE id = $1;
SELECT * FROM member WHERE tenant_id = $1 AND id = $2;
SELECT * FROM course WHERE tenant_id = $1 AND id = $2;
SELECT e.*, c.title, c.instructor_name FROM enrollment e JOIN course c ON c.tenant_id = e.tenant_id AND c.id = e.course_id
WHERE e.tenant_id = $1 AND e.user_id = $2;
SELECT * FROM lesson WHERE tenant_id = $1 AND course_id = $2 ORDER BY lesson_order;
SELECT * FROM lesson WHERE tenant_id = $1 AND course_id = $2 AND lesson_order = $3 AND id = $4;
SELECT * FROM progress WHERE tenant_id = $1 AND user_id = $2 AND course_id = $3;
SELECT t.*, c.title, c.instructor_name FROM certificate t JOIN course c ON c.tenant_id = t.tenant_id AND c.id = t.course_id
WHERE t.tenant_id = $1 AND t.user_id = $2;
SELECT * FROM certificate WHERE tenant_id = $1 AND user_id = $2 AND course_id = $3 AND issued_at = $4;
-- weight: 2
INSERT INTO tenant (id, name, domain) VALUES ($1, $2, $3);
INSERT INTO member (tenant_id, id, email, first_name, last_name) VALUES ($1, $2, $3, $4, $5);
UPDATE member SET role = $3 WHERE tenant_id = $1 AND id = $2;
INSERT INTO course (tenant_id, id, title, description) VALUES ($1, $2, $3, $4);
UPDATE course SET description = $3 WHERE tenant_id = $1 AND id = $2;
INSERT INTO enrollment (tenant_id, user_id, course_id, enrolled_at, status) VALUES ($1, $2, $3, $4, $5);
UPDATE enrollment SET percent = $5, current_lesson = $6 WHERE tenant_id = $1 AND user_id = $2 AND course_id = $3 AND enrolled_at = $4;
INSERT INTO lesson (tenant_id, course_id, lesson_order, id, title) VALUES ($1, $2, $3, $4, $5);
INSERT INTO progress (tenant_id, user_id, course_id, lesson_id, attempted_at, status) VALUES ($1, $2, $3, $4, $5, $6);
UPDATE progress SET status = $6, minutes = $7 WHERE tenant_id = $1 AND user_id = $2 AND course_id = $3 AND lesson_id = $4 AND attempted_at = $5;
INSERT INTO certificate (tenant_id, user_id, course_id, issued_at, id) VALUES ($1, $2, $3, $4, $5);
