/* Why SQLite refused a record: the constraint, the columns it speaks of and the values they had. */
#include "base/text.h"
#include "connectors/sqlite/writer_internal.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { REASON_COLUMNS_MAX = 8, REASON_VALUE_MAX = 80 };

bool writer_failure_is_of_record(const struct writer_failure *failure,
                                 const struct writer_view *view)
{
    if (failure->refusal.set) {
        return true;
    }
    switch (failure->result & 0xff) {
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
        return true;
    case SQLITE_ERROR:
        return view->started; /* an expression of the table failed on a value */
    default:
        return false;
    }
}

static bool is_word_end(char byte)
{
    return !isalnum((unsigned char)byte) && byte != '_' && (unsigned char)byte < 0x80;
}

/* Does the message name the column as a word of its own? */
static bool names(const char *message, const char *column)
{
    size_t length = strlen(column);

    for (const char *at = message; length > 0 && (at = strstr(at, column)) != NULL; at++) {
        bool starts = at == message || is_word_end(at[-1]);
        if (starts && is_word_end(at[length])) {
            return true;
        }
    }
    return false;
}

static bool in_key(const struct writer_table *table, const struct sqlite_target_column *column)
{
    for (uint32_t i = 0; i < table->plan->key.count; i++) {
        if (sqlite_same_name(table->plan->key.names[i], column->name)) {
            return true;
        }
    }
    return table->plan->key.count == 0 && column->key_position > 0;
}

/* Appends " (a = 1, b = "x")"; tells how many columns were named and how many of them are of the
 * key. */
static void append_values(const struct writer_failure *failure, const struct writer_insert *insert,
                          const struct writer_table *table, uint32_t row, struct buffer *out,
                          uint32_t *named, uint32_t *of_key)
{
    const struct cell *cells = batch_row(insert->view.batch, row);
    /* the text after the table's name, so that a column called like a word of the message is not
     * meant */
    const char *message = strchr(failure->message, ':');
    message = message != NULL ? message : failure->message;

    *named = *of_key = 0;
    for (uint32_t i = 0; i < insert->view.column_count && *named < REASON_COLUMNS_MAX; i++) {
        const struct sqlite_target_column *column = insert->columns[i].column;
        bool key = in_key(table, column);
        bool meant = failure->tracking                             ? key
                     : (failure->result & 0xff) == SQLITE_MISMATCH ? column->row_key
                                                                   : names(message, column->name);
        if (!meant) {
            continue;
        }
        buffer_format(out, "%s%s = ", *named == 0 ? " (" : ", ", column->name);
        value_print(&cells[insert->columns[i].field], REASON_VALUE_MAX, out);
        *named += 1;
        *of_key += key;
    }
    buffer_append_string(out, *named > 0 ? ")" : "");
}

static enum error_code code_of(const struct writer_failure *failure, uint32_t named,
                               uint32_t of_key, const struct writer_table *table)
{
    switch (failure->result) {
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
        return ERROR_REJECT_KEY_DUPLICATE;
    case SQLITE_CONSTRAINT_UNIQUE:
        return failure->tracking ||
                       (named == of_key && named > 0 && named == table->plan->key.count)
                   ? ERROR_REJECT_KEY_DUPLICATE
                   : ERROR_REJECT_CONSTRAINT;
    case SQLITE_CONSTRAINT_NOTNULL:
        return of_key > 0 ? ERROR_REJECT_KEY_NULL : ERROR_REJECT_CONSTRAINT;
    case SQLITE_CONSTRAINT_DATATYPE:
        return ERROR_REJECT_TYPE;
    default:
        break;
    }
    switch (failure->result & 0xff) {
    case SQLITE_MISMATCH:
        return ERROR_REJECT_TYPE;
    case SQLITE_TOOBIG:
        return ERROR_REJECT_TOO_LARGE;
    default:
        return ERROR_REJECT_CONSTRAINT;
    }
}

void writer_failure_describe(const struct writer_failure *failure,
                             const struct writer_insert *insert, const struct writer_table *table,
                             uint32_t row, struct arena *arena, struct record_outcome *outcome)
{
    struct buffer text = {0};
    uint32_t named = 0;
    uint32_t of_key = 0;
    char printable[1024];

    *outcome = (struct record_outcome){.row = row, .kind = OUTCOME_REJECTED};
    if (failure->refusal.set) {
        outcome->code = failure->refusal.code;
        buffer_append_string(&text, failure->refusal.reason);
    } else {
        if (failure->tracking && failure->result != SQLITE_CONSTRAINT_NOTNULL) {
            buffer_append_string(&text, "another record of this run has the same key");
        } else if (failure->tracking) {
            buffer_append_string(&text, "a part of the key is null");
        } else {
            buffer_append_string(&text, failure->message);
        }
        append_values(failure, insert, table, row, &text, &named, &of_key);
        outcome->code = code_of(failure, named, of_key, table);
    }
    text_printable(buffer_string(&text), text.length, printable, sizeof printable);
    outcome->reason = arena_copy_string(arena, printable);
    buffer_free(&text);
}
