/*
 * Parts of a source that this account is not shown, and what SHOW CREATE TABLE shows instead:
 * MariaDB tells of foreign keys' rules only who may change the table, and servers tell of triggers,
 * routines and events only who may make them.
 */
#include "connectors/mysql/catalog.h"
#include "connectors/mysql/source.h"
#include "mysql_sql.h"
#include <string.h>

/* ---------------------------------------------------------------- foreign keys */

/* The end of the name or of the line that begins there: a name in backquotes may hold anything, a
 * backquote twice. */
static const char *skip_name(const char *at)
{
    for (at++; *at != '\0' && (*at != '`' || at[1] == '`'); at++) {
        at += *at == '`';
    }
    return at + (*at == '`');
}

/* "ON DELETE CASCADE" of a constraint's line, outside of names; NULL: it has none that matters. */
static const char *action_in(const char *line, const char *event, struct arena *arena)
{
    static const char *const actions[] = {"CASCADE", "SET NULL", "SET DEFAULT"};
    size_t length = strlen(event);
    while (*line != '\0' && *line != '\n') {
        if (*line == '`') {
            line = skip_name(line);
            continue;
        }
        if (strncmp(line, event, length) != 0) {
            line++;
            continue;
        }
        for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
            if (strncmp(line + length, actions[i], strlen(actions[i])) == 0) {
                return arena_copy_string(arena, actions[i]);
            }
        }
        return NULL;
    }
    return NULL;
}

/* The text behind the constraint's name in the statement; NULL: it is not there. */
static const char *find_constraint(const char *statement, const char *name)
{
    struct buffer words = {0};
    mysql_append(&words, "\n  CONSTRAINT %n FOREIGN KEY ", name);
    const char *found = strstr(statement, buffer_string(&words));
    size_t length = words.length;
    buffer_free(&words);
    return found != NULL ? found + length : NULL;
}

void mysql_take_actions(struct schema_table *table, struct arena *arena)
{
    for (uint32_t i = 0; i < table->foreign_key_count; i++) {
        struct schema_foreign_key *key = (struct schema_foreign_key *)&table->foreign_keys[i];
        const char *line =
            table->native_sql != NULL && key->on_delete == NULL && key->on_update == NULL
                ? find_constraint(table->native_sql, key->name)
                : NULL;
        if (line != NULL) {
            key->on_delete = action_in(line, "ON DELETE ", arena);
            key->on_update = action_in(line, "ON UPDATE ", arena);
        }
    }
}

/* ---------------------------------------------------------------- triggers, events, routines */

enum { GRANTS, OF_TRIGGERS, TABLES_SEEN, TABLES, OF_EVENTS, OF_ROUTINES, COLUMNS };

struct unseen {
    struct mysql_database *self;
    MYSQL *connection;
    const char *account;
    struct arena *arena;
    struct schema_unseen *items;
    uint32_t count;
};

/* `where`: what the right is granted on; NULL: the database. */
static void unseen_add(struct unseen *unseen, const char *what, const char *right,
                       const char *where)
{
    struct buffer why = {0};
    buffer_format(&why, "the account may not see %ss: GRANT %s ON ", what, right);
    if (where == NULL) {
        mysql_append_all_of(&why, unseen->self, unseen->connection, NULL, unseen->self->sql.schema);
    } else {
        buffer_append_string(&why, where);
    }
    buffer_format(&why, " TO %s", unseen->account);
    unseen->items[unseen->count++] =
        (struct schema_unseen){.what = what,
                               .owner = arena_copy_string(unseen->arena, unseen->self->sql.schema),
                               .why = sql_text(unseen->arena, &why)};
}

static void add_routines(struct unseen *unseen)
{
    const struct mysql_database *self = unseen->self;
    bool shows = !self->mariadb && self->version >= 80020u;
    bool has_proc = self->mariadb || self->version < 80000u;
    unseen_add(unseen, "routine", shows ? "SHOW_ROUTINE" : "SELECT",
               has_proc ? "mysql.proc" : "*.*");
}

static int64_t count_of(const char *digits)
{
    int64_t count = 0;
    return digits != NULL && text_to_int64(digits, strlen(digits), &count) == STATUS_OK ? count : 0;
}

/* Rights that come by a role, or that all have, are not seen from here: then nothing is said. */
enum status mysql_unseen_read(struct mysql_database *self, MYSQL *connection, struct schema *schema,
                              struct error *error)
{
    int64_t counts[COLUMNS] = {0};
    MYSQL_RES *result = NULL;
    struct unseen unseen = {.self = self, .connection = connection, .arena = schema->arena};
    if (mysql_run_buffer(self, connection, mysql_filled(sql_unseen, self->sql.schema, NULL),
                         SQL_LONG, ERROR_SOURCE_READ, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    MYSQL_ROW row = result != NULL ? mysql_fetch_row(result) : NULL;
    for (unsigned i = 0; row != NULL && i < COLUMNS; i++) {
        counts[i] = count_of(row[i]);
    }
    mysql_free_result(result);
    if (counts[GRANTS] == 0 || mysql_has_other_rights(self, connection)) {
        return STATUS_OK;
    }
    unseen.items = arena_allocate_zeroed(schema->arena, 3, sizeof *unseen.items);
    if (mysql_name_account(self, connection, ERROR_SOURCE_READ, schema->arena, &unseen.account,
                           error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (counts[OF_TRIGGERS] == 0 && counts[TABLES_SEEN] < counts[TABLES]) {
        unseen_add(&unseen, "trigger", "TRIGGER", NULL);
    }
    if (counts[OF_EVENTS] == 0) {
        unseen_add(&unseen, "event", "EVENT", NULL);
    }
    if (counts[OF_ROUTINES] == 0) {
        add_routines(&unseen);
    }
    schema->unseen = unseen.items;
    schema->unseen_count = unseen.count;
    return STATUS_OK;
}
