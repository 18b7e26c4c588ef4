/* Statements by kinds of definitions. Those of tables are in emit_table.c. */
#include "connectors/mysql/schema/definitions.h"
#include "connectors/mysql/statement.h"
#include <string.h>

static const char *fact(const struct definition *item, const char *name)
{
    const char *value = definition_fact(item, name);
    return value != NULL ? value : "";
}

static enum status nothing(struct sql_emission *emission, const struct definition *before,
                           const struct definition *after)
{
    (void)emission;
    (void)before;
    (void)after;
    return STATUS_OK;
}

static enum status emit_drop(struct sql_emission *emission, const struct definition *before,
                             const struct definition *after)
{
    struct buffer sql = {0};
    (void)after;
    buffer_append_string(&sql, "DROP ");
    for (const char *word = before->kind; *word != '\0'; word++) {
        buffer_append_byte(&sql, (char)(*word - 32));
    }
    mysql_append(&sql, " %n", before->name);
    sql_emit(emission, &sql, ALTER_LOCK_ALL);
    return STATUS_OK;
}

static enum status rename_table(struct sql_emission *emission, const struct definition *before,
                                const struct definition *after)
{
    sql_emit(emission, mysql_sql("RENAME TABLE %n TO %n", before->name, after->name),
             ALTER_LOCK_ALL);
    return STATUS_OK;
}

static enum status rename_index(struct sql_emission *emission, const struct definition *before,
                                const struct definition *after)
{
    sql_emit(
        emission,
        mysql_sql("ALTER TABLE %n RENAME INDEX %n TO %n", before->table, before->name, after->name),
        ALTER_LOCK_NONE);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- what is one text */

/* `replace`: CREATE OR REPLACE …; with the definer of the one that it takes the place of, or one
 * that is said. */
static void append_text(struct buffer *sql, const struct definition *before,
                        const struct definition *after, bool replace)
{
    static const char create[] = "CREATE ";
    const char *definer = definition_fact(before != NULL ? before : after, "_definer");
    const char *text = fact(after, "_told");
    struct text told = mysql_definer(text);
    if (strncasecmp(text, create, sizeof create - 1) == 0 && told.length > 0) {
        buffer_append_string(sql, replace ? "CREATE OR REPLACE " : create);
        text += sizeof create - 1;
        buffer_append(sql, text, (size_t)(told.data - text));
        if (definer != NULL) {
            buffer_format(sql, "%s%s", definer, definer[strlen(definer) - 1] == ' ' ? "" : " ");
        }
        text = told.data + told.length;
        text += strspn(text, " ");
    } else if (replace) {
        buffer_append_string(sql, "CREATE OR REPLACE ");
        text += strncasecmp(text, create, sizeof create - 1) == 0 ? sizeof create - 1 : 0;
    }
    buffer_append_string(sql, text);
}

static void set_event(struct sql_emission *emission, const struct definition *event)
{
    sql_emit(emission,
             mysql_sql("ALTER EVENT %n %s", event->name,
                       definition_fact(event, "state") != NULL ? "ENABLE" : "DISABLE"),
             ALTER_LOCK_NONE);
}

static enum status create_text(struct sql_emission *emission, const struct definition *before,
                               const struct definition *after)
{
    struct buffer sql = {0};
    append_text(&sql, before, after, false);
    sql_emit(emission, &sql, ALTER_LOCK_NONE);
    if (strcmp(after->kind, "event") == 0 && definition_fact(after, "state") == NULL) {
        set_event(emission, after);
    }
    return STATUS_OK;
}

static enum status replace_view(struct sql_emission *emission, const struct definition *before,
                                const struct definition *after)
{
    struct buffer sql = {0};
    append_text(&sql, before, after, true);
    sql_emit(emission, &sql, ALTER_LOCK_ALL);
    return STATUS_OK;
}

static enum status alter_event(struct sql_emission *emission, const struct definition *before,
                               const struct definition *after)
{
    if (!sql_definition_differs_only(before, after, "state")) {
        return STATUS_AGAIN;
    }
    set_event(emission, after);
    return STATUS_OK;
}

/* MariaDB replaces routines and triggers in one statement; elsewhere there is a moment without. */
static enum status replace_text(struct sql_emission *emission, const struct definition *before,
                                const struct definition *after)
{
    return emission->other ? replace_view(emission, before, after) : STATUS_AGAIN;
}

/* ---------------------------------------------------------------- references */

static enum status create_reference(struct sql_emission *emission, const struct definition *before,
                                    const struct definition *after)
{
    (void)before;
    sql_emit(emission, mysql_sql("ALTER TABLE %n ADD %s", after->table, fact(after, "definition")),
             ALTER_LOCK_WRITES)
        ->rewrites = !emission->change->fresh;
    return STATUS_OK;
}

static enum status drop_reference(struct sql_emission *emission, const struct definition *before,
                                  const struct definition *after)
{
    (void)after;
    sql_emit(emission, mysql_sql("ALTER TABLE %n DROP FOREIGN KEY %n", before->table, before->name),
             ALTER_LOCK_NONE);
    return STATUS_OK;
}

const struct sql_definition_kind mysql_definition_kinds[] = {
    {"sequence", 50, DEFINITION_ALONE, true, create_text, NULL, emit_drop, rename_table},
    {"function", 60, DEFINITION_ALONE, false, create_text, replace_text, emit_drop, NULL},
    {"procedure", 60, DEFINITION_ALONE, false, create_text, replace_text, emit_drop, NULL},
    {"table", 100, DEFINITION_ALONE, true, mysql_create_table, mysql_alter_table, emit_drop,
     rename_table},
    {"column", 110, DEFINITION_WITHIN, true, nothing, nothing, nothing, mysql_rename_column},
    {"period", 115, DEFINITION_WITHIN, false, nothing, nothing, nothing, NULL},
    {"index", 120, DEFINITION_WITHIN, false, nothing, nothing, nothing, rename_index},
    {"check", 125, DEFINITION_WITHIN, false, nothing, nothing, nothing, NULL},
    {"foreign key", 150, DEFINITION_ALONE, false, create_reference, NULL, drop_reference, NULL},
    {"view", 200, DEFINITION_ALONE, false, create_text, replace_view, emit_drop, rename_table},
    {"trigger", 210, DEFINITION_ATTACHED, false, create_text, replace_text, emit_drop, NULL},
    {"event", 220, DEFINITION_ALONE, false, create_text, alter_event, emit_drop, NULL},
    {0},
};
