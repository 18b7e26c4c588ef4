/* Reject files, read without their records: what the other members say is what a whole reading of
 * the line finds there. */
#include "support.h"

#include "base/file.h"
#include "engine/rejects/reject_heads.h"
#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* A line that is a JSON object whose members each stand once; NULL: any other. */
static json_t *object_read(const char *line, size_t length)
{
    json_t *object = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
    if (object != NULL && !json_is_object(object)) {
        json_decref(object);
        object = NULL;
    }
    return object;
}

static void require_same_members(json_t *whole, const char *line, size_t length)
{
    json_t *heads = object_read(line, length);
    json_t *record = json_object_get(heads, "record");
    FUZZ_REQUIRE(heads != NULL);
    FUZZ_REQUIRE(record == NULL || json_equal(record, json_object_get(whole, "record")) ||
                 (json_is_object(record) && json_object_size(record) == 0));
    json_object_del(heads, "record");
    json_object_del(whole, "record");
    FUZZ_REQUIRE(json_equal(whole, heads));
    json_decref(heads);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct file_lines whole = {0};
    struct file_lines heads = {0};
    struct error error = {0};
    struct buffer path = {0};
    enum status status;
    fuzz_empty_folder();
    fuzz_write("rejects.jsonl", strlen("rejects.jsonl"), data, size);
    buffer_format(&path, "%s/rejects.jsonl", fuzz_folder());
    FUZZ_REQUIRE(file_lines_open(&whole, path.data, ERROR_STATE_INVALID, &error) == STATUS_OK);
    FUZZ_REQUIRE(file_lines_open(&heads, path.data, ERROR_STATE_INVALID, &error) == STATUS_OK);
    while ((status = file_lines_next(&whole, &error)) == STATUS_OK) {
        FUZZ_REQUIRE(reject_heads_next(&heads, &error) == STATUS_OK);
        json_t *object = object_read(whole.line, (size_t)whole.length);
        if (object != NULL) {
            require_same_members(object, heads.line, (size_t)heads.length);
        }
        json_decref(object);
    }
    FUZZ_REQUIRE(status == STATUS_END && reject_heads_next(&heads, &error) == STATUS_END);
    file_lines_close(&whole);
    file_lines_close(&heads);
    buffer_free(&path);
    return 0;
}
