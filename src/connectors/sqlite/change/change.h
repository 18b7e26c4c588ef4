/* Declarations that the files that compile declared changes of a SQLite file share. */
#ifndef TRANSHUME_CONNECTORS_SQLITE_CHANGE_CHANGE_H
#define TRANSHUME_CONNECTORS_SQLITE_CHANGE_CHANGE_H

#include "connectors/sql/shadow.h"
#include "connectors/sqlite/change/alter.h"

struct sqlite_change_plan {
    struct sqlite_alter *session;
    const struct change *change;
    struct arena *arena;
    struct change_step *steps;
    uint32_t count, capacity;
    struct change_way *ways;
    uint32_t way_count, way_capacity;
};

/* change_plan.c */
void sqlite_change_add(struct sqlite_change_plan *plan, const struct change_step *step);
void sqlite_change_tell(struct sqlite_change_plan *plan, uint32_t operation, const char *text,
                        const char *warning);
/* The text of a buffer, which it frees. */
const char *sqlite_change_text(struct sqlite_change_plan *plan, struct buffer *sql);
const char *sqlite_change_format(struct sqlite_change_plan *plan, const char *format,
                                 const char *first, const char *second);
enum status sqlite_change_invalid(const struct change_value *value, const char *object,
                                  const char *words, struct error *error);
enum status sqlite_change_query(struct alter_session *base, struct buffer *sql, struct arena *arena,
                                struct sql_shadow_rows *rows, struct error *error) MUST_USE;

/* Runs a statement, which it frees. */
enum status sqlite_change_run(struct alter_session *base, struct buffer *sql, uint64_t *changed,
                              struct error *error) MUST_USE;

/* change_form.c: the new form of a table, made in a scratch file. */
struct sqlite_change_form {
    sqlite3 *scratch;
    const char *table;
    /* what the new columns are: `old` NULL: a new one; `up` NULL: the old one's value */
    struct sqlite_change_value {
        const char *column, *old, *up;
    } * values;
    uint32_t value_count, value_capacity;
};
bool sqlite_change_is_of_table(const char *kind);
enum status sqlite_change_form_open(struct sqlite_change_plan *plan, const char *table,
                                    struct sqlite_change_form *form, struct error *error) MUST_USE;
void sqlite_change_form_close(struct sqlite_change_form *form);
enum status sqlite_change_form_apply(struct sqlite_change_plan *plan,
                                     struct sqlite_change_form *form,
                                     const struct change_operation *operation,
                                     struct error *error) MUST_USE;
/* All rows of a query on the scratch file. */
enum status sqlite_change_form_ask(struct sqlite_change_plan *plan, struct sqlite_change_form *form,
                                   const char *sql, struct sql_shadow_rows *rows,
                                   struct error *error) MUST_USE;
void sqlite_change_append_create(struct buffer *sql, const struct change_value *value);
void sqlite_change_append_index(struct buffer *sql, const struct change_value *value);
void sqlite_change_append_column(struct buffer *sql, const struct change_value *column);

/* change_table.c: all operations of the table that the one of that number is of. */
enum status sqlite_change_plan_table(struct sqlite_change_plan *plan, uint32_t first,
                                     struct error *error) MUST_USE;

#endif
