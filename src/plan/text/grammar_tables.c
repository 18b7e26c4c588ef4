/* The keys of a plan. */
#include "plan/text/grammar.h"

#include <stddef.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define POLICIES "refuse|append|upsert|replace|skip|truncate"
#define EPOCH_UNITS "epoch_s|epoch_ms|epoch_us|epoch_ns"

static const struct grammar_key option_keys[] = {
    {"jobs", FORM_WHOLE, NULL, NULL, false, false, "chunk workers at once"},
    {"memory", FORM_TEXT, NULL, NULL, false, false, "bytes for caches and queues: 64MiB"},
    {"chunk_rows", FORM_WHOLE, NULL, NULL, false, false, "records a chunk, about"},
    {"batch_rows", FORM_WHOLE, NULL, NULL, false, false, "records a batch, at most"},
    {"batch_bytes", FORM_TEXT, NULL, NULL, false, false, "bytes a batch, about"},
    {"max_rejects", FORM_TEXT, NULL, NULL, false, false, "rejects after which a run fails"},
    {"fail_fast", FORM_BOOLEAN, NULL, NULL, false, false, "end at the first reject"},
    {"rows_per_second", FORM_TEXT, NULL, NULL, false, false, "cap of the rate"},
    {"bytes_per_second", FORM_TEXT, NULL, NULL, false, false, "cap of the rate"},
    {"read_units_per_second", FORM_TEXT, NULL, NULL, false, false, "cap of capacity, source"},
    {"write_units_per_second", FORM_TEXT, NULL, NULL, false, false, "cap of capacity, target"},
    {"pause_running", FORM_TEXT, NULL, NULL, false, false,
     "pause while others run more statements"},
    {"pause_statement", FORM_TEXT, NULL, NULL, false, false,
     "pause while one of them takes longer"},
    {"pause_lag", FORM_TEXT, NULL, NULL, false, false, "pause while a replica is further behind"},
    {"timeout", FORM_TEXT, NULL, NULL, false, false, "longest single wait: 30s"},
    {"stall", FORM_TEXT, NULL, NULL, false, false, "report when nothing moved for so long"},
    {"time_zone", FORM_TEXT, NULL, NULL, false, false, "zone of timestamps that name none"},
    {"ledger", FORM_TEXT, NULL, NULL, false, false,
     "database that keeps the ledger; without: the target"},
    {"ledger_schema", FORM_TEXT, NULL, NULL, false, false,
     "schema of the target that keeps the ledger; without: that of the tables"},
    {"express", FORM_BOOLEAN, NULL, NULL, false, false, "may the target pull from the source"},
    {"hashes", FORM_BOOLEAN, NULL, NULL, false, false, "hash sums of what was written"},
    {"rollback_keys", FORM_BOOLEAN, NULL, NULL, false, false, "keep keys for rollback everywhere"},
    {"indexes", FORM_CHOICE, NULL, "keep|rebuild", false, false, "secondary ones that are there"},
    {"triggers", FORM_CHOICE, NULL, "keep|disable", false, false, "of tables that are there"},
    {"broken_references", FORM_CHOICE, NULL, "keep|reject", false, false, "orphaned rows"},
    {"nested", FORM_CHOICE, NULL, "json|tables", false, false, "lists of maps in documents"},
    {"grants", FORM_BOOLEAN, NULL, NULL, false, false, "carry owners and grants of a plain copy"},
    {"definer", FORM_CHOICE, NULL, "keep|self|refuse", false, false,
     "as whom triggers, views … run"},
    {"before_images", FORM_BOOLEAN, NULL, NULL, false, false, "keep what is overwritten"},
};
static const struct grammar_map option_map = {"options", option_keys, COUNT(option_keys)};

static const struct grammar_key key_keys[] = {
    {"partition", FORM_TEXT | FORM_LIST, NULL, NULL, true, false, "the fields that place a record"},
    {"sort", FORM_TEXT, NULL, NULL, false, false, "the field that orders records of one place"},
    {"clustering", FORM_TEXT | FORM_LIST | FORM_ORDERED, NULL, "asc|desc", false, false,
     "the fields that do, each NAME or NAME: desc"},
    {"static", FORM_TEXT | FORM_LIST, NULL, NULL, false, false, "fields with one value a place"},
};
static const struct grammar_map key_map = {"a key", key_keys, COUNT(key_keys)};

