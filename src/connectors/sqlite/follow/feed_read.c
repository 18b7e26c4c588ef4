/* The log's entries as changes. */
#include "base/memory.h"
#include "connectors/sqlite/feed_internal.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The bounds of a piece. */
enum { PIECE_BYTES = 1 << 20, PIECE_CHANGES = 4096 };

/* 1970-01-01 in days of julianday. */
#define JULIAN_EPOCH 2440587.5
#define DAY_US 86400e6

/* A row in the way of another one, of which it is not known yet whether it comes. */
struct in_the_way {
    const struct feed_table *table;
    enum feed_operation operation;
    struct record_change change; /* that deletes it */
    const struct cell *comes;    /* the other one */
    bool gone;                   /* at the end of the set */
};

struct reading {
    struct feed *feed;
    struct change_set *set;
    struct change_table *tables;
    struct record_change *changes;
    uint32_t table_capacity;
    uint32_t change_capacity;
    size_t bytes;
    uint64_t *excess;
    bool looked_ahead; /* feed->gone says what is gone */
    struct in_the_way *waiting;
    uint32_t waiting_count;
    uint32_t waiting_capacity;
    struct error *error;
};

/* ---------------------------------------------------------------- statements */

static enum status feed_read_prepare(struct feed *feed, struct buffer *sql,
                                     sqlite3_stmt **statement, struct error *error)
{
    int result = sqlite3_prepare_v3(feed->connection, buffer_string(sql), -1,
                                    SQLITE_PREPARE_PERSISTENT, statement, NULL);
    buffer_free(sql);
    return result == SQLITE_OK
               ? STATUS_OK
               : feed_failed(feed->self, feed->connection, result, "the feed can't be read", error);
}

static enum status prepare_entries(struct feed *feed, bool looks, sqlite3_stmt **statement,
                                   struct error *error)
{
    struct buffer sql = {0};
    if (*statement != NULL) {
        return STATUS_OK;
    }
    buffer_append_string(&sql, "SELECT sequence, moment, table_number, operation");
    for (uint32_t i = 0; i < feed->width; i++) {
        buffer_format(&sql, ", v%u", i);
    }
    sqlite_append(&sql, " FROM main.%s%s WHERE sequence > ?1 AND sequence <= ?2", FEED_LOG,
                  feed->name);
    if (looks) {
        buffer_format(&sql, " AND operation IN (%d, %d)", FEED_BEFORE_INSERT, FEED_BEFORE_UPDATE);
    }
    buffer_append_string(&sql, " ORDER BY sequence");
    return feed_read_prepare(feed, &sql, statement, error);
}

/* By its key; without the collation of an application's own, bytes are compared, one by one. */
static enum status prepare_look(struct feed *feed, struct feed_table *table, struct error *error)
{
    for (int plain = 0; table->look == NULL && plain < 2; plain++) {
        struct buffer sql = {0};
        for (uint32_t i = 0; i < table->key_count; i++) {
            sqlite_append(&sql, "%s%n", i == 0 ? "SELECT " : ", ", table->columns[table->key[i]]);
        }
        sqlite_append(&sql, " FROM main.%n", table->name);
        for (uint32_t i = 0; i < table->key_count; i++) {
            sqlite_append(&sql, "%s%n", i == 0 ? " WHERE " : " AND ",
                          table->columns[table->key[i]]);
            buffer_format(&sql, plain == 0 ? " IS ?%u" : " COLLATE BINARY IS ?%u", i + 1);
        }
        if (feed_read_prepare(feed, &sql, &table->look, error) == STATUS_OK) {
            return STATUS_OK;
        }
    }
    return table->look != NULL ? STATUS_OK : STATUS_FAILED;
}

/* ---------------------------------------------------------------- is a row gone? */

static bool is_same(sqlite3_value *left, sqlite3_value *right)
{
    int type = sqlite3_value_type(left);
    if (type != sqlite3_value_type(right)) {
        return false;
    }
    if (type == SQLITE_INTEGER) {
        return sqlite3_value_int64(left) == sqlite3_value_int64(right);
    }
    if (type == SQLITE_FLOAT) {
        return sqlite3_value_double(left) == sqlite3_value_double(right);
    }
    const void *bytes = sqlite3_value_blob(left);
    const void *others = sqlite3_value_blob(right);
    int length = sqlite3_value_bytes(left);
    return length == sqlite3_value_bytes(right) &&
           (length == 0 || memcmp(bytes, others, (size_t)length) == 0);
}

