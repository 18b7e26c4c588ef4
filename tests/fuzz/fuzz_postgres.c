/* PostgreSQL's bytes as values, and people's words for its types: "V", a byte for the type, four
 * for its modifier, a value of binary COPY; "T", a type in words; "M", the catalogue's row of a
 * type: a byte for the type, one for what it is, four for its modifier, format_type's words; "S", a
 * span's bounds as a ledger has them; "C", messages of a COPY; "F", a kind of object, its name,
 * what makes and what drops it, a line each. */
#include "support.h"

#include "connectors/postgres/source.h"
#include "connectors/postgres/statement.h"
#include "connectors/postgres/target.h"
#include "connectors/sql/normal.h"
#include "model/canonical.h"
#include <string.h>

enum { HEAD_BYTES = 5, PRINTED_BYTES_MAX = 200 };

static const struct {
    uint32_t oid;
    const char *words;
} types[] = {
    {16, "boolean"},
    {17, "bytea"},
    {20, "bigint"},
    {21, "smallint"},
    {23, "integer"},
    {25, "text"},
    {26, "oid"},
    {114, "json"},
    {700, "real"},
    {701, "double precision"},
    {1043, "varchar"},
    {1082, "date"},
    {1083, "time"},
    {1114, "timestamp"},
    {1184, "timestamp with time zone"},
    {1186, "interval"},
    {1266, "time with time zone"},
    {1700, "numeric"},
    {2950, "uuid"},
    {3802, "jsonb"},
    {600, "point"},
};
enum { TYPE_COUNT = sizeof types / sizeof types[0] };

/* What a value of a column may be refused for. */
static void check_reject(const struct error *error)
{
    fuzz_check_error(error);
    FUZZ_REQUIRE(error->class == ERROR_CLASS_REJECT);
}

static void look_at(const struct cell *cell, struct arena *arena)
{
    struct buffer scratch = {0};
    struct canonical_hash hash = {0};
    struct error error = {0};
    static const struct sql_rules rules = {0};
    struct cell once = {0};
    struct cell twice = {0};
    value_print(cell, PRINTED_BYTES_MAX, &scratch);
    FUZZ_REQUIRE(text_is_utf8(buffer_string(&scratch), scratch.length));
    if (canonical_hash_cells(cell, 1, &scratch, &hash, &error) != STATUS_OK) {
        check_reject(&error);
    }
    if (sql_normal_form(&rules, cell, arena, &once, &error) != STATUS_OK) {
        check_reject(&error);
    } else {
        FUZZ_REQUIRE(sql_normal_form(&rules, &once, arena, &twice, &error) == STATUS_OK);
        FUZZ_REQUIRE(value_equal(&once, &twice));
    }
    buffer_free(&scratch);
}

/* A column of fewer digits drops zeros behind them, so normal forms are compared. */
static bool is_same(const struct cell *left, const struct cell *right, struct arena *arena)
{
    struct error error = {0};
    struct cell forms[2];
    if (left->kind == VALUE_ESCAPE || right->kind == VALUE_ESCAPE) {
        return value_equal(left, right);
    }
    return postgres_normal_form(NULL, left, arena, &forms[0], &error) == STATUS_OK &&
           postgres_normal_form(NULL, right, arena, &forms[1], &error) == STATUS_OK &&
           value_equal(&forms[0], &forms[1]);
}

/* What was read is written so that it reads as the same. */
static void write_back(const struct postgres_column *column, const struct cell *cell,
                       struct arena *arena)
{
    struct buffer out = {0};
    struct error error = {0};
    struct cell again = {0};
    if (postgres_encode(column, cell, arena, &out, &error) != STATUS_OK) {
        check_reject(&error);
    } else {
        FUZZ_REQUIRE(out.length >= 4);
        const uint8_t *copy = (const uint8_t *)arena_copy(arena, out.data + 4, out.length - 4);
        FUZZ_REQUIRE(postgres_decode(&column->type, false, copy, (uint32_t)(out.length - 4), arena,
                                     &again) == STATUS_OK);
        FUZZ_REQUIRE(is_same(cell, &again, arena));
    }
    buffer_free(&out);
}

static void read_value(struct text input, struct arena *arena)
{
    int32_t modifier = 0;
    if (input.length < HEAD_BYTES) {
        return;
    }
    unsigned which = (unsigned char)input.data[0] % TYPE_COUNT;
    memcpy(&modifier, input.data + 1, sizeof modifier);
    struct postgres_column column = {
        .name = "c",
        .modifier = modifier,
        .type = postgres_type_of(types[which].oid, 'b', modifier, types[which].words)};
    const uint8_t *bytes =
        (const uint8_t *)arena_copy(arena, input.data + HEAD_BYTES, input.length - HEAD_BYTES);
    /* Not zeros: what is not filled in is seen. */
    struct cell cell;
    memset(&cell, 0xa5, sizeof cell);
    FUZZ_REQUIRE(postgres_decode(&column.type, false, bytes, (uint32_t)(input.length - HEAD_BYTES),
                                 arena, &cell) == STATUS_OK);
    FUZZ_REQUIRE(cell.kind < VALUE_KIND_COUNT);
    look_at(&cell, arena);
    write_back(&column, &cell, arena);
}