static const struct grammar_key index_keys[] = {
    {"partition", FORM_TEXT, NULL, NULL, false, false, "key-value stores: the place"},
    {"sort", FORM_TEXT, NULL, NULL, false, false, "key-value stores: the order"},
    {"columns", FORM_TEXT | FORM_LIST, NULL, NULL, false, false, "SQL: the columns"},
    {"unique", FORM_BOOLEAN, NULL, NULL, false, false, "SQL: no two records share them"},
    {"local", FORM_BOOLEAN, NULL, NULL, false, false,
     "key-value stores: kept with the table's partition"},
    {"projection", FORM_CHOICE | FORM_LIST, NULL, "all|keys", false, false,
     "key-value stores: the fields in it beside the keys"},
};
static const struct grammar_map index_map = {"an index", index_keys, COUNT(index_keys)};

static const struct grammar_key billing_keys[] = {
    {"read", FORM_WHOLE, NULL, NULL, true, false, "read capacity units"},
    {"write", FORM_WHOLE, NULL, NULL, true, false, "write capacity units"},
};
static const struct grammar_map billing_map = {"billing", billing_keys, COUNT(billing_keys)};

static const struct grammar_key column_keys[] = {
    {"type", FORM_TEXT, NULL, NULL, false, false, "the target's own type: NUMERIC(10,2)"},
    {"null", FORM_BOOLEAN, NULL, NULL, false, false, "may it be NULL?"},
};
static const struct grammar_map column_map = {"a column", column_keys, COUNT(column_keys)};

static const struct grammar_key hook_keys[] = {
    {"sql", FORM_TEXT, NULL, NULL, false, false, "statements"},
    {"in", FORM_CHOICE, NULL, "target|source", false, false, "the database that runs the SQL"},
    {"command", FORM_TEXT | FORM_LIST, NULL, NULL, false, false,
     "for /bin/sh, or a program and its arguments; needs --allow-commands"},
    {"env", FORM_TEXT | FORM_LIST, NULL, NULL, false, false,
     "names of variables that the command gets besides"},
    {"timeout", FORM_TEXT, NULL, NULL, false, false, "the longest that it may take"},
    {"once", FORM_BOOLEAN, NULL, NULL, false, false,
     "false: a resume runs it again if it had begun and is not known to be done"},
};
static const struct grammar_map hook_map = {"a hook", hook_keys, COUNT(hook_keys)};

#define HOOK_KEY(name, help)                                  \
    {                                                         \
        name, FORM_ITEMS, &hook_map, NULL, false, false, help \
    }

#define ENTITY_KEYS                                                                                \
    {"from", FORM_TEXT, NULL, NULL, false, false, "the source table or view"},                     \
        {"query", FORM_TEXT, NULL, NULL, false, false, "a SELECT in the source's language"},       \
        {"pages", FORM_TEXT, NULL, NULL, false, false, "ENTITY.FIELD: the list to cut"},           \
        {"size", FORM_WHOLE, NULL, NULL, false, false, "items a page"},                            \
        {"where", FORM_TEXT, NULL, NULL, false, false, "records for which it is true"},            \
        {"when", FORM_TEXT, NULL, NULL, false, false, "the same, of parents of pages too"},        \
        {"nulls", FORM_CHOICE, NULL, "omit|keep", false, false, "null columns: left out or kept"}, \
        {"match", FORM_VALUES, NULL, NULL, false, false, "what the entity's records have"},        \
        {"unnest", FORM_TEXT | FORM_LIST, NULL, NULL, false, false, "a nested list as rows"},      \
        {"distinct", FORM_BOOLEAN, NULL, NULL, false, false, "one of many equal records"},         \
        {"since", FORM_TEXT, NULL, NULL, false, false, "a column: only what changed since"},       \
        {"overlap", FORM_TEXT, NULL, NULL, false, false, "how far before that it begins: 5m"},     \
        {"deletes", FORM_CHOICE, NULL, "keep|compare", false, false, "of what the source lost"},   \
    {                                                                                              \
        "fields", FORM_FIELDS, NULL, NULL, false, false, "what the records hold"                   \
    }

