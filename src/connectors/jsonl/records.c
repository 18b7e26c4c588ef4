/* Lines or elements behind one face. */
#include "connectors/jsonl/records.h"

#include "base/memory.h"
#include <stdlib.h>

struct jsonl_records {
    struct folder_lines *lines;
    struct jsonl_array *array;
    char *path;
    enum error_code wide_code;
};

enum status jsonl_records_open(const struct jsonl_records_request *request,
                               struct jsonl_records **records, struct error *error)
{
    struct jsonl_records *made = memory_allocate_zeroed(1, sizeof(*made));
    *records = NULL;
    made->path = memory_copy_string(request->path);
    made->wide_code = request->wide_code;
    enum status status = request->array ? jsonl_array_open(request->path, request->record_bytes_max,
                                                           request->code, &made->array, error)
                                        : folder_lines_open(request->path, request->begin,
                                                            request->end, request->record_bytes_max,
                                                            request->code, &made->lines, error);
    if (status != STATUS_OK) {
        jsonl_records_close(made);
        return status;
    }
    *records = made;
    return STATUS_OK;
}

void jsonl_records_close(struct jsonl_records *records)
{
    if (records != NULL) {
        folder_lines_close(records->lines);
        jsonl_array_close(records->array);
        free(records->path);
        free(records);
    }
}

static void records_trim(char **line, size_t *length)
{
    while (*length > 0 && ((*line)[0] == ' ' || (*line)[0] == '\t')) {
        ++*line;
        --*length;
    }
    while (*length > 0 && ((*line)[*length - 1] == ' ' || (*line)[*length - 1] == '\t' ||
                           (*line)[*length - 1] == '\r')) {
        --*length;
    }
}

enum status jsonl_records_next(struct jsonl_records *records, char **text, size_t *length,
                               bool *too_long, struct error *error)
{
    if (records->array != NULL) {
        return jsonl_array_next(records->array, text, length, too_long, error);
    }
    do {
        enum status status = folder_lines_next(records->lines, text, length, too_long, error);
        if (status != STATUS_OK) {
            return status;
        }
        if (folder_lines_offset(records->lines) == 0 &&
            folder_lines_first(text, length, records->path, records->wide_code, error) !=
                STATUS_OK) {
            return STATUS_FAILED;
        }
        records_trim(text, length);
    } while (*length == 0);
    return STATUS_OK;
}

uint64_t jsonl_records_byte(const struct jsonl_records *records)
{
    return records->array != NULL ? jsonl_array_byte(records->array)
                                  : folder_lines_offset(records->lines);
}

struct folder_lines *jsonl_records_lines(const struct jsonl_records *records)
{
    return records->lines;
}

const struct jsonl_array *jsonl_records_array(const struct jsonl_records *records)
{
    return records->array;
}