/* A key that the table takes for the same may be another one elsewhere: 'a' and 'A', 1 and 1.0. */
static enum status feed_read_look(struct feed *feed, struct feed_table *table, sqlite3_stmt *entry,
                                  bool *gone, struct error *error)
{
    enum status status = prepare_look(feed, table, error);
    int result = SQLITE_DONE;
    *gone = true;
    if (status != STATUS_OK && !table->current && table->look == NULL) {
        *gone = false; /* the table is no more, or its key is called otherwise: it is told so */
        error_clear(error);
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < table->key_count && status == STATUS_OK; i++) {
        sqlite3_bind_value(table->look, (int)i + 1,
                           sqlite3_column_value(entry, FEED_FIRST_VALUE + (int)table->key[i]));
    }
    while (status == STATUS_OK && *gone && (result = sqlite3_step(table->look)) == SQLITE_ROW) {
        bool same = true;
        for (uint32_t i = 0; i < table->key_count && same; i++) {
            same = is_same(sqlite3_column_value(table->look, (int)i),
                           sqlite3_column_value(entry, FEED_FIRST_VALUE + (int)table->key[i]));
        }
        *gone = !same;
    }
    if (status == STATUS_OK && result != SQLITE_DONE && result != SQLITE_ROW) {
        status = feed_failed(feed->self, feed->connection, result, "a table can't be read", error);
    }
    if (table->look != NULL) {
        sqlite3_reset(table->look);
        sqlite3_clear_bindings(table->look);
    }
    return status;
}

static struct feed_table *find_table(struct feed *feed, uint32_t number)
{
    for (uint32_t i = 0; i < feed->list.table_count; i++) {
        if (feed->list.tables[i].number == number) {
            return &feed->list.tables[i];
        }
    }
    return NULL;
}

static enum status unknown_table(const struct feed *feed, int64_t sequence, struct error *error)
{
    return error_set(error, ERROR_FEED_LOST, feed->self->sql.shown,
                     "entry %" PRId64 " of feed %s is of a table that is not in its list", sequence,
                     feed->name);
}

/* The looks that the rest of the set still needs, in the same moment as the part that was read. */
static enum status look_ahead(struct feed *feed, struct error *error)
{
    enum status status = prepare_entries(feed, true, &feed->looks, error);
    int result = SQLITE_DONE;
    buffer_clear(&feed->gone);
    feed->gone_next = 0;
    if (status != STATUS_OK) {
        return status;
    }
    sqlite3_bind_int64(feed->looks, 1, feed->position);
    sqlite3_bind_int64(feed->looks, 2, feed->end.sequence);
    while (status == STATUS_OK && (result = sqlite3_step(feed->looks)) == SQLITE_ROW) {
        bool gone = false;
        struct feed_table *table =
            find_table(feed, (uint32_t)sqlite3_column_int64(feed->looks, FEED_TABLE_NUMBER));
        status = table != NULL ? feed_read_look(feed, table, feed->looks, &gone, error)
                               : unknown_table(feed, sqlite3_column_int64(feed->looks, 0), error);
        buffer_append_byte(&feed->gone, (char)gone);
    }
    if (status == STATUS_OK && result != SQLITE_DONE) {
        status = feed_failed(feed->self, feed->connection, result, "the feed can't be read", error);
    }
    sqlite3_reset(feed->looks);
    return status;
}

/* ---------------------------------------------------------------- changes */

static uint32_t place_of(struct reading *reading, struct feed_table *table)
{
    struct change_set *set = reading->set;
    if (table->place == UINT32_MAX) {
        if (set->table_count == reading->table_capacity) {
            reading->tables = arena_grow_list(set->arena, reading->tables, set->table_count,
                                              &reading->table_capacity, sizeof *reading->tables);
            set->tables = reading->tables;
        }
        table->place = set->table_count++;
        reading->tables[table->place] = (struct change_table){table->name, table->shape};
    }
    return table->place;
}

static void add_change(struct reading *reading, const struct record_change *change)
{
    struct change_set *set = reading->set;
    if (set->change_count == reading->change_capacity) {
        reading->changes = arena_grow_list(set->arena, reading->changes, set->change_count,
                                           &reading->change_capacity, sizeof *reading->changes);
        set->changes = reading->changes;
    }
    reading->changes[set->change_count++] = *change;
}

/* The image in front, or the one behind it. */
static enum status read_image(struct reading *reading, const struct feed_table *table,
                              uint32_t image, sqlite3_stmt *entry, const struct cell **cells)
{
    struct arena *arena = reading->set->arena;
    struct cell *made = arena_allocate_zeroed(arena, table->column_count, sizeof *made);
    *cells = made;
    if (cells_read(entry, NULL, table->reading + (size_t)image * table->column_count,
                   table->column_count, arena, made, &reading->bytes,
                   reading->excess) != STATUS_OK) {
        return error_set(reading->error, ERROR_MEMORY, table->name, "no memory for a value");
    }
    reading->bytes += table->column_count * sizeof *made;
    return STATUS_OK;
}

