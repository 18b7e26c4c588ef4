/*
 * Which kinds of values the columns of tables hold, as they are written: Redis tells no number from
 * its digits, so the table's note has to. It is written before the first value of a kind, which is
 * seldom: a column has one kind, or one of numbers that holds all of them, or is mixed for ever.
 */
#include "connectors/redis/redis.h"

#include "model/json_writer.h"

struct column {
    struct text name;
    enum value_kind kind;
};

/* The kinds of one table's columns; with redis_database.mutex. */
struct redis_kinds {
    struct redis_kinds *next;
    struct redis_note note;
    bool noted; /* else the table has no note: nothing is kept of it */
    struct name_index index;
    struct column *columns;
    uint32_t count;
    uint32_t capacity;
};

enum value_kind redis_kind_of(const struct cell *cell)
{
    switch ((enum value_kind)cell->kind) {
    case VALUE_NULL:
    case VALUE_MISSING:
        return VALUE_MISSING;
    case VALUE_UINT64:
        return VALUE_INT64;
    case VALUE_FLOAT32:
        return VALUE_FLOAT64;
    case VALUE_LARGE:
        return cell->large->kind;
    case VALUE_ESCAPE: /* a text, as it is not UTF-8 */
        return VALUE_TEXT;
    default:
        return (enum value_kind)cell->kind;
    }
}

/* Whole numbers, decimals, floats: each of them holds those before it. 0: no number. */
static int rank_of(enum value_kind kind)
{
    return kind == VALUE_INT64 ? 1 : kind == VALUE_DECIMAL ? 2 : kind == VALUE_FLOAT64 ? 3 : 0;
}

bool redis_kind_holds(enum value_kind column, enum value_kind kind)
{
    return column == kind || column == REDIS_MIXED ||
           (rank_of(kind) > 0 && rank_of(column) >= rank_of(kind));
}

/* ---------------------------------------------------------------- what is known */

static void add_column(struct redis_kinds *kinds, struct arena *arena, struct text name,
                       enum value_kind kind)
{
    kinds->columns = arena_make_room(arena, kinds->columns, kinds->count, &kinds->capacity,
                                     sizeof(*kinds->columns));
    const struct text copy = {arena_copy(arena, name.data, name.length), name.length};
    kinds->columns[kinds->count] = (struct column){copy, kind};
    (void)name_index_add(&kinds->index, copy.data, copy.length, kinds->count++);
}

static void add_noted(struct redis_kinds *kinds, struct arena *arena)
{
    const struct redis_columns *noted = kinds->note.columns;
    for (uint32_t slot = 0; slot < noted->names.capacity; slot++) {
        const struct name_index_slot *at = &noted->names.slots[slot];
        if (at->name != NULL) {
            add_column(kinds, arena, (struct text){at->name, at->length}, noted->kinds[at->value]);
        }
    }
}

static enum status find_table(struct redis_database *self, const char *table,
                              struct redis_kinds **kinds, struct error *error)
{
    for (*kinds = self->kinds; *kinds != NULL; *kinds = (*kinds)->next) {
        if (strcmp((*kinds)->note.table, table) == 0) {
            return STATUS_OK;
        }
    }
    struct redis_kinds *made = arena_allocate_zeroed(self->keyed.arena, 1, sizeof(*made));
    enum status status = redis_note_read(self, table, self->keyed.arena, &made->note, error);
    if (status == STATUS_FAILED) {
        return status;
    }
    made->noted = status == STATUS_OK;
    made->index.arena = self->keyed.arena;
    if (made->noted) {
        add_noted(made, self->keyed.arena);
    } else {
        made->note.table = arena_copy_string(self->keyed.arena, table);
    }
    made->next = self->kinds;
    self->kinds = made;
    *kinds = made;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- what comes */

static enum status write_note(struct redis_database *self, const struct redis_kinds *kinds,
                              struct error *error)
{
    struct buffer json = {0};
    for (uint32_t at = 0; at < kinds->count; at++) {
        const struct column *column = &kinds->columns[at];
        buffer_append_string(&json, at > 0 ? "," : "");
        json_append_string(&json, column->name.data, column->name.length);
        buffer_format(&json, ":\"%s\"",
                      column->kind == REDIS_MIXED ? "mixed" : value_kind_name(column->kind));
    }
    enum status status =
        redis_note_replace(self, &kinds->note, (struct text){json.data, json.length}, error);
    buffer_free(&json);
    return status;
}

/* With the mutex. */
static enum status meet(struct redis_database *self, const char *table, struct text name,
                        enum value_kind *kind, struct error *error)
{
    struct redis_kinds *kinds = NULL;
    if (find_table(self, table, &kinds, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!kinds->noted) {
        return STATUS_OK;
    }
    uint32_t at = name_index_find(&kinds->index, name.data, name.length);
    if (at == NAME_INDEX_NONE) {
        add_column(kinds, self->keyed.arena, name, *kind);
        return write_note(self, kinds, error);
    }
    struct column *column = &kinds->columns[at];
    if (!redis_kind_holds(column->kind, *kind)) {
        column->kind = redis_kind_holds(*kind, column->kind) ? *kind : REDIS_MIXED;
        *kind = column->kind;
        return write_note(self, kinds, error);
    }
    *kind = column->kind;
    return STATUS_OK;
}

void redis_kinds_forget(struct redis_database *self, const char *table)
{
    pthread_mutex_lock(&self->keyed.mutex);
    struct redis_kinds **link = &self->kinds;
    while (*link != NULL) {
        bool same = strcmp((*link)->note.table, table) == 0;
        if (same) {
            *link = (*link)->next;
        } else {
            link = &(*link)->next;
        }
    }
    pthread_mutex_unlock(&self->keyed.mutex);
}

enum status redis_indexes_find(struct redis_database *self, const char *table,
                               const struct redis_indexes **indexes, struct error *error)
{
    struct redis_kinds *kinds = NULL;
    pthread_mutex_lock(&self->keyed.mutex);
    enum status status = find_table(self, table, &kinds, error);
    *indexes = status == STATUS_OK ? &kinds->note.indexes : NULL;
    pthread_mutex_unlock(&self->keyed.mutex);
    return status;
}

enum status redis_kind_meet(struct redis_database *self, const char *table, struct text name,
                            enum value_kind *kind, struct error *error)
{
    pthread_mutex_lock(&self->keyed.mutex);
    enum status status = meet(self, table, name, kind, error);
    pthread_mutex_unlock(&self->keyed.mutex);
    return status;
}