static const struct grammar_key entity_keys[] = {
    ENTITY_KEYS,
    {"key", FORM_TEXT | FORM_LIST, NULL, NULL, false, false,
     "columns that identify a row of the query"},
};
const struct grammar_map grammar_entity = {"an entity", entity_keys, COUNT(entity_keys)};

static const struct grammar_key table_keys[] = {
    {"key", FORM_TEXT | FORM_LIST | FORM_MAP, &key_map, NULL, false, false, "the primary key"},
    {"indexes", FORM_NAMED, &index_map, NULL, false, false, "secondary indexes"},
    {"billing", FORM_CHOICE | FORM_MAP, &billing_map, "on_demand", false, false, "how it is paid"},
    {"ttl", FORM_TEXT, NULL, NULL, false, false,
     "the field that says when a record expires, in seconds since 1970"},
    {"tags", FORM_TEXTS, NULL, NULL, false, false, "labels of the table: NAME: value"},
    {"with", FORM_PROPERTIES, NULL, NULL, false, false,
     "Cassandra: how a table that is made is kept: gc_grace_seconds: 86400"},
    {"existing", FORM_CHOICE, NULL, POLICIES, false, false, "what to do about records there"},
    {"columns", FORM_NAMED, &column_map, NULL, false, false, "SQL: types and nulls"},
    {"references", FORM_TEXTS, NULL, NULL, false, false, "SQL: COLUMN: TABLE.COLUMN"},
    {"renumber", FORM_BOOLEAN, NULL, NULL, false, false,
     "SQL: its records get new keys, after those that are there"},
    HOOK_KEY("before", "SQL and commands before its first record"),
    HOOK_KEY("after", "the same, once it is whole"),
    HOOK_KEY("before_chunk", "SQL in each chunk's transaction, before its records"),
    HOOK_KEY("after_chunk", "the same, behind them"),
    {"entities", FORM_NAMED, &grammar_entity, NULL, false, false, "the kinds of its records"},
    ENTITY_KEYS,
};
const struct grammar_map grammar_table = {"a table", table_keys, COUNT(table_keys)};

static const struct grammar_key type_keys[] = {
    {"table", FORM_TEXT, NULL, NULL, false, false, "a pattern of source tables"},
    {"column", FORM_TEXT, NULL, NULL, false, false, "a pattern of their columns"},
    {"from", FORM_TEXT, NULL, NULL, false, false,
     "a pattern of the columns' types in the source's own words; or with cast: what their numbers "
     "count, as in fields"},
    {"to", FORM_CHOICE, NULL, EPOCH_UNITS, false, false,
     "with cast: what their times become a number of"},
    {"kind", FORM_TEXT, NULL, NULL, false, false, "a pattern of the columns' kinds"},
    {"cast", FORM_TEXT, NULL, NULL, false, false, "the kind that they become"},
    {"type", FORM_TEXT, NULL, NULL, false, false, "SQL: the target's own type: NUMERIC(10,2)"},
    {"lossy", FORM_CHOICE, NULL, "allow", false, false, "rounding or cutting is fine"},
    {"default", FORM_ANY, NULL, NULL, false, false,
     "in place of null, and of days 0000-00-00 that the target can't hold"},
    {"empty", FORM_CHOICE, NULL, "null", false, false, "empty texts become null"},
    {"drop", FORM_BOOLEAN, NULL, NULL, false, false, "not in the target"},
};
static const struct grammar_map type_map = {"a rule of types", type_keys, COUNT(type_keys)};

