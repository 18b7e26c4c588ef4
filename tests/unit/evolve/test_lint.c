/* What the lint finds: a case is a file and its findings, "rule at line:column" each. */
#include "evolve/lint/lint.h"
#include "support.h"
#include <string.h>
#include <strings.h>

#define P SQL_POSTGRES
#define M SQL_MYSQL
#define S SQL_SQLITE

struct lint_case {
    enum sql_language language;
    const char *text;
    const char *findings;
};

static void append_findings(const struct lint_report *report, struct buffer *out)
{
    for (uint32_t i = 0; i < report->count; i++) {
        const struct lint_finding *finding = &report->findings[i];
        buffer_format(out, "%s%s %u:%u", i > 0 ? ", " : "", finding->rule->id, finding->place.line,
                      finding->place.column);
    }
}

static void assert_findings(const struct lint_input *input, const char *wanted)
{
    struct lint_report report;
    struct lint_input whole = *input;
    struct buffer out = {0};
    struct buffer text = {0};
    whole.length = strlen(input->text);
    lint_report_init(&report);
    lint_text(&whole, &report);
    append_findings(&report, &out);
    buffer_format(&text, "%s\n-> %s", input->text, buffer_string(&out));
    buffer_clear(&out);
    buffer_format(&out, "%s\n-> %s", input->text, wanted);
    assert_buffer(&text, buffer_string(&out));
    buffer_free(&out);
    buffer_free(&text);
    lint_report_free(&report);
}

