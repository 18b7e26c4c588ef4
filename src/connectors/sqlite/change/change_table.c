/* All operations on one table: by its schema alone, or as a second table. */
#include "connectors/sqlite/change/change.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NEEDS_ROWS_MAX = 20000 }; /* an index on more rows is no short transaction */

struct shadowing {
    struct sqlite_change_plan *plan;
    struct sqlite_change_form form;
    uint32_t operation;
    const char *table, *shadow, *queue;
    bool by_rowid;
    struct sql_shadow_list key; /* names, bare and quoted */
    struct buffer into, values, differs;
};

/* ---------------------------------------------------------------- by the schema alone */

/* Operations for which SQLite writes into its schema, and no row. */
static bool is_light(const struct change_operation *operation, uint64_t rows)
{
    const struct change_value *value = &operation->value;
    const struct change_value *column = change_get(value, "column");
    if (strcmp(operation->kind, "add_column") == 0) {
        return change_text(value, "up") == NULL && change_get(column, "unique") == NULL &&
               !change_is_true(column, "pk") && change_get(column, "check") == NULL;
    }
    if (strcmp(operation->kind, "create_index") == 0) {
        return rows <= NEEDS_ROWS_MAX;
    }
    return strcmp(operation->kind, "rename_column") == 0 ||
           strcmp(operation->kind, "drop_index") == 0;
}

static void plan_light(struct sqlite_change_plan *plan, uint32_t operation)
{
    const struct change_operation *item = &plan->change->operations[operation];
    const struct change_value *value = &item->value;
    const char *table = change_text(value, "table");
    struct change_step step = {.phase = CHANGE_EXPAND,
                               .operation = operation,
                               .title = item->kind,
                               .lock = ALTER_LOCK_WRITES};
    struct buffer sql = {0};
    if (strcmp(item->kind, "add_column") == 0) {
        const struct change_value *column = change_get(value, "column");
        sqlite_append(&sql, "ALTER TABLE %n ADD COLUMN ", table);
        sqlite_change_append_column(&sql, column);
        step.undo = sqlite_change_format(plan, "ALTER TABLE %n DROP COLUMN %n", table,
                                         change_text(column, "name"));
    } else if (strcmp(item->kind, "create_index") == 0) {
        sqlite_change_append_index(&sql, value);
        step.undo = sqlite_change_format(plan, "DROP INDEX %n", change_text(value, "name"), NULL);
    } else if (strcmp(item->kind, "drop_index") == 0) {
        sqlite_append(&sql, "DROP INDEX %n", change_text(value, "name"));
        step.phase = CHANGE_CONTRACT;
    } else {
        sqlite_append(&sql, "ALTER TABLE %n RENAME COLUMN %n TO %n", table,
                      change_text(value, "from"), change_text(value, "to"));
        step.phase = CHANGE_CONTRACT;
    }
    step.text = sqlite_change_text(plan, &sql);
    sqlite_change_add(plan, &step);
    sqlite_change_tell(plan, operation, "by the schema alone", NULL);
}

/* ---------------------------------------------------------------- columns and the key */

static const struct sqlite_change_value *value_of(const struct shadowing *self, const char *column)
{
    const struct sqlite_change_value *found = NULL;
    for (uint32_t i = 0; i < self->form.value_count; i++) {
        found =
            strcasecmp(self->form.values[i].column, column) == 0 ? &self->form.values[i] : found;
    }
    return found;
}

