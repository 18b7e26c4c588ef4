/* Change sets of the rows of the log. */
#include "base/clock.h"
#include "connectors/mysql/follow/feed.h"
#include "connectors/mysql/source.h"
#include <arpa/inet.h>
#include <errno.h>
#include <iconv.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    PIECE_CHANGES_MAX = 8192,
    PIECE_BYTES_MAX = 4 << 20,
    ARENA_BYTES_FIRST = 2048,
    LIST_FIRST = 4,
    MOVE_BYTES = 16 << 20,
    MOVE_MS = 5000
};

/* ---------------------------------------------------------------- texts */

/* The server's name of a character set, and iconv's; NULL: its texts are UTF-8. */
static const char *iconv_name(const char *charset)
{
    static const char *const names[][2] = {
        {"latin1", "CP1252"},      {"latin2", "ISO-8859-2"}, {"latin5", "ISO-8859-9"},
        {"latin7", "ISO-8859-13"}, {"ucs2", "UCS-2BE"},      {"utf16", "UTF-16BE"},
        {"utf16le", "UTF-16LE"},   {"utf32", "UTF-32BE"},    {"cp1250", "CP1250"},
        {"cp1251", "CP1251"},      {"cp1256", "CP1256"},     {"cp1257", "CP1257"},
        {"cp850", "CP850"},        {"cp852", "CP852"},       {"cp866", "CP866"},
        {"koi8r", "KOI8-R"},       {"koi8u", "KOI8-U"},      {"greek", "ISO-8859-7"},
        {"hebrew", "ISO-8859-8"},  {"sjis", "SHIFT_JIS"},    {"cp932", "CP932"},
        {"ujis", "EUC-JP"},        {"eucjpms", "EUC-JP-MS"}, {"euckr", "EUC-KR"},
        {"gb2312", "GB2312"},      {"gbk", "GBK"},           {"gb18030", "GB18030"},
        {"big5", "BIG5"},          {"tis620", "TIS-620"},    {"macroman", "MACINTOSH"},
    };
    for (size_t i = 0; charset != NULL && i < sizeof names / sizeof names[0]; i++) {
        size_t length = strlen(names[i][0]);
        if (strncmp(charset, names[i][0], length) == 0 &&
            (charset[length] == '\0' || charset[length] == '_')) {
            return names[i][1];
        }
    }
    return NULL;
}

/* A value that is no text of its set stays as it is, and is escaped by the decoder. */
static void convert(struct feed *feed, const char *set, struct text *value)
{
    iconv_t converter = iconv_open("UTF-8", set);
    if (converter == (iconv_t)-1) {
        return;
    }
    size_t left = value->length;
    buffer_clear(&feed->converted);
    buffer_reserve(&feed->converted, 4 * left + 1);
    char *from = (char *)(uintptr_t)value->data;
    char *to = feed->converted.data;
    size_t room = 4 * left;
    size_t failed = iconv(converter, &from, &left, &to, &room);
    iconv_close(converter);
    if (failed != (size_t)-1 && left == 0) {
        feed->converted.length = (size_t)(to - feed->converted.data);
        *value = (struct text){feed->converted.data, feed->converted.length};
    }
}

/* ---------------------------------------------------------------- values */

/* MariaDB keeps the parts of what has a time in it turned over, so that they sort by it. */
static void print_uuid(const uint8_t *kept, struct buffer *out)
{
    uint8_t bytes[16];
    memcpy(bytes, kept, sizeof bytes);
    if ((kept[6] & 0x80) != 0 && kept[8] > 0 && kept[8] < 0x60) {
        memcpy(bytes, kept + 12, 4);
        memcpy(bytes + 4, kept + 10, 2);
        memcpy(bytes + 6, kept + 8, 2);
        memcpy(bytes + 8, kept + 6, 2);
        memcpy(bytes + 10, kept, 6);
    }
    value_append_uuid(out, bytes);
}

static void print_address(const struct text *value, struct buffer *out)
{
    char text[INET6_ADDRSTRLEN];
    if (inet_ntop(value->length == 4 ? AF_INET : AF_INET6, value->data, text, sizeof text) !=
        NULL) {
        buffer_append_string(out, text);
    }
}

