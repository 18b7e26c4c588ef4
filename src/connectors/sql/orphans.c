/* Orphaned rows: their foreign key points nowhere. */
#include "connectors/sql/orphans.h"
#include "base/log.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static struct column_list names_of(const struct sql_orphans *orphans)
{
    return orphans->key.count > 0 ? orphans->key : orphans->columns;
}

void sql_orphans_append_from(struct buffer *sql, const struct sql_orphans *orphans)
{
    buffer_append_string(sql, " FROM ");
    orphans->append_table(sql, orphans->self, orphans->table);
    buffer_append_string(sql, " AS t WHERE ");
    buffer_append_byte(sql, '(');
    for (uint32_t i = 0; i < orphans->columns.count; i++) {
        buffer_append_string(sql, i == 0 ? "t." : orphans->full ? " OR t." : " AND t.");
        orphans->append_name(sql, orphans->columns.names[i]);
        buffer_append_string(sql, " IS NOT NULL");
    }
    buffer_append_string(sql, ") AND NOT EXISTS (SELECT 1 FROM ");
    orphans->append_table(sql, orphans->self, orphans->partner);
    buffer_append_string(sql, " AS p WHERE ");
    for (uint32_t i = 0; i < orphans->columns.count; i++) {
        buffer_append_string(sql, i > 0 ? " AND p." : "p.");
        orphans->append_name(sql, orphans->referenced.names[i]);
        bool equal = orphans->operators == NULL || orphans->operators[i] == NULL;
        buffer_format(sql, " %s %st.", equal ? "=" : orphans->operators[i],
                      orphans->plain ? "+" : "");
        orphans->append_name(sql, orphans->columns.names[i]);
        if (orphans->collations != NULL && orphans->collations[i] != NULL) {
            buffer_format(sql, " COLLATE %s", orphans->collations[i]);
        }
    }
    buffer_append_byte(sql, ')');
}

void sql_orphans_append_query(struct buffer *sql, const struct sql_orphans *orphans)
{
    const struct column_list names = names_of(orphans);
    buffer_append_string(sql, orphans->windowless ? "SELECT (SELECT count(*)"
                                                  : "SELECT count(*) OVER (");
    if (orphans->windowless) {
        sql_orphans_append_from(sql, orphans);
    }
    buffer_append_byte(sql, ')');
    for (uint32_t i = 0; i < names.count; i++) {
        buffer_append_string(sql, ", t.");
        orphans->append_name(sql, names.names[i]);
    }
    sql_orphans_append_from(sql, orphans);
    for (uint32_t i = 0; i < names.count; i++) {
        buffer_append_string(sql, i > 0 ? ", t." : " ORDER BY t.");
        orphans->append_name(sql, names.names[i]);
    }
    buffer_format(sql, " LIMIT %d", SQL_ORPHANS_NAMED_MAX);
}

static void append_shown(struct buffer *out, const char *text)
{
    char shown[80];
    text_printable(text, strlen(text), shown, sizeof shown);
    buffer_append_string(out, shown);
}

void sql_orphans_append_words(struct buffer *out, const struct sql_orphans *orphans,
                              uint32_t row_count,
                              const char *(*cell)(void *rows, uint32_t row, uint32_t column),
                              void *rows)
{
    const struct column_list names = names_of(orphans);
    if (row_count == 0) {
        return;
    }
    const char *count = cell(rows, 0, 0);
    bool one = strcmp(count, "1") == 0;
    buffer_format(out, "; %s orphaned %s: ", count, one ? "row" : "rows, the first of them");
    for (uint32_t row = 0; row < row_count; row++) {
        buffer_append_string(out, row > 0 ? "; " : "");
        for (uint32_t i = 0; i < names.count; i++) {
            buffer_append_string(out, i > 0 ? ", " : "");
            append_shown(out, names.names[i]);
            buffer_append_byte(out, ' ');
            append_shown(out, cell(rows, row, i + 1));
        }
    }
}