/* As `transhume schema up` runs them. */
static const struct lint_case cases[] = {
    {P, "ALTER TABLE t ADD COLUMN a timestamptz DEFAULT now()", ""},
    {P,
     "ALTER TABLE t ADD a int8 DEFAULT -1, ADD b text DEFAULT 'x'::varchar COLLATE \"C\", ADD c "
     "text[] DEFAULT array['a', lower('B')]::text[]",
     ""},
    {P,
     "ALTER TABLE t ADD a float8 DEFAULT random(), ADD b uuid DEFAULT f(1), ADD c text DEFAULT (a "
     "|| gen_random_uuid()::text)",
     "adding-field-with-default 1:36, adding-field-with-default 1:65, adding-field-with-default "
     "1:90"},
    {P,
     "ALTER TABLE t ADD a int8 GENERATED ALWAYS AS (b * 2) STORED, ADD i int8 GENERATED ALWAYS AS "
     "IDENTITY",
     "adding-field-with-default 1:26, adding-field-with-default 1:73"},
    {P,
     "ALTER TABLE t ADD a int8 NOT NULL, ADD b int8 NOT NULL DEFAULT 0, ADD c int8 REFERENCES u "
     "(id) UNIQUE",
     "adding-required-field 1:15, adding-foreign-key-constraint 1:78, disallowed-unique-constraint "
     "1:96"},
    {P, "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (id)",
     "constraint-missing-not-valid 1:15, adding-foreign-key-constraint 1:19"},
    {P, "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (id) NOT VALID", ""},
    {P,
     "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c",
     "constraint-missing-not-valid 1:71"},
    {P,
     "ALTER TABLE t ADD CHECK (a > 0), ADD UNIQUE (a), ADD PRIMARY KEY (a), ADD EXCLUDE USING gist "
     "(a WITH =)",
     "constraint-missing-not-valid 1:15, disallowed-unique-constraint 1:38, "
     "adding-serial-primary-key-field 1:54, adding-exclusion-constraint 1:75"},
    {P, "LOCK TABLE t", "ban-lock-table 1:1"},
    {P, "ALTER TABLE t SET SCHEMA s; ALTER FUNCTION f() SET SCHEMA s",
     "changing-schema 1:15, changing-schema 1:48"},
    {P, "ALTER TABLE t ENABLE ROW LEVEL SECURITY", "enabling-row-security 1:15"},
    {P, "DROP VIEW v; DROP TYPE IF EXISTS y CASCADE; DROP FUNCTION f(int)",
     "ban-drop-object 1:1, ban-drop-object 1:14, ban-drop-object 1:45"},
    {P, "DROP VIEW v; CREATE VIEW v AS SELECT 1", ""},
    {P, "ALTER TABLE t ATTACH PARTITION p FOR VALUES IN (1)", "attaching-partition 1:15"},
    {M, "OPTIMIZE TABLE t", "rewriting-table 1:1"},
    {M, "ALTER TABLE t ENGINE=MyISAM, ALGORITHM=COPY",
     "engine-not-transactional 1:15, rewriting-table 1:15, ban-locking-alter 1:30"},
    {M, "ALTER TABLE t PARTITION BY HASH (id) PARTITIONS 4, ALGORITHM=INPLACE",
     "rewriting-table 1:15"},
    {M, "ALTER TABLE t ADD FULLTEXT INDEX f (a), ALGORITHM=INPLACE", "fulltext-index 1:19"},
    {M, "CREATE FULLTEXT INDEX f ON t (a)", "fulltext-index 1:1"},
    {M, "ALTER TABLE t DROP PRIMARY KEY, ALGORITHM=INPLACE",
     "dropping-constraint 1:15, rewriting-table 1:15"},
    {M, "ALTER TABLE t ALTER a SET DEFAULT 5; ALTER TABLE t ALTER a SET DEFAULT 6", ""},
    {P,
     "ALTER TABLE t ADD CONSTRAINT u UNIQUE USING INDEX i, ADD CONSTRAINT p PRIMARY KEY USING "
     "INDEX k",
     ""},
    {P, "ALTER TABLE t ALTER a SET NOT NULL", "adding-not-nullable-field 1:23"},
    {P, "ALTER TABLE t VALIDATE CONSTRAINT c; ALTER TABLE t ALTER a SET NOT NULL", ""},
    {P,
     "ALTER TABLE t ALTER a TYPE bigint, ALTER b SET DATA TYPE text USING b::text, ALTER c DROP "
     "NOT NULL",
     "changing-column-type 1:23, changing-column-type 1:44, ban-drop-not-null 1:86"},
    {P,
     "CREATE TABLE t (a serial, b char(3), c varchar(10), d timestamp, e smallint, f json, g "
     "timestamptz, h text, i character varying(5)[])",
     "prefer-bigint-over-int 1:19, prefer-identity 1:19, ban-char-field 1:29, prefer-text-field "
     "1:40, prefer-timestamp-tz 1:55, prefer-bigint-over-smallint 1:68, prefer-jsonb 1:80, "
     "prefer-text-field 1:111"},
    {P,
     "CREATE TABLE t (id int8); CREATE INDEX ON t (id); ALTER TABLE t ADD UNIQUE (id); ALTER TABLE "
     "t ADD FOREIGN KEY (id) REFERENCES u (id)",
     ""},
    {P,
     "CREATE INDEX i ON t (a, b, c, d); CREATE UNIQUE INDEX k ON t (a); CREATE INDEX CONCURRENTLY "
     "ON t (a)",
     "require-concurrent-index-creation 1:1, wide-index 1:1, require-concurrent-index-creation "
     "1:35, unique-may-fail 1:35, concurrent-index-needs-name 1:67"},
    {P, "CREATE INDEX CONCURRENTLY i ON t (a); ALTER TABLE t ADD x int8", ""},
    {P, "BEGIN; CREATE INDEX CONCURRENTLY i ON t (a); COMMIT",
     "ban-concurrent-index-creation-in-transaction 1:21"},
    {P, "BEGIN; SELECT 1; COMMIT; BEGIN; SELECT 2", "ban-uncommitted-transaction 1:26"},
    {P, "BEGIN; BEGIN; ROLLBACK; COMMIT",
     "transaction-nesting 1:8, transaction-nesting 1:15, transaction-nesting 1:25"},
    {P,
     "DROP INDEX i; REINDEX TABLE t; REINDEX (CONCURRENTLY) TABLE t; REFRESH MATERIALIZED VIEW v; "
     "VACUUM (FULL, ANALYZE) t; CLUSTER t USING i",
     "require-concurrent-index-deletion 1:1, require-concurrent-reindex 1:15, "
     "require-concurrent-refresh 1:64, ban-vacuum-full 1:93, ban-vacuum-full 1:119"},
    {P, "DROP TABLE t; DROP SCHEMA s CASCADE; DROP DATABASE d; TRUNCATE t CASCADE",
     "ban-drop-table 1:1, ban-drop-schema 1:15, ban-drop-database 1:38, ban-truncate 1:55, "
     "ban-truncate-cascade 1:66"},
    {P,
     "ALTER TABLE t RENAME a TO b; ALTER TABLE t RENAME TO u; ALTER SCHEMA s RENAME TO r; ALTER "
     "TYPE e RENAME VALUE 'a' TO 'b'",
     "renaming-column 1:15, renaming-table 1:44, renaming-schema 1:72, renaming-enum-value 1:98"},
    {P, "ALTER TYPE e ADD VALUE 'a'; ALTER TYPE e ADD VALUE 'b' AFTER 'a'",
     "require-enum-value-ordering 1:14"},
    {P,
     "CREATE DOMAIN d AS int8 CHECK (VALUE > 0); CREATE DOMAIN f int8; ALTER DOMAIN d ADD CHECK "
     "(VALUE > 1)",
     "ban-create-domain-with-constraint 1:25, ban-alter-domain-with-add-constraint 1:81"},
    {P,
     "ALTER TABLE t DETACH PARTITION p; ALTER TABLE t DETACH PARTITION p CONCURRENTLY; ALTER TABLE "
     "t SET LOGGED",
     "require-concurrent-partition-detach 1:15, rewriting-table 1:96"},
    {P, "ALTER TABLE t ADD a int8; UPDATE t SET a = 1; DELETE FROM u WHERE a = 1",
     "backfill-in-transaction 1:27, unbatched-change 1:27"},
    {P,
     "UPDATE t SET a = 1, (b, a) = (1, 2) WHERE c = 1; UPDATE t SET a[1] = 1, a[2] = 2 WHERE c = "
     "1; INSERT INTO t (a, b, a) VALUES (1, 2, 3)",
     "ban-duplicate-column-assignments 1:14, ban-duplicate-column-assignments 1:25, "
     "ban-duplicate-column-assignments 1:110, ban-duplicate-column-assignments 1:116"},
    {P,
     "CREATE VIEW v AS SELECT a, b AS a, lower(c), 1 x FROM t; CREATE TABLE t (a int8, A int8, "
     "\"A\" int8)",
     "ban-duplicate-column-assignments 1:25, ban-duplicate-column-assignments 1:33, "
     "ban-duplicate-column-assignments 1:74, ban-duplicate-column-assignments 1:82"},
    {P, "DO $$ BEGIN PERFORM 1; END $$; SELECT f(); CALL p()",
     "unknown-effect 1:1, unknown-effect 1:32, unknown-effect 1:44"},
    {P, "SELECT 1 FROM t1234567890123456789012345678901234567890123456789012345678901234567890",
     "identifier-too-long 1:15"},
    {P, "SELECT 'a; DROP TABLE t", "syntax 1:8"},
    {P, "\\connect x\nSELECT 1;\n\\echo done\n", "syntax 1:1"},
    {P,
     "-- transhume:ignore ban-drop-table\nDROP TABLE t;\nDROP TABLE u; -- squawk-ignore "
     "ban-drop-table\n\nDROP TABLE v; -- atlas:nolint\n\n/* transhume:ignore-next */\n-- since it "
     "is empty\nDROP TABLE w;\n\nDROP TABLE x",
     "ban-drop-table 11:1"},
    {P,
     "-- transhume:ignore-file ban-drop-table -- all of them\nDROP TABLE t;\n-- transhume:ignore "
     "no-such-rule, ban-drop-database\nDROP DATABASE d;",
     "unused-ignore 3:21"},
    {P, "-- transhume:ignore-file\nDROP TABLE t;", ""},
    {M,
     "ALTER TABLE t ADD a int NOT NULL, ADD b int DEFAULT (rand()), ADD c int AS (a + 1) STORED, "
     "ADD d int AS (a + 1)",
     "require-algorithm 1:1, adding-required-field 1:15, adding-field-with-default 1:53, "
     "adding-field-with-default 1:73"},
    {M, "ALTER TABLE t ADD (a int, b int NOT NULL), ALGORITHM=INSTANT",
     "adding-required-field 1:15"},
    {M, "ALTER TABLE t MODIFY a varchar(80) NOT NULL, ALGORITHM = COPY, LOCK=SHARED",
     "changing-column-type 1:15, ban-locking-alter 1:46, ban-locking-alter 1:64"},
    {M,
     "ALTER TABLE t CHANGE a b bigint, CHANGE c c enum('x'), DROP KEY k, DROP FOREIGN KEY f, ADD "
     "UNIQUE KEY u (a), LOCK=NONE",
     "changing-column-type 1:15, renaming-column 1:15, changing-enum 1:45, "
     "drop-index-invisible-first 1:56, dropping-constraint 1:68, unique-may-fail 1:88"},
    {M,
     "ALTER TABLE t RENAME TO u; ALTER TABLE t ENGINE=InnoDB, CONVERT TO CHARACTER SET utf8mb4; "
     "RENAME TABLE a TO b",
     "renaming-table 1:15, require-algorithm 1:28, rewriting-table 1:42, rewriting-table 1:57, "
     "renaming-table 1:91"},
    {M,
     "CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, a int REFERENCES u (id), KEY k (a), KEY l "
     "(a, id), UNIQUE KEY m (id)) ENGINE=MyISAM",
     "auto-increment-capacity 1:20, inline-references 1:58, duplicate-index 1:77, "
     "engine-not-transactional 1:122"},
    {M,
     "CREATE TABLE t (d datetime DEFAULT '0000-00-00 00:00:00'); CREATE TEMPORARY TABLE n (a int); "
     "CREATE TABLE l LIKE t; CREATE TABLE s AS SELECT 1",
     "require-primary-key 1:14, zero-date 1:36"},
    {M,
     "DROP INDEX i ON t; TRUNCATE t; DROP TABLE t; DROP TEMPORARY TABLE x; DROP SCHEMA d; UPDATE t "
     "SET a = 1; DELETE FROM t LIMIT 5",
     "drop-index-invisible-first 1:1, ban-truncate 1:20, ban-drop-table 1:32, ban-drop-database "
     "1:70, unbatched-change 1:85"},
    {M,
     "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (id), ALGORITHM=INPLACE; CALL "
     "p()",
     "adding-foreign-key-constraint 1:19, unknown-effect 1:86"},
    {M, "INSERT INTO t (a, A) VALUES (1, 2) ON DUPLICATE KEY UPDATE b = 1, t.b = 2",
     "ban-duplicate-column-assignments 1:16, ban-duplicate-column-assignments 1:19"},
    {S,
     "ALTER TABLE t ADD a int NOT NULL; ALTER TABLE t ADD b int DEFAULT CURRENT_TIMESTAMP; ALTER "
     "TABLE t ADD c int UNIQUE; ALTER TABLE t ADD d int DEFAULT 1; ALTER TABLE t ADD e AS (a) "
     "STORED; ALTER TABLE t ADD f int DEFAULT 1 REFERENCES u",
     "adding-required-field 1:15, sqlite-add-column 1:49, sqlite-add-column 1:100, "
     "sqlite-add-column 1:167, sqlite-add-column 1:202"},
    {S,
     "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0); ALTER TABLE t ALTER COLUMN a TYPE int; ALTER "
     "TABLE t ADD a int, ADD b int",
     "sqlite-no-such-alter 1:15, sqlite-no-such-alter 1:61, sqlite-no-such-alter 1:86"},
    {S,
     "CREATE TABLE n (a); INSERT INTO n SELECT a FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t",
     "sqlite-rebuild-deletes 1:52"},
    {S,
     "PRAGMA foreign_keys = OFF; CREATE TABLE n (a); INSERT INTO n SELECT a FROM t; DROP TABLE t; "
     "ALTER TABLE n RENAME TO t",
     ""},
    {S,
     "ALTER TABLE t RENAME TO t_old; CREATE TABLE t (a); BEGIN; PRAGMA foreign_keys = 1; COMMIT; "
     "ATTACH 'x' AS y; PRAGMA writable_schema = 1",
     "sqlite-rebuild-renames-old 1:1, sqlite-foreign-keys-pragma 1:59, sqlite-attach 1:92, "
     "sqlite-writable-schema 1:109"},
};

