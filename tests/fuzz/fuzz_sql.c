/* Files of SQL in three dialects: tokens, statements (the same in windows of any size) and what
 * they do, DDL. The first byte chooses the dialect, the second the size of the windows. */
#include "support.h"

#include "sql/classify.h"
#include "sql/ddl.h"
#include <string.h>

enum { BYTES_MAX = 4096 };

static void read_tokens(enum sql_language language, const char *text, size_t length,
                        struct arena *arena)
{
    struct sql_lexer lexer;
    struct buffer value = {0};
    const char *behind = text;
    sql_lexer_init(&lexer, language, text, length, NULL);
    for (;;) {
        struct sql_token token = sql_lexer_next(&lexer);
        if (token.kind == SQL_TOKEN_END) {
            break;
        }
        FUZZ_REQUIRE(token.length > 0 && token.text >= behind);
        FUZZ_REQUIRE(token.text + token.length <= text + length);
        FUZZ_REQUIRE(token.place.offset == (size_t)(token.text - text));
        behind = token.text + token.length;
        if (sql_token_is_name(&token, language)) {
            FUZZ_REQUIRE(strlen(sql_token_name(&token, language, arena)) <= token.length);
        } else if (token.kind == SQL_TOKEN_STRING) {
            buffer_clear(&value);
            sql_token_append_string(&token, language, &value);
            FUZZ_REQUIRE(value.length <= token.length);
        }
    }
    buffer_free(&value);
}

static void classify(enum sql_language language, const struct sql_piece *piece, struct arena *arena)
{
    struct sql_object_name *objects;
    enum sql_statement_class class = sql_classify(language, piece, 0);
    FUZZ_REQUIRE(sql_class_name(class) != NULL);
    FUZZ_REQUIRE(sql_classify(language, piece, 80035) <= SQL_CLASS_CALL);
    FUZZ_REQUIRE(!sql_needs_no_transaction(language, piece) || class == SQL_CLASS_SESSION);
    uint32_t count = sql_objects_named(language, piece, arena, &objects);
    FUZZ_REQUIRE(count == 0 || class == SQL_CLASS_DDL || class == SQL_CLASS_ALONE);
    for (uint32_t i = 0; i < count; i++) {
        FUZZ_REQUIRE(sql_object_kind_name(objects[i].kind) != NULL);
        FUZZ_REQUIRE(objects[i].name != NULL || objects[i].kind == SQL_OBJECT_INDEX);
        FUZZ_REQUIRE(objects[i].place.offset >= piece->place.offset);
        FUZZ_REQUIRE(objects[i].place.offset <= piece->place.offset + piece->length);
    }
}

static void tell(const struct sql_piece *piece, struct buffer *out)
{
    if (piece->kind != SQL_PIECE_DATA) { /* which comes in parts */
        buffer_format(out, "%d %u:%u %s ", (int)piece->kind, piece->place.line, piece->place.column,
                      piece->fault != NULL ? piece->fault : "");
        buffer_append(out, piece->run, piece->run_length);
        buffer_append_byte(out, '\n');
    }
}

/* Windows begin with `step` bytes and grow by them until a piece is whole. What the pieces do is
 * looked at only with an arena. */
static void split(enum sql_language language, const char *text, size_t length, size_t step,
                  struct arena *arena, struct buffer *out)
{
    struct sql_splitter splitter;
    struct sql_piece piece;
    enum status status;
    size_t begin = 0;
    size_t end = step < length ? step : length;
    sql_splitter_init(&splitter, language);
    do {
        char *window = malloc(end - begin + 1); /* so that a byte too far is seen */
        const char *behind = window;
        memcpy(window, text + begin, end - begin);
        sql_splitter_window(&splitter, window, end - begin, end == length);
        while ((status = sql_splitter_next(&splitter, &piece)) == STATUS_OK) {
            FUZZ_REQUIRE(piece.comments == behind && piece.comments <= piece.text);
            FUZZ_REQUIRE(piece.text + piece.length <= piece.end && piece.end > piece.comments);
            FUZZ_REQUIRE(piece.comments <= piece.run && piece.run <= piece.text);
            FUZZ_REQUIRE(piece.text + piece.length <= piece.run + piece.run_length);
            FUZZ_REQUIRE(piece.run + piece.run_length <= piece.end);
            if (arena != NULL && piece.kind == SQL_PIECE_STATEMENT) {
                classify(language, &piece, arena);
            }
            behind = piece.end;
            tell(&piece, out);
        }
        FUZZ_REQUIRE(status == (end == length ? STATUS_END : STATUS_AGAIN));
        begin += (size_t)(splitter.lexer.position - window);
        free(window);
        end = end + step < length ? end + step : length;
    } while (status != STATUS_END);
}

static void read_ddl(enum sql_language language, const char *text, size_t length,
                     struct arena *arena)
{
    struct schema schema;
    struct sql_ddl_report report;
    sql_ddl_read(language, text, length, arena, &schema, &report);
    FUZZ_REQUIRE(report.findings.kept <= report.findings.count);
    for (uint32_t i = 0; i < schema.table_count; i++) {
        const struct schema_table *table = &schema.tables[i];
        FUZZ_REQUIRE(table->column_count > 0);
        FUZZ_REQUIRE(i == 0 || strcmp(table->name, table[-1].name) > 0);
        for (uint32_t k = 0; k < table->primary_key.count; k++) {
            FUZZ_REQUIRE(schema_find_column(table, table->primary_key.names[k]) >= 0 ||
                         table->primary_key.names[k][0] == '\0');
        }
        for (uint32_t k = 0; k < table->foreign_key_count; k++) {
            FUZZ_REQUIRE(table->foreign_keys[k].columns.count > 0);
            FUZZ_REQUIRE(table->foreign_keys[k].references != NULL);
        }
        for (uint32_t k = 0; k < table->index_count; k++) {
            FUZZ_REQUIRE(table->indexes[k].name != NULL && table->indexes[k].columns.count > 0);
        }
        for (uint32_t k = 0; k < table->column_count; k++) {
            FUZZ_REQUIRE(table->columns[k].name != NULL && table->columns[k].type.native != NULL);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > BYTES_MAX) {
        return 0;
    }
    enum sql_language language = (enum sql_language)(data[0] % 3);
    const char *text = (const char *)data + 2;
    size_t length = size - 2;
    struct arena *arena = arena_create(0);
    struct buffer whole = {0};
    struct buffer parts = {0};
    read_tokens(language, text, length, arena);
    split(language, text, length, length + 1, arena, &whole);
    split(language, text, length, data[1] + 1 + length / 32, NULL, &parts);
    FUZZ_REQUIRE(whole.length == parts.length);
    FUZZ_REQUIRE(memcmp(buffer_string(&whole), buffer_string(&parts), whole.length) == 0);
    read_ddl(language, text, length, arena);
    buffer_free(&whole);
    buffer_free(&parts);
    arena_destroy(arena);
    return 0;
}
