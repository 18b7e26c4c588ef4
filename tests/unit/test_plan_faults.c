/* Every fault of a plan: its text, its line and column, its hint; and that nothing crashes on
 * rubbish. */
#include "plan/mapping.h"
#include "plan/words/scalar.h"
#include "support_plan.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct plan_test shop;

static int open_shop(void **state)
{
    (void)state;
    plan_test_open(&shop, plan_test_shop, "dynamodb-json");
    return 0;
}

static int open_sql(void **state)
{
    (void)state;
    plan_test_open(&shop, plan_test_shop, "sqlite");
    return 0;
}

static int close_shop(void **state)
{
    (void)state;
    plan_test_close(&shop);
    return 0;
}

/* A plan and the one fault in it. */
struct fault_case {
    const char *yaml;
    enum error_code code;
    const char *part;
};

static void run_cases(const struct fault_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        plan_test_expect_code(&shop, cases[i].yaml, cases[i].code, cases[i].part);
    }
}

#define RUN_CASES(cases) run_cases(cases, sizeof(cases) / sizeof((cases)[0]))

static void syntax(void **state)
{
    (void)state;
    static const struct fault_case cases[] = {
        {"", ERROR_PLAN_SYNTAX, "p.yaml:1:1: the plan is empty; `transhume init"},
        {"# nothing\n", ERROR_PLAN_SYNTAX, "p.yaml:1:1: the plan is empty"},
        {"transhume: 1\nsource: a\nsource: b\n", ERROR_PLAN_SYNTAX,
         "p.yaml:3:1: the key 'source' is there already, on line 2; remove one of the two"},
        {"transhume: 1\nsource: &x a\n", ERROR_PLAN_SYNTAX,
         "p.yaml:2:9: anchors are not part of the plan language"},
        {"transhume: 1\nsource: *x\n", ERROR_PLAN_SYNTAX, "p.yaml:2:9: aliases are not part"},
        {"transhume: 1\nsource: !!str a\n", ERROR_PLAN_SYNTAX, "p.yaml:2:9: tags are not part"},
        {"transhume: 1\n\tsource: a\n", ERROR_PLAN_SYNTAX, "indent with spaces, not with tabs"},
        {"transhume: 1\nsource: a\x01\n", ERROR_PLAN_SYNTAX, "p.yaml:2:10: control character 0x01"},
        {"transhume: 1\nsource: \xff\n", ERROR_PLAN_SYNTAX,
         "p.yaml:2:9: byte 0xff is not valid UTF-8; save the file as UTF-8"},
        {"transhume: 1\n---\ntranshume: 1\n", ERROR_PLAN_SYNTAX, "p.yaml:2:1: a second document"},
        {"transhume: 1\ntables: { t: { from: Artist, fields: { PK: {ArtistId} } } }\n",
         ERROR_PLAN_SYNTAX,
         "p.yaml:2:44: an unquoted {\xe2\x80\xa6} is a map for YAML, not a text; write \"{ArtistId}\""},
        {"transhume: 1\ntables:\n  t:\n    fields:\n      PK: A#{ArtistId}\n", ERROR_PLAN_SYNTAX,
         "p.yaml:5:11: a text with braces must be quoted"},
        {"transhume: 1\ntables:\n  t:\n    fields:\n      PK: A #{ArtistId}\n", ERROR_PLAN_SYNTAX,
         "p.yaml:5:11: ' #{' begins a comment here"},
        {"transhume: 1\nsource: 'a\n", ERROR_PLAN_SYNTAX, "p.yaml:"},
        {"transhume: 1\n[a]: b\n", ERROR_PLAN_SYNTAX, "a key must be a text"},
        {"- transhume\n", ERROR_PLAN_INVALID,
         "p.yaml:1:1: a plan is a map; it begins with 'transhume: 1'"},
        {"transhume: 2\n", ERROR_FORMAT_NEWER, "p.yaml:1:12: the plan is of version 2"},
        {"source: a\n", ERROR_PLAN_INVALID, "a plan needs 'transhume'"},
    };
    RUN_CASES(cases);
}

static void depth_and_size_are_bounded(void **state)
{
    (void)state;
    char deep[4096] = "transhume: 1\nx: ";
    for (int i = 0; i < 1000; i++) {
        strncat(deep, "[", sizeof deep - strlen(deep) - 1);
    }
    plan_test_expect_code(&shop, deep, ERROR_PLAN_SYNTAX, "more than 64 levels");
    size_t size = (4u << 20) + 10;
    char *large = malloc(size + 1);
    assert_non_null(large);
    memset(large, '#', size);
    large[size] = '\0';
    plan_test_expect_code(&shop, large, ERROR_PLAN_SYNTAX, "above 4 MiB");
    free(large);
}

