/* MySQL's texts as values, its words for types, and its SHOW CREATE TABLE: "V", a byte for the
 * type, a value of the text protocol; "T", a type in words; "D", a statement; "O", one that makes a
 * view, trigger or the like; "S", a span's bounds as a ledger has them; "L", the words of an enum
 * or set, and a value. */
#include "support.h"

#include "connectors/mysql/source.h"
#include "connectors/mysql/statement.h"
#include "connectors/mysql/target.h"
#include "model/canonical.h"
#include <string.h>
#include <strings.h>

enum { PRINTED_BYTES_MAX = 200 };

static const struct {
    const char *name;
    const char *words;
} types[] = {
    {"bigint", "bigint(20)"},
    {"bigint", "bigint(20) unsigned"},
    {"year", "year(4)"},
    {"bit", "bit(64)"},
    {"float", "float"},
    {"double", "double"},
    {"decimal", "decimal(65,30)"},
    {"decimal", "decimal(10,2)"},
    {"date", "date"},
    {"datetime", "datetime"},
    {"datetime", "datetime(6)"},
    {"timestamp", "timestamp(3)"},
    {"time", "time(6)"},
    {"json", "json"},
    {"uuid", "uuid"},
    {"enum", "enum('a','b')"},
    {"varchar", "varchar(20)"},
    {"longtext", "longtext"},
    {"varbinary", "varbinary(20)"},
    {"point", "point"},
};
enum { TYPE_COUNT = sizeof types / sizeof types[0] };

static void check_reject(const struct error *error)
{
    fuzz_check_error(error);
    FUZZ_REQUIRE(error->class == ERROR_CLASS_REJECT);
}

/* A field of a line of LOAD DATA as the server reads it. */
static struct text read_field(const struct buffer *out, struct arena *arena)
{
    char *made = arena_allocate(arena, out->length + 1);
    size_t length = 0;
    for (size_t i = 0; i < out->length; i++) {
        char letter = out->data[i];
        FUZZ_REQUIRE(letter != '\t' && letter != '\n');
        if (letter == '\\') {
            FUZZ_REQUIRE(++i < out->length);
            letter = out->data[i];
            FUZZ_REQUIRE(strchr("tn\\", letter) != NULL);
            letter = letter == 't' ? '\t' : letter == 'n' ? '\n' : letter;
        }
        made[length++] = letter;
    }
    return (struct text){made, length};
}

/* In a statement a value is a number, or one quoted text that nothing in it ends. */
static void check_literal(const struct buffer *out)
{
    size_t i = 0;
    bool hex = out->length > 0 && out->data[0] == 'X';
    bool quoted = out->length > hex && out->data[hex] == '\'';
    FUZZ_REQUIRE(out->length > 0 && (quoted || !hex));
    if (!quoted) {
        FUZZ_REQUIRE(strspn(out->data, "0123456789+-.e") >= out->length);
        return;
    }
    for (i = hex + (size_t)1; i + 1 < out->length; i++) {
        FUZZ_REQUIRE(out->data[i] != '\'' || out->data[i + 1] == '\'');
        i += out->data[i] == '\'' || out->data[i] == '\\';
    }
    FUZZ_REQUIRE(i + 1 == out->length && out->data[i] == '\'');
}

static bool is_same(const struct cell *left, const struct cell *right, struct arena *arena)
{
    struct error error = {0};
    struct cell forms[2];
    if (left->kind == VALUE_ESCAPE || right->kind == VALUE_ESCAPE) {
        return value_equal(left, right);
    }
    return sql_normal_form(&mysql_rules, left, arena, &forms[0], &error) == STATUS_OK &&
           sql_normal_form(&mysql_rules, right, arena, &forms[1], &error) == STATUS_OK &&
           value_equal(&forms[0], &forms[1]);
}

/* What was read is written so that it reads as the same. */
static void write_back(const struct mysql_column *column, const struct cell *cell,
                       struct arena *arena)
{
    struct buffer out = {0};
    struct error error = {0};
    struct cell again = {0};
    if (mysql_encode(column, cell, MYSQL_IN_LINE, arena, &out, &error) != STATUS_OK) {
        check_reject(&error);
    } else {
        struct text field = read_field(&out, arena);
        mysql_decode(&column->type, field.data, field.length, arena, &again);
        FUZZ_REQUIRE(is_same(cell, &again, arena));
        buffer_clear(&out);
        FUZZ_REQUIRE(mysql_encode(column, cell, MYSQL_IN_STATEMENT, arena, &out, &error) ==
                     STATUS_OK);
        FUZZ_REQUIRE(buffer_string(&out) != NULL);
        check_literal(&out);
    }
    buffer_free(&out);
}

