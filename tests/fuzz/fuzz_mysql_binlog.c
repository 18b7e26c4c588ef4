/* What a server sends of its binary log: "J", a value of JSON; "Q", a statement; "G", sets of
 * transactions, two with a 0 between; "P", a compressed transaction; else events, one
 * behind the other, each as long as it says. Tables get the columns that the log tells. */
#include "support.h"

#include "connectors/mysql/follow/feed.h"
#include "model/canonical.h"
#include <string.h>

enum { PRINTED_BYTES_MAX = 200, UNPACKED_BYTES_MAX = 1 << 20 };

static void look_at(const struct cell *cell)
{
    struct buffer scratch = {0};
    value_print(cell, PRINTED_BYTES_MAX, &scratch);
    FUZZ_REQUIRE(text_is_utf8(scratch.data != NULL ? scratch.data : "", scratch.length));
    buffer_free(&scratch);
}

static void read_json(struct text input)
{
    struct buffer out = {0};
    if (binlog_print_json(input, &out)) {
        FUZZ_REQUIRE(text_is_utf8(buffer_string(&out), out.length));
    }
    buffer_free(&out);
}

static void read_statement(struct text input)
{
    struct arena *arena = arena_create(0);
    struct binlog_ddl ddl;
    binlog_read_ddl(input, arena, &ddl);
    for (uint32_t i = 0; i < ddl.table_count; i++) {
        FUZZ_REQUIRE(ddl.tables[i].table != NULL || ddl.tables[i].database != NULL);
    }
    arena_destroy(arena);
}

/* A set is printed as it is read, and two are in order as their words are. */
static void read_sets(struct text input, bool mariadb)
{
    const char *zero = memchr(input.data, '\0', input.length);
    size_t first = zero != NULL ? (size_t)(zero - input.data) : input.length;
    struct text rest = {input.data + first + (zero != NULL), input.length - first - (zero != NULL)};
    struct binlog_gtids left = {0};
    struct binlog_gtids right = {0};
    struct binlog_gtids again = {0};
    struct buffer out = {0};
    if (binlog_gtids_read((struct text){input.data, first}, mariadb, &left)) {
        binlog_gtids_print(&left, &out);
        FUZZ_REQUIRE(
            binlog_gtids_read((struct text){buffer_string(&out), out.length}, mariadb, &again));
        FUZZ_REQUIRE(binlog_gtids_hold(&left, &again) && binlog_gtids_hold(&again, &left));
        buffer_clear(&out);
        binlog_gtids_encode(&left, &out);
        if (binlog_gtids_read(rest, mariadb, &right)) {
            (void)binlog_gtids_hold(&left, &right);
        }
    }
    binlog_gtids_free(&left);
    binlog_gtids_free(&right);
    binlog_gtids_free(&again);
    buffer_free(&out);
}

static void unpack(struct text input)
{
    struct binlog_payload payload = {0};
    struct binlog_event event;
    const struct binlog_bytes body = {.at = (const uint8_t *)input.data, .left = input.length};
    size_t total = 0;
    if (binlog_payload_begin(&payload, body)) {
        while (total < UNPACKED_BYTES_MAX && !binlog_payload_ended(&payload) &&
               binlog_payload_next(&payload, &event)) {
            total += event.size;
        }
    }
    binlog_payload_free(&payload);
}

/* ---- a feed */

static const char *words_of(uint8_t type)
{
    switch (type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_LONG:
        return "int unsigned";
    case MYSQL_TYPE_LONGLONG:
        return "bigint";
    case MYSQL_TYPE_NEWDECIMAL:
        return "decimal(65,30)";
    case MYSQL_TYPE_DOUBLE:
        return "double";
    case MYSQL_TYPE_TIMESTAMP2:
        return "timestamp(6)";
    case MYSQL_TYPE_DATETIME2:
        return "datetime(6)";
    case MYSQL_TYPE_TIME2:
        return "time(6)";
    case MYSQL_TYPE_DATE:
        return "date";
    case MYSQL_TYPE_ENUM:
        return "enum('a','b''c')";
    case MYSQL_TYPE_SET:
        return "set('a','b')";
    case MYSQL_TYPE_JSON:
        return "json";
    case MYSQL_TYPE_BIT:
        return "bit(64)";
    case MYSQL_TYPE_STRING:
        return "uuid";
    case MYSQL_TYPE_BLOB:
        return "blob";
    default:
        return "varchar(20)";
    }
}