#define TABLE(text) "transhume: 1\ntables:\n  t: { key: { partition: Id }, " text " }\n"
#define FIELDS(text) \
    TABLE("from: Customer,\n    fields: { Id: { column: CustomerId },\n      " text " }")

static void form(void **state)
{
    (void)state;
    static const struct fault_case cases[] = {
        {"transhume: 1\nsorce: a\n", ERROR_PLAN_INVALID,
         "p.yaml:2:1: 'sorce' is no key of a plan; did you mean 'source'?"},
        {"transhume: 1\nexisting: maybe\n", ERROR_PLAN_INVALID,
         "p.yaml:2:11: 'existing' is refuse|append|upsert|replace|skip|truncate, not 'maybe'"},
        {"transhume: 1\noptions: { jbos: 4 }\n", ERROR_PLAN_INVALID, "did you mean 'jobs'?"},
        {"transhume: 1\noptions: { jobs: many }\n", ERROR_PLAN_INVALID, "'jobs' is a whole number"},
        {TABLE("frm: Artist"), ERROR_PLAN_INVALID,
         "'frm' is no key of a table; did you mean 'from'?"},
        {TABLE("from: [a]"), ERROR_PLAN_INVALID, "'from' is a text, not 'a list'"},
        {TABLE("from: Artist, unnest: x"), ERROR_PLAN_INVALID,
         "Artist has no column, look-up or aggregate 'x'"},
        {TABLE("from: Artist, unnest: ArtistId"), ERROR_PLAN_INVALID,
         "'unnest' takes the elements of lists, and 'ArtistId' is int64"},
        {TABLE("from: Artist, unnest: Name, fields: { Id: { column: $parent.Nme } }"),
         ERROR_PLAN_INVALID, "the list's record has no column, look-up or aggregate '$parent.Nme'"},
        {TABLE("from: Artist, unnest: Name, fields: { Id: { lookup: Album, column: Title } }"),
         ERROR_PLAN_INVALID, "there is no table here whose foreign keys could be followed"},
        {TABLE("from: Artist, unnest: Name, fields: { Id: { embed: Album } }"), ERROR_PLAN_INVALID,
         "there is no table here whose foreign keys could be followed"},
        {TABLE("from: Artist, unnest: { x: y }"), ERROR_PLAN_INVALID,
         "'unnest' is a text or a list of texts, not 'a map'"},
        {TABLE("from: Artist, match: { Name: a }"), ERROR_PLAN_INVALID, "say it with where:"},
        {TABLE("from: Artist, match: { Name: [a] }"), ERROR_PLAN_INVALID,
         "a single value was expected for 'Name'"},
        {TABLE("from: Artist, distinct: maybe"), ERROR_PLAN_INVALID,
         "'distinct' is true or false, not 'maybe'"},
        {"transhume: 1\nunmatched: no\n", ERROR_PLAN_INVALID, "'unmatched' is"},
        {FIELDS("X: { column: FirstName, parse: b }"), ERROR_PLAN_INVALID,
         "there is no value in 'b'"},
        {FIELDS("X: { column: FirstName, parse: \"{a}{b}\", take: a }"), ERROR_PLAN_INVALID,
         "nobody can tell where '{a}' ends and '{b}' begins"},
        {FIELDS("X: { column: FirstName, parse: \"{a}-{b}\" }"), ERROR_PLAN_INVALID,
         "which of the 2 values of '{a}-{b}' is meant?"},
        {FIELDS("X: { column: FirstName, parse: \"{abc}-{b}\", take: abd }"), ERROR_PLAN_INVALID,
         "'abd' is no value of '{abc}-{b}'; did you mean 'abc'?"},
        {FIELDS("X: { column: FirstName, parse: \"{a\" }"), ERROR_PLAN_INVALID, "'{' without '}'"},
        {FIELDS("X: { column: CustomerId, parse: \"{a}\" }"), ERROR_PLAN_INVALID,
         "a template made a text, but 'CustomerId' is int64"},
        {FIELDS("X: { column: FirstName, take: a }"), ERROR_PLAN_INVALID,
         "'take' of what template?"},
        {FIELDS("X: { sql: FirstName, parse: \"{a}\" }"), ERROR_PLAN_INVALID,
         "'parse' does not go with 'sql'"},
        {FIELDS("X: { collumn: Name }"), ERROR_PLAN_INVALID, "did you mean 'column'?"},
        {FIELDS("X: { lookup: Employee, on: { a: b }, column: c }"), ERROR_PLAN_INVALID,
         "'on' is no key of a field; write match: { THEIRS: ours }"},
        {FIELDS("X: { when: Phone }"), ERROR_PLAN_INVALID, "does not say where it comes from"},
        {FIELDS("X: { const: 1, cast: text }"), ERROR_PLAN_INVALID,
         "'cast' does not go with 'const'"},
        {FIELDS("X: { lookup: Employee }"), ERROR_PLAN_INVALID,
         "'lookup' needs one of value|column"},
        {FIELDS("X: { lookup: Employee, column: a, value: b }"), ERROR_PLAN_INVALID,
         "'lookup' needs one of"},
        {FIELDS("X: { aggregate: Invoice }"), ERROR_PLAN_INVALID, "'aggregate' needs value"},
        {FIELDS("X: "), ERROR_PLAN_INVALID, "the field 'X' says nothing"},
        {FIELDS("X: [a]"), ERROR_PLAN_INVALID, "the field 'X' is a list"},
        {FIELDS("\"*\": { drop: true }"), ERROR_PLAN_INVALID, "'*' can only be copied"},
        {TABLE("from: Artist, fields: {}"), ERROR_PLAN_INVALID, "'fields' is empty"},
        {"transhume: 1\ntables: {}\n", ERROR_PLAN_INVALID, "'tables' is empty"},
        {"transhume: 1\ntables: { t: 1 }\n", ERROR_PLAN_INVALID, "a table was expected for 't'"},
    };
    RUN_CASES(cases);
}