/* "child: the foreign key K refers to P" */
static void append_reference(struct buffer *out, const struct sql_orphans *orphans)
{
    append_shown(out, orphans->table);
    buffer_append_string(out, ": the foreign key ");
    append_shown(out, orphans->name);
    buffer_append_string(out, " refers to ");
    append_shown(out, orphans->partner);
}

void sql_orphans_append_line(struct buffer *out, const struct sql_orphans *orphans,
                             uint32_t row_count,
                             const char *(*cell)(void *rows, uint32_t row, uint32_t column),
                             void *rows)
{
    if (row_count > 0) {
        append_reference(out, orphans);
        sql_orphans_append_words(out, orphans, row_count, cell, rows);
        buffer_append_byte(out, '\n');
    }
}

enum status sql_orphans_pass_over(struct buffer *unasked, const struct sql_orphans *orphans,
                                  bool lost, struct error *error)
{
    if (lost || error->code == ERROR_MEMORY || error->code == ERROR_INTERRUPTED) {
        return STATUS_FAILED;
    }
    append_reference(unasked, orphans);
    buffer_format(unasked, "; orphaned rows can't be counted: %s\n", error->message);
    error_clear(error);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- why */

static void append_words(struct buffer *sql, const struct sql_orphans *orphans,
                         struct buffer *words)
{
    orphans->append_literal(sql, orphans->self, buffer_string(words));
    buffer_clear(words);
}

void sql_orphans_append_reason(struct buffer *sql, const struct sql_orphans *orphans)
{
    struct buffer words = {0};
    buffer_append_string(&words, "foreign key ");
    append_shown(&words, orphans->name);
    buffer_append_string(&words, ": no row of ");
    append_shown(&words, orphans->partner);
    buffer_append_string(&words, " has ");
    for (uint32_t i = 0; i < orphans->columns.count; i++) {
        buffer_append_string(&words, i > 0 ? ", " : "");
        append_shown(&words, orphans->referenced.names[i]);
        buffer_append_string(&words, " = ");
        buffer_append_string(sql, i > 0 ? orphans->joined_by : "");
        append_words(sql, orphans, &words);
        buffer_append_string(sql, orphans->joined_by);
        orphans->append_shown(sql, orphans->columns.names[i]);
    }
    buffer_free(&words);
}

/* ---------------------------------------------------------------- until none is left */

/* Where only their case tells two tables apart, more is looked at than need be. */
static bool is_same(const char *left, const char *right)
{
    return strcasecmp(left, right) == 0;
}

bool sql_reference_is_reached(const struct sql_reference *references, uint32_t count,
                              const struct sql_reference *reference)
{
    bool reached = false;
    for (uint32_t i = 0; !reached && i < count; i++) {
        reached = references[i].touched &&
                  is_same(references[i].orphans.table, reference->orphans.partner);
    }
    return reached;
}

bool sql_reference_is_first(const struct sql_reference *references, uint32_t count,
                            const struct sql_reference *reference)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(references[i].orphans.table, reference->orphans.table) == 0) {
            return &references[i] == reference;
        }
    }
    return false;
}

/* All of a table's are touched when one is. */
static bool touch(struct sql_reference *references, uint32_t count, const char *table)
{
    bool grown = false;
    for (uint32_t i = 0; i < count; i++) {
        if (!references[i].touched && is_same(references[i].orphans.table, table)) {
            references[i].touched = grown = true;
        }
    }
    return grown;
}

void sql_references_reach(struct sql_reference *references, uint32_t count)
{
    bool grown = true;
    for (uint32_t i = 0; i < count; i++) {
        references[i].touched = false;
    }
    while (grown) {
        grown = false;
        for (uint32_t i = 0; i < count; i++) {
            if ((references[i].broken && !references[i].unasked) ||
                sql_reference_is_reached(references, count, &references[i])) {
                grown |= touch(references, count, references[i].orphans.table);
            }
        }
    }
}