/* The log lacks, of a fixed number of bytes, those at the end that are as the column is padded.
 */
static void feed_set_pad(struct text value, size_t length, struct buffer *out)
{
    buffer_append(out, value.data, value.length);
    while (out->length < length) {
        buffer_append_byte(out, '\0');
    }
}

/* As the log has it: today's is another one after ALTER TABLE … CONVERT TO CHARACTER SET. */
static const char *charset_of(struct feed *feed, const struct binlog_column *log,
                              const struct mysql_column *column)
{
    return log->collation != 0 ? mysql_feed_charset(feed, log->collation) : column->charset;
}

/* The labels are in the column's character set. */
static bool print_labels(struct feed *feed, const struct binlog_column *log,
                         const struct mysql_column *column, struct text value)
{
    const char *set = iconv_name(charset_of(feed, log, column));
    struct text labels;
    buffer_clear(&feed->text);
    if (!binlog_print_labels(log, value, &feed->text)) {
        return false;
    }
    labels = (struct text){buffer_string(&feed->text), feed->text.length};
    if (set != NULL) {
        convert(feed, set, &labels);
        if (labels.data == feed->converted.data) {
            buffer_clear(&feed->text);
            buffer_append(&feed->text, labels.data, labels.length);
        }
    }
    return true;
}

static bool print_value(struct feed *feed, const struct binlog_column *log,
                        const struct mysql_column *column, struct text value)
{
    const char *native = column->type.type.native != NULL ? column->type.type.native : "";
    const char *set = iconv_name(charset_of(feed, log, column));
    struct buffer *out = &feed->text;
    bool fixed = log->type == MYSQL_TYPE_STRING;
    bool address = fixed && strncasecmp(native, "inet", 4) == 0;
    buffer_clear(out);
    if (log->labels.length > 0) {
        return print_labels(feed, log, column, value);
    }
    if (fixed && (column->type.format == MYSQL_AS_UUID || address)) {
        struct buffer whole = {0};
        size_t length = address && native[4] == '4' ? 4 : 16;
        feed_set_pad(value, length, &whole);
        if (address) {
            print_address(&(struct text){whole.data, whole.length}, out);
        } else {
            print_uuid((const uint8_t *)whole.data, out);
        }
        buffer_free(&whole);
        return true;
    }
    if (fixed && column->type.format == MYSQL_AS_BYTES) {
        feed_set_pad(value, log->length, out);
        return true;
    }
    if (set != NULL && column->type.format == MYSQL_AS_TEXT) {
        convert(feed, set, &value);
    }
    return binlog_print_value(log, &column->type, value, out);
}

static enum status unreadable(const struct feed_table *table, const struct mysql_column *column,
                              struct error *error)
{
    error_set(error, ERROR_SOURCE_CHANGED, table->name,
              "a value of column %s in the binary log is none of its type",
              column != NULL ? column->name : "that was dropped");
    error_hint(error, "was the column altered since? Then `transhume follow --resync`");
    return STATUS_FAILED;
}

static enum status take_value(struct feed *feed, const struct feed_table *table, uint32_t number,
                              struct binlog_bytes *bytes, struct cell *cells, struct error *error)
{
    const struct mysql_column *column = table->columns[number];
    const struct binlog_column *log = &table->log.columns[number];
    struct arena *arena = feed->set->arena;
    struct text value;
    if (!binlog_take_value(log, bytes, &value)) {
        return unreadable(table, column, error);
    }
    if (column == NULL) {
        return STATUS_OK;
    }
    if (!print_value(feed, log, column, value)) {
        return unreadable(table, column, error);
    }
    const char *kept = arena_copy(arena, buffer_string(&feed->text), feed->text.length);
    mysql_decode(&column->type, kept, feed->text.length, arena, &cells[table->fields[number]]);
    return STATUS_OK;
}