static void names(void **state)
{
    (void)state;
    static const struct fault_case cases[] = {
        {TABLE("from: Artsit"), ERROR_PLAN_INVALID,
         "p.yaml:3:38: the source has no table 'Artsit'; did you mean 'Artist'?"},
        {FIELDS("X: \"{Fristname}\""), ERROR_PLAN_INVALID,
         "p.yaml:5:12: Customer has no column, look-up or aggregate 'Fristname'; did you mean 'FirstName'?"},
        {FIELDS("X: \"a{\""), ERROR_PLAN_INVALID,
         "p.yaml:5:12: '{' without '}'; {{ is a literal brace"},
        {FIELDS("X: \"a}\""), ERROR_PLAN_INVALID, "'}' without '{'"},
        {FIELDS("X: \"{}\""), ERROR_PLAN_INVALID, "no name between the braces"},
        {FIELDS("Countri: copy"), ERROR_PLAN_INVALID, "did you mean 'Country'?"},
        {FIELDS("X: { column: Phome }"), ERROR_PLAN_INVALID, "did you mean 'Phone'?"},
        {FIELDS("X: { const: 1, when: \"Orderz > 1\" }"), ERROR_PLAN_INVALID,
         "or aggregate 'Orderz'"},
        {FIELDS("X: { sql: \"FirstName ||\" }"), ERROR_PLAN_INVALID, "in the expression"},
        {FIELDS("X: { sql: \"1, 2\" }"), ERROR_PLAN_INVALID, "in the expression"},
        {FIELDS("X: { sql: \"1) FROM record --\" }"), ERROR_PLAN_INVALID, "in the expression"},
        {FIELDS("X: { sql: random() }"), ERROR_PLAN_INVALID, "the function random is not allowed"},
        {FIELDS("X: { sql: \"load_extension('x')\" }"), ERROR_PLAN_INVALID, "in the expression"},
        {FIELDS("X: { sql: \"(SELECT sql FROM sqlite_schema)\" }"), ERROR_PLAN_INVALID,
         "is not allowed"},
        {FIELDS("X: { sql: \"?1\" }"), ERROR_PLAN_INVALID, "parameters have no value"},
        {FIELDS("X: { sql: rowid }"), ERROR_PLAN_INVALID, "or aggregate 'ROWID'"},
        {FIELDS("X: { column: Phone, cast: strnig }"), ERROR_PLAN_INVALID, "'strnig' is no type"},
        {FIELDS("X: { column: Phone, cast: int64, default: x }"), ERROR_PLAN_INVALID,
         "the default does not fit"},
        {FIELDS("X: { column: Phone, default: 1e99999 }"), ERROR_PLAN_INVALID,
         "p.yaml:5:36: the number '1e99999' is out of range"},
        {FIELDS("X: { const: 1e99999 }"), ERROR_PLAN_INVALID,
         "the number '1e99999' is out of range"},
        {FIELDS("X: { column: Phone, cast: \"decimal(5,2)\", default: 1e99999 }"),
         ERROR_PLAN_INVALID, "the number '1e99999' is out of range"},
        {FIELDS("X: { drop: false }"), ERROR_PLAN_INVALID, "drop can only be true"},
        {TABLE("query: \"SELEC 1\""), ERROR_PLAN_INVALID, "the query is refused"},
        {TABLE("from: Artist, query: \"SELECT 1\""), ERROR_PLAN_INVALID,
         "one of from, query and pages"},
        {TABLE("where: \"1\""), ERROR_PLAN_INVALID, "table 't' has no entities"},
        {TABLE("from: Artist, size: 5, fields: { Id: { column: ArtistId } }"), ERROR_PLAN_INVALID,
         "'size' is for pages"},
        {TABLE("pages: a.b, fields: { Id: { column: $page } }"), ERROR_PLAN_INVALID,
         "there is no entity whose"},
    };
    RUN_CASES(cases);
}