static enum status read_key(struct shadowing *self, struct error *error)
{
    struct sqlite_change_plan *plan = self->plan;
    struct buffer sql = {0};
    struct sql_shadow_rows rows;
    sqlite_append(&sql, "SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = %q",
                  self->table);
    if (sqlite_change_query(&plan->session->base, &sql, plan->arena, &rows, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    self->by_rowid = rows.count > 0 && rows.cells[0][0] != NULL && rows.cells[0][0][0] == '0';
    if (self->by_rowid) {
        self->key.items[self->key.count++] = "rowid";
        return STATUS_OK;
    }
    sqlite_append(&sql, "SELECT name FROM pragma_table_info(%q) WHERE pk > 0 ORDER BY pk",
                  self->table);
    if (sqlite_change_query(&plan->session->base, &sql, plan->arena, &rows, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < rows.count && i < SQL_SHADOW_KEY_MAX; i++) {
        const struct sqlite_change_value *value = NULL;
        for (uint32_t j = 0; j < self->form.value_count; j++) {
            const struct sqlite_change_value *one = &self->form.values[j];
            value = one->old != NULL && strcasecmp(one->old, rows.cells[i][0]) == 0 ? one : value;
        }
        if (value != NULL) {
            error_set(error, ERROR_CHANGE_REFUSED, self->table,
                      "its key is changed, and it has no row numbers to be copied by");
            return STATUS_FAILED;
        }
        self->key.items[self->key.count++] =
            sqlite_change_format(plan, "%n", rows.cells[i][0], NULL);
    }
    return STATUS_OK;
}

/* Values of the shadow: an expression stands for itself, since t is the only table it can see. */
static enum status read_columns(struct shadowing *self, struct error *error)
{
    struct sql_shadow_rows rows;
    struct buffer sql = {0};
    sqlite_append(
        &sql,
        "SELECT name, (SELECT count(*) FROM pragma_table_xinfo(%q) WHERE hidden = 0) FROM "
        "pragma_table_xinfo(%q) WHERE hidden = 0",
        self->table, self->table);
    const char *text = sqlite_change_text(self->plan, &sql);
    if (sqlite_change_form_ask(self->plan, &self->form, text, &rows, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(&self->into, self->by_rowid ? "rowid" : "");
    buffer_append_string(&self->values, self->by_rowid ? "t.rowid" : "");
    for (uint32_t i = 0; i < rows.count; i++) {
        const char *name = rows.cells[i][0];
        const struct sqlite_change_value *value = value_of(self, name);
        if (value != NULL && value->old == NULL && value->up == NULL) {
            continue; /* a new one, which gets its default */
        }
        const char *comma = self->into.length > 0 ? ", " : "";
        sqlite_append(&self->into, "%s%n", comma, name);
        if (value != NULL && value->up != NULL) {
            buffer_format(&self->values, "%s(%s)", comma, value->up);
            continue;
        }
        const char *old = value != NULL ? value->old : name;
        sqlite_append(&self->values, "%st.%n", comma, old);
        sqlite_append(&self->differs, "%sNOT (t.%n IS s.%n COLLATE BINARY)",
                      self->differs.length > 0 ? " OR " : "", old, name);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- steps */

static void change_table_add(struct shadowing *self, enum change_phase phase, const char *title,
                             struct buffer *sql, const char *undo, bool joined)
{
    sqlite_change_add(self->plan,
                      &(struct change_step){.phase = phase,
                                            .operation = self->operation,
                                            .title = title,
                                            .text = sqlite_change_text(self->plan, sql),
                                            .undo = undo,
                                            .settings = phase == CHANGE_CONTRACT
                                                            ? "PRAGMA legacy_alter_table = ON"
                                                            : NULL,
                                            .lock = ALTER_LOCK_WRITES,
                                            .joined = joined});
}

/* A column of the notes may have the name rowid, and then it is meant by it. */
static void append_noted(struct buffer *sql, const struct shadowing *self, const char *row)
{
    sqlite_append(sql, "INSERT INTO %n (", self->queue);
    for (uint32_t i = 0; i < self->key.count; i++) {
        buffer_format(sql, "%s%s", i > 0 ? ", " : "", self->key.items[i]);
    }
    buffer_append_string(sql, ") VALUES (");
    for (uint32_t i = 0; i < self->key.count; i++) {
        buffer_format(sql, "%s%s.%s", i > 0 ? ", " : "", row, self->key.items[i]);
    }
    buffer_append_string(sql, "); ");
}

static void add_triggers(struct shadowing *self)
{
    static const char *const events[] = {"DELETE", "UPDATE", "INSERT"};
    for (size_t i = 0; i < 3; i++) {
        struct buffer sql = {0};
        const char *name = arena_format(self->plan->arena, "%s_%c", self->shadow, "dui"[i]);
        sqlite_append(&sql, "CREATE TRIGGER %n AFTER %s ON %n BEGIN ", name, events[i],
                      self->table);
        if (i != 2) {
            append_noted(&sql, self, "OLD");
        }
        if (i != 0) {
            append_noted(&sql, self, "NEW");
        }
        buffer_append_string(&sql, "END");
        change_table_add(self, CHANGE_EXPAND,
                         arena_format(self->plan->arena, "trigger on %s", events[i]), &sql,
                         sqlite_change_format(self->plan, "DROP TRIGGER %n", name, NULL), false);
    }
}

static struct sql_shadow_list prefixed(struct shadowing *self, const char *prefix)
{
    struct sql_shadow_list list = {0};
    for (uint32_t i = 0; i < self->key.count; i++) {
        list.items[list.count++] =
            arena_format(self->plan->arena, "%s%s", prefix, self->key.items[i]);
    }
    return list;
}

static void add_batches(struct shadowing *self, enum change_phase phase, enum sql_shadow_kind kind,
                        const char *title)
{
    struct sqlite_change_plan *plan = self->plan;
    struct sql_shadow words = {.kind = kind,
                               .table = sqlite_change_format(plan, "%n", self->table, NULL),
                               .shadow = sqlite_change_format(plan, "%n", self->shadow, NULL),
                               .queue = sqlite_change_format(plan, "%n", self->queue, NULL),
                               .hint = "",
                               .shadow_hint = "",
                               .lock = "",
                               .skip = "",
                               .into = buffer_string(&self->into),
                               .values = buffer_string(&self->values),
                               .differs =
                                   self->differs.length > 0 ? buffer_string(&self->differs) : "0",
                               .key = prefixed(self, "t."),
                               .at = prefixed(self, "t."),
                               .shadow_key = prefixed(self, "s."),
                               .queue_key = prefixed(self, "q."),
                               .tight = self->by_rowid};
    for (uint32_t i = 0; i < words.key.count; i++) {
        words.literal.items[words.literal.count++] =
            arena_format(plan->arena, "quote(%s)", words.key.items[i]);
    }
    sqlite_change_add(plan, &(struct change_step){.phase = phase,
                                                  .kind = CHANGE_BATCHES,
                                                  .operation = self->operation,
                                                  .title = title,
                                                  .text = sql_shadow_write(&words, plan->arena),
                                                  .rewrites = kind == SQL_SHADOW_COPY});
}

/* ---------------------------------------------------------------- the switch */

static void append_key_list(struct buffer *sql, const struct sql_shadow_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        buffer_format(sql, "%s%s", i > 0 ? ", " : "", list->items[i]);
    }
}

/* The rows that were noted last, within the transaction that switches. */
static void add_last_rows(struct shadowing *self)
{
    struct buffer sql = {0};
    struct sql_shadow_list queue = prefixed(self, "q.");
    sqlite_append(&sql, "DELETE FROM %n WHERE (", self->shadow);
    append_key_list(&sql, &self->key);
    buffer_append_string(&sql, ") IN (SELECT ");
    append_key_list(&sql, &queue);
    sqlite_append(&sql, " FROM %n AS q)", self->queue);
    change_table_add(self, CHANGE_CONTRACT, "rows that changed last", &sql, NULL, false);
    sqlite_append(&sql, "INSERT INTO %n (%s) SELECT %s FROM %n AS t WHERE (", self->shadow,
                  buffer_string(&self->into), buffer_string(&self->values), self->table);
    struct sql_shadow_list table = prefixed(self, "t.");
    append_key_list(&sql, &table);
    buffer_append_string(&sql, ") IN (SELECT ");
    append_key_list(&sql, &queue);
    sqlite_append(&sql, " FROM %n AS q)", self->queue);
    change_table_add(self, CHANGE_CONTRACT, "rows that changed last", &sql, NULL, true);
}

static enum status add_switch(struct shadowing *self, struct error *error)
{
    struct sqlite_change_plan *plan = self->plan;
    struct buffer sql = {0};
    struct sql_shadow_rows triggers;
    struct sql_shadow_rows indexes;
    struct sql_shadow_rows counted;
    sqlite_append(&sql,
                  "SELECT sql FROM main.sqlite_schema WHERE type = 'trigger' AND tbl_name = %q "
                  "COLLATE NOCASE ORDER BY rowid",
                  self->table);
    enum status status =
        sqlite_change_query(&plan->session->base, &sql, plan->arena, &triggers, error);
    status = status == STATUS_OK
                 ? sqlite_change_form_ask(plan, &self->form,
                                          "SELECT sql FROM sqlite_schema WHERE type = 'index' AND "
                                          "sql IS NOT NULL ORDER BY rowid",
                                          &indexes, error)
                 : status;
    buffer_append_string(&sql, "SELECT 1 FROM main.sqlite_schema WHERE name = 'sqlite_sequence'");
    status = status == STATUS_OK
                 ? sqlite_change_query(&plan->session->base, &sql, plan->arena, &counted, error)
                 : status;
    if (status != STATUS_OK) {
        return status;
    }
    add_last_rows(self);
    if (counted.count > 0) {
        sqlite_append(&sql,
                      "UPDATE sqlite_sequence SET seq = max(seq, (SELECT o.seq FROM "
                      "sqlite_sequence AS o WHERE o.name = %q)) WHERE name = %q AND EXISTS "
                      "(SELECT 1 FROM sqlite_sequence AS o WHERE o.name = %q)",
                      self->table, self->shadow, self->table);
        change_table_add(self, CHANGE_CONTRACT, "what it counts on from", &sql, NULL, true);
    }
    sqlite_append(&sql, "DROP TABLE %n", self->table);
    change_table_add(self, CHANGE_CONTRACT, "drop the old form", &sql, NULL, true);
    sqlite_append(&sql, "ALTER TABLE %n RENAME TO %n", self->shadow, self->table);
    change_table_add(self, CHANGE_CONTRACT, "the new form gets its name", &sql, NULL, true);
    for (uint32_t i = 0; i < indexes.count + triggers.count; i++) {
        buffer_append_string(&sql, i < indexes.count ? indexes.cells[i][0]
                                                     : triggers.cells[i - indexes.count][0]);
        change_table_add(self, CHANGE_CONTRACT, i < indexes.count ? "an index" : "a trigger", &sql,
                         NULL, true);
    }
    sqlite_append(&sql, "DROP TABLE %n", self->queue);
    change_table_add(self, CHANGE_CONTRACT, "drop the notes", &sql, NULL, true);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- all of it */

static enum status add_tables(struct shadowing *self, struct error *error)
{
    struct sqlite_change_plan *plan = self->plan;
    struct sql_shadow_rows rows;
    struct buffer sql = {0};
    enum status status = sqlite_change_form_ask(
        plan, &self->form,
        "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB 'sqlite_*'", &rows,
        error);
    if (status != STATUS_OK) {
        return status;
    }
    /* behind the name, whatever quotes it has */
    const char *body = strchr(rows.cells[0][0], '(');
    sqlite_append(&sql, "CREATE TABLE %n %s", self->shadow, body != NULL ? body : "");
    change_table_add(self, CHANGE_EXPAND, "the new form, as a table beside it", &sql,
                     sqlite_change_format(plan, "DROP TABLE %n", self->shadow, NULL), false);
    sqlite_append(&sql, "CREATE TABLE %n (_n INTEGER PRIMARY KEY", self->queue);
    for (uint32_t i = 0; i < self->key.count; i++) {
        buffer_format(&sql, ", %s", self->key.items[i]);
    }
    buffer_append_byte(&sql, ')');
    change_table_add(self, CHANGE_EXPAND, "notes of rows that change", &sql,
                     sqlite_change_format(plan, "DROP TABLE %n", self->queue, NULL), false);
    return STATUS_OK;
}

static enum status plan_shadow(struct shadowing *self, struct error *error)
{
    enum status status = read_key(self, error);
    status = status == STATUS_OK ? read_columns(self, error) : status;
    status = status == STATUS_OK ? add_tables(self, error) : status;
    if (status != STATUS_OK) {
        return status;
    }
    add_triggers(self);
    add_batches(self, CHANGE_FILL, SQL_SHADOW_COPY, "copy the rows that are there");
    add_batches(self, CHANGE_FILL, SQL_SHADOW_DRAIN, "rows that changed meanwhile");
    add_batches(self, CHANGE_PROVE, SQL_SHADOW_PROVE, "compare both forms row by row");
    add_batches(self, CHANGE_CONTRACT, SQL_SHADOW_DRAIN, "rows that changed meanwhile");
    status = add_switch(self, error);
    sqlite_change_tell(self->plan, self->operation,
                       "a second table, copied in small transactions, switched in one",
                       "its indexes are made within the transaction that switches");
    return status;
}

static enum status count_rows(struct sqlite_change_plan *plan, const char *table, uint64_t *rows,
                              struct error *error)
{
    struct sql_shadow_rows found;
    enum status status = sqlite_change_query(
        &plan->session->base,
        sqlite_sql("SELECT count(*) FROM (SELECT 1 FROM %n LIMIT %d)", table, NEEDS_ROWS_MAX + 1),
        plan->arena, &found, error);
    *rows = status == STATUS_OK && found.count > 0 ? strtoull(found.cells[0][0], NULL, 10) : 0;
    return status;
}

enum status sqlite_change_plan_table(struct sqlite_change_plan *plan, uint32_t first,
                                     struct error *error)
{
    const struct change *change = plan->change;
    const char *version = change->version != NULL ? change->version : "0";
    const char *table = change_text(&change->operations[first].value, "table");
    struct shadowing self = {
        .plan = plan,
        .operation = first,
        .table = table,
        .shadow = arena_format(plan->arena, "_transhume_%s_%s", version, table),
        .queue = arena_format(plan->arena, "_transhume_%s_%s_queue", version, table)};
    uint64_t rows = 0;
    bool light = true;
    enum status status = sqlite_change_form_open(plan, table, &self.form, error);
    status = status == STATUS_OK ? count_rows(plan, table, &rows, error) : status;
    for (uint32_t i = first; i < change->count && status == STATUS_OK; i++) {
        const char *other = sqlite_change_is_of_table(change->operations[i].kind)
                                ? change_text(&change->operations[i].value, "table")
                                : NULL;
        if (other != NULL && strcasecmp(other, table) == 0) {
            light = light && is_light(&change->operations[i], rows);
            status = sqlite_change_form_apply(plan, &self.form, &change->operations[i], error);
        }
    }
    for (uint32_t i = first; i < change->count && status == STATUS_OK && light; i++) {
        const char *other = sqlite_change_is_of_table(change->operations[i].kind)
                                ? change_text(&change->operations[i].value, "table")
                                : NULL;
        if (other != NULL && strcasecmp(other, table) == 0) {
            plan_light(plan, i);
        }
    }
    status = status == STATUS_OK && !light ? plan_shadow(&self, error) : status;
    sqlite_change_form_close(&self.form);
    buffer_free(&self.into);
    buffer_free(&self.values);
    buffer_free(&self.differs);
    return status;
}