/* Once a key, however long the chains are. */
static void say_taken(const struct sql_reference *reference)
{
    const struct sql_orphans *orphans = &reference->orphans;
    if (reference->taken > 0) {
        log_write(LOG_WARNING, "%s: %" PRIu64 " orphaned %s to %s by the foreign key %s: rejected",
                  orphans->table, reference->taken,
                  reference->taken == 1 ? "row, which refers" : "rows, which refer",
                  orphans->partner, orphans->name);
    }
}

/* The records in the table and those taken out of it are the ones that the run wrote, but for equal
 * keys. */
static enum status check_count(const struct sql_orphans *orphans, const char *run_id,
                               sql_ask_number *ask, void *context, struct error *error)
{
    struct buffer sql = {0};
    char kept[SQL_OWN_NAME_BYTES];
    uint64_t there = 0;
    sql_orphans_name(run_id, orphans->table, kept);
    buffer_append_string(&sql, "SELECT (SELECT count(*) FROM ");
    orphans->append_table(&sql, orphans->self, orphans->table);
    buffer_append_string(&sql, ") + (SELECT count(*) FROM ");
    orphans->append_table(&sql, orphans->self, kept);
    buffer_append_byte(&sql, ')');
    enum status status = ask(context, &sql, &there, error);
    if (status != STATUS_OK || there <= orphans->records_written) {
        return status;
    }
    error_set(error, ERROR_RECONCILE, orphans->table,
              "%" PRIu64 " records were written, but %" PRIu64
              " are in the table: no orphaned row is deleted",
              orphans->records_written, there);
    error_hint(error, "did somebody else write to it? Move that away, then `transhume resume`");
    return STATUS_FAILED;
}

static enum status check_counts(const struct sql_reference *references, uint32_t count,
                                const char *run_id, sql_ask_number *ask, void *context,
                                struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        if (references[i].touched && sql_reference_is_first(references, count, &references[i])) {
            status = check_count(&references[i].orphans, run_id, ask, context, error);
        }
    }
    return status;
}