static void paths(void **state)
{
    (void)state;
    static const struct fault_case cases[] = {
        {FIELDS("X: { lookup: Invoice, column: Total }"), ERROR_PLAN_INVALID,
         "no foreign key leads from Customer up to Invoice; Invoice refers to Customer: it has many rows"},
        {FIELDS("X: { aggregate: Employee, value: count(*) }"), ERROR_PLAN_INVALID,
         "follow it with lookup:"},
        {FIELDS("X: { lookup: Artist, column: Name }"), ERROR_PLAN_INVALID,
         "say which columns are equal"},
        {FIELDS("X: { lookup: Employe, column: Name }"), ERROR_PLAN_INVALID,
         "did you mean 'Employee'?"},
        {FIELDS("X: { lookup: Employee, column: Nam }"), ERROR_PLAN_INVALID, "or aggregate 'Nam'"},
        {FIELDS("X: { lookup: Employee, match: { Nope: Phone }, column: HireDate }"),
         ERROR_PLAN_INVALID, "Employee has no column 'Nope'"},
        {FIELDS("X: { lookup: Employee, match: { LastName: LastName }, column: HireDate }"),
         ERROR_PLAN_INVALID, "several rows of Employee may have the same values"},
        {FIELDS("X: { lookup: Employee, value: constant }"), ERROR_PLAN_INVALID,
         "without a column"},
        {FIELDS("X: { aggregate: Invoice, value: avg(Total) }"), ERROR_NOT_IMPLEMENTED,
         "an average is not exact"},
        {FIELDS("X: { aggregate: Invoice, value: median(Total) }"), ERROR_PLAN_INVALID,
         "is no aggregate"},
        {FIELDS("X: { aggregate: Invoice, value: sum(*) }"), ERROR_PLAN_INVALID, "is no aggregate"},
        {FIELDS("X: { aggregate: Invoice, value: sum(Totl) }"), ERROR_PLAN_INVALID,
         "did you mean 'Total'?"},
        {FIELDS("X: { embed: Invoice, order: Totl }"), ERROR_PLAN_INVALID,
         "to order by; did you mean 'Total'?"},
        {FIELDS("X: { embed: Invoice, fields: { A: { embed: InvoiceLin } } }"), ERROR_PLAN_INVALID,
         "did you mean 'InvoiceLine'?"},
        {FIELDS("X: { embed: Invoice.InvoiceLine, match: { a: b } }"), ERROR_PLAN_INVALID,
         "'match' has no place"},
    };
    RUN_CASES(cases);
}

static void ambiguous_paths_show_the_ways(void **state)
{
    (void)state;
    struct plan_test two;
    plan_test_open(
        &two,
        "CREATE TABLE Person(Id INTEGER PRIMARY KEY, Name TEXT);"
        "CREATE TABLE Letter(Id INTEGER PRIMARY KEY, Sender INTEGER REFERENCES Person(Id), "
        "Receiver INTEGER REFERENCES Person(Id));"
        "INSERT INTO Person VALUES(1,'A'),(2,'B'); INSERT INTO Letter VALUES(1,1,2);",
        "dynamodb-json");
    plan_test_expect_code(
        &two,
        "transhume: 1\ntables: { t: { key: { partition: Id }, from: Letter, fields: { Id: copy, "
        "From: { lookup: Person, column: Name } } } }\n",
        ERROR_PLAN_INVALID, "there are 2 ways from Letter to Person; say which: match: { Id: ");
    plan_test_records(
        &two,
        "  t: { key: { partition: Id }, from: Letter, fields: { Id: copy, From: { lookup: Person, "
        "match: { Id: Sender }, column: Name }, To: { lookup: Person, match: { Id: Receiver }, "
        "column: Name } } }\n",
        "t {Id:1,From:\"A\",To:\"B\"}\n");
    plan_test_close(&two);
}

