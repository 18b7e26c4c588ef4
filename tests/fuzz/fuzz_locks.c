/* What others' statements say where they hold a lock: lines of a session (application, user, two of
 * a failure, words before a value), then what is left of its statement. Values in it are their
 * data, and are shown to nobody. */
#include "support.h"

#include "connectors/sql/locks.h"
#include <stdio.h>
#include <string.h>

enum { PIECE_BYTES_MAX = 2048, SHOWN_BYTES = 200 };

/* Words that leave nothing open: no quote, no comment, no beginning of a name or number. */
static bool is_plain(const char *words)
{
    size_t length = strlen(words);
    return strcspn(words, "'\"`$\\#") == length && strstr(words, "--") == NULL &&
           strstr(words, "/*") == NULL && (length == 0 || words[length - 1] == ' ');
}

/* Whatever stands in a literal, the same is shown. */
static void hide(const char *before, const char *behind)
{
    static const char *const values[] = {"'a'",    "'secret 4711'", "''",
                                         "'-- x'", "'/* x */'",     "'$1'"};
    char first[SHOWN_BYTES] = "";
    char other[SHOWN_BYTES] = "";
    struct buffer statement = {0};
    for (size_t at = 0; at < sizeof values / sizeof *values; at++) {
        buffer_clear(&statement);
        buffer_append_string(&statement, before);
        buffer_append_string(&statement, values[at]);
        buffer_append_string(&statement, behind);
        sql_hide_values(buffer_string(&statement), at == 0 ? first : other, SHOWN_BYTES);
        FUZZ_REQUIRE(at == 0 || strcmp(first, other) == 0);
    }
    buffer_free(&statement);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *lines[6];
    struct text input = {(const char *)data, size};
    struct error error = {0};
    char holder[SQL_HOLDER_BYTES];
    if (size > PIECE_BYTES_MAX) {
        return 0;
    }
    struct arena *arena = arena_create(0);
    for (int at = 0; at < 6; at++) {
        struct text line = at < 5 ? fuzz_line(&input) : input;
        lines[at] = arena_copy(arena, line.data, line.length);
    }
    const struct sql_session session = {.number = "123",
                                        .application = lines[0],
                                        .user = lines[1],
                                        .state = "idle in transaction",
                                        .seconds = "12",
                                        .query = lines[5],
                                        .more = (int)(size % 3)};
    sql_session_describe(&session, holder);
    FUZZ_REQUIRE(text_is_utf8(holder, strlen(holder)));
    error_set(&error, ERROR_TARGET_LOCKED, "t", "%s%s", lines[2], lines[3]);
    if (error.message[0] != '\0') {
        sql_lock_tell(&error, holder, "is in the way", "SELECT pg_terminate_backend(123)");
        fuzz_check_error(&error);
    }
    if (is_plain(lines[4])) {
        hide(lines[4], lines[5]);
    }
    arena_destroy(arena);
    return 0;
}