static void test_sql(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct lint_input input = {
            .file = "a.sql", .text = cases[i].text, .language = cases[i].language};
        assert_findings(&input, cases[i].findings);
    }
}

/* Outside of the runner: each statement alone, or all in one transaction. */
static void test_transactions(void **state)
{
    static const struct {
        enum lint_transaction transaction;
        const char *text;
        const char *findings;
    } given[] = {
        {LINT_ALONE,
         "ALTER TABLE t ADD a int8; CREATE INDEX CONCURRENTLY i ON t (a); CREATE TABLE x (a int8)",
         "require-lock-timeout 1:1, require-statement-timeout 1:1, prefer-robust-stmts 1:15, "
         "prefer-robust-stmts 1:27, prefer-robust-stmts 1:65"},
        {LINT_ALONE,
         "SET lock_timeout = 1; SET LOCAL statement_timeout = 1; BEGIN; ALTER TABLE t DROP a; "
         "COMMIT; COMMIT",
         "ban-drop-column 1:77, transaction-nesting 1:93"},
        {LINT_WHOLE,
         "SET lock_timeout = 1; SET statement_timeout = 1; BEGIN; CREATE INDEX CONCURRENTLY IF NOT "
         "EXISTS i ON t (a); COMMIT",
         "transaction-nesting 1:50, ban-concurrent-index-creation-in-transaction 1:70, "
         "transaction-nesting 1:109"},
        {LINT_WHOLE,
         "-- squawk-disable-assume-in-transaction\nSET lock_timeout = 1; SET statement_timeout = "
         "1; DROP TYPE x",
         "ban-drop-object 2:50, prefer-robust-stmts 2:50"},
        {LINT_AS_RUN,
         "-- transhume:transaction none\nALTER TABLE t ADD a int8; UPDATE t SET a = 1 WHERE b = 2",
         ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        const struct lint_input input = {.file = "a.sql",
                                         .text = given[i].text,
                                         .language = SQL_POSTGRES,
                                         .transaction = given[i].transaction};
        assert_findings(&input, given[i].findings);
    }
}

static enum lint_kind kind_of(const char *file)
{
    static const struct {
        const char *ending;
        enum lint_kind kind;
    } endings[] = {{".cql", LINT_CQL},       {".dynamodb.json", LINT_DYNAMODB},
                   {".http", LINT_HTTP},     {".mongo.json", LINT_MONGO},
                   {".up.json", LINT_MONGO}, {".down.json", LINT_MONGO}};
    size_t length = strlen(file);
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        size_t ending = strlen(endings[i].ending);
        if (length > ending && strcasecmp(file + length - ending, endings[i].ending) == 0) {
            return endings[i].kind;
        }
    }
    return LINT_SQL;
}