static void keys(void **state)
{
    (void)state;
    static const struct fault_case cases[] = {
        {"transhume: 1\ntables: { t: { from: Cheap } }\n", ERROR_PLAN_INVALID,
         "table 't' has no key"},
        {"transhume: 1\ntables: { t: { key: { partition: Nope }, from: Artist } }\n",
         ERROR_PLAN_INVALID, "p.yaml:2:34: the key 'Nope' is no field"},
        {"transhume: 1\ntables: { t: { key: [a, b, c], from: Artist, fields: { a: { column: ArtistId }, b: x, c: y "
         "} } }\n",
         ERROR_PLAN_INVALID, "the key of table 't' has 3 parts"},
        {"transhume: 1\ntables:\n  t:\n    key: { partition: PK }\n    entities:\n      a: { from: Artist, fields: { "
         "PK: \"{ArtistId}\" } }\n      b: { from: Album, fields: { X: \"{AlbumId}\" } }\n",
         ERROR_PLAN_INVALID, "p.yaml:7:7: entity 'b' has no field 'PK'"},
        {"transhume: 1\ntables: { t: { key: { partition: PK }, from: Artist, fields: { PK: { column: Name, when: "
         "\"1\" } } } }\n",
         ERROR_PLAN_INVALID, "has a 'when'"},
        {"transhume: 1\ntables: { t: { key: { partition: PK }, from: Artist, fields: { PK: { const: null } } } }\n",
         ERROR_PLAN_INVALID, "can not be a key"},
        {"transhume: 1\ntables:\n  t:\n    key: { partition: PK }\n    entities:\n      a: { from: Artist, fields: { "
         "PK: \"{ArtistId}\" } }\n      b: { from: Album, fields: { PK: { sql: AlbumId, cast: int64 } } }\n",
         ERROR_PLAN_INVALID, "is int64 in 'b' and text in another entity"},
        {"transhume: 1\ntables: { t: { key: { partition: Id }, indexes: { I: { partition: Nope } }, from: Artist, "
         "fields: { Id: { column: ArtistId } } } }\n",
         ERROR_PLAN_INVALID, "the index column 'Nope' is no field"},
        {"transhume: 1\ntables: { t: { key: { partition: Id }, indexes: { I: { sort: Id } }, from: Artist, fields: { "
         "Id: { column: ArtistId } } } }\n",
         ERROR_PLAN_INVALID, "does not say its columns"},
        {"transhume: 1\ntables: { _transhume_x: { key: { partition: ArtistId }, from: Artist } }\n",
         ERROR_PLAN_INVALID, "this program's own"},
        {"transhume: 1\ntables: { t: { key: { partition: Id }, entities: { q: { query: \"SELECT 1 AS Id\", fields: { "
         "Id: copy, N: { aggregate: Invoice, match: { InvoiceId: Id }, value: count(*) } } } } } }\n",
         ERROR_PLAN_INVALID, "'q' has no key by which child rows could be joined"},
    };
    RUN_CASES(cases);
}

static void lossy_mappings(void **state)
{
    (void)state;
    static const struct fault_case cases[] = {
        {"transhume: 1\ntables: { t: { key: [Id], from: Invoice, fields: { Id: { column: InvoiceId }, Total: { "
         "column: Total, cast: \"decimal(10,1)\" } } } }\n",
         ERROR_PLAN_LOSSY, "'Total' may lose something"},
        {"transhume: 1\ntables: { t: { key: [Id], from: Invoice, fields: { Id: { column: InvoiceId }, S: { sql: "
         "\"Total * 2\" } } } }\n",
         ERROR_PLAN_INVALID, "'Total' is an exact decimal, an expression over it needs a cast"},
        {"transhume: 1\ntables: { t: { key: [Id], from: Invoice, fields: { Id: { column: InvoiceId }, S: { sql: "
         "\"1\" } } } }\n",
         ERROR_PLAN_INVALID, "the type of 'S' is not known"},
        {"transhume: 1\ntables: { t: { key: [Id], columns: { Nope: { type: TEXT } }, from: Invoice, fields: { Id: { "
         "column: InvoiceId } } } }\n",
         ERROR_PLAN_INVALID, "the column 'Nope' is no field"},
        {"transhume: 1\ntables: { t: { key: [Id], references: { Id: x }, from: Invoice, fields: { Id: { column: "
         "InvoiceId } } } }\n",
         ERROR_PLAN_INVALID, "'x' names no column of a table; write TABLE.COLUMN"},
    };
    RUN_CASES(cases);
    plan_test_records(
        &shop,
        "  t: { key: [Id], from: Invoice, fields: { Id: { column: InvoiceId }, Total: { column: Total, "
        "cast: \"decimal(10,1)\", lossy: allow }, Twice: { sql: \"Total * 2\", cast: \"decimal(10,2)\" "
        "} } }\n",
        "t {Id:1,Total:2.0,Twice:3.96}\nt {Id:2,Total:4.0,Twice:7.92}\nt {Id:3,Total:0.0,Twice:0.00}\n");
}

