/* Whether a dump is whole. */
#include "connectors/dump/dump_whole.h"
#include <string.h>

/* A line that begins so. */
static bool holds_line(const char *text, size_t length, const char *words)
{
    size_t wanted = strlen(words);
    const char *end = text + length;
    for (const char *at = text; at != NULL && (size_t)(end - at) >= wanted;) {
        if (memcmp(at, words, wanted) == 0) {
            return true;
        }
        const char *line = memchr(at, '\n', (size_t)(end - at));
        at = line != NULL ? line + 1 : NULL;
    }
    return false;
}

void dump_whole_begin(struct dump_whole *whole, const char *text, size_t length)
{
    enum { HEAD_BYTES = 1024 };
    static const struct {
        const char *first;
        const char *last;
    } programs[] = {{"-- PostgreSQL database dump", "-- PostgreSQL database dump complete"},
                    {"-- MySQL dump ", "-- Dump completed"},
                    {"-- MariaDB dump ", "-- Dump completed"}};
    size_t head = length < HEAD_BYTES ? length : HEAD_BYTES;
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
        if (holds_line(text, head, programs[i].first)) {
            whole->last_words = programs[i].last;
            return;
        }
    }
}

void dump_whole_read(struct dump_whole *whole, const char *text, size_t length)
{
    if (length >= sizeof whole->tail) {
        memcpy(whole->tail, text + (length - sizeof whole->tail), sizeof whole->tail);
        whole->tail_length = sizeof whole->tail;
        return;
    }
    size_t kept = sizeof whole->tail - length;
    kept = whole->tail_length < kept ? whole->tail_length : kept;
    memmove(whole->tail, whole->tail + (whole->tail_length - kept), kept);
    memcpy(whole->tail + kept, text, length);
    whole->tail_length = kept + length;
}

bool dump_whole_statement(struct dump_whole *whole, enum sql_language language,
                          const struct sql_piece *piece)
{
    struct sql_cursor at;
    sql_cursor_of_piece(&at, language, piece);
    if (sql_at(&at, "BEGIN") || sql_at_words(&at, "START TRANSACTION")) {
        whole->in_transaction = true;
        whole->line = piece->place.line;
    } else if (sql_at_one_of(&at, "COMMIT|END")) {
        whole->in_transaction = false;
    }
    return !sql_at(&at, "ROLLBACK");
}

const char *dump_whole_missing(const struct dump_whole *whole)
{
    if (whole->last_words != NULL &&
        !holds_line(whole->tail, whole->tail_length, whole->last_words)) {
        return whole->last_words;
    }
    return whole->in_transaction ? "COMMIT;" : NULL;
}