/* What a source calls its type never ends the type: outside of quotes there is no other quote, no
 * comment, no end. */
static void check_words(const char *words)
{
    bool quoted = false;
    int depth = 0;
    for (; *words != '\0'; words++) {
        quoted = *words == '"' ? !quoted : quoted;
        if (quoted) {
            continue;
        }
        FUZZ_REQUIRE(strchr("';$\\/*", *words) == NULL);
        FUZZ_REQUIRE(words[0] != '-' || words[1] != '-');
        depth += *words == '(' ? 1 : *words == ')' ? -1 : 0;
        FUZZ_REQUIRE(depth >= 0 && (*words != ',' || depth > 0));
    }
    FUZZ_REQUIRE(!quoted && depth == 0);
}

static void read_type(struct text input, struct arena *arena)
{
    struct buffer first = {0};
    struct value_type type = {0};
    const char *words = arena_copy(arena, input.data, input.length);
    if (postgres_native_type(words, &type)) {
        postgres_append_type(&first, &type);
        FUZZ_REQUIRE(first.length > 0);
        struct value_type again = {0};
        FUZZ_REQUIRE(postgres_native_type(buffer_string(&first), &again));
        FUZZ_REQUIRE(again.kind == type.kind && again.zoned == type.zoned);
    }
    struct value_type foreign = {.kind = VALUE_TEXT, .native = words};
    buffer_clear(&first);
    postgres_append_type(&first, &foreign);
    check_words(buffer_string(&first));
    buffer_free(&first);
}

/* Whatever the catalogue tells, the column is made with a type that ends where it ends. */
static void read_catalogue(struct text input, struct arena *arena)
{
    int32_t modifier = 0;
    struct buffer made = {0};
    if (input.length < HEAD_BYTES + 1) {
        return;
    }
    memcpy(&modifier, input.data + 2, sizeof modifier);
    const char *words =
        arena_copy(arena, input.data + HEAD_BYTES + 1, input.length - HEAD_BYTES - 1);
    uint32_t oid = types[(unsigned char)input.data[0] % TYPE_COUNT].oid;
    struct postgres_type type = postgres_type_of(oid, input.data[1], modifier, words);
    FUZZ_REQUIRE(type.type.kind < VALUE_KIND_COUNT);
    postgres_append_type(&made, &type.type);
    FUZZ_REQUIRE(made.length > 0);
    check_words(buffer_string(&made));
    buffer_free(&made);
}

static void read_span(struct text input)
{
    struct span span = {.printable = "a span",
                        .bounds = (const uint8_t *)input.data,
                        .bounds_length = (uint32_t)input.length};
    struct sql_bounds bounds = {0};
    struct error error = {0};
    struct buffer out = {0};
    if (sql_span_decode(&span, &bounds, &error) != STATUS_OK) {
        fuzz_check_error(&error);
    } else if (input.length > 0) {
        sql_span_encode(&bounds, &out);
        /* unknown flags are not kept */
        FUZZ_REQUIRE(out.length == input.length);
    }
    const struct postgres_column columns[] = {
        {.name = "a", .type = postgres_type_of(25, 'b', -1, "text")},
        {.name = "b\"", .type = postgres_type_of(20, 'b', -1, "bigint")}};
    const char *names[] = {"a", "b\""};
    struct schema_column facts[] = {{.name = "a"}, {.name = "b\""}};
    struct schema_table described = {.name = "t", .columns = facts, .column_count = 2};
    struct postgres_table table = {.schema = &described,
                                   .columns = columns,
                                   .kind = 'r',
                                   .key = {names, bounds.parts == 1 ? 1 : 2}};
    buffer_clear(&out);
    if (postgres_span_append(&out, &span, &table, &error) != STATUS_OK) {
        fuzz_check_error(&error);
    }
    buffer_free(&out);
}

/* ---- COPY */

static const uint32_t copied[] = {20, 25, 1700}; /* numbers of types */
enum { COPIED = sizeof copied / sizeof copied[0] };

static struct postgres_type copied_type(uint32_t at)
{
    return postgres_type_of(copied[at], 'b', -1, at == 0 ? "bigint" : at == 1 ? "text" : "numeric");
}