/* Every word of a plan that is one of a few, misspelt: where it stands, and the nearest one. */
static void words_of_a_few(void **state)
{
    (void)state;
    static const struct fault_case cases[] = {
        {"transhume: 1\nexisting: refus\n", ERROR_PLAN_INVALID,
         "p.yaml:2:11: 'existing' is refuse|append|upsert|replace|skip|truncate, not 'refus'; did you mean "
         "'refuse'?"},
        {"transhume: 1\nexisting: Upsert\n", ERROR_PLAN_INVALID, "did you mean 'upsert'?"},
        {"transhume: 1\noptions: { express: flase }\n", ERROR_PLAN_INVALID,
         "p.yaml:2:21: 'express' is true or false, not 'flase'; did you mean 'false'?"},
        {"transhume: 1\noptions: { hashes: yes }\n", ERROR_PLAN_INVALID,
         "'hashes' is true or false, not 'yes'"},
        {"transhume: 1\noptions: { fail_fast: ture }\n", ERROR_PLAN_INVALID,
         "did you mean 'true'?"},
        {TABLE("from: Artist, existing: apend"), ERROR_PLAN_INVALID, "did you mean 'append'?"},
        {TABLE("from: Artist, billing: on-demand"), ERROR_PLAN_INVALID,
         "did you mean 'on_demand'?"},
        {TABLE("from: Artist, billing: { read: 5, wirte: 5 }"), ERROR_PLAN_INVALID,
         "did you mean 'write'?"},
        {TABLE("from: Artist, nulls: kep"), ERROR_PLAN_INVALID,
         "'nulls' is omit|keep, not 'kep'; did you mean 'keep'?"},
        {TABLE("from: Artist, indexes: { I: { columns: [Name], unique: treu } }"),
         ERROR_PLAN_INVALID, "did you mean 'true'?"},
        {TABLE("from: Artist, columns: { Name: { null: fals } }"), ERROR_PLAN_INVALID,
         "did you mean 'false'?"},
        {FIELDS("X: { column: Phone, cast: txt }"), ERROR_PLAN_INVALID,
         "'txt' is no type; did you mean 'text'?"},
        {FIELDS("X: { column: Phone, cast: int46 }"), ERROR_PLAN_INVALID, "did you mean 'int64'?"},
        {FIELDS("X: { column: Phone, cast: Timestamp }"), ERROR_PLAN_INVALID,
         "did you mean 'timestamp'?"},
        {FIELDS("X: { column: Phone, cast: INTEGER }"), ERROR_PLAN_INVALID,
         "p.yaml:5:33: 'INTEGER' is no type; known are: bool, int64"},
        {FIELDS("X: { column: Phone, cast: \"decimal(2,10)\" }"), ERROR_PLAN_INVALID, "is no type"},
        {FIELDS("X: { column: Phone, cast: \"int64(3)\" }"), ERROR_PLAN_INVALID, "is no type"},
        {FIELDS("X: { column: Phone, cast: text, lossy: alow }"), ERROR_PLAN_INVALID,
         "'lossy' is allow, not 'alow'; did you mean 'allow'?"},
        {FIELDS("X: { drop: treu }"), ERROR_PLAN_INVALID, "did you mean 'true'?"},
        {FIELDS("X: { aggregate: Invoice, value: cuont(*) }"), ERROR_PLAN_INVALID,
         "'cuont(*)' is no aggregate; did you mean 'count'? known are count(*)"},
        {FIELDS("X: { embed: Invoice, order: Total dsec }"), ERROR_PLAN_INVALID,
         "no column 'Total dsec' to order by"},
    };
    RUN_CASES(cases);
}

