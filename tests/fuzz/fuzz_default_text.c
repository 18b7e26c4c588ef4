/* What a column's default says, in a SQL database's own words: a byte of flags, one for the
 * column's kind, the words. */
#include "support.h"

#include "sql/default_text.h"
#include <string.h>

enum { FLAGS = SQL_BACKSLASHES | SQL_CASTS | SQL_BARE_TEXTS | SQL_CLOCK_TEXTS };

static struct schema_column read_default(const char *words, unsigned flags, enum value_kind kind,
                                         struct arena *arena)
{
    struct schema_column column = {.name = "c", .default_text = words, .type.kind = kind};
    FUZZ_REQUIRE(sql_default_read(&column, flags, arena));
    FUZZ_REQUIRE((column.default_kind == SCHEMA_DEFAULT_VALUE) == (column.default_value != NULL));
    return column;
}

/* What was read, as a text in quotes, in brackets and with a cast, says the same. */
static void read_again(const char *value, unsigned flags, enum value_kind kind, struct arena *arena)
{
    struct buffer words = {0};
    buffer_append_string(&words, "( '");
    for (const char *at = value; *at != '\0'; at++) {
        bool escaped = (flags & SQL_BACKSLASHES) != 0 && *at == '\\';
        /* before these a backslash stays */
        bool stays = escaped && (at[1] == '%' || at[1] == '_');
        if (*at == '\'' || (escaped && !stays)) {
            buffer_append_byte(&words, *at);
        }
        buffer_append_byte(&words, *at);
    }
    buffer_append_string(&words, (flags & SQL_CASTS) != 0 ? "'::numeric(10,2)[] )" : "' )");
    struct schema_column column = read_default(buffer_string(&words), flags, kind, arena);
    FUZZ_REQUIRE(column.default_kind == SCHEMA_DEFAULT_VALUE);
    FUZZ_REQUIRE(strcmp(column.default_value, value) == 0);
    buffer_free(&words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    struct arena *arena = arena_create(0);
    unsigned flags = data[0] & FLAGS;
    enum value_kind kind = (enum value_kind)(data[1] % VALUE_KIND_COUNT);
    const char *words = arena_copy(arena, data + 2, size - 2);
    struct schema_column column = read_default(words, flags, kind, arena);
    if (column.default_kind == SCHEMA_DEFAULT_VALUE) {
        read_again(column.default_value, flags, kind, arena);
    }
    arena_destroy(arena);
    return 0;
}
