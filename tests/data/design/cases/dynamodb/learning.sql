-- rows: tenant 200
-- rows: member 200000
-- rows: course 10000
-- rows: lesson 200000
-- rows: enrollment 1000000
-- rows: progress 20000000
-- rows: certificate 300000
CREATE TABLE tenant (id text PRIMARY KEY, name text, domain text, plan text, max_users integer, max_courses integer, admin_email text,
    created_at timestamp, status text);
CREATE TABLE member (tenant_id text NOT NULL REFERENCES tenant (id), id text NOT NULL, email text, first_name text, last_name text, role text,
    department text, job_title text, enrolled_at timestamp, last_login timestamp, status text, PRIMARY KEY (tenant_id, id));
CREATE TABLE course (tenant_id text NOT NULL REFERENCES tenant (id), id text NOT NULL, title text, description text, instructor_id text,
    instructor_name text, category text, difficulty text, hours integer, created_at timestamp, status text, PRIMARY KEY (tenant_id, id));
CREATE TABLE lesson (tenant_id text NOT NULL, course_id text NOT NULL, lesson_order integer NOT NULL, id text NOT NULL, title text, description text,
    content_type text, content_url text, minutes integer, mandatory boolean, PRIMARY KEY (tenant_id, course_id, lesson_order, id),
    FOREIGN KEY (tenant_id, course_id) REFERENCES course (tenant_id, id));
CREATE TABLE enrollment (tenant_id text NOT NULL, user_id text NOT NULL, course_id text NOT NULL, enrolled_at timestamp NOT NULL, completed_at timestamp,
    percent integer, current_lesson text, grade text, status text, PRIMARY KEY (tenant_id, user_id, course_id, enrolled_at),
    FOREIGN KEY (tenant_id, user_id) REFERENCES member (tenant_id, id), FOREIGN KEY (tenant_id, course_id) REFERENCES course (tenant_id, id));
CREATE TABLE progress (tenant_id text NOT NULL, user_id text NOT NULL, course_id text NOT NULL, lesson_id text NOT NULL, attempted_at timestamp NOT NULL,
    status text, minutes integer, quiz_score integer, notes text, PRIMARY KEY (tenant_id, user_id, course_id, lesson_id, attempted_at),
    FOREIGN KEY (tenant_id, user_id) REFERENCES member (tenant_id, id), FOREIGN KEY (tenant_id, course_id) REFERENCES course (tenant_id, id));
CREATE TABLE certificate (tenant_id text NOT NULL, user_id text NOT NULL, course_id text NOT NULL, issued_at timestamp NOT NULL, id text NOT NULL,
    completed_at timestamp, grade text, url text, code text, status text, PRIMARY KEY (tenant_id, user_id, course_id, issued_at),
    FOREIGN KEY (tenant_id, user_id) REFERENCES member (tenant_id, id), FOREIGN KEY (tenant_id, course_id) REFERENCES course (tenant_id, id));
