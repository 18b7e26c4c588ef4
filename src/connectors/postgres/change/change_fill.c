/* The steps that fill rows, and those that prove them: how batches are told what to do.
 *
 * {"fill":"007","table":["public","users"],"keys":[["id","integer","pg_catalog"]],"set":[["c","expr"]],"where":"…"}
 * {"fill":…,"table":[…],"keys":[…],"into":["public","t"],"columns":"…","values":"…","if":"…","conflict":"…"}
 * {"fill":…,"table":[…],"keys":[…],"from":["public","t"],"on":"…","key":"…","by":"OPERATOR(…)","set":"…","equal":"…"}
 * {"table":[…],"keys":[…],"holds":"…"}
 */
#include "connectors/postgres/change/change.h"
#include "model/json_writer.h"
#include <string.h>

static void append_text(struct buffer *out, const char *text)
{
    json_append_string(out, text, strlen(text));
}

static void append_place(const struct compiler *compiler, const struct altered_table *table,
                         struct buffer *out)
{
    buffer_append_string(out, "\"table\":[");
    append_text(out, compiler->schema);
    buffer_append_byte(out, ',');
    append_text(out, table->old);
    buffer_append_string(out, "],\"keys\":[");
    for (uint32_t i = 0; i < table->key_count; i++) {
        buffer_append_string(out, i > 0 ? ",[" : "[");
        append_text(out, table->keys[i]);
        buffer_append_byte(out, ',');
        append_text(out, table->key_types[i]);
        const char *space = change_space(table, table->keys[i]);
        buffer_append_byte(out, ',');
        append_text(out, space != NULL ? space : "pg_catalog");
        buffer_append_byte(out, ']');
    }
    buffer_append_byte(out, ']');
}

/* "c IS NOT DISTINCT FROM CAST((expr) AS type)" */
static void append_equal(struct compiler *compiler, const struct altered_column *column,
                         const char *operation, bool equal, struct buffer *sql)
{
    buffer_append_string(sql, change_compare(compiler, operation, equal,
                                             change_sql(compiler, "%n", column->carrier),
                                             arena_format(compiler->arena, "CAST((%s\n) AS %s)",
                                                          column->up.text, column->type)));
}

/* The value of a row that nobody wrote since is the one that the column was made with: the
 * expression, which may cost more than all else, need not be evaluated to know that. */
static void append_pending(struct compiler *compiler, const struct altered_column *column,
                           struct buffer *sql)
{
    buffer_append_string(sql, sql->length > 0 ? " OR " : "");
    if (column->default_sql == NULL) {
        postgres_append(sql, "%n IS NULL OR ", column->carrier);
    }
    append_equal(compiler, column, NULL, false, sql);
}

static void add_fill(struct compiler *compiler, const struct altered_table *table)
{
    struct buffer text = {0};
    struct buffer where = {0};
    bool is_volatile = false;
    const char *comma = "";
    buffer_append_string(&text, "{\"fill\":");
    append_text(&text, compiler->change->version);
    buffer_append_byte(&text, ',');
    append_place(compiler, table, &text);
    buffer_append_string(&text, ",\"set\":[");
    for (uint32_t i = 0; i < table->count; i++) {
        const struct altered_column *column = &table->columns[i];
        if (!column->fills || column->hidden) {
            continue;
        }
        buffer_format(&text, "%s[", comma);
        append_text(&text, column->carrier);
        buffer_append_byte(&text, ',');
        append_text(&text, arena_format(compiler->arena, "CAST((%s\n) AS %s)", column->up.text,
                                        column->assigned));
        buffer_append_byte(&text, ']');
        comma = ",";
        append_pending(compiler, column, &where);
        is_volatile = is_volatile || column->up.is_volatile;
    }
    buffer_append_string(&text, "],\"where\":");
    append_text(&text, is_volatile ? "true" : change_text_of(compiler, &where));
    buffer_append_byte(&text, '}');
    buffer_free(&where);
    struct change_step *step = change_step_add(
        compiler, CHANGE_FILL, arena_format(compiler->arena, "fill %s", table->name));
    step->kind = CHANGE_BATCHES;
    step->text = change_text_of(compiler, &text);
}

static void add_proof(struct compiler *compiler, struct change_steps *steps,
                      const struct change_step *step)
{
    steps->items = arena_make_room(compiler->arena, steps->items, steps->count, &steps->capacity,
                                   sizeof(*steps->items));
    steps->items[steps->count++] = *step;
}

