/* Files of declared changes: what is read of one is well formed, and its steps in the history are
 * read or refused. The first byte chooses which of both. */
#include "support.h"

#include "evolve/change/file.h"
#include "evolve/change/stored.h"
#include <stdlib.h>
#include <string.h>

enum { BYTES_MAX = 4096 };

static void check_value(const struct change_value *value)
{
    FUZZ_REQUIRE((value->kind == CHANGE_TEXT) == (value->text != NULL));
    FUZZ_REQUIRE(value->kind == CHANGE_MAP || value->keys == NULL);
    for (uint32_t i = 0; i < value->count; i++) {
        FUZZ_REQUIRE(value->kind != CHANGE_MAP || value->keys[i] != NULL);
        check_value(&value->items[i]);
    }
}

static void read_file(const char *text, size_t length, struct arena *arena)
{
    struct buffer lines = {0};
    struct plan_faults faults;
    struct change_file file;
    struct error error = {0};
    plan_faults_init(&faults, "001_a.change.yaml", &lines);
    if (change_file_parse(text, length, "001_a.change.yaml", arena, &file, &faults, &error) ==
        STATUS_OK) {
        FUZZ_REQUIRE(file.change.count > 0);
        for (uint32_t i = 0; i < file.change.count; i++) {
            FUZZ_REQUIRE(file.change.operations[i].value.kind == CHANGE_MAP);
            check_value(&file.change.operations[i].value);
        }
    } else {
        FUZZ_REQUIRE(error.code == ERROR_CHANGE_INVALID && faults.count > 0);
    }
    buffer_free(&lines);
}

/* What was read is written as what is read again. */
static void read_steps(const char *text, struct arena *arena)
{
    struct change_plan plan;
    struct error error = {0};
    struct buffer first = {0};
    struct buffer second = {0};
    if (change_plan_read(text, arena, &plan, &error) == STATUS_OK) {
        change_plan_write(&plan, &first);
        FUZZ_REQUIRE(change_plan_read(buffer_string(&first), arena, &plan, &error) == STATUS_OK);
        change_plan_write(&plan, &second);
        FUZZ_REQUIRE(first.length == second.length);
    }
    buffer_free(&first);
    buffer_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > BYTES_MAX) {
        return 0;
    }
    char *text = malloc(size); /* so that a byte too far is seen */
    struct arena *arena = arena_create(0);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    if (data[0] % 2 == 0) {
        read_file(text, size - 1, arena);
    } else {
        read_steps(text, arena);
    }
    arena_destroy(arena);
    free(text);
    return 0;
}
