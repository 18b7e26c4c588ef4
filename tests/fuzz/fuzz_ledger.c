/* The engine's texts in a ledger: "=== header", "=== status" and any number of "=== mark"; "===
 * learnt", what a run learnt; and "=== holder", who holds a run, as connectors keep it. */
#include "support.h"

#include "connectors/common/lease.h"
#include "engine/ledger/learnt.h"
#include "engine/ledger/ledger_texts.h"
#include <string.h>

static bool is_named(const struct fuzz_part *part, const char *name)
{
    return part->name.length == strlen(name) &&
           memcmp(part->name.data, name, part->name.length) == 0;
}

static bool is_same_holder(const struct ledger_holder *left, const struct ledger_holder *right)
{
    return left->pid == right->pid && left->started == right->started &&
           left->since_us == right->since_us && left->lease_ms == right->lease_ms &&
           strcmp(left->host, right->host) == 0 && strcmp(left->machine, right->machine) == 0 &&
           strcmp(left->name, right->name) == 0;
}

/* What was read is told in messages, and reads as the same once it was written. */
static void read_holder(const char *text, struct arena *arena)
{
    struct ledger_holder holder;
    struct ledger_holder again;
    struct error error = {0};
    if (ledger_holder_read(text, &holder, &error) != STATUS_OK) {
        fuzz_check_error(&error);
        return;
    }
    (void)ledger_holder_is_gone(&holder);
    error_set(&error, ERROR_RUN_HELD, holder.name, "is held by %s", holder.name);
    fuzz_check_error(&error);
    FUZZ_REQUIRE(ledger_holder_write(&holder, arena, &text, &error) == STATUS_OK);
    FUZZ_REQUIRE(ledger_holder_read(text, &again, &error) == STATUS_OK);
    FUZZ_REQUIRE(is_same_holder(&holder, &again));
}

/* What was read is written as a text that reads as the same. */
static void read_learnt(const char *text, size_t length, struct arena *arena)
{
    struct learnt learnt;
    struct learnt again;
    struct error error = {0};
    struct buffer first = {0};
    struct buffer second = {0};
    if (learnt_read(text, length, arena, &learnt, &error) != STATUS_OK) {
        fuzz_check_error(&error);
        return;
    }
    learnt_append(&learnt, &first);
    FUZZ_REQUIRE(learnt_read(first.data, first.length, arena, &again, &error) == STATUS_OK);
    learnt_append(&again, &second);
    FUZZ_REQUIRE(first.length == second.length &&
                 memcmp(first.data, second.data, first.length) == 0);
    buffer_free(&first);
    buffer_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { MARKS_MAX = 16 };
    struct text archive = {(const char *)data, size};
    struct arena *arena = arena_create(0);
    struct done_mark marks[MARKS_MAX];
    struct ledger_run run = {.id = "r", .epoch = 1, .header = "", .status = "", .done = marks};
    struct fuzz_part part = {0};
    while (fuzz_next_part(&archive, &part)) {
        char *text = arena_copy(arena, part.bytes.data, part.bytes.length);
        if (is_named(&part, "header")) {
            run.header = text;
        } else if (is_named(&part, "status")) {
            run.status = text;
        } else if (is_named(&part, "holder")) {
            read_holder(text, arena);
        } else if (is_named(&part, "learnt")) {
            read_learnt(text, part.bytes.length, arena);
        } else if (run.done_count < MARKS_MAX) {
            uint64_t number = run.done_count + 1;
            marks[run.done_count++] = (struct done_mark){.chunk = number, .epoch = 1, .text = text};
        }
    }
    fuzz_read_engine_texts(&run, arena);
    arena_destroy(arena);
    return 0;
}
