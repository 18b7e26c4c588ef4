/* Tables and rows of the binary log. */
#include "connectors/mysql/binlog.h"
#include <string.h>

/* Behind the columns' types: (type, length, value). Others of them are of no use here, since the
 * catalogue says more. */
enum metadata { METADATA_NAMES = 4 };
enum { SECOND_DIGITS_MAX = 6 };

/* What a type takes: none, one or two bytes. */
static int meta_bytes(uint8_t type)
{
    switch (type) {
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE:
    case MYSQL_TYPE_TINY_BLOB:
    case MYSQL_TYPE_MEDIUM_BLOB:
    case MYSQL_TYPE_LONG_BLOB:
    case MYSQL_TYPE_BLOB:
    case MYSQL_TYPE_GEOMETRY:
    case MYSQL_TYPE_JSON:
    case 242: /* vector */
    case 140: /* MariaDB: blob, compressed */
    case MYSQL_TYPE_TIMESTAMP2:
    case MYSQL_TYPE_DATETIME2:
    case MYSQL_TYPE_TIME2:
        return 1;
    case MYSQL_TYPE_VARCHAR:
    case MYSQL_TYPE_VAR_STRING:
    case 141: /* MariaDB: varchar, compressed */
    case MYSQL_TYPE_BIT:
    case MYSQL_TYPE_NEWDECIMAL:
    case MYSQL_TYPE_STRING:
    case MYSQL_TYPE_ENUM:
    case MYSQL_TYPE_SET:
        return 2;
    default:
        return 0;
    }
}

/* Two bytes: the real type with bits of a length above 255, turned over, and the length. */
static void read_string(struct binlog_column *column, uint8_t first, uint8_t second)
{
    if ((first & 0x30) != 0x30 && first != 0) {
        column->length = (uint16_t)(second | ((first & 0x30) ^ 0x30) << 4);
        column->type = first | 0x30;
    } else {
        column->length = second;
        column->type = first != 0 ? first : MYSQL_TYPE_STRING;
    }
}

static void read_meta(struct binlog_column *column, struct binlog_bytes *meta)
{
    int count = meta_bytes(column->type);
    const uint8_t *bytes = binlog_take(meta, (size_t)count);
    if (bytes == NULL || count == 0) {
        return;
    }
    switch (column->type) {
    case MYSQL_TYPE_STRING:
    case MYSQL_TYPE_ENUM:
    case MYSQL_TYPE_SET:
        read_string(column, bytes[0], bytes[1]);
        return;
    case MYSQL_TYPE_NEWDECIMAL:
        column->length = bytes[0];
        column->digits = bytes[1];
        return;
    case MYSQL_TYPE_BIT:
        column->length = (uint16_t)(bytes[1] + (bytes[0] != 0));
        return;
    case MYSQL_TYPE_TIMESTAMP2:
    case MYSQL_TYPE_DATETIME2:
    case MYSQL_TYPE_TIME2:
        column->digits = bytes[0];
        meta->bad = meta->bad || bytes[0] > SECOND_DIGITS_MAX;
        return;
    default:
        column->length = (uint16_t)(bytes[0] | (count > 1 ? bytes[1] << 8 : 0));
    }
}

static void read_names(struct binlog_table *table, struct binlog_bytes names)
{
    uint32_t count = 0;
    while (names.left > 0 && count < table->column_count) {
        size_t length = (size_t)binlog_take_length(&names);
        const uint8_t *name = binlog_take(&names, length);
        if (name == NULL) {
            return;
        }
        table->columns[count++].name = (struct text){(const char *)name, length};
    }
    table->named = count == table->column_count && names.left == 0 && count > 0;
}

/* The texts are the event's. */
static const char *take_name(struct binlog_bytes *body)
{
    size_t length = (size_t)binlog_take_number(body, 1);
    const uint8_t *name = binlog_take(body, length + 1);
    return name != NULL && name[length] == '\0' ? (const char *)name : NULL;
}

bool binlog_read_table(struct binlog_bytes body, struct arena *arena, struct binlog_table *table)
{
    *table = (struct binlog_table){.number = binlog_take_number(&body, 6)};
    (void)binlog_take(&body, 2);
    table->database = take_name(&body);
    table->name = take_name(&body);
    uint64_t count = binlog_take_length(&body);
    const uint8_t *types = binlog_take(&body, count);
    if (body.bad || table->database == NULL || table->name == NULL || count > BINLOG_COLUMNS_MAX) {
        return false;
    }
    size_t length = (size_t)binlog_take_length(&body);
    const uint8_t *metas = binlog_take(&body, length);
    (void)binlog_take(&body, (count + 7) / 8);
    if (body.bad) {
        return false;
    }
    struct binlog_bytes meta = {.at = metas, .left = length};
    table->column_count = (uint32_t)count;
    table->columns = arena_allocate_zeroed(arena, count + 1, sizeof *table->columns);
    for (uint32_t i = 0; i < table->column_count; i++) {
        table->columns[i].type = types[i];
        read_meta(&table->columns[i], &meta);
    }
    while (body.left > 0 && !body.bad) {
        uint64_t type = binlog_take_number(&body, 1);
        size_t size = (size_t)binlog_take_length(&body);
        const uint8_t *value = binlog_take(&body, size);
        if (value != NULL && type == METADATA_NAMES) {
            read_names(table, (struct binlog_bytes){.at = value, .left = size});
        }
    }
    return !body.bad && !meta.bad && meta.left == 0;
}

/* ---------------------------------------------------------------- rows */

static int kind_of(uint8_t type, bool *second, bool *compressed)
{
    *compressed = type >= BINLOG_WRITE_1_COMPRESSED;
    *second =
        (type >= BINLOG_WRITE_2 && type <= BINLOG_DELETE_2) || type >= BINLOG_WRITE_2_COMPRESSED;
    int first = type >= BINLOG_WRITE_2_COMPRESSED   ? BINLOG_WRITE_2_COMPRESSED
                : type >= BINLOG_WRITE_1_COMPRESSED ? BINLOG_WRITE_1_COMPRESSED
                : type >= BINLOG_WRITE_2            ? BINLOG_WRITE_2
                                                    : BINLOG_WRITE_1;
    return type - first;
}

bool binlog_read_rows(const struct binlog_event *event, struct arena *arena,
                      struct binlog_rows *rows)
{
    struct binlog_bytes body = event->body;
    bool second = false;
    bool compressed = false;
    int kind = kind_of(event->type, &second, &compressed);
    *rows = (struct binlog_rows){.writes = kind == 0, .updates = kind == 1};
    rows->number = binlog_take_number(&body, 6);
    (void)binlog_take(&body, 2);
    if (second) {
        uint64_t extra = binlog_take_number(&body, 2);
        if (extra < 2 || binlog_take(&body, (size_t)extra - 2) == NULL) {
            return false;
        }
    }
    uint64_t count = binlog_take_length(&body);
    if (body.bad || count > BINLOG_COLUMNS_MAX) {
        return false;
    }
    rows->column_count = (uint32_t)count;
    rows->before = binlog_take(&body, (count + 7) / 8);
    rows->after = rows->updates ? binlog_take(&body, (count + 7) / 8) : rows->before;
    if (body.bad || (compressed && !binlog_inflate(body, arena, &body))) {
        return false;
    }
    rows->rest = body;
    return true;
}