static void read_value(struct text input, struct arena *arena)
{
    struct buffer scratch = {0};
    struct canonical_hash hash = {0};
    struct error error = {0};
    if (input.length == 0) {
        return;
    }
    unsigned which = (unsigned char)input.data[0] % TYPE_COUNT;
    const struct mysql_column column = {
        .name = "c", .type = mysql_type_of(types[which].name, types[which].words)};
    const char *bytes = arena_copy(arena, input.data + 1, input.length - 1);
    /* Not zeros: what is not filled in is seen. */
    struct cell cell;
    memset(&cell, 0xa5, sizeof cell);
    mysql_decode(&column.type, bytes, input.length - 1, arena, &cell);
    FUZZ_REQUIRE(cell.kind < VALUE_KIND_COUNT);
    value_print(&cell, PRINTED_BYTES_MAX, &scratch);
    FUZZ_REQUIRE(text_is_utf8(buffer_string(&scratch), scratch.length));
    if (canonical_hash_cells(&cell, 1, &scratch, &hash, &error) != STATUS_OK) {
        check_reject(&error);
    }
    write_back(&column, &cell, arena);
    buffer_free(&scratch);
}

/* What a source calls its type never ends the type: outside of quotes there is no other quote, no
 * comment, no end. */
static void check_words(const char *words)
{
    int depth = 0;
    for (; *words != '\0'; words++) {
        if (*words == '\'') {
            for (words++; *words != '\0' && (*words != '\'' || words[1] == '\''); words++) {
                words += (*words == '\'' || *words == '\\') && words[1] != '\0';
            }
            FUZZ_REQUIRE(*words == '\'');
            continue;
        }
        FUZZ_REQUIRE(strchr("\"`;#\\/*", *words) == NULL);
        FUZZ_REQUIRE(words[0] != '-' || words[1] != '-');
        depth += *words == '(' ? 1 : *words == ')' ? -1 : 0;
        FUZZ_REQUIRE(depth >= 0 && (*words != ',' || depth > 0));
    }
    FUZZ_REQUIRE(depth == 0);
}

static void read_type(struct text input, struct arena *arena)
{
    static const struct mysql_database servers[] = {{.mariadb = true, .version = 101100},
                                                    {.mariadb = false, .version = 80036}};
    struct buffer made = {0};
    struct value_type type = {0};
    const char *words = arena_copy(arena, input.data, input.length);
    const char *name = arena_copy(arena, words, strcspn(words, "( "));
    struct value_type foreign = mysql_type_of(name, words).type;
    for (size_t i = 0; i < sizeof servers / sizeof servers[0]; i++) {
        buffer_clear(&made);
        mysql_append_type(&made, &servers[i], &foreign, words, (input.length & 1) != 0);
        check_words(buffer_string(&made));
        if (mysql_native_type(words, &type)) {
            buffer_clear(&made);
            mysql_append_type(&made, &servers[i], &type, NULL, false);
            FUZZ_REQUIRE(made.length > 0);
            check_words(buffer_string(&made));
        }
    }
    buffer_free(&made);
}

/* The clauses lie in the statement one after another, and names in their clauses. */
static void read_definition(struct text input, struct arena *arena)
{
    struct mysql_definition definition = {0};
    const char *statement = arena_copy(arena, input.data, input.length);
    const char *at = statement;
    enum status status = mysql_definition_read(statement, arena, &definition);
    FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_END);
    for (uint32_t i = 0; i < definition.count; i++) {
        const struct text *clause = &definition.clauses[i];
        struct text name = mysql_definition_name(clause);
        FUZZ_REQUIRE(clause->data >= at);
        at = clause->data + clause->length;
        FUZZ_REQUIRE(at <= statement + strlen(statement));
        FUZZ_REQUIRE(name.data >= clause->data && name.data + name.length <= at);
        FUZZ_REQUIRE(definition.kinds[i] <= MYSQL_CLAUSE_REFERENCE);
    }
    if (status == STATUS_OK) {
        FUZZ_REQUIRE(definition.options.data > at - 1);
        FUZZ_REQUIRE(definition.options.data + definition.options.length ==
                     statement + strlen(statement));
    }
}

