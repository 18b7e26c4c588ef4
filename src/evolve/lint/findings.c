/* The findings of a lint: its rules, and what is known of the tables that it meets. */
#include "evolve/lint/lint_internal.h"
#include <inttypes.h>
#include <string.h>

enum { REWRITES = 1, OPTIONAL = 2, BY_SIZE = 4 };

/* Short ones, so that rules.def can be read. */
enum {
    SQL = 1 << LINT_SQL,
    CQL = 1 << LINT_CQL,
    DYNAMODB = 1 << LINT_DYNAMODB,
    HTTP = 1 << LINT_HTTP,
    MONGO = 1 << LINT_MONGO,
    P = 1 << SQL_POSTGRES,
    M = 1 << SQL_MYSQL,
    S = 1 << SQL_SQLITE
};

static const struct lint_rule rules[] = {
#define LINT_RULE(name, id, kinds, dialects, level, lock, flags, message, help) \
    {id,                                                                        \
     kinds,                                                                     \
     dialects,                                                                  \
     LINT_##level,                                                              \
     LINT_LOCK_##lock,                                                          \
     ((flags)&REWRITES) != 0,                                                   \
     ((flags)&OPTIONAL) != 0,                                                   \
     ((flags)&BY_SIZE) != 0,                                                    \
     message,                                                                   \
     help},
#include "evolve/lint/rules.def"
#undef LINT_RULE
};

const struct lint_rule *lint_rules(uint32_t *count)
{
    *count = LINT_RULE_COUNT;
    return rules;
}

/* Other names of some. */
static const struct {
    const char *name;
    enum lint_rule_number rule;
} other_names[] = {
    {"prefer-timestamptz", LINT_RULE_PREFER_TIMESTAMPTZ},
    {"DS102", LINT_RULE_BAN_DROP_TABLE},
    {"DS103", LINT_RULE_BAN_DROP_COLUMN},
    {"BC101", LINT_RULE_RENAMING_TABLE},
    {"BC102", LINT_RULE_RENAMING_COLUMN},
    {"CD101", LINT_RULE_DROPPING_CONSTRAINT},
    {"MF101", LINT_RULE_UNIQUE_MAY_FAIL},
    {"MF103", LINT_RULE_ADDING_REQUIRED_FIELD},
    {"MY101", LINT_RULE_ADDING_REQUIRED_FIELD},
    {"MY102", LINT_RULE_INLINE_REFERENCES},
    {"LT101", LINT_RULE_ADDING_REQUIRED_FIELD},
    {"PG101", LINT_RULE_REQUIRE_CONCURRENT_INDEX},
    {"PG102", LINT_RULE_REQUIRE_CONCURRENT_INDEX_DELETION},
    {"PG103", LINT_RULE_BAN_CONCURRENT_IN_TRANSACTION},
    {"PG104", LINT_RULE_ADDING_PRIMARY_KEY},
    {"PG105", LINT_RULE_DISALLOWED_UNIQUE},
    {"PG301", LINT_RULE_CHANGING_COLUMN_TYPE},
    {"PG302", LINT_RULE_ADDING_FIELD_WITH_DEFAULT},
    {"PG303", LINT_RULE_ADDING_NOT_NULL},
    {"PG304", LINT_RULE_ADDING_PRIMARY_KEY},
    {"PG305", LINT_RULE_CONSTRAINT_MISSING_NOT_VALID},
    {"PG306", LINT_RULE_ADDING_FOREIGN_KEY},
};