static const struct cell *key_of(struct arena *arena, const struct feed_table *table,
                                 const struct cell *image)
{
    struct cell *key = arena_allocate_zeroed(arena, table->key_count, sizeof *key);
    for (uint32_t i = 0; i < table->key_count; i++) {
        key[i] = image[table->key[i]];
    }
    return key;
}

/* ---------------------------------------------------------------- rows in the way */

static bool is_equal(const struct cell *left, const struct cell *right, uint32_t count)
{
    bool equal = true;
    for (uint32_t i = 0; i < count && equal; i++) {
        equal = value_equal(&left[i], &right[i]) != 0;
    }
    return equal;
}

/* Is it the row that was to come? A key that SQLite gives itself is -1 before it does. */
static bool has_come(const struct in_the_way *row, const struct cell *after)
{
    const struct feed_table *table = row->table;
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct cell *cell = &row->comes[i];
        bool given = table->key_count == 1 && table->key[0] == i && cell->kind == VALUE_INT64 &&
                     cell->i64 == -1;
        if (!given && value_equal(cell, &after[i]) == 0) {
            return false;
        }
    }
    return true;
}

static void drop_waiting(struct reading *reading, uint32_t at)
{
    reading->waiting_count--;
    memmove(&reading->waiting[at], &reading->waiting[at + 1],
            (reading->waiting_count - at) * sizeof *reading->waiting);
}

/* A row that waits for something else than this change of its table is told by what is there; so is
 * each one that was logged when the table had other unique keys, perhaps, than the triggers knew.
 */
static void settle_waiting(struct reading *reading, const struct feed_table *table,
                           enum feed_operation operation, struct record_change *change)
{
    enum feed_operation before = operation == FEED_INSERT ? FEED_BEFORE_INSERT : FEED_BEFORE_UPDATE;
    for (uint32_t i = 0; i < reading->waiting_count;) {
        const struct in_the_way row = reading->waiting[i];
        if (row.table != table && table != NULL) {
            i++;
            continue;
        }
        drop_waiting(reading, i);
        bool came = table != NULL && table->current && row.operation == before &&
                    has_come(&row, change->after);
        bool same = table != NULL && is_equal(row.change.key, change->key, change->key_count);
        if (came && same && operation == FEED_INSERT) {
            change->operation = RECORD_UPDATE;
            change->before = row.change.before;
        } else if (came || (row.gone && !same)) { /* the same: it was still there to be updated */
            add_change(reading, &row.change);
        }
    }
}

/* Where DELETE triggers fire for it, too. */
static void forget_deleted(struct reading *reading, const struct feed_table *table,
                           const struct record_change *change)
{
    for (uint32_t i = 0; i < reading->waiting_count;) {
        const struct in_the_way *row = &reading->waiting[i];
        if (row->table == table && is_equal(row->change.key, change->key, change->key_count)) {
            drop_waiting(reading, i);
        } else {
            i++;
        }
    }
}

static enum status add_waiting(struct reading *reading, struct feed_table *table,
                               enum feed_operation operation, sqlite3_stmt *entry,
                               struct record_change *change)
{
    struct feed *feed = reading->feed;
    struct in_the_way row = {
        .table = table, .operation = operation, .change = *change, .comes = change->after};
    enum status status = STATUS_OK;
    row.change.operation = RECORD_DELETE;
    row.change.after = NULL;
    if (!reading->looked_ahead) {
        status = feed_read_look(feed, table, entry, &row.gone, reading->error);
    } else if (feed->gone_next < feed->gone.length) {
        row.gone = feed->gone.data[feed->gone_next++] != 0;
    }
    if (reading->waiting_count == reading->waiting_capacity) {
        reading->waiting =
            arena_grow_list(reading->set->arena, reading->waiting, reading->waiting_count,
                            &reading->waiting_capacity, sizeof *reading->waiting);
    }
    reading->waiting[reading->waiting_count++] = row;
    return status;
}

/* ---------------------------------------------------------------- entries */