static const struct grammar_key receiver_keys[] = {
    {"alertmanager", FORM_TEXT, NULL, NULL, false, false, "URL of a Prometheus Alertmanager"},
    {"webhook", FORM_TEXT, NULL, NULL, false, false, "URL that JSON is posted to, as Slack's"},
    {"command", FORM_TEXT | FORM_LIST, NULL, NULL, false, false,
     "a program and its arguments; JSON on its stdin; needs --allow-commands"},
    {"env", FORM_TEXT | FORM_LIST, NULL, NULL, false, false,
     "names of variables that the program gets besides"},
    {"email", FORM_TEXT, NULL, NULL, false, false, "an address"},
    {"sendmail", FORM_TEXT | FORM_LIST, NULL, NULL, false, false,
     "the program that sends e-mail, and its arguments"},
    {"events", FORM_TEXT | FORM_LIST, NULL, NULL, false, false,
     "kinds of events: anomaly, stall, error, run …"},
    {"codes", FORM_TEXT | FORM_LIST, NULL, NULL, false, false,
     "patterns of their codes: throughput.*"},
    {"severity", FORM_CHOICE, NULL, "error|warning|info", false, false, "the least severe"},
    {"group", FORM_TEXT, NULL, NULL, false, false, "what begins within it is one message"},
    {"repeat", FORM_TEXT, NULL, NULL, false, false, "what goes on is told again after it"},
    {"resolved", FORM_BOOLEAN, NULL, NULL, false, false, "told when it is over, too"},
    {"timeout", FORM_TEXT, NULL, NULL, false, false, "the longest that telling may take"},
};
static const struct grammar_map receiver_map = {"a receiver of alerts", receiver_keys,
                                                COUNT(receiver_keys)};

static const struct grammar_key alerts_keys[] = {
    {"alerts", FORM_NAMED, &receiver_map, NULL, true, false, "who is told of trouble"},
};
const struct grammar_map grammar_alerts = {"a file of alerts", alerts_keys, COUNT(alerts_keys)};

#define LETTERS "keep|lower|snake"

static const struct grammar_key since_keys[] = {
    {"column", FORM_TEXT, NULL, NULL, true, false, "of the tables that have it"},
    {"overlap", FORM_TEXT, NULL, NULL, false, false,
     "how far before the last value reading begins"},
    {"deletes", FORM_CHOICE, NULL, "keep|compare", false, false, "what the source has no more"},
};
static const struct grammar_map since_map = {"since", since_keys, COUNT(since_keys)};

static const struct grammar_key names_keys[] = {
    {"letters", FORM_CHOICE, NULL, LETTERS, false, false, "as they are, small, or in snake case"},
    {"prefix", FORM_TEXT, NULL, NULL, false, false, "before the name of each table"},
    {"tables", FORM_TEXTS, NULL, NULL, false, false,
     "PATTERN: NAME; the first that fits, and its * is the pattern's"},
    {"columns", FORM_TEXTS, NULL, NULL, false, false, "the same for columns"},
};
static const struct grammar_map names_map = {"names", names_keys, COUNT(names_keys)};

static const struct grammar_key mask_keys[] = {
    {"key", FORM_TEXT, NULL, NULL, false, false, "a secret that masks are made with"},
    {"columns", FORM_TEXTS, NULL, NULL, true, false,
     "TABLE.COLUMN, a pattern: hash, redact, partial or fake"},
};
static const struct grammar_map mask_map = {"mask", mask_keys, COUNT(mask_keys)};