static void test_versions(void **state)
{
    static const struct {
        enum sql_language language;
        uint32_t version;
        const char *text;
        const char *findings;
    } given[] = {
        {P, 100005, "ALTER TABLE t ADD a int8 DEFAULT 1", "adding-field-with-default 1:34"},
        {P, 110000, "ALTER TABLE t ADD a int8 DEFAULT 1", ""},
        {P, 110000,
         "ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL) NOT VALID; ALTER TABLE t VALIDATE "
         "CONSTRAINT c; ALTER TABLE t ALTER a SET NOT NULL",
         "constraint-missing-not-valid 1:79, adding-not-nullable-field 1:124"},
        {P, 120000,
         "ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL) NOT VALID; ALTER TABLE t VALIDATE "
         "CONSTRAINT c; ALTER TABLE t ALTER a SET NOT NULL",
         "constraint-missing-not-valid 1:79"},
        {P, 190000, "VACUUM FULL t; CLUSTER t", "prefer-repack 1:1, prefer-repack 1:16"},
        {M, 80035, "CREATE TABLE t (a bigint PRIMARY KEY REFERENCES u (a))",
         "inline-references 1:38"},
        {M, 90000, "CREATE TABLE t (a bigint PRIMARY KEY REFERENCES u (a))", ""},
        {M, 101106, "CREATE TABLE t (a bigint PRIMARY KEY REFERENCES u (a))", ""},
        {M, 50744, "/*!80000 DROP TABLE t */", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        const struct lint_input input = {.file = "a.sql",
                                         .text = given[i].text,
                                         .language = given[i].language,
                                         .server_version = given[i].version};
        assert_findings(&input, given[i].findings);
    }
}

static void test_other_files(void **state)
{
    static const struct {
        const char *file;
        const char *text;
        const char *findings;
    } given[] = {
        {"1.cql",
         "CREATE TABLE k.t (a int PRIMARY KEY); CREATE TABLE IF NOT EXISTS t (a int PRIMARY KEY)",
         "cql-not-idempotent 1:1"},
        {"1.cql",
         "CREATE KEYSPACE IF NOT EXISTS k WITH replication = {'class': 'SimpleStrategy', "
         "'replication_factor': 1}",
         "cql-simple-strategy 1:62"},
        {"1.cql",
         "ALTER TABLE t ADD c int; ALTER TABLE t DROP c; ALTER TABLE t ALTER c TYPE text; ALTER "
         "TABLE t RENAME a TO b",
         "ban-drop-column 1:40, cql-changing-type 1:62, renaming-column 1:95"},
        {"1.cql",
         "CREATE INDEX IF NOT EXISTS ON t (a); CREATE MATERIALIZED VIEW IF NOT EXISTS v AS SELECT "
         "a FROM t WHERE a IS NOT NULL PRIMARY KEY (a)",
         "cql-secondary-index 1:1, cql-materialized-view 1:38"},
        {"1.cql",
         "-- transhume:ignore ban-drop-table\nDROP TABLE t;\nDROP TABLE IF EXISTS t; DROP KEYSPACE "
         "k; TRUNCATE t; // it's gone\nMAKE x",
         "cql-not-idempotent 2:1, ban-drop-table 3:1, ban-drop-database 3:25, cql-not-idempotent "
         "3:25, ban-truncate 3:42, syntax 4:1"},
        {"1.dynamodb.json", "{\"CreateTable\": {\"TableName\": \"t\"}}",
         "dynamodb-no-protection 1:2"},
        {"1.dynamodb.json",
         "[{\"CreateTable\": {\"DeletionProtectionEnabled\": true}},\n {\"DeleteTable\": "
         "{\"TableName\": \"t\"}},\n {\"UpdateTimeToLive\": {\"TimeToLiveSpecification\": "
         "{\"Enabled\": true}}}]",
         "ban-drop-table 2:3, dynamodb-time-to-live 3:3"},
        {"1.dynamodb.json",
         "{\"operation\": \"UpdateTable\", \"parameters\": {\"GlobalSecondaryIndexUpdates\": "
         "[{\"Create\": {}},\n{\"Delete\": {}}]}}",
         "dynamodb-indexes-at-once 2:1, dynamodb-index-deleted 2:2"},
        {"1.dynamodb.json", "{\"CreateTable\": ", "syntax 1:1"},
        {"1.http",
         "PUT /books\nContent-Type: application/json\n\n{\"DELETE /x\": 1}\n\nDELETE "
         "/old\n\nDELETE /logs-*\n\nPOST /b/_close",
         "ban-drop-index 6:1, http-wildcard-delete 8:1, http-closes-index 10:1"},
        {"1.http",
         "PUT /b/_mapping\n\n{}\n\nPOST /_reindex\n\n{}\n\nPOST "
         "/_reindex?wait_for_completion=false\n\nDELETE /b/_doc/1\r\n\nDELETE /_all",
         "http-mapping-in-place 1:1, http-waits-for-completion 5:1, http-wildcard-delete 13:1"},
        {"1.http", "{}", "syntax 1:1"},
        {"1.mongo.json",
         "[{\"drop\": \"a\"}, {\"dropDatabase\": 1}, {\"renameCollection\": \"a.b\", \"to\": "
         "\"a.c\"},\n {\"createIndexes\": \"a\", \"indexes\": [{\"key\": {\"x\": 1}, \"unique\": "
         "true}, {\"key\": {\"y\": 1}}]}]",
         "ban-drop-table 1:3, ban-drop-database 1:18, mongo-renames-collection 1:39, "
         "mongo-unique-index 2:37"},
        {"1.mongo.json",
         "[{\"collMod\": \"a\", \"validator\": {}}, {\"collMod\": \"a\", \"validator\": {}, "
         "\"validationLevel\": \"moderate\"},\n {\"update\": \"a\", \"updates\": [{\"q\": {}, "
         "\"u\": {}, \"multi\": true}, {\"q\": {\"x\": 1}, \"u\": {}, \"multi\": true}]}, "
         "{\"delete\": \"a\", \"deletes\": [{\"q\": {}, \"limit\": 0}]}]",
         "mongo-strict-validator 1:3, mongo-update-without-filter 2:30, "
         "mongo-update-without-filter 2:136"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        const struct lint_input input = {
            .file = given[i].file, .text = given[i].text, .kind = kind_of(given[i].file)};
        assert_findings(&input, given[i].findings);
    }
}

/* What is there before: types and sizes. */
static void test_schema(void **state)
{
    static const struct schema_column columns[] = {
        {.name = "a", .type = {.kind = VALUE_TEXT, .native = "varchar(10)"}},
        {.name = "b", .type = {.kind = VALUE_TEXT, .native = "enum('x','y')"}}};
    static const struct schema_table tables[] = {{.name = "large",
                                                  .columns = columns,
                                                  .column_count = 2,
                                                  .row_count = 5000000,
                                                  .size_bytes = 700 << 20},
                                                 {.name = "small",
                                                  .columns = columns,
                                                  .column_count = 2,
                                                  .row_count = 10,
                                                  .size_bytes = 16384}};
    static const struct schema schema = {.tables = tables, .table_count = 2};
    static const struct {
        const char *text;
        const char *findings;
    } given[] = {
        {"ALTER TABLE large MODIFY a varchar(10), ALGORITHM=INPLACE", ""},
        {"ALTER TABLE large MODIFY a varchar(60), ALGORITHM=INPLACE", ""},
        {"ALTER TABLE large MODIFY a varchar(70), ALGORITHM=INPLACE", "changing-column-type 1:19"},
        {"ALTER TABLE large MODIFY a VARCHAR(5), ALGORITHM=INPLACE", "changing-column-type 1:19"},
        {"ALTER TABLE large MODIFY b ENUM('x', 'y'), ALGORITHM=INPLACE", ""},
        {"ALTER TABLE large MODIFY b ENUM('x', 'y', 'z'), ALGORITHM=INPLACE", ""},
        {"ALTER TABLE large MODIFY b ENUM('y', 'x'), ALGORITHM=INPLACE", "changing-enum 1:28"},
        {"ALTER TABLE other MODIFY b ENUM('y'), ALGORITHM=INPLACE", "changing-enum 1:28"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        const struct lint_input input = {.file = "a.sql",
                                         .text = given[i].text,
                                         .language = SQL_MYSQL,
                                         .server_version = 90700,
                                         .schema = &schema};
        assert_findings(&input, given[i].findings);
    }
    struct lint_report report;
    struct buffer out = {0};
    struct lint_input input = {.file = "a.sql",
                               .text = "CREATE INDEX i ON large (a); CREATE INDEX k ON small (a)",
                               .language = SQL_POSTGRES,
                               .schema = &schema};
    input.length = strlen(input.text);
    lint_report_init(&report);
    lint_text(&input, &report);
    assert_int_equal(report.warnings, 1);
    assert_int_equal(report.notes, 1);
    assert_string_equal(report.findings[0].message,
                        "Nobody writes to the table while the index is built. The table has about "
                        "5000000 rows in 700 MiB.");
    buffer_free(&out);
    lint_report_free(&report);
}

static void test_selection(void **state)
{
    static const char *const with[] = {"require-table-schema", NULL};
    static const char *const without[] = {"ban-drop-table", NULL};
    const struct lint_input input = {.file = "a.sql",
                                     .text = "DROP TABLE a, b.c",
                                     .language = SQL_POSTGRES,
                                     .with = with,
                                     .without = without};
    (void)state;
    assert_findings(&input, "require-table-schema 1:12");
}

static void test_rules(void **state)
{
    uint32_t count;
    const struct lint_rule *rules = lint_rules(&count);
    (void)state;
    for (uint32_t i = 0; i < count; i++) {
        assert_true(i == 0 || strcmp(rules[i - 1].id, rules[i].id) < 0);
        assert_ptr_equal(lint_rule_find(rules[i].id, strlen(rules[i].id)), &rules[i]);
        assert_int_equal(rules[i].message[strlen(rules[i].message) - 1], '.');
        assert_true((rules[i].kinds & 1u << LINT_SQL) == 0 || rules[i].dialects != 0);
    }
    assert_null(lint_rule_find("none", 4));
    assert_string_equal(lint_rule_find("DS103", 5)->id, "ban-drop-column");
}

/* Of two findings in one file, in each form. */
static void test_forms(void **state)
{
    static const char *const wanted[] = {
        "a b/1.sql:1:1: warning: The table's rows are gone, and an application that still uses it "
        "breaks. [ban-drop-table]\n"
        "    blocks reads and writes\n"
        "    instead: Stop its use first; rename it for a while; drop it in a later step.\n"
        "a b/1.sql:2:17: warning: The column's values are gone, and an application that still asks "
        "for it breaks. [ban-drop-column]\n"
        "    blocks reads and writes\n"
        "    instead: Stop its use first, deploy that, then drop it.\n"
        "1 file, 0 errors, 2 warnings, 0 notes\n",
        "[\n"
        "  {\"file\": \"a b/1.sql\", \"line\": 1, \"column\": 1, \"line_end\": 1, \"column_end\": "
        "13, \"level\": \"warning\", \"rule\": \"ban-drop-table\", \"message\": \"The table's rows "
        "are gone, and an application that still uses it breaks.\", \"help\": \"Stop its use "
        "first; rename it for a while; drop it in a later step.\", \"lock\": \"reads and writes\", "
        "\"rewrites\": false},\n"
        "  {\"file\": \"a b/1.sql\", \"line\": 2, \"column\": 17, \"line_end\": 2, \"column_end\": "
        "23, \"level\": \"warning\", \"rule\": \"ban-drop-column\", \"message\": \"The column's "
        "values are gone, and an application that still asks for it breaks.\", \"help\": \"Stop "
        "its use first, deploy that, then drop it.\", \"lock\": \"reads and writes\", "
        "\"rewrites\": false}\n"
        "]\n",
        "{\n"
        "  \"$schema\": \"https://json.schemastore.org/sarif-2.1.0.json\",\n"
        "  \"version\": \"2.1.0\",\n"
        "  \"runs\": [{\n"
        "    \"tool\": {\"driver\": {\"name\": \"transhume\", \"version\": \"0.1.0\", \"rules\": "
        "[\n"
        "        {\"id\": \"ban-drop-column\", \"shortDescription\": {\"text\": \"The column's "
        "values are gone, and an application that still asks for it breaks.\"}, \"help\": "
        "{\"text\": \"Stop its use first, deploy that, then drop it.\"}, \"defaultConfiguration\": "
        "{\"level\": \"warning\"}},\n"
        "        {\"id\": \"ban-drop-table\", \"shortDescription\": {\"text\": \"The table's rows "
        "are gone, and an application that still uses it breaks.\"}, \"help\": {\"text\": \"Stop "
        "its use first; rename it for a while; drop it in a later step.\"}, "
        "\"defaultConfiguration\": {\"level\": \"warning\"}}]}},\n"
        "    \"columnKind\": \"unicodeCodePoints\",\n"
        "    \"results\": [\n"
        "      {\"ruleId\": \"ban-drop-table\", \"level\": \"warning\", \"message\": {\"text\": "
        "\"The table's rows are gone, and an application that still uses it breaks.\"}, "
        "\"locations\": [{\"physicalLocation\": {\"artifactLocation\": {\"uri\": \"a%20b/1.sql\"}, "
        "\"region\": {\"startLine\": 1, \"startColumn\": 1, \"endLine\": 1, \"endColumn\": "
        "13}}}]},\n"
        "      {\"ruleId\": \"ban-drop-column\", \"level\": \"warning\", \"message\": {\"text\": "
        "\"The column's values are gone, and an application that still asks for it breaks.\"}, "
        "\"locations\": [{\"physicalLocation\": {\"artifactLocation\": {\"uri\": \"a%20b/1.sql\"}, "
        "\"region\": {\"startLine\": 2, \"startColumn\": 17, \"endLine\": 2, \"endColumn\": "
        "23}}}]}]\n"
        "  }]\n"
        "}\n",
        "::warning file=a b/1.sql,line=1,col=1,endLine=1,endColumn=13,title=ban-drop-table::The "
        "table's rows are gone, and an application that still uses it breaks.%0AStop its use "
        "first; rename it for a while; drop it in a later step.\n"
        "::warning file=a b/1.sql,line=2,col=17,endLine=2,endColumn=23,title=ban-drop-column::The "
        "column's values are gone, and an application that still asks for it breaks.%0AStop its "
        "use first, deploy that, then drop it.\n"};
    struct lint_report report;
    struct lint_input input = {.file = "a b/1.sql",
                               .text = "DROP TABLE t;\nALTER TABLE \"ü\" DROP c;",
                               .language = SQL_POSTGRES};
    (void)state;
    input.length = strlen(input.text);
    lint_report_init(&report);
    lint_text(&input, &report);
    for (enum lint_form form = LINT_FORM_TEXT; form <= LINT_FORM_GITHUB; form++) {
        struct buffer out = {0};
        lint_write(&report, form, &out);
        assert_buffer(&out, wanted[form]);
        buffer_free(&out);
    }
    lint_report_free(&report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sql),      cmocka_unit_test(test_transactions),
        cmocka_unit_test(test_versions), cmocka_unit_test(test_other_files),
        cmocka_unit_test(test_schema),   cmocka_unit_test(test_selection),
        cmocka_unit_test(test_rules),    cmocka_unit_test(test_forms)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