void change_prove(struct compiler *compiler, enum change_phase phase,
                  const struct altered_table *table, const char *title, const char *holds,
                  bool again)
{
    struct buffer text = {0};
    buffer_append_byte(&text, '{');
    append_place(compiler, table, &text);
    buffer_append_string(&text, ",\"holds\":");
    append_text(&text, holds);
    buffer_append_byte(&text, '}');
    const struct change_step step = {.phase = phase,
                                     .kind = CHANGE_BATCHES,
                                     .operation = compiler->number,
                                     .title = title,
                                     .text = change_text_of(compiler, &text),
                                     .again = again};
    /* In CHANGE_PROVE they come before all that shuts anybody out. */
    add_proof(compiler, phase == CHANGE_PROVE ? &compiler->proofs : &compiler->steps[phase], &step);
}

/* ---------------------------------------------------------------- two tables */

static void append_pair(struct buffer *out, const char *key, const char *text)
{
    buffer_append_byte(out, ',');
    append_text(out, key);
    buffer_append_byte(out, ':');
    append_text(out, text);
}

static void append_other(const struct compiler *compiler, const char *key,
                         const struct altered_table *table, struct buffer *out)
{
    buffer_format(out, ",\"%s\":[", key);
    append_text(out, compiler->schema);
    buffer_append_byte(out, ',');
    append_text(out, table->old);
    buffer_append_byte(out, ']');
}

static void begin_fill(const struct compiler *compiler, const struct altered_table *table,
                       struct buffer *text)
{
    buffer_append_string(text, "{\"fill\":");
    append_text(text, compiler->change->version);
    buffer_append_byte(text, ',');
    append_place(compiler, table, text);
}

static void end_fill(struct compiler *compiler, const char *name, struct buffer *text)
{
    buffer_append_byte(text, '}');
    struct change_step *step =
        change_step_add(compiler, CHANGE_FILL, arena_format(compiler->arena, "fill %s", name));
    step->kind = CHANGE_BATCHES;
    step->text = change_text_of(compiler, text);
}

void change_fill_insert(struct compiler *compiler, const struct change_insertion *insertion)
{
    struct buffer text = {0};
    begin_fill(compiler, insertion->from, &text);
    append_other(compiler, "into", insertion->into, &text);
    append_pair(&text, "columns", insertion->columns);
    append_pair(&text, "values", insertion->values);
    append_pair(&text, "if", insertion->condition);
    append_pair(&text, "conflict", insertion->conflict);
    end_fill(compiler, insertion->into->name, &text);
}

void change_fill_join(struct compiler *compiler, const struct change_joining *joining)
{
    struct buffer text = {0};
    begin_fill(compiler, joining->into, &text);
    append_other(compiler, "from", joining->from, &text);
    append_pair(&text, "on", joining->on);
    append_pair(&text, "key", joining->key);
    append_pair(&text, "by", change_equals(compiler, joining->into, joining->key));
    append_pair(&text, "set", joining->set);
    append_pair(&text, "equal", joining->equal);
    end_fill(compiler, joining->into->name, &text);
}

/* ---------------------------------------------------------------- all tables */

static void add_proofs(struct compiler *compiler, struct altered_table *table)
{
    struct buffer holds = {0};
    struct buffer lossless = {0};
    buffer_append_string(&holds, "true");
    for (uint32_t i = 0; i < table->count; i++) {
        const struct altered_column *column = &table->columns[i];
        if (!column->fills || column->hidden || column->up.is_volatile) {
            continue;
        }
        buffer_append_string(&holds, " AND ");
        append_equal(compiler, column, NULL, true, &holds);
        if (column->lossless) {
            buffer_append_string(&lossless, lossless.length > 0 ? " AND " : "");
            append_equal(compiler, column,
                         column->equality ? change_equals(compiler, table, column->carrier) : NULL,
                         true, &lossless);
        }
    }
    buffer_append_buffer(&holds, &table->holds);
    if (holds.length > strlen("true")) {
        change_prove(compiler, CHANGE_PROVE, table,
                     arena_format(compiler->arena, "prove %s", table->name), buffer_string(&holds),
                     false);
    }
    if (lossless.length > 0) {
        change_prove(compiler, CHANGE_PROVE, table,
                     arena_format(compiler->arena, "prove both versions of %s", table->name),
                     buffer_string(&lossless), true);
    }
    buffer_free(&holds);
    buffer_free(&lossless);
}

static bool has_fills(const struct altered_table *table)
{
    for (uint32_t i = 0; i < table->count; i++) {
        if (table->columns[i].fills && !table->columns[i].hidden) {
            return true;
        }
    }
    return false;
}

enum status change_emit_fills(struct compiler *compiler, struct error *error)
{
    for (uint32_t i = 0; i < compiler->table_count; i++) {
        struct altered_table *table = compiler->tables[i];
        if (table->dropped || table->oid == NULL) {
            continue;
        }
        compiler->number = table->operation;
        if (has_fills(table)) {
            add_fill(compiler, table);
            if (change_warn_of(compiler, table, error) != STATUS_OK) {
                return STATUS_FAILED;
            }
        }
        add_proofs(compiler, table);
    }
    return STATUS_OK;
}
