/* The steps of a change as they are put together. */
#include "connectors/postgres/change/change.h"
#include <stdio.h>
#include <string.h>

const char *change_text_of(struct compiler *compiler, struct buffer *buffer)
{
    return sql_text(compiler->arena, buffer);
}

const char *change_sql(struct compiler *compiler, const char *format, ...)
{
    struct buffer sql = {0};
    va_list arguments;
    va_start(arguments, format);
    sql_append_arguments(&sql, &postgres_quoting, format, arguments);
    va_end(arguments);
    return change_text_of(compiler, &sql);
}

const char *change_compare(struct compiler *compiler, const char *operation, bool equal,
                           const char *left, const char *right)
{
    return operation != NULL
               ? arena_format(compiler->arena, "%scoalesce(%s %s %s, %s IS NULL AND %s IS NULL)",
                              equal ? "" : "NOT ", left, operation, right, left, right)
               : arena_format(compiler->arena, "pg_catalog.record_image_%s(ROW(%s), ROW(%s))",
                              equal ? "eq" : "ne", left, right);
}

struct change_step *change_step_add(struct compiler *compiler, enum change_phase phase,
                                    const char *title)
{
    struct change_steps *steps = &compiler->steps[phase];
    steps->items = arena_make_room(compiler->arena, steps->items, steps->count, &steps->capacity,
                                   sizeof(*steps->items));
    struct change_step *step = &steps->items[steps->count++];
    *step = (struct change_step){
        .phase = phase, .operation = compiler->number, .title = title, .text = ""};
    return step;
}

struct change_step *change_statement(struct compiler *compiler, enum change_phase phase,
                                     enum alter_lock lock, const char *title, const char *text,
                                     const char *undo)
{
    struct change_step *step = change_step_add(compiler, phase, title);
    step->text = text;
    step->undo = undo;
    step->lock = lock;
    return step;
}

void change_way_add(struct compiler *compiler, const char *text, const char *warning)
{
    compiler->ways = arena_make_room(compiler->arena, compiler->ways, compiler->way_count,
                                     &compiler->way_capacity, sizeof(*compiler->ways));
    compiler->ways[compiler->way_count++] =
        (struct change_way){.operation = compiler->number, .text = text, .warning = warning};
}

void change_index_step(struct compiler *compiler, const char *title, const char *name,
                       const char *text, bool fresh)
{
    const char *undo = change_sql(compiler, "DROP INDEX %s IF EXISTS %n.%n",
                                  fresh ? "" : "CONCURRENTLY", compiler->schema, name);
    struct change_step *step = change_statement(compiler, fresh ? CHANGE_EXPAND : CHANGE_PROVE,
                                                ALTER_LOCK_NONE, title, text, undo);
    if (fresh) {
        return;
    }
    step->alone = true;
    step->rewrites = true;
    step->stands = change_sql(compiler,
                              "SELECT CASE WHEN i.indisvalid THEN 't' ELSE 'half' END FROM "
                              "pg_catalog.pg_index i WHERE i.indexrelid OPERATOR(pg_catalog.=) "
                              "pg_catalog.to_regclass(pg_catalog.quote_ident(%q) || '.' || "
                              "pg_catalog.quote_ident(%q))",
                              compiler->schema, name);
}