static void add_table(struct feed *feed, const struct binlog_event *event)
{
    struct feed_table *table = arena_allocate_zeroed(feed->arena, 1, sizeof *table);
    if (!binlog_read_table(event->body, event->server % 2 == 1, feed->arena, &table->log) ||
        mysql_feed_find(feed, table->log.number) != NULL) {
        return;
    }
    uint32_t count = table->log.column_count;
    struct mysql_column *columns = arena_allocate_zeroed(feed->arena, count + 1u, sizeof *columns);
    struct shape_field *fields = arena_allocate_zeroed(feed->arena, count + 1u, sizeof *fields);
    struct shape *shape = arena_allocate_zeroed(feed->arena, 1, sizeof *shape);
    table->columns = arena_allocate_zeroed(feed->arena, count + 1u, sizeof(const void *));
    table->fields = arena_allocate_zeroed(feed->arena, count + 1u, sizeof *table->fields);
    for (uint32_t i = 0; i < count; i++) {
        const char *words = words_of(table->log.columns[i].type);
        const char *name = arena_format(feed->arena, "%.*s", (int)strcspn(words, "( "), words);
        columns[i] = (struct mysql_column){
            .name = "c", .type = mysql_type_of(name, words), .charset = i % 2 ? "latin1" : NULL};
        table->columns[i] = &columns[i];
        table->fields[i] = i;
        fields[i].name = "c";
    }
    static const uint32_t key[] = {0};
    *shape = (struct shape){.name = "t",
                            .fields = fields,
                            .field_count = count,
                            .key_fields = key,
                            .key_field_count = count > 0};
    table->shape = shape;
    table->facts = arena_allocate_zeroed(feed->arena, 1, sizeof *table->facts);
    table->name = "t";
    table->number = table->log.number;
    HASH_ADD(hh, feed->tables, number, sizeof table->number, table);
}

static void visit(const struct change_set *set)
{
    for (uint32_t i = 0; i < set->change_count; i++) {
        const struct record_change *change = &set->changes[i];
        FUZZ_REQUIRE(change->table < set->table_count);
        const struct shape *shape = set->tables[change->table].shape;
        for (uint32_t field = 0; change->after != NULL && field < shape->field_count; field++) {
            look_at(&change->after[field]);
        }
    }
}

static enum status take(struct feed *feed, const struct binlog_event *event, struct error *error)
{
    struct change_set *set = NULL;
    struct binlog_query query;
    struct text file;
    uint64_t offset = 0;
    enum status status = STATUS_OK;
    switch (event->type) {
    case BINLOG_TABLE_MAP:
        add_table(feed, event);
        return STATUS_OK;
    case BINLOG_QUERY:
    case BINLOG_QUERY_COMPRESSED:
        if (binlog_read_query(event->body, event->type == BINLOG_QUERY_COMPRESSED, feed->scratch,
                              &query)) {
            read_statement(query.statement);
        }
        return STATUS_OK;
    case BINLOG_ROTATE:
        return binlog_read_rotate(event->body, &offset, &file) ? STATUS_OK : STATUS_FAILED;
    case BINLOG_FORMAT:
        return binlog_read_format(event, &feed->format) ? STATUS_OK : STATUS_FAILED;
    case BINLOG_HEARTBEAT:
    case BINLOG_HEARTBEAT_2:
        return binlog_read_heartbeat(event, &offset, &file) ? STATUS_OK : STATUS_FAILED;
    case BINLOG_PAYLOAD:
        unpack((struct text){(const char *)event->body.at, event->body.left});
        return STATUS_OK;
    default:
        break;
    }
    if ((event->type >= BINLOG_WRITE_1 && event->type <= BINLOG_DELETE_1) ||
        (event->type >= BINLOG_WRITE_2 && event->type <= BINLOG_DELETE_2) ||
        (event->type >= BINLOG_WRITE_1_COMPRESSED && event->type <= BINLOG_DELETE_2_COMPRESSED)) {
        status = mysql_feed_take_rows(feed, event, &set, error);
    }
    while (set != NULL) {
        visit(set);
        arena_destroy(set->arena);
        set = NULL;
        if (status == STATUS_OK && mysql_feed_has_more(feed)) {
            status = mysql_feed_take_more(feed, &set, error);
        }
    }
    return status;
}

static void follow(struct text input, struct arena *arena)
{
    struct mysql_database database = {0};
    struct feed feed = {.self = &database, .name = "f", .arena = arena};
    struct error error = {0};
    enum status status = STATUS_OK;
    feed.scratch = arena_create(0);
    for (size_t at = 0; at + BINLOG_HEADER_BYTES <= input.length && status == STATUS_OK;) {
        struct binlog_event event;
        const uint8_t *bytes = (const uint8_t *)input.data + at;
        struct binlog_bytes size = {.at = bytes + 9, .left = 4};
        size_t length = (size_t)binlog_take_number(&size, 4);
        length = length < input.length - at ? length : input.length - at;
        feed.format.checksums = false; /* a fuzzer makes none that is right */
        status = binlog_read_event(&feed.format, bytes, length, &event)
                     ? take(&feed, &event, &error)
                     : STATUS_FAILED;
        at += length > 0 ? length : 1;
        arena_reset(feed.scratch);
    }
    if (feed.set != NULL) {
        visit(feed.set);
    }
    mysql_feed_discard(&feed);
    HASH_CLEAR(hh, feed.tables);
    buffer_free(&feed.text);
    buffer_free(&feed.converted);
    arena_destroy(feed.scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text input = {(const char *)data + 1, size > 0 ? size - 1 : 0};
    if (size == 0) {
        return 0;
    }
    struct arena *arena = arena_create(0);
    switch (data[0]) {
    case 'J':
        read_json(input);
        break;
    case 'Q':
        read_statement(input);
        break;
    case 'G':
        read_sets(input, size % 2 == 0);
        break;
    case 'P':
        unpack(input);
        break;
    default:
        follow(input, arena);
    }
    arena_destroy(arena);
    return 0;
}