/* Of every type that the target knows, and of none that it does not. */
static void types_of_a_sql_target(void **state)
{
    (void)state;
    static const struct {
        const char *said;
        const char *near; /* NULL: known */
    } cases[] = {
        {"integer", NULL},
        {"VARCHAR(20)", NULL},
        {"NUMERIC(10,2)", NULL},
        {"numeric (10, 2)", NULL},
        {"DOUBLE PRECISION", NULL},
        {"BIGINT UNSIGNED", NULL},
        {"uuid", NULL},
        {"INTGER", "did you mean 'INTEGER'?"},
        {"NUMERIK(10,2)", "did you mean 'NUMERIC'?"},
        {"STRING", "`transhume connectors sqlite` lists its types"},
        {"TXET", "did you mean 'TEXT'?"},
        {"VARCHAR2(20)", "did you mean 'VARCHAR'?"},
        {"BOOLAEN", "did you mean 'BOOLEAN'?"},
        {"TIMESTAMPTZ", "did you mean 'TIMESTAMP'?"},
        {"NUMERIC(2,10)", "its numbers are (length)"},
        {"NUMERIC(10,2", "its numbers are"},
        {"TEXT(x)", "its numbers are"},
        {"TEXT PRIMARY KEY", "is no type of this target"},
        {"TEXT(5) NOT NULL", "its numbers are"},
        {"(none)", "is no type of this target"},
        {"ANY", "is no type of this target"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char tables[256];
        snprintf(
            tables, sizeof tables,
            "  t: { key: [Id], from: Artist, columns: { N: { type: \"%s\" } },\n"
            "       fields: { Id: { column: ArtistId }, N: { column: ArtistId, lossy: allow } } }\n",
            cases[i].said);
        if (cases[i].near == NULL) {
            plan_test_expect(&shop, plan_test_tables(&shop, tables));
        } else {
            plan_test_expect_code(&shop, plan_test_tables(&shop, tables), ERROR_PLAN_INVALID,
                                  cases[i].near);
            assert_true(shop.error.plan_line > 0 && shop.error.plan_column > 50);
        }
    }
    /* every name that it says it knows, it knows, whatever the case */
    for (const char *const *name = shop.target->connector->catalog->native_names; *name; name++) {
        struct value_type type;
        char sized[80];
        snprintf(sized, sizeof sized, "%s(7)", *name);
        assert_true(scalar_native_type(shop.target->connector, *name, &type));
        assert_true(type.kind != VALUE_MISSING && !type.dynamic);
        assert_true(scalar_native_type(shop.target->connector, sized, &type));
    }
}

static void all_faults_at_once(void **state)
{
    (void)state;
    plan_test_expect_faults(
        &shop,
        "transhume: 1\n"
        "sorce: x\n"
        "tables:\n"
        "  t:\n"
        "    kye: { partition: PK }\n"
        "    from: Artist\n"
        "    fields:\n"
        "      X: { colum: Name }\n",
        "p.yaml:2:1: 'sorce' is no key of a plan; did you mean 'source'?\n"
        "p.yaml:5:5: 'kye' is no key of a table; did you mean 'key'?\n"
        "p.yaml:8:12: 'colum' is no key of a field; did you mean 'column'?\n"
        "p.yaml:8:10: the field 'X' does not say where it comes from; one of: column, const, "
        "lookup, aggregate, sql, embed, drop\n");
    assert_non_null(strstr(shop.error.context, "4 faults"));
    assert_int_equal(shop.error.plan_line, 2);
    assert_int_equal(shop.error.plan_column, 1);
    plan_test_expect_faults(
        &shop,
        "transhume: 1\n"
        "tables:\n"
        "  t:\n"
        "    key: { partition: PK }\n"
        "    from: Artist\n"
        "    fields:\n"
        "      PK: \"{ArtistID2}\"\n"
        "      X: { column: Nome }\n"
        "  u: { key: { partition: Id }, from: Nope }\n",
        "p.yaml:9:38: the source has no table 'Nope'; known are: Album, Artist, Cheap, Customer, "
        "Employee, Invoice, InvoiceLine, Playlist, PlaylistTrack, Track\n"
        "p.yaml:7:13: Artist has no column, look-up or aggregate 'ArtistID2'; did you mean "
        "'ArtistId'?\n"
        "p.yaml:8:20: Artist has no column, look-up or aggregate 'Nome'; did you mean 'Name'?\n");
}

/* A long plan with all that there is. */
static const char whole[] =
    "transhume: 1\n"
    "source: sqlite:chinook.sqlite\n"
    "target: \"dynamodb-json:out\"            # a comment\n"
    "existing: refuse\n"
    "options: { jobs: 4, memory: 64MiB }\n"
    "tables:\n"
    "  orders:\n"
    "    key:     { partition: PK, sort: SK }\n"
    "    indexes: { GSI1: { partition: GSI1PK, sort: GSI1SK } }\n"
    "    billing: { read: 5, write: 5 }\n"
    "    entities:\n"
    "      customer:\n"
    "        from: Customer\n"
    "        fields:\n"
    "          PK: \"CUSTOMER#{CustomerId}\"\n"
    "          SK: \"PROFILE\"\n"
    "          GSI1PK: \"NAME#{LastName}\"\n"
    "          GSI1SK: \"CUSTOMER#{CustomerId}\"\n"
    "          \"*\": copy\n"
    "          Company: { drop: true }\n"
    "          EntityType: { const: Customer }\n"
    "          Phone:    { column: Phone, default: \"none\" }\n"
    "          SupportRepName: { lookup: Employee, value: \"{FirstName} {LastName}\" }\n"
    "          SupportRepHired: { lookup: Employee, column: HireDate }\n"
    "          TotalOrders:    { aggregate: Invoice, value: \"count(*)\" }\n"
    "          TotalSpent:     { aggregate: Invoice, value: \"sum(Total)\" }\n"
    "          Regular:        { const: true, when: \"TotalOrders > 5\" }\n"
    "          FullName:       { sql: \"FirstName || ' ' || LastName\" }\n"
    "          Zip: { column: Country, cast: text, when: \"Country = 'USA'\" }\n"
    "      order:\n"
    "        from: Invoice\n"
    "        where: \"Total > 0\"\n"
    "        fields:\n"
    "          PK: \"CUSTOMER#{CustomerId}\"\n"
    "          SK: \"ORDER#{InvoiceDate}#{InvoiceId:010}\"\n"
    "          LineItems:\n"
    "            embed: InvoiceLine\n"
    "            order: InvoiceLineId\n"
    "            fields:\n"
    "              \"*\": copy\n"
    "              InvoiceId: { drop: true }\n"
    "              ArtistName: { lookup: Track.Album.Artist, column: Name }\n";

/* A column whose values may be of any kind may hold numbers; one of a fixed kind may not. */
static void sums_are_of_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *table;
        const char *value;
        bool good;
    } cases[] = {
        {"fixed", "sum(n)", true}, {"fixed", "sum(r)", true}, {"fixed", "sum(t)", false},
        {"fixed", "max(t)", true}, {"loose", "sum(t)", true}, {"loose", "sum(u)", true},
    };
    struct plan_test test;
    plan_test_open(&test,
                   "CREATE TABLE a(id INTEGER PRIMARY KEY);"
                   "CREATE TABLE fixed(id INTEGER PRIMARY KEY, a INT REFERENCES a, n INT, r REAL, "
                   "t TEXT) STRICT;"
                   "CREATE TABLE loose(id INTEGER PRIMARY KEY, a INT REFERENCES a, t TEXT, u);",
                   "dynamodb-json");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char tables[256];
        snprintf(tables, sizeof tables,
                 "  t: { key: { partition: id }, from: a, fields: { id: copy, "
                 "X: { aggregate: %s, value: %s } } }\n",
                 cases[i].table, cases[i].value);
        if (cases[i].good) {
            plan_test_expect(&test, plan_test_tables(&test, tables));
        } else {
            plan_test_expect_code(&test, plan_test_tables(&test, tables), ERROR_PLAN_INVALID,
                                  "fixed.t holds no numbers");
        }
    }
    plan_test_close(&test);
}