static enum status take_image(struct feed *feed, const struct feed_table *table,
                              const uint8_t *present, struct binlog_bytes *bytes,
                              struct cell **cells, struct error *error)
{
    uint32_t count = table->log.column_count;
    uint32_t held = binlog_count_bits(present, count);
    const uint8_t *nulls = binlog_take(bytes, (held + 7) / 8);
    if (nulls == NULL) {
        return mysql_feed_malformed(feed, error);
    }
    *cells = arena_allocate(feed->set->arena, (table->shape->field_count + 1u) * sizeof **cells);
    for (uint32_t i = 0; i < table->shape->field_count; i++) {
        (*cells)[i] = cell_missing();
    }
    uint32_t at = 0;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        if (!binlog_has_bit(present, i)) {
            continue;
        }
        bool null = binlog_has_bit(nulls, at++);
        if (!null) {
            status = take_value(feed, table, i, bytes, *cells, error);
        } else if (table->columns[i] != NULL) {
            (*cells)[table->fields[i]] = cell_null();
        }
    }
    return status;
}

/* ---------------------------------------------------------------- sets */

static void *mysql_feed_set_grow(struct arena *arena, const void *list, uint32_t count,
                                 uint32_t *capacity, size_t size)
{
    *capacity = *capacity == 0 ? LIST_FIRST : *capacity * 2;
    void *grown = arena_allocate_zeroed(arena, *capacity, size);
    if (count > 0) {
        memcpy(grown, list, count * size);
    }
    return grown;
}

static void begin_set(struct feed *feed)
{
    struct arena *arena = arena_create(0);
    arena->next_block_bytes = ARENA_BYTES_FIRST;
    feed->set = arena_allocate_zeroed(arena, 1, sizeof *feed->set);
    feed->set->arena = arena;
    feed->changes = NULL;
    feed->change_capacity = 0;
    feed->set_tables = NULL;
    feed->table_capacity = 0;
    feed->bytes = 0;
    mysql_feed_put_place(&feed->place, arena, &feed->set->begin);
    feed->set->first_piece = feed->pieces == 0;
}

static struct change_set *hand_out(struct feed *feed)
{
    struct change_set *set = feed->set;
    feed->set = NULL;
    feed->set_ms = clock_monotonic_ms();
    return set;
}

static uint32_t table_number(struct feed *feed, const struct feed_table *table)
{
    struct change_set *set = feed->set;
    for (uint32_t i = set->table_count; i > 0; i--) {
        if (feed->set_tables[i - 1].shape == table->shape) {
            return i - 1;
        }
    }
    if (set->table_count == feed->table_capacity) {
        feed->set_tables = mysql_feed_set_grow(set->arena, feed->set_tables, set->table_count,
                                               &feed->table_capacity, sizeof *feed->set_tables);
        set->tables = feed->set_tables;
    }
    feed->set_tables[set->table_count] = (struct change_table){table->name, table->shape};
    return set->table_count++;
}

static struct record_change *add_change(struct feed *feed, const struct feed_table *table)
{
    uint32_t number = table_number(feed, table);
    struct change_set *set = feed->set;
    if (set->change_count == feed->change_capacity) {
        feed->changes = mysql_feed_set_grow(set->arena, feed->changes, set->change_count,
                                            &feed->change_capacity, sizeof *feed->changes);
        set->changes = feed->changes;
    }
    struct record_change *change = &feed->changes[set->change_count++];
    *change = (struct record_change){.table = number};
    return change;
}

static const struct cell *key_of(struct feed *feed, const struct shape *shape,
                                 const struct cell *cells)
{
    if (shape->key_field_count == 0) {
        return NULL;
    }
    struct cell *key =
        arena_allocate(feed->set->arena, (size_t)shape->key_field_count * sizeof *key);
    for (uint32_t i = 0; i < shape->key_field_count; i++) {
        key[i] = cells[shape->key_fields[i]];
    }
    return key;
}

static enum status refuse_image(const struct feed_table *table, uint32_t number,
                                struct error *error)
{
    const struct mysql_column *column = table->columns[number];
    error_set(error, ERROR_FEED_LOST, table->name,
              "a row is in the binary log without column %s: a session's binlog_row_image was not "
              "FULL",
              column != NULL ? column->name : "that was dropped");
    return error_hint(error, "SET GLOBAL binlog_row_image = FULL, and let no session set another; "
                             "then `transhume follow --resync` compares both sides, repairs the "
                             "target and goes on");
}