const struct lint_rule *lint_rule_find(const char *id, size_t length)
{
    for (uint32_t i = 0; i < LINT_RULE_COUNT; i++) {
        if (strlen(rules[i].id) == length && strncmp(rules[i].id, id, length) == 0) {
            return &rules[i];
        }
    }
    for (size_t i = 0; i < sizeof other_names / sizeof other_names[0]; i++) {
        if (strlen(other_names[i].name) == length &&
            strncmp(other_names[i].name, id, length) == 0) {
            return &rules[other_names[i].rule];
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- findings */

static bool is_listed(const char *const *ids, const char *id)
{
    for (; ids != NULL && *ids != NULL; ids++) {
        if (strcmp(*ids, id) == 0) {
            return true;
        }
    }
    return false;
}

static bool counts(const struct lint_input *input, const struct lint_rule *rule)
{
    bool language = input->kind != LINT_SQL || (rule->dialects & 1u << input->language) != 0;
    return language && (rule->kinds & 1u << input->kind) != 0 &&
           !is_listed(input->without, rule->id) &&
           (!rule->is_optional || is_listed(input->with, rule->id));
}

static struct lint_finding *lint_findings_add(struct lint_file *file, enum lint_rule_number number,
                                              const struct sql_span *span, const char *message)
{
    struct lint_report *report = file->report;
    const struct lint_rule *rule = &rules[number];
    if (!counts(file->input, rule)) {
        return NULL;
    }
    report->findings = arena_make_room(report->arena, report->findings, report->count,
                                       &report->capacity, sizeof *report->findings);
    struct lint_finding *finding = &report->findings[report->count++];
    *finding = (struct lint_finding){
        .file = file->input->file,
        .rule = rule,
        .level = rule->level,
        .lock = rule->lock,
        .place = span->place,
        .end = sql_span_end(span),
        .message = message != NULL ? arena_copy_string(report->arena, message) : rule->message,
        .help = rule->help};
    return finding;
}

void lint_add(struct lint_file *file, enum lint_rule_number rule, const struct sql_span *span,
              const char *message)
{
    (void)lint_findings_add(file, rule, span, message);
}

void lint_set_lock(struct lint_file *file, enum lint_rule_number rule, enum lint_lock lock)
{
    struct lint_report *report = file->report;
    if (report->count > file->first_finding &&
        report->findings[report->count - 1].rule == &rules[rule]) {
        report->findings[report->count - 1].lock = lock;
    }
}

void lint_add_help(struct lint_file *file, enum lint_rule_number rule, const struct sql_span *span,
                   const char *message, const char *help)
{
    struct lint_finding *finding = lint_findings_add(file, rule, span, message);
    if (finding != NULL) {
        finding->help = help;
    }
}

/* Small enough that a lock or a rewrite takes no time that anyone sees. */
static bool is_small(const struct schema_table *table)
{
    enum { FEW_ROWS = 1000, FEW_BYTES = 1 << 20 };
    return table->row_count >= 0 && table->row_count <= FEW_ROWS && table->size_bytes <= FEW_BYTES;
}

static void append_size(struct buffer *out, const struct schema_table *table)
{
    enum { MIB = 1 << 20 };
    if (table->row_count >= 0) {
        buffer_format(out, " The table has about %" PRId64 " rows", table->row_count);
        if (table->size_bytes >= MIB) {
            buffer_format(out, " in %" PRId64 " MiB", table->size_bytes / MIB);
        }
        buffer_append_byte(out, '.');
    }
}

void lint_add_of(struct lint_file *file, enum lint_rule_number rule, const struct sql_span *span,
                 const struct sql_name *table, const char *message)
{
    struct lint_finding *finding = lint_findings_add(file, rule, span, message);
    const struct schema_table *known = lint_table(file, table);
    if (finding == NULL || known == NULL || !finding->rule->goes_by_size) {
        return;
    }
    finding->table = known;
    struct buffer text = {0};
    buffer_append_string(&text, finding->message);
    append_size(&text, known);
    finding->message = arena_copy_string(file->report->arena, buffer_string(&text));
    finding->level = is_small(known) ? LINT_NOTE : finding->level;
    buffer_free(&text);
}

/* ---------------------------------------------------------------- what is known */

bool lint_is_created(const struct lint_file *file, const struct sql_name *table)
{
    for (uint32_t i = 0; i < file->created_count; i++) {
        if (table->name != NULL && strcmp(file->created[i], table->name) == 0) {
            return true;
        }
    }
    return false;
}

const struct schema_table *lint_table(const struct lint_file *file, const struct sql_name *table)
{
    const struct schema *schema = file->input->schema;
    if (schema == NULL || table == NULL || table->name == NULL) {
        return NULL;
    }
    const struct schema_table *found = NULL;
    if (table->space != NULL) {
        char *full = arena_format(file->arena, "%s.%s", table->space, table->name);
        found = schema_find_table(schema, full);
    }
    return found != NULL ? found : schema_find_table(schema, table->name);
}

const struct schema_column *lint_column(const struct lint_file *file, const struct sql_name *table,
                                        const char *column)
{
    const struct schema_table *known = lint_table(file, table);
    int number = known != NULL && column != NULL ? schema_find_column(known, column) : -1;
    return number >= 0 ? &known->columns[number] : NULL;
}

/* ---------------------------------------------------------------- statements */

static void add_statement(struct lint_file *file, const struct sql_piece *piece, uint32_t *capacity)
{
    /* A text that the server takes for a comment is none of ours. */
    enum sql_language language = file->input->language;
    if (sql_classify(language, piece, file->input->server_version) !=
        sql_classify(language, piece, 0)) {
        return;
    }
    file->statements = arena_make_room(file->arena, file->statements, file->count, capacity,
                                       sizeof *file->statements);
    struct lint_statement *statement = &file->statements[file->count++];
    statement->piece = *piece;
    statement->class = sql_classify(file->input->language, piece, file->input->server_version);
    sql_statement_read(file->input->language, piece, file->arena, &statement->parsed);
}

void lint_add_syntax(struct lint_file *file, const char *what, const struct sql_place *place)
{
    const struct sql_span span = {file->input->text, 0, *place};
    lint_add(file, LINT_RULE_SYNTAX, &span, what);
}

/* A command of psql that runs or reads what is not in the file. */
static void judge_command(struct lint_file *file, const struct sql_piece *piece)
{
    static const char *const harmless[] = {"\\restrict", "\\unrestrict", "\\echo", "\\set",
                                           "\\encoding", "\\timing",     "\\pset", "\\qecho"};
    if (file->input->language == SQL_MYSQL) {
        return; /* DELIMITER */
    }
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++) {
        size_t length = strlen(harmless[i]);
        if (piece->length >= length && strncmp(piece->text, harmless[i], length) == 0) {
            return;
        }
    }
    size_t word = 1;
    while (word < piece->length && strchr(" \t\r\n", piece->text[word]) == NULL) {
        word++;
    }
    char *message = arena_format(file->arena, "%.*s is a command of another client.",
                                 (int)(word < 40 ? word : 40), piece->text);
    lint_add_syntax(file, message, &piece->place);
}

void lint_read_statements(struct lint_file *file)
{
    struct sql_splitter splitter;
    struct sql_piece piece;
    uint32_t capacity = 0;
    sql_splitter_init(&splitter, file->input->language);
    sql_splitter_window(&splitter, file->input->text, file->input->length, true);
    while (sql_splitter_next(&splitter, &piece) == STATUS_OK) {
        if (piece.fault != NULL) {
            char *message = arena_format(file->arena, "There is %s.", piece.fault);
            lint_add_syntax(file, message, &piece.fault_place);
        }
        if (piece.kind == SQL_PIECE_STATEMENT) {
            add_statement(file, &piece, &capacity);
        } else if (piece.kind == SQL_PIECE_COMMAND) {
            judge_command(file, &piece);
        }
    }
}

/* ---------------------------------------------------------------- the whole */