static void truncations_and_garbage_never_crash(void **state)
{
    (void)state;
    plan_test_expect(&shop, whole);
    size_t length = strlen(whole);
    char *text = malloc(length + 1);
    assert_non_null(text);
    uint32_t good = 0;
    for (size_t cut = 0; cut <= length; cut++) {
        memcpy(text, whole, cut);
        text[cut] = '\0';
        good += plan_test_resolve(&shop, text) == STATUS_OK;
        assert_true(shop.plan != NULL || shop.error.code != ERROR_NONE);
    }
    assert_true(good > 0 && good < length);
    struct random random = random_start();
    static const char bytes[] = "{}[]:,#\"'*&!|>-?%@`\t\n\\ \x80\xc3"
                                "ax0";
    for (long round = 0; round < test_rounds(2000); round++) {
        memcpy(text, whole, length + 1);
        for (uint64_t i = random_below(&random, 4) + 1; i > 0; i--) {
            text[random_below(&random, length)] = bytes[random_below(&random, sizeof bytes - 1)];
        }
        if (plan_test_resolve(&shop, text) != STATUS_OK) {
            assert_int_not_equal(shop.error.code, ERROR_NONE);
            assert_int_not_equal(shop.error.code, ERROR_INTERNAL);
        }
    }
    free(text);
}

int main(void)
{
#define WITH_SHOP(test) cmocka_unit_test_setup_teardown(test, open_shop, close_shop)
#define WITH_SQL(test) cmocka_unit_test_setup_teardown(test, open_sql, close_shop)
    const struct CMUnitTest tests[] = {
        WITH_SHOP(syntax),
        WITH_SHOP(depth_and_size_are_bounded),
        WITH_SHOP(form),
        WITH_SHOP(names),
        WITH_SHOP(paths),
        WITH_SHOP(keys),
        WITH_SQL(lossy_mappings),
        WITH_SHOP(words_of_a_few),
        WITH_SQL(types_of_a_sql_target),
        WITH_SHOP(all_faults_at_once),
        WITH_SHOP(truncations_and_garbage_never_crash),
        cmocka_unit_test(ambiguous_paths_show_the_ways),
        cmocka_unit_test(sums_are_of_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