static bool is_blob(uint8_t type)
{
    return type >= MYSQL_TYPE_TINY_BLOB && type <= MYSQL_TYPE_BLOB;
}

/* NOBLOB leaves those out of an update that it did not change, and that are no part of the key. */
static enum status check_image(const struct feed_table *table, const uint8_t *present,
                               bool may_lack, struct error *error)
{
    for (uint32_t i = 0; i < table->log.column_count; i++) {
        const struct mysql_column *column = table->columns[i];
        bool lacks = column != NULL && !column->generated && !binlog_has_bit(present, i);
        if (lacks && (!may_lack || !is_blob(table->log.columns[i].type) ||
                      mysql_is_in(table->facts->key, column->name))) {
            return refuse_image(table, i, error);
        }
    }
    return STATUS_OK;
}

static enum status take_row(struct feed *feed, const struct feed_table *table,
                            struct binlog_rows *rows, struct error *error)
{
    struct cell *first = NULL;
    struct cell *second = NULL;
    enum status status = take_image(feed, table, rows->before, &rows->rest, &first, error);
    if (status == STATUS_OK && rows->updates) {
        status = take_image(feed, table, rows->after, &rows->rest, &second, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    struct record_change *change = add_change(feed, table);
    change->operation = rows->writes    ? RECORD_INSERT
                        : rows->updates ? RECORD_UPDATE
                                        : RECORD_DELETE;
    change->key = key_of(feed, table->shape, first);
    change->key_count = change->key != NULL ? table->shape->key_field_count : 0;
    change->before = rows->writes ? NULL : first;
    change->after = rows->writes ? first : second;
    change->acts = !rows->writes && !rows->unchecked && !feed->logs_actions;
    return STATUS_OK;
}

/* The place of the changes in the log up to here. The text is in `text`. */
static struct feed_place reached_place(const struct feed *feed, struct buffer *text)
{
    struct feed_place place = feed->reached;
    buffer_clear(text);
    place.has_gtids = feed->has_gtids;
    if (feed->has_gtids) {
        binlog_gtids_print(&feed->gtids, text);
        place.gtids = (struct text){buffer_string(text), text->length};
    }
    if (mysql_feed_compare_places(&place, &feed->set_ends) < 0 && feed->has_gtids) {
        place.number = 0;
        place.offset = 0;
    }
    return place;
}

/* One that is opened where a piece ends begins with the whole transaction again. */
static struct change_set *hand_out_piece(struct feed *feed)
{
    const struct feed_place end = reached_place(feed, &feed->text);
    mysql_feed_put_place(&end, feed->set->arena, &feed->set->end);
    feed->pieces++;
    return hand_out(feed);
}

/* The rest of an event that has more than a piece takes comes with the next call. */
enum status mysql_feed_take_more(struct feed *feed, struct change_set **set, struct error *error)
{
    struct binlog_rows *rows = &feed->rows;
    enum status status = STATUS_OK;
    bool full = false;
    if (feed->set == NULL) {
        begin_set(feed);
    }
    while (status == STATUS_OK && rows->rest.left > 0 && !full) {
        size_t before = rows->rest.left;
        status = take_row(feed, feed->rows_table, rows, error);
        if (status == STATUS_OK && (rows->rest.bad || rows->rest.left == before)) {
            status = mysql_feed_malformed(feed, error);
        }
        feed->bytes += before - rows->rest.left;
        full = feed->set->change_count >= PIECE_CHANGES_MAX || feed->bytes >= PIECE_BYTES_MAX;
    }
    if (status == STATUS_OK && full) {
        *set = hand_out_piece(feed);
    }
    return status;
}

/* Once for rows behind one another. */
static void take_lost(struct feed *feed, const struct feed_table *table)
{
    const struct change_set *set = feed->set;
    bool told =
        set != NULL && set->change_count > 0 &&
        feed->changes[set->change_count - 1].operation == RECORD_REPLACED &&
        strcmp(set->tables[feed->changes[set->change_count - 1].table].name, table->name) == 0;
    if (set == NULL) {
        begin_set(feed);
    }
    if (!told) {
        add_change(feed, table)->operation = RECORD_REPLACED;
    }
}

enum status mysql_feed_take_rows(struct feed *feed, const struct binlog_event *event,
                                 struct change_set **set, struct error *error)
{
    struct binlog_rows rows;
    if (!binlog_read_rows(event, feed->scratch, &rows)) {
        return mysql_feed_malformed(feed, error);
    }
    const struct feed_table *table = mysql_feed_find(feed, rows.number);
    if (table == NULL) { /* the number of an empty event, which ends a statement */
        return rows.rest.left == 0 ? STATUS_OK : mysql_feed_malformed(feed, error);
    }
    if (table->ignored) {
        return STATUS_OK;
    }
    if (table->lost) {
        take_lost(feed, table);
        return STATUS_OK;
    }
    if (rows.column_count != table->log.column_count) {
        return mysql_feed_malformed(feed, error);
    }
    if (check_image(table, rows.before, !rows.writes, error) != STATUS_OK ||
        (rows.updates && check_image(table, rows.after, true, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    feed->rows = rows;
    feed->rows_table = table;
    return mysql_feed_take_more(feed, set, error);
}

/* Nothing is told of its records: a table that was not seen before has no columns. */
void mysql_feed_take_table_change(struct feed *feed, const char *name,
                                  enum record_operation operation)
{
    struct feed_table *table = feed->tables;
    while (table != NULL && (table->ignored || strcmp(table->name, name) != 0)) {
        table = table->hh.next;
    }
    if (feed->set == NULL) {
        begin_set(feed);
    }
    if (table == NULL) {
        struct shape *shape = arena_allocate_zeroed(feed->arena, 1, sizeof *shape);
        table = arena_allocate_zeroed(feed->arena, 1, sizeof *table);
        shape->name = arena_copy_string(feed->arena, name);
        table->name = shape->name;
        table->shape = shape;
    }
    add_change(feed, table)->operation = operation;
}

static bool is_due(const struct feed *feed)
{
    if (mysql_feed_compare_places(&feed->reached, &feed->set_ends) < 0) {
        return false;
    }
    struct feed_place head = {.number = (uint32_t)atomic_load(&feed->self->feed_head_file),
                              .offset = atomic_load(&feed->self->feed_head_offset)};
    return mysql_feed_compare_places(&feed->place, &head) < 0 ||
           feed->reached.number != feed->place.number ||
           feed->reached.offset - feed->place.offset >= MOVE_BYTES ||
           clock_monotonic_ms() - feed->set_ms >= MOVE_MS;
}

static void end_transaction(struct feed *feed)
{
    feed->in_transaction = false;
    feed->reached = feed->reading;
    if (feed->has_gtids && feed->current.number > 0) {
        binlog_gtids_add(&feed->gtids, &feed->current);
    }
    feed->current.number = 0;
}

struct change_set *mysql_feed_finish(struct feed *feed)
{
    bool has = feed->set != NULL || feed->pieces > 0;
    end_transaction(feed);
    if (mysql_feed_compare_places(&feed->reached, &feed->place) <= 0 || (!has && !is_due(feed))) {
        return NULL;
    }
    if (feed->set == NULL) {
        begin_set(feed);
    }
    struct change_set *set = feed->set;
    set->commit_time_us = feed->commit_time_us;
    set->last_piece = true;
    feed->place = reached_place(feed, &feed->place_gtids);
    mysql_feed_put_place(&feed->place, set->arena, &set->end);
    set->transaction =
        arena_format(set->arena, "%s.%06u:%llu", feed->reached.base, (unsigned)feed->reached.number,
                     (unsigned long long)feed->reached.offset);
    if (has) {
        feed->brought_time_us = feed->commit_time_us;
    }
    feed->pieces = 0;
    return hand_out(feed);
}

void mysql_feed_discard(struct feed *feed)
{
    if (feed->set != NULL) {
        arena_destroy(feed->set->arena);
        feed->set = NULL;
    }
}
