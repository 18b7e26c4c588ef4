/* Tables and rows of the binary log. */
#include "connectors/mysql/follow/binlog.h"
#include <string.h>

/* Behind the columns' types: (type, length, value). Others of them are of no use here, since the
 * catalogue says more. Character sets: the most frequent one and (column, another one), or one for
 * each column of the kind. */
enum metadata {
    METADATA_SIGNS = 1,
    METADATA_CHARSET_MOST = 2,
    METADATA_CHARSETS = 3,
    METADATA_NAMES = 4,
    METADATA_SET_LABELS = 5,
    METADATA_ENUM_LABELS = 6,
    METADATA_LABEL_CHARSET_MOST = 10,
    METADATA_LABEL_CHARSETS = 11
};
enum { SECOND_DIGITS_MAX = 6 };

/* The bytes of metadata that a type takes: none, one or two. */
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

typedef bool is_kind(uint8_t type);

static bool is_text(uint8_t type)
{
    return type == MYSQL_TYPE_STRING || type == MYSQL_TYPE_VAR_STRING ||
           type == MYSQL_TYPE_VARCHAR || type == 140 || type == 141 ||
           (type >= MYSQL_TYPE_TINY_BLOB && type <= MYSQL_TYPE_BLOB);
}

/* MariaDB counts these among the texts. */
static bool is_text_or_shape(uint8_t type)
{
    return is_text(type) || type == MYSQL_TYPE_GEOMETRY;
}

static bool is_labels(uint8_t type)
{
    return type == MYSQL_TYPE_ENUM || type == MYSQL_TYPE_SET;
}

static bool is_enum(uint8_t type)
{
    return type == MYSQL_TYPE_ENUM;
}

static bool is_set(uint8_t type)
{
    return type == MYSQL_TYPE_SET;
}

static bool is_number(uint8_t type)
{
    return (type >= MYSQL_TYPE_TINY && type <= MYSQL_TYPE_DOUBLE) || type == MYSQL_TYPE_LONGLONG ||
           type == MYSQL_TYPE_INT24 || type == MYSQL_TYPE_NEWDECIMAL;
}

/* The next column of the kind from `at` on; the table's count: there is none. */
static uint32_t find_kind(const struct binlog_table *table, is_kind *kind, uint32_t at)
{
    while (at < table->column_count && !kind(table->columns[at].type)) {
        at++;
    }
    return at;
}

static void read_signs(struct binlog_table *table, struct binlog_bytes bits)
{
    const size_t known = 8 * bits.left;
    uint32_t number = 0;
    for (uint32_t i = find_kind(table, is_number, 0); i < table->column_count && number < known;
         i = find_kind(table, is_number, i + 1), number++) {
        bool is_unsigned = (bits.at[number / 8] >> (7 - number % 8) & 1) != 0;
        table->columns[i].is_unsigned = is_unsigned;
        table->columns[i].is_signed = !is_unsigned;
    }
}

static void read_charsets(struct binlog_table *table, is_kind *kind, struct binlog_bytes charsets)
{
    for (uint32_t i = find_kind(table, kind, 0); i < table->column_count && charsets.left > 0;
         i = find_kind(table, kind, i + 1)) {
        table->columns[i].collation = (uint32_t)binlog_take_length(&charsets);
    }
}

static void read_most(struct binlog_table *table, is_kind *kind, struct binlog_bytes charsets)
{
    uint32_t most = (uint32_t)binlog_take_length(&charsets);
    for (uint32_t i = find_kind(table, kind, 0); i < table->column_count;
         i = find_kind(table, kind, i + 1)) {
        table->columns[i].collation = most;
    }
    uint32_t at = find_kind(table, kind, 0);
    uint64_t number = 0;
    while (charsets.left > 0 && at < table->column_count) {
        uint64_t wanted = binlog_take_length(&charsets);
        uint32_t other = (uint32_t)binlog_take_length(&charsets);
        for (; number < wanted && at < table->column_count; number++) {
            at = find_kind(table, kind, at + 1);
        }
        if (!charsets.bad && number == wanted && at < table->column_count) {
            table->columns[at].collation = other;
        }
    }
}

static void read_labels(struct binlog_table *table, is_kind *kind, struct binlog_bytes labels)
{
    for (uint32_t i = find_kind(table, kind, 0); i < table->column_count && labels.left > 0;
         i = find_kind(table, kind, i + 1)) {
        uint64_t count = binlog_take_length(&labels);
        const uint8_t *begin = labels.at;
        for (uint64_t label = 0; label < count && !labels.bad; label++) {
            (void)binlog_take(&labels, (size_t)binlog_take_length(&labels));
        }
        if (labels.bad) {
            return;
        }
        table->columns[i].labels = (struct text){(const char *)begin, (size_t)(labels.at - begin)};
        table->columns[i].label_count = (uint32_t)count;
    }
}

static void read_metadata(struct binlog_table *table, uint64_t type, struct binlog_bytes value,
                          bool mariadb)
{
    is_kind *text = mariadb ? is_text_or_shape : is_text;
    switch (type) {
    case METADATA_SIGNS:
        read_signs(table, value);
        return;
    case METADATA_CHARSET_MOST:
        read_most(table, text, value);
        return;
    case METADATA_CHARSETS:
        read_charsets(table, text, value);
        return;
    case METADATA_NAMES:
        read_names(table, value);
        return;
    case METADATA_SET_LABELS:
        read_labels(table, is_set, value);
        return;
    case METADATA_ENUM_LABELS:
        read_labels(table, is_enum, value);
        return;
    case METADATA_LABEL_CHARSET_MOST:
        read_most(table, is_labels, value);
        return;
    case METADATA_LABEL_CHARSETS:
        read_charsets(table, is_labels, value);
        return;
    default:
        return;
    }
}

static bool has_all_types(const struct binlog_table *table)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct binlog_column *column = &table->columns[i];
        bool lacks_sign = is_number(column->type) && !column->is_signed && !column->is_unsigned;
        bool lacks_charset =
            (is_text(column->type) || is_labels(column->type)) && column->collation == 0;
        if (lacks_sign || lacks_charset ||
            (is_labels(column->type) && column->labels.length == 0)) {
            return false;
        }
    }
    return true;
}

/* The texts are the event's. */
static const char *take_name(struct binlog_bytes *body)
{
    size_t length = (size_t)binlog_take_number(body, 1);
    const uint8_t *name = binlog_take(body, length + 1);
    return name != NULL && name[length] == '\0' ? (const char *)name : NULL;
}

bool binlog_read_table(struct binlog_bytes body, bool mariadb, struct arena *arena,
                       struct binlog_table *table)
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
        if (value != NULL) {
            read_metadata(table, type, (struct binlog_bytes){.at = value, .left = size}, mariadb);
        }
    }
    table->has_all_types = has_all_types(table);
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
    enum { NO_FOREIGN_KEY_CHECKS = 2 };
    struct binlog_bytes body = event->body;
    bool second = false;
    bool compressed = false;
    int kind = kind_of(event->type, &second, &compressed);
    *rows = (struct binlog_rows){.writes = kind == 0, .updates = kind == 1};
    rows->number = binlog_take_number(&body, 6);
    rows->unchecked = (binlog_take_number(&body, 2) & NO_FOREIGN_KEY_CHECKS) != 0;
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