/* The row as the writer would send it, which reads as the same. */
static void copy_back(const struct postgres_copy *form, const struct cell *cells)
{
    static const char head[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";
    struct postgres_copy copy = *form;
    struct batch *batch = batch_create(NULL, COPIED, 1);
    struct buffer out = {0};
    struct error error = {0};
    bool whole = true;
    copy.header_seen = false;
    buffer_append(&out, head, sizeof head - 1);
    buffer_append(&out, "\0\3", 2);
    for (uint32_t at = 0; at < COPIED && whole; at++) {
        struct postgres_column column = {.name = "c", .modifier = -1, .type = copied_type(at)};
        whole = postgres_encode(&column, &cells[at], batch->arena, &out, &error) == STATUS_OK;
    }
    if (whole) {
        FUZZ_REQUIRE(postgres_copy_take(&copy, batch, out.data, out.length, &error) == STATUS_OK);
        FUZZ_REQUIRE(batch->row_count == 1);
        for (uint32_t at = 0; at < COPIED; at++) {
            FUZZ_REQUIRE(is_same(&cells[at], &batch_row(batch, 0)[at], batch->arena));
        }
    }
    buffer_free(&out);
    batch_destroy(batch);
}

/* A byte of flags (1: documents), then messages, a byte of length before each. */
static void read_copy(struct text input, struct arena *arena)
{
    const char *names[COPIED] = {"a", "b", "c"};
    struct postgres_type columns[COPIED];
    struct cell cells[COPIED];
    struct postgres_database database = {.sql = {.shown = "a server"}};
    struct error error = {0};
    enum status status = STATUS_OK;
    bool documents = input.length > 0 && (input.data[0] & 1) != 0;
    for (uint32_t at = 0; at < COPIED; at++) {
        columns[at] = copied_type(at);
    }
    const struct postgres_request compiled = {
        .select = {.names = names, .column_count = COPIED, .documents = documents},
        .columns = columns};
    struct postgres_copy copy = {.database = &database, .compiled = &compiled, .name = "a table"};
    struct batch *batch = batch_create(NULL, documents ? 1 : COPIED, 4);
    for (size_t at = 1; at < input.length && status == STATUS_OK;) {
        size_t length = (unsigned char)input.data[at++];
        length = length < input.length - at ? length : input.length - at;
        const char *message = arena_copy(arena, input.data + at, length);
        uint32_t rows = batch->row_count;
        status = postgres_copy_take(&copy, batch, message, length, &error);
        at += length;
        if (status != STATUS_OK) {
            fuzz_check_error(&error);
        } else if (batch->row_count > rows && !documents) {
            memcpy(cells, batch_row(batch, rows), sizeof cells);
            copy_back(&copy, cells);
        }
    }
    batch_destroy(batch);
}

/* ---- statements */

/* What is taken for a statement that makes a thing begins as one that does. */
static void read_statement(struct text input, struct arena *arena)
{
    static const char *const words[] = {"CREATE ", "ALTER TABLE ", "ALTER SEQUENCE ", "SELECT",
                                        "COMMENT ON "};
    static const char *const others[] = {"sales", "x.y"};
    const struct schema_scope scope = {.others = {others, 2}};
    const char *lines[4];
    bool begins = false;
    for (int at = 0; at < 4; at++) {
        struct text line = at < 3 ? fuzz_line(&input) : input;
        lines[at] = arena_copy(arena, line.data, line.length);
    }
    struct schema_object object = {.what = lines[0],
                                   .name = lines[1],
                                   .native_sql = lines[2],
                                   .native_drop = lines[3][0] == '\0' ? NULL : lines[3]};
    for (size_t at = 0; at < sizeof words / sizeof words[0]; at++) {
        begins = begins || strncmp(lines[2], words[at], strlen(words[at])) == 0;
    }
    if (postgres_makes(&scope, &object)) {
        FUZZ_REQUIRE(begins);
        FUZZ_REQUIRE(object.native_drop == NULL || strncmp(object.native_drop, "DROP ", 5) == 0);
        /* Nothing follows what drops it. */
        char *more = arena_format(arena, "%s;x", lines[3]);
        object.native_drop = more;
        FUZZ_REQUIRE(lines[3][0] == '\0' || !postgres_makes(&scope, &object));
    }
    struct schema_index index = {.name = lines[1], .native_sql = lines[3]};
    struct schema_table table = {
        .name = lines[1], .native_sql = lines[2], .indexes = &index, .index_count = 1};
    struct error error = {0};
    if (postgres_check_told(&scope, &table, &error) != STATUS_OK) {
        fuzz_check_error(&error);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text input = {(const char *)data + 1, size > 0 ? size - 1 : 0};
    if (size == 0) {
        return 0;
    }
    struct arena *arena = arena_create(0);
    if (data[0] == 'T') {
        read_type(input, arena);
    } else if (data[0] == 'M') {
        read_catalogue(input, arena);
    } else if (data[0] == 'S') {
        read_span(input);
    } else if (data[0] == 'C') {
        read_copy(input, arena);
    } else if (data[0] == 'F') {
        read_statement(input, arena);
    } else {
        read_value(input, arena);
    }
    arena_destroy(arena);
    return 0;
}