enum status sql_references_mend(struct sql_reference *references, uint32_t count,
                                const char *run_id, sql_take_orphans *take, sql_ask_number *ask,
                                void *context, struct error *error)
{
    bool any = true;
    for (uint32_t i = 0; i < count; i++) {
        references[i].due = references[i].broken;
        references[i].taken = 0;
    }
    while (any) {
        any = false;
        for (uint32_t i = 0; i < count; i++) {
            struct sql_reference *reference = &references[i];
            uint64_t taken = 0;
            if (!reference->due || reference->unasked) {
                continue;
            }
            reference->due = false;
            if (take(context, &reference->orphans, &taken, error) != STATUS_OK) {
                return STATUS_FAILED;
            }
            reference->taken += taken;
            for (uint32_t j = 0; taken > 0 && j < count; j++) {
                references[j].due |=
                    is_same(references[j].orphans.partner, reference->orphans.table);
            }
            any = true;
        }
    }
    if (check_counts(references, count, run_id, ask, context, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < count; i++) {
        say_taken(&references[i]);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- telling */

void sql_orphans_name(const char *run_id, const char *table, char name[SQL_OWN_NAME_BYTES])
{
    const uint64_t other = 0x6f727068616e73; /* than the table's undo records */
    sql_undo_prefix(run_id, name);
    size_t length = strlen(name);
    length += text_from_uint64(sql_name_hash(table) ^ other, name + length);
    name[length] = '\0';
}

/* The very name is taken among names that only their case tells apart. */
static const struct cell *field_of(const struct cell *record, const char *name)
{
    const struct cell *alike = NULL;
    for (uint32_t i = 0; i < record->length; i++) {
        const struct cell *field = &record->items[2 * (size_t)i];
        if (field->length != strlen(name)) {
            continue;
        }
        if (memcmp(field->text, name, field->length) == 0) {
            return field + 1;
        }
        if (alike == NULL && strncasecmp(field->text, name, field->length) == 0) {
            alike = field + 1;
        }
    }
    return alike;
}

struct telling {
    struct sql_database *self;
    const struct target_table *table;
    int64_t last; /* number of the record that was told last */
    target_orphan_found *found;
    void *context;
};

static enum status tell_one(struct telling *telling, const struct cell *whole, struct arena *arena,
                            struct error *error)
{
    const uint32_t ours = 2; /* the reason at the beginning, the number at the end */
    const struct target_table *table = telling->table;
    struct cell *key = arena_allocate_zeroed(arena, (size_t)table->key.count + 1, sizeof *key);
    const struct cell *reason = field_of(whole, SQL_ORPHANS_REASON);
    const struct cell *last = field_of(whole, SQL_ORPHANS_NUMBER);
    if (reason == NULL || reason->kind != VALUE_TEXT || last == NULL || last->kind != VALUE_INT64 ||
        whole->length < ours) {
        return error_set(error, ERROR_LEDGER_INVALID, table->name,
                         "what was taken out of it is not as it was written");
    }
    const struct cell record = cell_items(VALUE_MAP, whole->items + 2, whole->length - ours);
    char why[1024];
    text_printable(reason->text, reason->length, why, sizeof why);
    for (uint32_t i = 0; i < table->key.count; i++) {
        const struct cell *part = field_of(&record, table->key.names[i]);
        key[i] = part != NULL ? *part : cell_null();
    }
    telling->last = last->i64;
    return telling->found(telling->context, key, table->key.count, &record, why, error);
}

/* So many that their bytes stay few. */
static uint32_t next_rows(uint32_t rows, uint64_t bytes)
{
    enum { ROWS_FIRST = 16, ROWS_MAX = 512, BYTES_WANTED = 1 << 20 };
    if (rows == 0) {
        return ROWS_FIRST;
    }
    return bytes > BYTES_WANTED ? (rows > 1 ? rows / 2 : 1) : rows < ROWS_MAX ? rows * 2 : rows;
}

static enum status tell_page(struct telling *telling, const struct sql_table *kept,
                             struct batch *batch, uint32_t rows, struct error *error)
{
    const struct sql_dialect *dialect = telling->self->dialect;
    struct buffer from = {0};
    struct arena *arena = arena_create(0);
    dialect->quoting->append_table(&from, telling->self, kept->schema->name);
    buffer_format(&from,
                  " WHERE " SQL_ORPHANS_NUMBER " > %lld ORDER BY " SQL_ORPHANS_NUMBER " LIMIT %u",
                  (long long)telling->last, rows);
    enum status status =
        dialect->read_records(telling->self, kept, buffer_string(&from), batch, error);
    for (uint32_t i = 0; status == STATUS_OK && i < batch->row_count; i++) {
        status = tell_one(telling, batch_row(batch, i), arena, error);
    }
    buffer_free(&from);
    arena_destroy(arena);
    return status;
}

static enum status tell_all(struct telling *telling, const struct sql_table *kept,
                            struct error *error)
{
    enum status status = STATUS_OK;
    uint32_t rows = next_rows(0, 0);
    for (bool end = false; status == STATUS_OK && !end;) {
        struct batch *batch = batch_create(NULL, 1, rows);
        status = tell_page(telling, kept, batch, rows, error);
        end = batch->row_count < rows;
        rows = next_rows(rows, arena_bytes(batch->arena));
        batch_destroy(batch);
    }
    return status;
}

static enum status tell_within(struct telling *telling, struct error *error)
{
    struct sql_database *self = telling->self;
    struct sql_table kept;
    struct arena *arena = arena_create(0);
    char name[SQL_OWN_NAME_BYTES];
    sql_orphans_name(self->run_id, telling->table->name, name);
    enum status status = self->dialect->describe(self, name, arena, &kept, error);
    status = status == STATUS_OK ? tell_all(telling, &kept, error) : status;
    arena_destroy(arena);
    return status == STATUS_END ? STATUS_OK : status;
}

enum status sql_orphans_tell(struct database *database, const struct target_table *table,
                             target_orphan_found *found, void *context, struct error *error)
{
    struct sql_database *self = sql_database_of(database);
    struct telling telling = {.self = self, .table = table, .found = found, .context = context};
    if (self->dialect->begin(self, SQL_LOOKS, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return self->dialect->end(self, tell_within(&telling, error), error);
}