static void check_piece(const char *statement, struct text piece)
{
    FUZZ_REQUIRE(piece.data >= statement);
    FUZZ_REQUIRE(piece.data + piece.length <= statement + strlen(statement));
}

/* Into another database and nothing moves: what stands between names stays as it is. */
static void read_object(struct text input, struct arena *arena)
{
    char *statement = arena_copy(arena, input.data, input.length);
    struct buffer moved = {0};
    size_t length = strlen(statement);
    check_piece(statement, mysql_definer(statement));
    check_piece(statement, mysql_enabled(statement));
    FUZZ_REQUIRE(!mysql_makes(statement, "view", "v") || strncasecmp(statement, "CREATE", 6) == 0);
    FUZZ_REQUIRE(!mysql_runs_as_caller(statement, "function", length % 2 == 0) ||
                 strcasestr(statement, "INVOKER") != NULL);
    FUZZ_REQUIRE(!mysql_sets(statement, "s") || strchr(statement, ';') == NULL);
    mysql_append_moved(&moved, statement, "no such", "other");
    FUZZ_REQUIRE(moved.length == length && memcmp(buffer_string(&moved), statement, length) == 0);
    buffer_clear(&moved);
    mysql_append_moved(&moved, statement, "shop", "shop");
    FUZZ_REQUIRE(moved.length == length && memcmp(buffer_string(&moved), statement, length) == 0);
    buffer_clear(&moved);
    mysql_append_trigger(&moved, statement, "shop");
    FUZZ_REQUIRE(moved.length > 0 || length == 0);
    buffer_free(&moved);
    mysql_drop_counter(statement);
    FUZZ_REQUIRE(strlen(statement) <= length);
}

static void read_span(struct text input)
{
    const struct span span = {.printable = "a span",
                              .bounds = (const uint8_t *)input.data,
                              .bounds_length = (uint32_t)input.length};
    struct sql_bounds bounds = {0};
    struct error error = {0};
    struct buffer out = {0};
    if (sql_span_decode(&span, &bounds, &error) != STATUS_OK) {
        fuzz_check_error(&error);
    }
    const struct mysql_column columns[] = {
        {.name = "a", .type = mysql_type_of("varchar", "varchar(20)")},
        {.name = "b`", .type = mysql_type_of("double", "double")}};
    const char *names[] = {"a", "b`"};
    struct schema_table described = {.name = "t", .column_count = 2};
    struct mysql_table table = {
        .schema = &described, .columns = columns, .key = {names, bounds.parts == 1 ? 1 : 2}};
    if (mysql_span_append(&out, &span, &table, &error) != STATUS_OK) {
        fuzz_check_error(&error);
    }
    buffer_free(&out);
}

/* As information_schema writes a label. */
static void append_label(struct buffer *out, const char *text)
{
    buffer_append_byte(out, '\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\') {
            buffer_append_byte(out, *text);
        }
        buffer_append_byte(out, *text);
    }
    buffer_append_byte(out, '\'');
}

/* A label that was written among others is found, and one that is longer is not. */
static void read_labels(struct text input, struct arena *arena)
{
    struct text line = fuzz_line(&input);
    const char *words = arena_copy(arena, line.data, line.length);
    const char *value = arena_copy(arena, input.data, input.length);
    size_t length = strlen(value);
    struct buffer made = {0};
    (void)mysql_holds_label(words, input.data, input.length);
    buffer_append_string(&made, strchr(value, ',') == NULL ? "set('a'," : "enum('a',");
    append_label(&made, value);
    buffer_append_string(&made, ",'b')");
    bool is_set = made.data[0] == 's';
    FUZZ_REQUIRE(mysql_has_labels(buffer_string(&made)));
    FUZZ_REQUIRE(mysql_holds_label(buffer_string(&made), value, length));
    char *more = arena_format(arena, "%s%s", value, is_set ? ",nothing" : "!");
    FUZZ_REQUIRE(!mysql_holds_label(buffer_string(&made), more, strlen(more)));
    buffer_free(&made);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text input = {(const char *)data + 1, size > 0 ? size - 1 : 0};
    if (size == 0) {
        return 0;
    }
    struct arena *arena = arena_create(0);
    switch (data[0]) {
    case 'T':
        read_type(input, arena);
        break;
    case 'D':
        read_definition(input, arena);
        break;
    case 'O':
        read_object(input, arena);
        break;
    case 'S':
        read_span(input);
        break;
    case 'L':
        read_labels(input, arena);
        break;
    default:
        read_value(input, arena);
    }
    arena_destroy(arena);
    return 0;
}
