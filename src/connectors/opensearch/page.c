/* Pages of documents, taken apart without looking into the documents. */
#include "connectors/opensearch/page.h"

#include "base/text.h"
#include "model/json_reader.h"
#include <string.h>

enum { DEPTH_MAX = 512 };

struct reading {
    struct json_reader reader;
    struct arena *arena;
    struct opensearch_page *page;
    uint32_t capacity;
};

static bool is_named(const struct json_reader *reader, const char *name)
{
    return reader->length == strlen(name) && memcmp(reader->text, name, reader->length) == 0;
}

/* The value behind a KEY as it stands. */
static enum status take_raw(struct json_reader *reader, struct text *raw, struct error *error)
{
    enum json_token token = JSON_TOKEN_END;
    if (json_reader_next(reader, &token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *begin = reader->position - 1;
    if (json_reader_skip(reader, token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool composed = token == JSON_TOKEN_OBJECT_BEGIN || token == JSON_TOKEN_ARRAY_BEGIN;
    *raw = composed ? (struct text){begin, (size_t)(reader->position - begin)} : (struct text){0};
    return STATUS_OK;
}

static enum status take_string(struct json_reader *reader, struct text *text, struct error *error)
{
    enum json_token token = JSON_TOKEN_END;
    if (json_reader_next(reader, &token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (token == JSON_TOKEN_STRING) {
        *text = (struct text){reader->text, reader->length};
        return STATUS_OK;
    }
    return json_reader_skip(reader, token, error);
}

static enum status skip_value(struct json_reader *reader, struct error *error)
{
    return json_reader_skip(reader, JSON_TOKEN_KEY, error);
}

/* {"type":"index_not_found_exception","reason":…,"caused_by":{…}}, or a text of old servers. */
static enum status read_fault(struct json_reader *reader, struct opensearch_hit *hit,
                              struct error *error)
{
    enum json_token token = JSON_TOKEN_END;
    hit->failed = true;
    enum status status = json_reader_next(reader, &token, error);
    if (status == STATUS_OK && token != JSON_TOKEN_OBJECT_BEGIN) {
        return json_reader_skip(reader, token, error);
    }
    status = status == STATUS_OK ? json_reader_next(reader, &token, error) : status;
    while (status == STATUS_OK && token == JSON_TOKEN_KEY) {
        status = is_named(reader, "type") ? take_string(reader, &hit->fault, error)
                                          : skip_value(reader, error);
        status = status == STATUS_OK ? json_reader_next(reader, &token, error) : status;
    }
    return status;
}

static enum status read_found(struct json_reader *reader, struct opensearch_hit *hit,
                              struct error *error)
{
    enum json_token token = JSON_TOKEN_END;
    enum status status = json_reader_next(reader, &token, error);
    hit->absent = status == STATUS_OK && token == JSON_TOKEN_FALSE;
    return status == STATUS_OK ? json_reader_skip(reader, token, error) : status;
}

static enum status read_hit(struct reading *reading, struct error *error)
{
    struct json_reader *reader = &reading->reader;
    struct opensearch_page *page = reading->page;
    struct text routing = {0};
    enum json_token token = JSON_TOKEN_END;
    page->hits = arena_make_room(reading->arena, page->hits, page->count, &reading->capacity,
                                 sizeof(*page->hits));
    struct opensearch_hit *hit = &page->hits[page->count++];
    enum status status = json_reader_next(reader, &token, error);
    while (status == STATUS_OK && token == JSON_TOKEN_KEY) {
        if (is_named(reader, "_id")) {
            status = take_string(reader, &hit->id, error);
        } else if (is_named(reader, "_source")) {
            status = take_raw(reader, &hit->source, error);
        } else if (is_named(reader, "sort")) {
            status = take_raw(reader, &hit->sort, error);
        } else if (is_named(reader, "_routing")) {
            status = take_string(reader, &routing, error);
            hit->routed = routing.data != NULL;
        } else if (is_named(reader, "found")) {
            status = read_found(reader, hit, error);
        } else if (is_named(reader, "error")) {
            status = read_fault(reader, hit, error);
        } else {
            status = skip_value(reader, error);
        }
        status = status == STATUS_OK ? json_reader_next(reader, &token, error) : status;
    }
    return status;
}

static enum status read_list(struct reading *reading, struct error *error)
{
    struct json_reader *reader = &reading->reader;
    enum json_token token = JSON_TOKEN_END;
    enum status status = json_reader_next(reader, &token, error);
    if (status == STATUS_OK && token != JSON_TOKEN_ARRAY_BEGIN) {
        return json_reader_skip(reader, token, error);
    }
    status = status == STATUS_OK ? json_reader_next(reader, &token, error) : status;
    while (status == STATUS_OK && token == JSON_TOKEN_OBJECT_BEGIN) {
        status = read_hit(reading, error);
        status = status == STATUS_OK ? json_reader_next(reader, &token, error) : status;
    }
    return status;
}

/* {"failed":0}: the member's digits. */
static enum status read_shards(struct reading *reading, struct error *error)
{
    struct json_reader *reader = &reading->reader;
    enum json_token token = JSON_TOKEN_END;
    enum status status = json_reader_next(reader, &token, error);
    if (status == STATUS_OK && token != JSON_TOKEN_OBJECT_BEGIN) {
        return json_reader_skip(reader, token, error);
    }
    status = status == STATUS_OK ? json_reader_next(reader, &token, error) : status;
    while (status == STATUS_OK && token == JSON_TOKEN_KEY) {
        bool failed = is_named(reader, "failed");
        status = json_reader_next(reader, &token, error);
        if (status == STATUS_OK && failed && token == JSON_TOKEN_NUMBER) {
            reading->page->incomplete |= !(reader->length == 1 && reader->text[0] == '0');
        } else if (status == STATUS_OK) {
            status = json_reader_skip(reader, token, error);
        }
        status = status == STATUS_OK ? json_reader_next(reader, &token, error) : status;
    }
    return status;
}

/* The object that has the list "hits". */
static enum status read_hits(struct reading *reading, struct error *error)
{
    struct json_reader *reader = &reading->reader;
    enum json_token token = JSON_TOKEN_END;
    enum status status = json_reader_next(reader, &token, error);
    if (status == STATUS_OK && token != JSON_TOKEN_OBJECT_BEGIN) {
        return json_reader_skip(reader, token, error);
    }
    status = status == STATUS_OK ? json_reader_next(reader, &token, error) : status;
    while (status == STATUS_OK && token == JSON_TOKEN_KEY) {
        status = is_named(reader, "hits") ? read_list(reading, error) : skip_value(reader, error);
        status = status == STATUS_OK ? json_reader_next(reader, &token, error) : status;
    }
    return status;
}

static enum status read_member(struct reading *reading, struct error *error)
{
    struct json_reader *reader = &reading->reader;
    enum json_token token = JSON_TOKEN_END;
    enum status status = STATUS_OK;
    if (is_named(reader, "hits")) {
        return read_hits(reading, error);
    }
    if (is_named(reader, "docs")) {
        return read_list(reading, error);
    }
    if (is_named(reader, "_shards")) {
        return read_shards(reading, error);
    }
    if (is_named(reader, "_scroll_id")) {
        return take_string(reader, &reading->page->scroll_id, error);
    }
    if (is_named(reader, "pit_id")) {
        return take_string(reader, &reading->page->point_id, error);
    }
    if (!is_named(reader, "timed_out")) {
        return skip_value(reader, error);
    }
    status = json_reader_next(reader, &token, error);
    reading->page->incomplete |= status == STATUS_OK && token == JSON_TOKEN_TRUE;
    return status;
}

enum status opensearch_page_read(const char *text, size_t length, struct arena *arena,
                                 struct opensearch_page *page, struct error *error)
{
    struct reading reading = {.arena = arena, .page = page};
    enum json_token token = JSON_TOKEN_END;
    *page = (struct opensearch_page){0};
    json_reader_init(&reading.reader, text, length, DEPTH_MAX, arena);
    enum status status = json_reader_next(&reading.reader, &token, error);
    if (status == STATUS_OK && token != JSON_TOKEN_OBJECT_BEGIN) {
        return error_set(error, ERROR_REJECT_UNREADABLE, NULL, "the answer is no JSON object");
    }
    status = status == STATUS_OK ? json_reader_next(&reading.reader, &token, error) : status;
    while (status == STATUS_OK && token == JSON_TOKEN_KEY) {
        status = read_member(&reading, error);
        status = status == STATUS_OK ? json_reader_next(&reading.reader, &token, error) : status;
    }
    return status;
}

enum status opensearch_hit_refuse(const struct opensearch_hit *hit, const char *object,
                                  struct error *error)
{
    char id[80];
    char fault[80];
    text_printable(hit->id.data, hit->id.length, id, sizeof(id));
    if (!hit->failed) {
        error_set(error, ERROR_NETWORK_ANSWER, object, "the document %s comes without its _source",
                  id);
        error->class = ERROR_CLASS_STOP;
        return STATUS_FAILED;
    }
    text_printable(hit->fault.data, hit->fault.length, fault, sizeof(fault));
    return error_set(error, ERROR_NETWORK, object, "the document %s could not be read: %s", id,
                     fault[0] != '\0' ? fault : "the server says no reason");
}