static enum status take_change(struct reading *reading, struct feed_table *table,
                               sqlite3_stmt *entry)
{
    enum feed_operation operation =
        (enum feed_operation)sqlite3_column_int(entry, FEED_OPERATION_COLUMN);
    struct record_change change = {.table = place_of(reading, table),
                                   .key_count = table->key_count};
    bool has_old = operation != FEED_INSERT && operation != FEED_ANEW;
    enum status status = STATUS_OK;
    if (operation == FEED_REPLACED) {
        change = (struct record_change){.table = change.table, .operation = RECORD_REPLACED};
        add_change(reading, &change);
        return STATUS_OK;
    }
    if (operation < FEED_INSERT || operation > FEED_ANEW) {
        return error_set(reading->error, ERROR_FEED_LOST, table->name,
                         "an entry of feed %s is of a kind that is not known", reading->feed->name);
    }
    if (has_old) {
        status = read_image(reading, table, 0, entry, &change.before);
    }
    if (operation != FEED_DELETE && status == STATUS_OK) {
        status = read_image(reading, table, has_old ? 1 : 0, entry, &change.after);
    }
    if (status != STATUS_OK) {
        return status;
    }
    change.key = key_of(reading->set->arena, table, has_old ? change.before : change.after);
    change.operation = !has_old                   ? RECORD_INSERT
                       : operation == FEED_DELETE ? RECORD_DELETE
                                                  : RECORD_UPDATE;
    if (operation == FEED_BEFORE_INSERT || operation == FEED_BEFORE_UPDATE) {
        return add_waiting(reading, table, operation, entry, &change);
    }
    if (operation == FEED_DELETE) {
        forget_deleted(reading, table, &change);
    } else {
        settle_waiting(reading, table, operation, &change);
    }
    add_change(reading, &change);
    return STATUS_OK;
}

static enum status take_entry(struct reading *reading, sqlite3_stmt *entry)
{
    struct feed *feed = reading->feed;
    int64_t sequence = sqlite3_column_int64(entry, FEED_SEQUENCE);
    uint32_t number = (uint32_t)sqlite3_column_int64(entry, FEED_TABLE_NUMBER);
    if (sequence != feed->position + 1) {
        return error_set(reading->error, ERROR_FEED_LOST, feed->self->sql.shown,
                         "entries of feed %s before %" PRId64 " are missing", feed->name, sequence);
    }
    feed->position = sequence;
    feed->moment_us =
        (int64_t)((sqlite3_column_double(entry, FEED_MOMENT) - JULIAN_EPOCH) * DAY_US);
    struct feed_table *table = find_table(feed, number);
    return table != NULL ? take_change(reading, table, entry)
                         : unknown_table(feed, sequence, reading->error);
}

/* ---------------------------------------------------------------- pieces */

/* A piece ends where no row waits, unless it got too large by that. */
static bool is_full(const struct reading *reading)
{
    size_t changes = reading->set->change_count + reading->waiting_count;
    return (reading->bytes >= PIECE_BYTES || changes >= PIECE_CHANGES) &&
           (reading->waiting_count == 0 || reading->bytes >= 2 * (size_t)PIECE_BYTES ||
            changes >= 2 * (size_t)PIECE_CHANGES);
}

static enum status read_entries(struct reading *reading)
{
    struct feed *feed = reading->feed;
    enum status status = prepare_entries(feed, false, &feed->entries, reading->error);
    int result = SQLITE_ROW;
    if (status != STATUS_OK) {
        return status;
    }
    sqlite3_bind_int64(feed->entries, 1, feed->position);
    sqlite3_bind_int64(feed->entries, 2, feed->end.sequence);
    while (status == STATUS_OK && !is_full(reading) &&
           (result = sqlite3_step(feed->entries)) == SQLITE_ROW) {
        status = take_entry(reading, feed->entries);
    }
    settle_waiting(reading, NULL, FEED_MARK, NULL);
    if (status == STATUS_OK && result != SQLITE_ROW && result != SQLITE_DONE) {
        status = feed_failed(feed->self, feed->connection, result, "the feed can't be read",
                             reading->error);
    }
    sqlite3_reset(feed->entries);
    if (status == STATUS_OK && result == SQLITE_DONE && feed->position != feed->end.sequence) {
        status = error_set(reading->error, ERROR_FEED_LOST, feed->self->sql.shown,
                           "entries of feed %s after %" PRId64 " are missing", feed->name,
                           feed->position);
    }
    return status;
}

enum status feed_read_piece(struct feed *feed, struct change_set **set, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct reading reading = {.feed = feed,
                              .set = arena_allocate_zeroed(arena, 1, sizeof **set),
                              .looked_ahead = feed->position != feed->begin.sequence,
                              .error = error};
    bool first = feed->position == feed->begin.sequence;
    reading.set->arena = arena;
    reading.excess = memory_allocate_zeroed(feed->width + 1u, sizeof *reading.excess);
    for (uint32_t i = 0; i < feed->list.table_count; i++) {
        feed->list.tables[i].place = UINT32_MAX;
    }
    enum status status = read_entries(&reading);
    if (status == STATUS_OK && first && feed->position != feed->end.sequence) {
        status = look_ahead(feed, error);
    }
    free(reading.excess);
    if (status != STATUS_OK) {
        arena_destroy(arena);
        return status;
    }
    reading.set->begin = feed_position_of(feed->begin, arena);
    reading.set->end = feed_position_of(feed->end, arena);
    reading.set->commit_time_us = feed->moment_us;
    reading.set->first_piece = first;
    reading.set->last_piece = feed->position == feed->end.sequence;
    *set = reading.set;
    return STATUS_OK;
}