static const struct grammar_key plan_keys[] = {
    {"transhume", FORM_WHOLE, NULL, NULL, true, false, "the version of the plan language: 1"},
    {"source", FORM_TEXT, NULL, NULL, false, false, "URI of the source"},
    {"target", FORM_TEXT, NULL, NULL, false, false, "URI of the target"},
    {"existing", FORM_CHOICE, NULL, POLICIES, false, false, "what to do about records there"},
    {"schemas", FORM_TEXT | FORM_LIST, NULL, NULL, false, false,
     "schemas of the source; MySQL, MariaDB: databases"},
    {"include", FORM_TEXT | FORM_LIST, NULL, NULL, false, false, "patterns of source tables"},
    {"exclude", FORM_TEXT | FORM_LIST, NULL, NULL, false, false, "patterns of source tables"},
    {"names", FORM_CHOICE | FORM_MAP, &names_map, LETTERS, false, false,
     "what tables and columns are called that the plan does not name"},
    {"mask", FORM_MAP, &mask_map, NULL, false, false, "values that the target is not to have"},
    {"since", FORM_TEXT | FORM_MAP, &since_map, NULL, false, false,
     "a column: of each table that has it, only what changed since"},
    {"unmatched", FORM_CHOICE | FORM_TEXTS, NULL, "reject|skip", false, false,
     "records that fit no entity's match"},
    {"relations", FORM_RELATIONS, NULL, NULL, false, false,
     "foreign keys of a source that declares none: TABLE: { COLUMN: TABLE.COLUMN }"},
    {"udts", FORM_RECORDS, NULL, NULL, false, false,
     "Cassandra: types made of fields, which columns may have: NAME: { FIELD: TYPE }"},
    {"types", FORM_CHOICE | FORM_NAMED, &type_map, "keep", false, false,
     "rules for the types of columns that are copied as they are; the first that fits holds"},
    {"options", FORM_MAP, &option_map, NULL, false, false, "how the run goes"},
    {"alerts", FORM_NAMED, &receiver_map, NULL, false, false, "who is told of trouble"},
    HOOK_KEY("before", "SQL and commands before anything is made or written"),
    HOOK_KEY("after", "the same, once all is counted"),
    HOOK_KEY("on_failure", "the same, each time that the run fails"),
    {"tables", FORM_NAMED, &grammar_table, NULL, false, false, "the target's tables"},
};
const struct grammar_map grammar_plan = {"a plan", plan_keys, COUNT(plan_keys)};

static const struct grammar_key field_keys[] = {
    {"drop", FORM_BOOLEAN, NULL, NULL, false, false, "not in the target"},
    {"const", FORM_ANY, NULL, NULL, false, false, "always this value"},
    {"column", FORM_TEXT, NULL, NULL, false, false, "a column, $page or $list"},
    {"lookup", FORM_TEXT | FORM_LIST, NULL, NULL, false, false, "a path of foreign keys up"},
    {"aggregate", FORM_TEXT | FORM_LIST, NULL, NULL, false, false, "a path that starts down"},
    {"sql", FORM_TEXT, NULL, NULL, false, false, "an SQLite expression"},
    {"embed", FORM_TEXT | FORM_LIST, NULL, NULL, false, false, "a path that starts down"},
    {"value", FORM_TEXT, NULL, NULL, false, false, "a template, or count(*), sum(X) …"},
    {"match", FORM_TEXTS, NULL, NULL, false, false, "THEIRS: ours, where no foreign key says it"},
    {"cast", FORM_TEXT, NULL, NULL, false, false, "the kind that it becomes"},
    {"from", FORM_CHOICE, NULL, EPOCH_UNITS, false, false,
     "with cast: a number becomes the time that it counts to, from 1970 on in this unit"},
    {"to", FORM_CHOICE, NULL, EPOCH_UNITS, false, false,
     "with cast: a time becomes the number that counts to it"},
    {"default", FORM_ANY, NULL, NULL, false, false, "in place of null"},
    {"when", FORM_TEXT, NULL, NULL, false, false, "if false, the field is missing"},
    {"where", FORM_TEXT, NULL, NULL, false, false, "rows for which it is true"},
    {"order", FORM_TEXT | FORM_LIST, NULL, NULL, false, false, "columns that order the list"},
    {"fields", FORM_FIELDS, NULL, NULL, false, false, "what an item holds"},
    {"lossy", FORM_CHOICE, NULL, "allow", false, false, "rounding or cutting is fine"},
    {"parse", FORM_TEXT, NULL, NULL, false, false, "reads a template backwards"},
    {"take", FORM_TEXT, NULL, NULL, false, false, "which part of it"},
};
const struct grammar_map grammar_field = {"a field", field_keys, COUNT(field_keys)};

const struct grammar_field_form grammar_field_forms[] = {
    {"drop", "", NULL},
    {"const", "when", NULL},
    {"lookup", "value|column|match|cast|from|to|default|when|lossy", "value|column"},
    {"aggregate", "value|match|cast|from|to|when|lossy", "value"},
    {"sql", "cast|from|to|default|when|lossy", NULL},
    {"embed", "order|fields|when|match|where", NULL},
    {"column", "cast|from|to|default|when|lossy|parse|take", NULL},
};
const uint32_t grammar_field_form_count = COUNT(grammar_field_forms);
